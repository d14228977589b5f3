"""Numbers out of JSON that are cast to whole ones: in SQL, in ClickHouse's functions and in SQLAlchemy's accessors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Expression, Index, Literal, Name, Scope, Span, Template, fold, name_of, walk
from rules.meaning.usage.counters import statement_text
from rules.meaning.vocabulary import words

WHOLE = r"(?:int|integer|bigint|int4|int8|smallint)"
KEY = r"(?:'(?P<k{0}>[^']*)'|\?|:\w+|%s|\$\d+|%\(\w+\)s)"
SQL_CASTS = (
    re.compile(rf"->>\s*{KEY.format(1)}\s*\)*\s*::\s*{WHOLE}\b", re.I),
    re.compile(rf"cast\s*\(\s*[^()]*->>\s*{KEY.format(2)}\s*\)?\s*as\s+(?:{WHOLE}|signed|unsigned)\b", re.I),
    re.compile(rf"JSONExtract(?:U?Int)\s*\([^,()]*,\s*{KEY.format(3)}\s*\)", re.I),
)
ACCESSORS = frozenset("asinteger".split())
WHOLE_THINGS = frozenset(
    "token tokens count counter requests calls id ids index retries attempts seats users version status code size bytes page "
    "cached input output prompt completion".split()
)
"""What is counted in whole ones anyway; a property that the customer names can be anything."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A number out of JSON that is taken for a whole one."""

    span: Span
    scope: Scope
    text: str
    """How messages show it."""
    chosen: bool
    """Whether the customer says which property it is."""
    column: str
    """The column of the JSON, where it is known."""


def whole_casts(code: Code) -> Iterator[Cast]:
    seen: set[int] = set()
    for whole, scope in code.expressions:
        for part in walk(whole):
            found = cast_in(code, part, scope) if part.span.start not in seen else None
            if found is not None:
                seen.add(part.span.start)
                yield found


def cast_in(code: Code, part: Expression, scope: Scope) -> Cast | None:
    if isinstance(part, Literal | Template):
        text = statement_text(part)
        found = next((hit for pattern in SQL_CASTS if (hit := pattern.search(text)) is not None), None)
        key = next((key for key in found.groupdict().values() if key), "") if found is not None else ""
        return Cast(part.span, scope, found.group(0), not key, "") if found is not None and not counted(key) else None
    if isinstance(part, Call) and fold(part.method) in ACCESSORS and not part.arguments and from_json(code, part):
        return Cast(part.span, scope, code.facts.text(part.span), not names_property(code, part), column_of(code, part))
    return None


def counted(key: str) -> bool:
    return bool(WHOLE_THINGS & set(words(key)))


def from_json(code: Code, call: Call) -> bool:
    """`Event.payload[name].as_integer()`, directly or through a variable."""
    return any(not counted(key_of(one.key)) for one in read_from(code, call))


def names_property(code: Code, call: Call) -> bool:
    """Whether a literal says which property is read: `payload["segments"].as_integer()`."""
    return any(isinstance(one.key, Literal) for one in read_from(code, call))


def column_of(code: Code, call: Call) -> str:
    """`payload` of `Event.payload[name].as_integer()`."""
    return next((name_of(one.object) for one in read_from(code, call)), "")


def read_from(code: Code, call: Call) -> Iterator[Index]:
    made: list[Expression | None] = [call.receiver]
    if isinstance(call.receiver, Name):
        made = [one.value for one in code.values.definitions.get(call.receiver.text, ())]
    yield from (one for one in made if isinstance(one, Index))


def key_of(key: Expression) -> str:
    return str(key.value) if isinstance(key, Literal) else key.text if isinstance(key, Name) and key.text.isupper() else ""
