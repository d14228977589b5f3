"""Tables from Rust: Diesel's `table!`, and SeaORM's entities and migrations. What sqlx uses is plain SQL."""

import re
from collections.abc import Iterator

from rules.facts import fold
from rules.schema.sql import inside
from rules.schema.tables import Table

DIESEL = re.compile(
    r"\btable!\s*\{\s*(?:use [^;]*;\s*)*(?:///[^\n]*\n\s*|#\[[^\n]*\n\s*)*(?:\w+\.)?(\w+)\s*\(([^)]*)\)\s*\{([^}]*)\}"
)
ENTITY = re.compile(r"#\[sea_orm\([^)]*table_name\s*=\s*\"(\w+)\"[^)]*\)\]\s*(?:#\[[^\n]*\n\s*)*pub struct \w+\s*\{([^}]*)\}")
FIELD = re.compile(r"((?:#\[[^\n]*\]\s*)*)pub\s+(\w+)\s*:\s*([\w<>:]+)")


def rust_tables(text: str) -> Iterator[Table]:
    for name, keys, body in DIESEL.findall(text):
        found = {fold(column): kind.lower() for column, kind in re.findall(r"(\w+)\s*->\s*([\w<>]+)", body)}
        unique = frozenset(fold(one.strip()) for one in keys.split(",") if one.strip())
        yield Table(name, found, frozenset({unique} if unique else ()))
    for name, body in ENTITY.findall(text):
        fields = FIELD.findall(body)
        marked = re.compile(r"sea_orm\([^)]*\b(?:unique|primary_key)\b")
        unique_ones = frozenset(frozenset({fold(column)}) for above, column, _ in fields if marked.search(above))
        yield Table(name, {fold(column): kind.lower() for _, column, kind in fields}, unique_ones)
    for match in re.finditer(r"\bIndex::create\(", text):
        _, end = inside(text, match.end())
        after = text[end : end + 600].partition(";")[0].partition("Index::create(")[0]
        table = re.search(r"\.table\(\s*(\w+)::", after)
        columns = frozenset(fold(one) for one in re.findall(r"\.col\(\s*\w+::(\w+)", after))
        if table and columns and ".unique()" in after:
            yield Table(table[1], unique=frozenset({columns}))
