"""Months counted from 0 and from 1: JavaScript's `getMonth()` beside a month as people write it."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Compare, Expression, Kind, Literal, Member, Name, Scope, Span, enclosing, fold, walk
from rules.meaning.values import definitions_at
from rules.traits import Dates

GETTERS = frozenset("getmonth getutcmonth".split())


def mixed_months(code: Code) -> Iterator[tuple[Span, Scope, str, str]]:
    """Comparisons of a month from 0 with a month from 1, and dates made with a month that is one too high."""
    if code.facts.traits.dates is not Dates.EPOCH:
        return
    ones = from_one(code)
    for whole, scope in code.expressions:
        for part in walk(whole):
            if isinstance(part, Compare):
                for zero, other in ((part.left, part.right), (part.right, part.left)):
                    if is_getter(zero) and is_one(code, other, scope, ones):
                        yield part.span, scope, code.facts.text(zero.span), code.facts.text(other.span)
            elif isinstance(part, Call) and makes_date(part) and len(part.arguments) > 1:
                month = part.arguments[1].value
                counts_from_one = isinstance(month, Name | Member) and is_one(code, month, scope, ones)
                if counts_from_one and not from_zero(code, month, scope) and not ends_month(code, part):
                    yield part.span, scope, f"{code.facts.text(part.callee.span)}(…)", code.facts.text(month.span)


def ends_month(code: Code, call: Call) -> bool:
    """`new Date(y, m, 0)` is the last day of month m counted from one, and `Date.UTC(y, m, 1)` next to `Date.UTC(y, m - 1, 1)`
    the end of the month that begins there."""
    day = call.arguments[2].value if len(call.arguments) > 2 else None
    month = code.facts.text(call.arguments[1].value.span)
    if not isinstance(day, Literal) or day.value not in (0, 1):
        return False
    return day.value == 0 or any(
        makes_date(other)
        and len(other.arguments) > 1
        and code.facts.text(other.arguments[1].value.span).replace(" ", "") == f"{month}-1"
        and enclosing(other.scope, Kind.FUNCTION) is enclosing(call.scope, Kind.FUNCTION)
        for other in code.facts.calls
    )


def makes_date(call: Call) -> bool:
    return (call.constructs and call.folded == "date") or call.folded == "date.utc"


def is_getter(expression: Expression) -> bool:
    return isinstance(expression, Call) and fold(expression.method) in GETTERS


def is_one(code: Code, value: Expression, scope: Scope, ones: dict[str, set[Scope | None]]) -> bool:
    """`getMonth() + 1` itself, a literal 12, or a name that the same function elsewhere treats as counted from one."""
    if plus_one(value):
        return True
    if isinstance(value, Literal):
        return value.value == 12
    return isinstance(value, Name | Member) and outermost(scope) in ones.get(code.facts.text(value.span), ())


def from_zero(code: Code, month: Expression, scope: Scope, hops: int = 3) -> bool:
    """Whether a month is made by taking one off, as in `Number(parts.month) - 1 + n`, or comes out of a getter."""
    if not isinstance(month, Name) or not hops:
        return False
    return any(
        is_getter(part) or takes_one_off(part) or from_zero(code, part, one.scope, hops - 1)
        for one in definitions_at(code.values, month.text, scope, month.span.start)
        if one.value is not None
        for part in walk(one.value)
    )


def takes_one_off(part: Expression) -> bool:
    return isinstance(part, Binary) and part.operator == "-" and isinstance(part.right, Literal) and part.right.value == 1


def plus_one(value: Expression | None) -> bool:
    return (
        isinstance(value, Binary)
        and value.operator == "+"
        and is_getter(value.left)
        and isinstance(value.right, Literal)
        and value.right.value == 1
    )


def outermost(scope: Scope) -> Scope | None:
    function = enclosing(scope, Kind.FUNCTION)
    while function is not None and (outer := enclosing(function.parent, Kind.FUNCTION)) is not None:
        function = outer
    return function


def from_one(code: Code) -> dict[str, set[Scope | None]]:
    """Names of months that count from one, with the functions in which they do: made of `getMonth() + 1`, or turned
    with `month - 1` into what a date takes."""
    found: dict[str, set[Scope | None]] = {}
    for assign in code.facts.assigns:
        if plus_one(assign.value):
            for target in assign.targets:
                found.setdefault(code.facts.text(target.span), set()).add(outermost(assign.scope))
    for call in code.facts.calls:
        if not makes_date(call) or len(call.arguments) < 2:
            continue
        month = call.arguments[1].value
        if not isinstance(month, Binary) or month.operator != "-" or not isinstance(month.left, Name | Member):
            continue
        if isinstance(month.right, Literal) and month.right.value == 1 and not reassigned(code, month.left):
            found.setdefault(code.facts.text(month.left.span), set()).add(outermost(call.scope))
    return found


def reassigned(code: Code, name: Name | Member) -> bool:
    """Made from a bare `getMonth()` somewhere: `month - 1` is then last month, counted from zero."""
    return any(
        is_getter(assign.value) and any(code.facts.text(target.span) == code.facts.text(name.span) for target in assign.targets)
        for assign in code.facts.assigns
        if assign.value is not None
    )
