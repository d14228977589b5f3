"""Periods that are found by going on from one occurrence to the next, instead of counting them from the anchor."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Expression,
    Kind,
    Literal,
    Loop,
    Name,
    Scope,
    Span,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words

ADDERS = frozenset("addmonths addyears adddate plusmonths addmonth relativedelta".split())
STARTS = frozenset("first beginning startof bom".split())


def stepped_in_loops(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    """`while (at < now) at = addMonths(at, 1)`: each round adds a month to what the last round made."""
    for assign in code.facts.assigns:
        loop = enclosing(assign.scope, Kind.LOOP, Kind.FUNCTION)
        if loop is None or not isinstance(loop.head, Loop) or loop.head.iterates is not None or assign.value is None:
            continue
        for target in assign.targets:
            step = month_step(code, assign, target, loop) if isinstance(target, Name) else None
            if step is not None and isinstance(target, Name) and not from_first(code, target, loop):
                yield step.span, assign.scope, target.text


def month_step(code: Code, assign: Assign, target: Name, loop: Scope) -> Expression | None:
    """The expression that adds a month to the very variable, in one step or through a variable of the same round."""
    value = assign.value
    if assign.operator == "+=" and value is not None and adds_months(code, value):
        return value
    if assign.operator != "=":
        return None
    whole = value
    if isinstance(value, Name):
        whole = next(
            (
                one.value
                for one in code.facts.assigns
                if within(one.scope, loop)
                and one.span.end <= assign.span.start
                and any(isinstance(part, Name) and part.text == value.text for each in one.targets for part in walk(each))
            ),
            None,
        )
    if whole is None or not any(isinstance(part, Name) and part.text == target.text for part in walk(whole)):
        return None
    return whole if adds_months(code, whole) else None


def adds_months(code: Code, value: Expression, hops: int = 1) -> bool:
    """A calendar step of months or years, itself or in the file's own function; of days and weeks none drifts."""
    for part in walk(value):
        if not isinstance(part, Call):
            continue
        last = fold(part.method)
        if last in ADDERS and not only_days(part):
            return True
        found = code.values.functions.get(part.method, ()) if hops else ()
        if len(found) != 1:
            continue
        inner = [one.value for one in code.facts.returns if within(one.scope, found[0]) and one.value is not None]
        if any(adds_months(code, one, hops - 1) for one in inner):
            return True
    return False


def only_days(call: Call) -> bool:
    """`AddDate(0, 0, 7)`, `relativedelta(days=1)`."""
    named = {argument.name for argument in call.arguments}
    if fold(call.method) == "relativedelta":
        return not named & {"months", "years"}
    given = [argument.value for argument in call.arguments]
    return (
        fold(call.method) == "adddate"
        and len(given) == 3
        and all(isinstance(one, Literal) and one.value == 0 for one in given[:2])
    )


def from_first(code: Code, target: Name, loop: Scope) -> bool:
    """Whether it starts on a first of a month, on which every month agrees: unsure is quiet."""
    said = set(words(target.text))
    if {"month", "first"} & said or "cursor" in said:
        return True
    for one in code.facts.assigns:
        if one.span.start >= loop.span.start or one.value is None:
            continue
        if not any(isinstance(each, Name) and each.text == target.text for each in one.targets):
            continue
        if enclosing(one.scope, Kind.FUNCTION) is not enclosing(loop, Kind.FUNCTION):
            continue
        whole = resolved(code.values, one.value, one.scope, one.span.start)
        text = code.facts.text(whole.span).lower().replace("_", "")
        if any(word in text for word in ("startof", "first", "beginning", "day=1", "-01", ", 1)", ", 1,", "bom")):
            return True
    return False
