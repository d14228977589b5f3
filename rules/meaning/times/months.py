"""Stretches of time written as thirty days: calls that add them, and products that come to as much."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Expression, Literal, Member, Name, Scope, Span, fold, walk
from rules.meaning.vocabulary import words

DAY_MS = 86_400_000
MONTH = (30, 31)


def thirty_calls(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    for call in code.facts.calls:
        last = fold(call.method)
        given = [argument.value for argument in call.arguments if argument.name is None]
        days = next((argument.value for argument in call.arguments if argument.name == "days"), None)
        if last == "timedelta":
            days = days or (given[0] if given else None)
        elif len(given) == 1 and (last in ("adddays", "fromdays") or call.folded.endswith(("duration.days", "timedelta.days"))):
            days = given[0]
        elif last in ("adddays", "subdays") and len(given) == 2:
            days = given[1]
        elif last in ("plusdays", "minusdays", "ofdays", "subdays") and len(given) == 1:
            days = given[0]
        elif last == "adddate" and len(given) == 3:
            days = given[2]
        elif last in ("setdate", "setutcdate") and given and isinstance(given[0], Binary):
            days = given[0].right if isinstance(given[0].right, Literal) and given[0].operator == "+" else None
        elif last in ("add", "plus", "minus") and len(given) == 2 and text_of_unit(given[1]) in ("day", "days", "d"):
            days = given[0]
        elif last not in ("plus", "relativedelta"):
            continue
        if isinstance(days, Literal) and days.value in MONTH:
            yield call.span, call.scope, code.facts.text(call.span).split("\n")[0][:80]


def text_of_unit(value: Expression) -> str:
    """`"days"`, `ChronoUnit.DAYS`."""
    if isinstance(value, Member):
        return value.name.lower()
    return str(value.value) if isinstance(value, Literal) else ""


def thirty_products(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    for whole, scope in code.expressions:
        seen: list[Span] = []
        for part in walk(whole):
            inner = any(span.holds(part.span) for span in seen)
            if isinstance(part, Binary) and part.operator == "*" and not inner and is_month_long(part):
                seen.append(part.span)
                yield part.span, scope, code.facts.text(part.span)


def is_month_long(product: Binary) -> bool:
    """30 and a whole day in milliseconds, seconds or hours, and nothing else but a variable number of months."""
    factors: list[int] = []
    hours = False
    for part in leaves_of(product):
        if isinstance(part, Literal) and isinstance(part.value, int) and not isinstance(part.value, bool):
            factors.append(part.value)
        elif isinstance(part, Member) and part.name == "Hour":
            hours = True
        elif is_day(part):
            factors.append(86_400)
        else:
            return False
    if not set(factors) & set(MONTH):
        return False
    rest = 1
    for factor in factors:
        rest *= factor
    days = rest // next(factor for factor in factors if factor in MONTH)
    return days in (86_400, DAY_MS, 86_400_000_000_000) or (hours and days == 24)


def leaves_of(part: Expression) -> Iterator[Expression]:
    if isinstance(part, Binary) and part.operator == "*":
        yield from leaves_of(part.left)
        yield from leaves_of(part.right)
    else:
        yield part


def is_day(part: Expression) -> bool:
    """`SECONDS_PER_DAY`, and the unit of `30.days`."""
    return (isinstance(part, Name) and "day" in words(part.text)) or (isinstance(part, Member) and part.name in ("day", "days"))
