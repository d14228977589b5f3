"""Numbers that look like a reading of what is left, and are an amount that was worked out: a price, a refund, a share."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Member, Name, Scope, Unary, fold, walk
from rules.meaning.limits.limits import Limit, is_zero
from rules.meaning.usage.takings import Taking
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words

HOPS = 3
WORKS_OUT = frozenset("calculate calc compute estimate price pricing cost ceil floor round refund".split())
"""In the name of a function: it answers how much something comes to."""
AMOUNTS = frozenset("delta amount quantity units cost price refund value".split())
"""Under these names a row says by how much it moves a balance."""
STANDS = frozenset("before after balance current remaining previous".split())
"""And under these what the balance came to."""


def is_amount(code: Code, limit: Limit, call: Call | None) -> bool:
    """`credits = ceil(seconds * rate); if credits <= 0: …; deduct(user, credits)`, `if refund > 0: insert(delta=refund)`.

    What is handed whole to the call that moves the balance is by how much it moves, and no reading of the store.
    """
    used = limit.used
    if call is None or not isinstance(used, Name) or not is_zero(limit.limit) or changed(code, used, limit, call):
        return False
    handed = tuple(handed_as(call, used.text))
    if not handed:
        return False
    named = any(AMOUNTS & set(words(name)) for name in handed)
    return (named and not limit.refuses) or worked_out(code, used.text, limit.scope, limit.span.start)


def spared_if_free(code: Code, limit: Limit, taking: Taking) -> bool:
    """`if (job.credits > 0) await reserve(owner, job.credits)`: whatever costs nothing is not taken, and nobody is refused."""
    call = taking.call
    if call is None or taking.counter is not None or not is_zero(limit.limit) or not isinstance(limit.used, Name | Member):
        return False
    if isinstance(limit.used, Name) and (limit.refuses or taking.emission is None or changed(code, limit.used, limit, call)):
        return False
    text = code.facts.text(limit.used.span)
    names = [set(words(name)) for name, value in given(call) if code.facts.text(value.span) == text]
    return any(not said & STANDS for said in names) if taking.emission is not None else any(said & AMOUNTS for said in names)


def given(call: Call) -> Iterator[tuple[str, Expression]]:
    """What a call is handed, with its name; an empty one for a place in the row."""
    for argument in call.arguments:
        yield argument.name or "", argument.value
        for part in walk(argument.value):
            yield from ((one.name or "", one.value) for one in getattr(part, "entries", ()))


def handed_as(call: Call, text: str) -> Iterator[str]:
    """The names under which a call is given a variable as it stands; an empty one for a place in the row."""
    for argument in call.arguments:
        if is_name(argument.value, text):
            yield argument.name or ""
        for part in walk(argument.value):
            yield from (one.name or "" for one in getattr(part, "entries", ()) if is_name(one.value, text))


def is_name(value: Expression, text: str) -> bool:
    value = value.value if isinstance(value, Unary) and value.operator in ("-", "&", "*") else value
    return isinstance(value, Name) and value.text == text


def changed(code: Code, name: Name, limit: Limit, call: Call) -> bool:
    """`credits -= cost` between the test and the write: then what is written is what is left."""
    found = definitions_at(code.values, name.text, call.scope, call.span.start)
    return any(limit.span.end < one.end <= call.span.start for one in found)


def worked_out(code: Code, text: str, scope: Scope, at: int, hops: int = HOPS) -> bool:
    """Whether a variable may come from a multiplication or a function that prices."""
    for found in definitions_at(code.values, text, scope, at):
        for part in walk(found.value):
            if isinstance(part, Binary) and part.operator in ("*", "/"):
                return True
            if isinstance(part, Call) and WORKS_OUT & set(words(part.method)[:1] + words(part.method)[-1:]):
                return True
        if hops and isinstance(found.value, Name) and worked_out(code, found.value.text, found.scope, found.end, hops - 1):
            return True
    return False


def is_share(code: Code, limit: Limit, call: Call | None) -> bool:
    """`if remaining > 0: add(min(overage, remaining))`: the test cuts what is booked, and refuses nobody."""
    if call is None or limit.refuses:
        return False
    text = code.facts.text(limit.used.span)
    return any(
        isinstance(part, Call) and fold(part.method) == "min" and any(code.facts.text(one.span) == text for one in walk(part))
        for argument in call.arguments
        for part in walk(resolved(code.values, argument.value, call.scope, call.span.start))
    )
