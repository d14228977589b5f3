"""ISO weeks: where a week's number is joined with a year, and whether it is the year that the week belongs to."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Member, Name, Scope, Template, enclosing, fold, name_of, walk
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words

MOMENT = frozenset("moment moment-timezone dayjs".split())


def week_format(code: Code, text: str) -> bool:
    """`IW` of a database, `%V` of C, and moment's `WW`; a database's own `WW` counts from January 1 and goes with its year."""
    if len(text) >= 30:
        return False
    if re.search(r"%Y.{0,4}%V|YYYY.{0,5}\bIW\b|yyyy.{0,5}'?W?II\b|YYYY-\"?W?\"?IW", text):
        return True
    return bool(MOMENT & code.facts.packages) and re.search(r"YYYY.{0,5}\bW{1,2}\b", text) is not None


def week_template(code: Code, part: Template, scope: Scope) -> bool:
    """`${year}-W${week}` where the week is counted on a date moved to its Thursday, and the year is not of that date."""
    holes = [one for one in part.parts if not isinstance(one, Literal)]
    if not re.search(r"-?W$", leading(part)) or len(holes) < 2:
        return False
    year, number = holes[0], holes[1]
    named = next((one for one in walk(number) if isinstance(one, Name) and "week" in words(one.text)), number)
    moved = {name for name in names_in(code, named, scope, 3) if is_thursday(code, name, scope)}
    taken = resolved(code.values, year, scope, part.span.start)
    if isinstance(taken, Call) and fold(taken.method) in ("getfullyear", "getutcfullyear"):
        return bool(moved) and name_of(taken.receiver) not in moved
    whole = resolved(code.values, named, scope, part.span.start)
    iso = any("isocalendar" in fold(name) or "isoweek" in fold(name) for name in called(whole))
    return iso and isinstance(taken, Member) and taken.name == "year"


def leading(part: Template) -> str:
    """The text before the second hole."""
    text, holes = "", 0
    for one in part.parts:
        if isinstance(one, Literal):
            text = str(one.value)
        else:
            holes += 1
            if holes == 2:
                return text
    return ""


def called(value: Expression) -> Iterator[str]:
    return (part.method for part in walk(value) if isinstance(part, Call))


def names_in(code: Code, value: Expression, scope: Scope, hops: int) -> Iterator[str]:
    for part in walk(value):
        if isinstance(part, Name):
            yield part.text
            if hops:
                for one in definitions_at(code.values, part.text, scope, part.span.start):
                    if one.value is not None:
                        yield from names_in(code, one.value, one.scope, hops - 1)


def is_thursday(code: Code, name: str, scope: Scope) -> bool:
    """`d.setUTCDate(d.getUTCDate() + 4 - day)`."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    for call in code.calls_in(function):
        if fold(call.method) not in ("setdate", "setutcdate") or name_of(call.receiver) != name or not call.arguments:
            continue
        if any(isinstance(part, Literal) and part.value in (3, 4) for part in walk(call.arguments[0].value)):
            return True
    return False
