"""Indexes in SQL that only find rows: what they are over may stand in many."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.facts import Call, Facts, Literal, fold

PLAIN = re.compile(
    r"^\s*create\s+index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?[\w\"`.]*\s*on\s+(?:only\s+)?"
    r"(?P<table>(?:[\w\"`]+\.)?[\w\"`]+)\s*(?:using\s+\w+\s*)?\(\s*[\"`]?(?P<first>\w+)[\"`]?\s*(?:asc|desc)?\s*[,)]",
    re.I,
)


@dataclass(frozen=True, slots=True, eq=False)
class PlainIndex:
    """One `CREATE INDEX` without `UNIQUE`."""

    call: Call
    table: str
    """As written, without its schema."""
    column: str
    """The first one, folded: by it rows are looked for."""


def plain_indexes(facts: Facts) -> Iterator[PlainIndex]:
    """Those of a file of SQL statements."""
    for call in facts.calls if facts.language == "sql" else ():
        text = call.arguments[0].value if call.arguments else None
        found = PLAIN.match(text.value) if isinstance(text, Literal) and isinstance(text.value, str) else None
        if found is not None:
            yield PlainIndex(call, found["table"].rpartition(".")[2].strip('"`'), fold(found["first"]))
