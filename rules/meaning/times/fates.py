"""What becomes of a date that is computed: somebody keeps it, is given it, looks up by it, or it only bounds what is read."""

import re
from collections.abc import Iterator
from enum import StrEnum

from rules.code import Code
from rules.facts import (
    Assign,
    Binary,
    Branch,
    Call,
    Compare,
    Conditional,
    Expression,
    Index,
    Kind,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Scope,
    Span,
    Template,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.vocabulary import words


class Fate(StrEnum):
    """What is done with a date."""

    KEPT = "stored"
    GIVEN = "returned"
    KEYED = "looked up by"
    MEASURED = "measured with"
    BOUND = "bounds a query"
    TOLD = "told or logged"
    ASKED = "asked whether it is there"


PARTS = frozenset("time month date day key year utc full start end of iso week string period timestamp millis".split())
"""Words of what is asked of a date itself: `getTime`, `getMonthKey`."""
LASTING = frozenset({Fate.KEPT, Fate.GIVEN, Fate.KEYED})
READS = frozenset(
    "find get select where query count aggregate filter fetch list search gte lte gt lt between sum group read load lookup "
    "report scan".split()
)
TELLS = frozenset(
    "log info debug warn warning error print printf notify send mail email render json text message queue".split()
)
SETS = frozenset("setmonth setutcmonth setdate setutcdate sethours setutchours settime addmonth addmonths add".split())
WRITING = re.compile(r"^\s*(insert|update|replace|merge|with\b.*\b(insert|update))\b", re.I | re.S)
READING = re.compile(r"^\s*(select|with|delete)\b", re.I)
CLAMPED = re.compile(r"days_?in_?month|monthrange|last_?day|end_?of_?month|clamp|math\.min\(|\bmin\(|no_?overflow", re.I)
HOPS = 4


def fates(code: Code, span: Span, scope: Scope, held: str = "") -> frozenset[Fate]:
    """All that the function does with the date made at `span`, and with the variables that come to hold it."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = [span, *uses_of(code, {held} if held else set(), span, function)]
    return frozenset(found for use in uses for found in fate(code, use, function))


def uses_of(code: Code, names: set[str], span: Span, function: Scope) -> list[Span]:
    """Where a variable is read after the date came into it, through copies and conversions."""
    fresh = dict.fromkeys(names, span.end) | holders(code, span, function)
    known: set[str] = set()
    found: list[Span] = []
    for _ in range(HOPS):
        fresh = {name: start for name, start in fresh.items() if name not in known}
        known |= fresh.keys()
        ends = {name: declared_again(code, name, start, function) for name, start in fresh.items()}
        read = [
            part.span for part in names_in(code, function)
            if part.text in fresh and fresh[part.text] <= part.span.start < ends[part.text]
        ]  # fmt: skip
        found += read
        fresh = {name: start for one in read for name, start in holders(code, one, function).items()}
    return found


def declared_again(code: Code, name: str, start: int, function: Scope) -> int:
    """Where another variable of that name begins, as in the next arm of a `switch`."""
    later = (
        one.span.start for one in code.facts.assigns
        if one.declares and one.span.start >= start and within(one.scope, function)
        and any(isinstance(each, Name) and each.text == name for each in one.targets)
    )  # fmt: skip
    return min(later, default=function.span.end)


def names_in(code: Code, function: Scope) -> Iterator[Name]:
    seen: set[Span] = set()
    for whole, scope in code.expressions:
        if not within(scope, function):
            continue
        for part in walk(whole):
            if isinstance(part, Name) and part.span not in seen:
                seen.add(part.span)
                yield part


def holders(code: Code, span: Span, function: Scope) -> dict[str, int]:
    """The variables that a value is put into, each with where it holds it: whole, or converted, not as a part of a text or of
    an arithmetic."""
    return {
        target.text: one.span.end
        for one in code.facts.assigns
        if one.value is not None and one.value.span.holds(span) and within(one.scope, function) and not broken_up(one, span)
        for target in one.targets
        if isinstance(target, Name)
    }


def broken_up(assign: Assign, span: Span) -> bool:
    """Whether only something made of the date is assigned: a difference, an entry of a longer text, what a query found."""
    for part in walk(assign.value):
        if part.span == span or not part.span.holds(span):
            continue
        if isinstance(part, Compare) or (isinstance(part, Binary) and part.operator in ("-", "/", "*", "%")):
            return True
        if isinstance(part, Template) or (isinstance(part, Call) and asks(part)):
            return True
    return False


def fate(code: Code, span: Span, function: Scope) -> Iterator[Fate]:
    """By what stands nearest around one use."""
    # A call that is a statement of its own is among the calls only.
    parts: list[Expression] = [call for call in code.facts.calls if call.span.holds(span) and within(call.scope, function)]
    parts += [
        part for whole, scope in code.expressions if whole.span.holds(span) and within(scope, function)
        for part in walk(whole) if part.span.holds(span)
    ]  # fmt: skip
    around = sorted((part for part in parts if part.span != span), key=lambda part: part.span.end - part.span.start)
    for part in around:
        told = by_part(code, part, span)
        if told is not None:
            yield told
            return
    if any(one.value is not None and one.value.span.holds(span) for one in code.facts.returns if within(one.scope, function)):
        yield Fate.GIVEN
    for one in code.facts.assigns:
        if (
            one.value is not None
            and one.value.span.holds(span)
            and any(isinstance(each, Member | Index) for each in one.targets)
        ):
            yield Fate.KEPT


def by_part(code: Code, part: Expression, span: Span) -> Fate | None:
    """What one expression around a use says of it; None where the next one outside decides."""
    if isinstance(part, Compare) or (isinstance(part, Binary) and part.operator in ("-", "/", "*", "%")):
        return Fate.MEASURED
    if isinstance(part, Template):
        return Fate.BOUND if re.search(r"[<>]=?|between", code.facts.text(part.span), re.I) else None
    if isinstance(part, Conditional) and part.test.span.holds(span):
        return Fate.ASKED if part.test.span == span else Fate.MEASURED
    return by_call(part) if isinstance(part, Call) and any(one.span.holds(span) for one in part.arguments) else None


def by_call(call: Call) -> Fate | None:
    last = fold(call.method)
    said = set(words(call.method))
    texts = [part.value for one in call.arguments for part in walk(one.value) if isinstance(part, Literal)]
    statements = [text for text in texts if isinstance(text, str)]
    if any(map(WRITING.match, statements)):
        return Fate.KEPT
    if last == "eq":
        return Fate.KEYED
    if asks(call) or any(map(READING.match, statements)):
        return Fate.BOUND
    if last in ("isbefore", "isafter", "before", "after", "diff", "sub", "differenceindays", "diffindays"):
        return Fate.MEASURED
    if said & TELLS and not call.constructs:
        return Fate.TOLD
    return Fate.KEPT if said & {"create", "update", "insert", "upsert", "save", "set", "put", "store", "exec", "execute"} and (
        last not in SETS
    ) else None  # fmt: skip


def asks(call: Call) -> bool:
    """`findMany({ where: … })`, `getRevenue(from, to)`; `getTime` and what makes a date are no questions."""
    said = words(call.method)
    if call.constructs or not said or (set(said[1:]) and set(said[1:]) <= PARTS):
        return False
    if said[0] == "find" and any(isinstance(part, Object) for one in call.arguments for part in walk(one.value)):
        return True
    return said[0] in READS


def lasts(code: Code, span: Span, scope: Scope, held: str = "") -> bool:
    """Whether somebody goes by the date later: it is stored, given back, or rows are looked up by it."""
    return bool(fates(code, span, scope, held) & LASTING)


def corrected(code: Code, span: Span, scope: Scope, held: str = "") -> bool:
    """Whether the function itself sets a date right that ran over: `if (d.getDate() !== day) d.setDate(0)`, a loop that goes
    back to the month that was meant, or a day held against the length of the month."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None:
        return False
    names = {*([held] if held else []), *holders(code, span, function)}
    for inner in code.facts.scopes:
        test = inner.head.test if isinstance(inner.head, Branch | Loop) else None
        if test is None or inner.span.end < span.end or not within(inner, function) or inner.span.holds(span):
            continue
        named = any(isinstance(part, Name) and part.text in names for part in walk(test))
        if named and asks_calendar(test) and sets_again(code, names, inner):
            return True
    near = code.facts.text(function.span).split("\n")
    at = span.line - function.span.line
    return any(CLAMPED.search(line.split("//")[0]) for line in near[max(at - 8, 0) : at + 9])


def asks_calendar(test: Expression) -> bool:
    said = {word for part in walk(test) for word in words(getattr(part, "method", "") or name_of(part))}
    return bool(said & {"month", "date", "day", "mday"})


def sets_again(code: Code, names: set[str], inner: Scope) -> bool:
    return any(
        isinstance(target, Name) and target.text in names
        for one in code.facts.assigns if within(one.scope, inner) for target in one.targets
    ) or any(
        isinstance(one.receiver, Name) and one.receiver.text in names and fold(one.method).startswith("set")
        for one in code.facts.calls if within(one.scope, inner)
    )  # fmt: skip
