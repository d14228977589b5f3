"""Tables from SQL: migrations, dumps, and the DDL that programs carry in strings."""

import re
from collections.abc import Iterator

from rules.facts import fold
from rules.schema.tables import Table, columns

NAME = r"((?:[\w\"`\[\]]+\.)?[\w\"`\[\]]+)"
CREATE = re.compile(rf"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?{NAME}\s*(?:on\s+cluster\s+\S+\s*)?\(", re.I)
UNIQUE_INDEX = re.compile(
    rf"\bcreate\s+unique\s+index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?[\w\"`.]*\s*on\s+(?:only\s+)?{NAME}"
    r"\s*(?:using\s+\w+\s*)?\(([^;]*?)\)\s*(?:where\b|include\b|with\b|nulls\b|;|$|\n\s*\n|--)",
    re.I,
)
ADD_UNIQUE = re.compile(
    rf"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{NAME}\s+add\s+(?:constraint\s+\S+\s+)?(?:unique|primary\s+key)\s*\(([^)]*)\)",
    re.I,
)
ADD_COLUMN = re.compile(
    rf"\balter\s+table\s+(?:if\s+exists\s+)?{NAME}\s+add\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?([\w\"`]+)\s+(\w+)", re.I
)
ALTER = re.compile(rf"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{NAME}\s+([^;]*)", re.I)
MORE_COLUMNS = re.compile(r"\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?([\w\"`]+)\s+(\w+)", re.I)
RETYPED = re.compile(
    r"\balter\s+(?:column\s+)?([\w\"`]+)\s+(?:set\s+data\s+)?type\s+(\w+(?:\s*\([^)]*\))?)|"
    r"\bmodify\s+(?:column\s+)?([\w\"`]+)\s+(\w+(?:\s*\([^)]*\))?)",
    re.I,
)
TOUCHED = re.compile(
    r"\b(?:drop|alter|rename|change)\s+(?:column\s+)?(?:if\s+exists\s+)?(?!constraint|index|primary|foreign|check|to\b)([\w\"`]+)",
    re.I,
)
RENAMED = re.compile(rf"\balter\s+table\s+(?:if\s+exists\s+)?{NAME}\s+rename\s+(?:column\s+)?[\w\"`]+\s+to\s+([\w\"`]+)", re.I)
ENGINE = re.compile(r"\bengine\s*=\s*(\w+)", re.I)
ORDER_BY = re.compile(r"\border\s+by\s+\(?([^)\n;]*)", re.I)
KEY = re.compile(r"^(?:constraint\s+\S+\s+)?(?:unique(?:\s+(?:key|index))?(?:\s+[\w\"`]+)?|primary\s+key)\s*\(([^)]*)\)", re.I)
COLUMN = re.compile(r"^[\"`\[]?(\w+)[\"`\]]?\s+(\w+(?:\s*\([^)]*\))?)(.*)$", re.S)
PLAIN_INDEX = re.compile(r"^(?:key|index)\s+[\"`]?\w+[\"`]?\s*\(", re.I)
NO_COLUMN = frozenset("constraint unique primary foreign check exclude like period projection".split())


def tables(text: str) -> Iterator[Table]:
    """Raises nothing: what it cannot read it leaves out."""
    for match in CREATE.finditer(text):
        body, end = inside(text, match.end())
        yield created(match[1], body, text[end : end + 600].partition(";")[0])
    for match in UNIQUE_INDEX.finditer(text):
        yield Table(match[1], unique=frozenset({columns(match[2])}))
    for match in ADD_UNIQUE.finditer(text):
        yield Table(match[1], unique=frozenset({columns(match[2])}))
    for match in RENAMED.finditer(text):
        yield Table(match[1], {fold(match[2].strip('"`')): ""})
    for match in ALTER.finditer(text):
        for name, kind in MORE_COLUMNS.findall(match[2]):
            if name.lower() not in NO_COLUMN:
                yield Table(match[1], {fold(name.strip('"`')): kind.lower()})
        if touched := frozenset(fold(one.strip('"`')) for one in TOUCHED.findall(match[2])):
            yield Table(match[1], dropped=touched)
        for one in RETYPED.finditer(match[2]):
            yield Table(match[1], {fold((one[1] or one[3]).strip('"`')): (one[2] or one[4]).lower()})
    for match in ADD_COLUMN.finditer(text):
        if match[2].lower() not in NO_COLUMN:
            yield Table(match[1], {fold(match[2].strip('"`')): match[3].lower()})


def inside(text: str, start: int) -> tuple[str, int]:
    """What stands between an opening parenthesis, already passed, and its partner."""
    depth = 1
    for at in range(start, min(len(text), start + 40_000)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return text[start:at], at + 1
    return text[start : start + 40_000], start + 40_000


def created(name: str, body: str, after: str) -> Table:
    found: dict[str, str] = {}
    unique: set[frozenset[str]] = set()
    for part in parts(body):
        if PLAIN_INDEX.match(part):
            continue
        if key := KEY.match(part):
            unique.add(columns(key[1]))
        elif (column := COLUMN.match(part)) and column[1].lower() not in NO_COLUMN:
            found[fold(column[1])] = column[2].lower()
            if re.search(r"\bunique\b|\bprimary\s+key\b", column[3], re.I):
                unique.add(frozenset({fold(column[1])}))
    engine, order = ENGINE.search(after), ORDER_BY.search(after)
    ordered = tuple(fold(one.strip(' "`')) for one in order[1].split(",")) if engine and order else ()
    return Table(name, found, frozenset(unique), engine[1].lower() if engine else "", ordered)


def parts(body: str) -> Iterator[str]:
    """The column and constraint definitions: split at commas outside parentheses, comments dropped."""
    body = re.sub(r"--[^\n]*|/\*.*?\*/", "", body, flags=re.S)
    depth, start = 0, 0
    for at, character in enumerate(body):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield body[start:at].strip()
            start = at + 1
    yield body[start:].strip()
