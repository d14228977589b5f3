"""Stretches of time written in code, in seconds: `60 * 5`, `5 * time.Minute`, `timedelta(hours=1)`, how long work is tried."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Entry, Expression, Literal, Member, Object, Scope, fold, walk
from rules.meaning.arguments import given
from rules.meaning.values import resolved

UNITS = {
    "second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86400, "days": 86400,
    "week": 604800, "weeks": 604800, "millisecond": 0.001, "milliseconds": 0.001,
}  # fmt: skip


def seconds(code: Code, value: Expression, scope: Scope, at: int) -> float | None:
    """A number as seconds; plain numbers are taken as they are. None for what is not written out in this file."""
    whole = resolved(code.values, value, scope, at)
    match whole:
        case Literal(value=bool()):
            return None
        case Literal(value=int() | float() as number):
            return float(number)
        case Member(object=Literal(value=int() | float() as number), name=name) if fold(name) in UNITS:
            return float(number) * UNITS[fold(name)]
        case Member(name=name) if fold(name) in UNITS:
            return UNITS[fold(name)]
        case Binary(operator="*", left=left, right=right):
            one, other = seconds(code, left, scope, at), seconds(code, right, scope, at)
            return one * other if one is not None and other is not None else None
        case Call() if fold(whole.method).removeprefix("of") in UNITS and whole.folded.startswith("duration."):
            amount = seconds(code, whole.arguments[0].value, scope, at) if len(whole.arguments) == 1 else None
            return amount * UNITS[fold(whole.method).removeprefix("of")] if amount is not None else None
        case Call() if fold(whole.method) in ("timedelta", "duration", "int", "days", "hours", "minutes", "seconds"):
            return of_call(code, whole, scope, at)
        case _:
            return None


def of_call(code: Code, call: Call, scope: Scope, at: int) -> float | None:
    total = 0.0
    for argument in call.arguments:
        unit = UNITS.get(fold(argument.name or ""), UNITS.get(fold(call.method), 86400 if argument.name is None else 0))
        if fold(call.method) in ("duration", "int"):
            unit = 1
        number = seconds(code, argument.value, scope, at)
        if number is None:
            return None
        total += number * unit
    return total if call.arguments else None


def horizon(code: Code) -> float | None:
    """For how long work of this file is tried again, in seconds, where that is written out: attempts with their delays."""
    found = [time for whole, scope in code.expressions for time in tried(code, whole, scope)]
    return max(found, default=None)


def tried(code: Code, whole: Expression, scope: Scope) -> Iterator[float]:
    for part in walk(whole):
        entries = {fold(one.name): one for one in part.entries if one.name} if isinstance(part, Object) else {}
        if "attempts" in entries and "backoff" in entries:
            yield from jobs(code, entries, scope)
        if "messageretentionperiod" in entries:
            kept = seconds(code, entries["messageretentionperiod"].value, scope, part.span.end)
            yield from (kept,) if kept is not None else ()
        if isinstance(part, Call) and fold(part.method) in ("task", "sharedtask", "actor"):
            yield from tasks(code, part)


def jobs(code: Code, entries: dict[str, Entry], scope: Scope) -> Iterator[float]:
    """BullMQ: `attempts: 10, backoff: { type: "exponential", delay: 60_000 }`, in milliseconds."""
    at = entries["attempts"].span.end
    count = seconds(code, entries["attempts"].value, scope, at)
    settings = resolved(code.values, entries["backoff"].value, scope, at)
    if not isinstance(settings, Object) or count is None:
        return
    inside = {fold(one.name): one.value for one in settings.entries if one.name}
    delay = seconds(code, inside["delay"], scope, at) if "delay" in inside else None
    if delay is None:
        return
    grows = isinstance(kind := inside.get("type"), Literal) and kind.value == "exponential"
    retries = min(max(int(count) - 1, 0), 40)
    yield delay / 1000 * ((2**retries - 1) if grows else retries)


def tasks(code: Code, mark: Call) -> Iterator[float]:
    named = given(code.values, mark).named
    if "maxretries" in named and "defaultretrydelay" in named:
        count = seconds(code, named["maxretries"], mark.scope, mark.span.end)
        delay = seconds(code, named["defaultretrydelay"], mark.scope, mark.span.end)
        if count is not None and delay is not None:
            yield count * delay


def spoken(length: float) -> str:
    """`5 minutes`, as a message says it."""
    for name, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if length >= unit:
            number = length / unit
            return f"{number:g} {name}{'' if number == 1 else 's'}" if number == round(number, 1) else f"{number:.1f} {name}s"
    return f"{length:g} seconds"
