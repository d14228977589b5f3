"""What takes from a limit: counter writes, usage rows and the project's recorders, and whether the store tests again."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Compare,
    Expression,
    Facts,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Template,
    Unary,
    fold,
    name_of,
    walk,
)
from rules.meaning.limits.limits import Limit, said_by
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.emissions import Emission, outer_calls
from rules.meaning.usage.writes import INSERTS, inserts_usage
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import names_counter, names_left, names_used, releases, words

COMPARING = frozenset(
    "gte gt lt lte ge le greaterthan lessthan greaterthanorequal lessthanorequal attributegreaterthan".split()
)
COUNTED = frozenset("count countdocuments".split())
PLANS = frozenset("free trial plan tier basic starter pro premium monthly daily".split())
"""In the name of a constant: what those get who pay nothing, or little."""
SETTINGS = frozenset("settings config conf cfg env constants options process".split())
"""What holds the numbers of an installation, one for all customers."""
COMPARING_ENDS = ("__gte", "__gt", "__lte", "__lt")


@dataclass(frozen=True, slots=True, eq=False)
class Taking:
    """One write that uses up what a limit allows."""

    span: Span
    scope: Scope
    what: str
    """How a message says it: "`credits` is written", "`recordUsage` is called"."""
    call: Call | None
    counter: Counter | None = None
    emission: Emission | None = None


def takings(code: Code) -> Iterator[Taking]:
    """In no particular order; refunds and resets left out."""
    for counter in code.counters:
        if takes(code, counter):
            yield Taking(counter.span, counter.scope, f"`{counter.name}` is written", counter.call, counter)
    for emission in code.emissions:
        if emission.record is None and not gives_back(emission.call):
            yield Taking(emission.call.span, emission.scope, f"{emission.title} is called", emission.call, None, emission)
    for call in code.facts.calls:
        if inserts_usage(call) and not opens(code, call):
            yield Taking(call.span, call.scope, f"`{call.name}` writes the usage", call)
        elif writes_less(call):
            yield Taking(call.span, call.scope, f"`{call.name}` writes what is left", call)


def opens(code: Code, call: Call) -> bool:
    """`db.add(VisitorUsage(visitor_id=visitor, minutes_used=0))`: a row whose counts begin at nothing uses nothing up."""
    counts = [value for name, value in fields_of(code, call) if names_used(name) or names_counter(name)]
    return bool(counts) and all(map(is_nothing, counts))


def fields_of(code: Code, call: Call) -> Iterator[tuple[str, Expression]]:
    for argument in call.arguments:
        whole = resolved(code.values, argument.value, call.scope, call.span.start)
        for part in walk(whole):
            yield from ((one.name, one.value) for one in getattr(part, "arguments", ()) if one.name is not None)
            yield from ((one.name, one.value) for one in getattr(part, "entries", ()) if one.name is not None)


def is_nothing(value: Expression) -> bool:
    """`0`, `0.0`, `Decimal("0")`."""
    if isinstance(value, Call) and len(value.arguments) == 1:
        return is_nothing(value.arguments[0].value)
    text = str(value.value) if isinstance(value, Literal) and not isinstance(value.value, bool) else ""
    return bool(text) and not text.strip("0.")


def writes_less(call: Call) -> bool:
    """`updateUserCredits(id, credits - cost)`: the project's own setter is given a balance that was worked out here."""
    said = words(call.method)
    if not said or said[0] not in ("update", "set", "save", "write", "store") or not names_left("_".join(said[1:])):
        return False
    return any(
        isinstance(argument.value, Binary) and argument.value.operator == "-" and names_left(said_by(argument.value.left))
        for argument in call.arguments
    )


def one_more(code: Code, counted: Expression) -> Iterator[Taking]:
    """`n = await db.run.count(…)` and then `db.run.create(…)`: one more row of what was counted."""
    if not isinstance(counted, Call) or fold(counted.method) not in COUNTED:
        return
    owner = counted.name.rpartition(".")[0]
    for call in code.facts.calls:
        if owner and call.name.rpartition(".")[0] == owner and fold(call.method) in INSERTS:
            yield Taking(call.span, call.scope, f"`{call.name}` adds one more", call)


def takes(code: Code, counter: Counter) -> bool:
    """Whether a counter moves towards its limit: what was used grows, what is left shrinks.

    `balance_after` of a ledger's row only tells what the balance came to.
    """
    if {"after", "before", "previous", "prior"} & set(words(counter.name)):
        return False
    if counter.change is Change.SUBTRACT:
        return not names_used(counter.name)
    if counter.change is Change.ADD:
        return not names_left(counter.name) and not is_minus(counter.amount)
    return counter.change is Change.SET and changed_before(code, counter)


def changed_before(code: Code, counter: Counter) -> bool:
    """`limitCounter += 1; update({ limitCounter })`: the new value was worked out from one that was read."""
    value = counter.value
    if isinstance(value, Name):
        return any(one.how == "change" for one in definitions_at(code.values, value.text, counter.scope, counter.span.start))
    return False


def gives_back(call: Call) -> bool:
    return releases(call.method) or any(is_minus(argument.value) for argument in call.arguments)


def is_minus(amount: Expression | None) -> bool:
    return isinstance(amount, Unary) and amount.operator == "-"


def conditional(facts: Facts, call: Call | None) -> bool:
    """A write with a comparison in its condition: `{ credits: { gte: cost } }`, `.gte("credits", n)`, `WHERE used < n`."""
    return call is not None and any(compares(one) for one in fluent(facts, call))


VERSIONS = frozenset("version lockversion etag updatedat rev revision rowversion xmin".split())


def compares_version(facts: Facts, taking: "Taking") -> bool:
    """A write whose condition names the version, or the value, that was read before: of two at once one matches nothing."""
    counter = taking.counter.name if taking.counter is not None else ""
    return taking.call is not None and any(
        is_old(name, value, counter) for one in fluent(facts, taking.call) for name, value in conditions(one)
    )


def conditions(call: Call) -> Iterator[tuple[str, Expression]]:
    """What a call may compare: entries of its objects, and `.eq("version", row.version)`."""
    plain = [argument.value for argument in call.arguments if argument.name is None]
    if fold(call.method) in ("eq", "equals", "where") and len(plain) == 2:
        yield name_of(plain[0]) or str(getattr(plain[0], "value", "")), plain[1]
    for argument in call.arguments:
        if argument.name is not None:
            yield argument.name, argument.value
        for part in walk(argument.value):
            yield from ((entry.name, entry.value) for entry in getattr(part, "entries", ()) if entry.name is not None)


def is_old(name: str, value: Expression, counter: str) -> bool:
    """`version: row.version`, `credits: row.credits`; what is worked out or made now is written and not compared."""
    same = isinstance(value, Member) and fold(value.name) == fold(name)
    return same and (fold(name) in VERSIONS or (bool(counter) and fold(name) == fold(counter)))


def fluent(facts: Facts, call: Call) -> Iterator[Call]:
    """All calls of the chain that a call is a part of: `db.Model(u).Where("…").Update("…", n)`."""
    yield call
    inner = call.receiver
    while inner is not None:
        if isinstance(inner, Call):
            yield inner
        inner = getattr(inner, "receiver", None) or getattr(inner, "object", None)
    outer = outer_of(facts)
    while id(call) in outer:
        call = outer[id(call)]
        yield call


@lru_cache(maxsize=8)
def outer_of(facts: Facts) -> dict[int, Call]:
    return outer_calls(facts)


def compares(call: Call) -> bool:
    if fold(call.method).lstrip("$") in COMPARING:
        return True
    for argument in call.arguments:
        if (argument.name or "").endswith(COMPARING_ENDS):
            return True
        text = text_of(argument.value).lower()
        condition = text.partition("where")[2] if "where" in text else text if fold(call.method) in ("where", "filter") else ""
        if any(sign in condition for sign in "<>"):
            return True
        for part in walk(argument.value):
            if isinstance(part, Compare) and part.operator in ("<", ">", "<=", ">="):
                return True
            if isinstance(part, Call) and fold(part.method).lstrip("$") in COMPARING:
                return True
            if any(fold(entry.name or "").lstrip("$") in COMPARING for entry in getattr(part, "entries", ())):
                return True
            if "conditionexpression" in fold(" ".join(entry.name or "" for entry in getattr(part, "entries", ()))):
                return True
    return False


def text_of(expression: Expression) -> str:
    """The text of a string or template anywhere in an expression, with `?` for what is filled in."""
    match expression:
        case Literal(value=str(text)):
            return text
        case Template(parts=inside):
            return "".join(text_of(part) if isinstance(part, Literal) else "?" for part in inside)
        case Call(arguments=arguments):
            return " ".join(text_of(argument.value) for argument in arguments)
        case _:
            return ""


def amount_of(taking: Taking) -> Expression | None:
    """How much is taken, where it can be seen."""
    return taking.counter.amount if taking.counter is not None else None


def same_thing(reading: Expression, taking: Taking) -> bool:
    """Whether a limit's reading and a write are of one counter, by name."""
    return taking.counter is not None and fold(said_by(reading)) == fold(taking.counter.name)


def same_for_all(code: Code, limit: Limit) -> bool:
    """`count >= settings.MAX_KEYS`: a number in the code bounds how many rows there are, and no plan sells more of them."""
    whole = resolved(code.values, limit.limit, limit.scope, limit.span.start)
    root = root_of(whole)
    constant = name_of(whole).isupper() or name_of(limit.limit).isupper() or name_of(root).lower() in SETTINGS
    said = {*words(said_by(limit.limit)), *words(code.facts.text(whole.span))}
    return isinstance(whole, Literal) or (constant and not PLANS & said)
