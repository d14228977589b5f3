"""What the project's schema says of its tables: columns with types, unique keys, engines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rules.facts import fold


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Names are folded (`usage_events`, `UsageEvent` and `usageEvent` are one)."""

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Folded column to type as written, in lower case; `` where only the name is known."""
    unique: frozenset[frozenset[str]] = frozenset()
    """Sets of folded columns that no two rows share."""
    engine: str = ""
    """ClickHouse's, in lower case: `replacingmergetree`."""
    order_by: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    """Folded columns that some statement takes away, or changes: it may have come before the one that adds them, or be the way
    back of a migration."""


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables that were found, by folded singular name."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table | None:
        """By table or model name, singular or plural, with or without a schema in front."""
        return self.tables.get(key(name))

    def is_unique(self, name: str, columns: Iterable[str]) -> bool | None:
        """Whether rows of a table differ in these columns or some of them. None for a table that is not known."""
        table = self.table(name)
        if table is None:
            return None
        given = frozenset(map(fold, columns))
        return any(one <= given for one in table.unique)


def key(name: str) -> str:
    """`public.usage_events`, `UsageEvent`, `usage_event` -> `usageevent`."""
    folded = fold(name.rsplit(".", 1)[-1].strip("\"'`[]"))
    if folded.endswith("ies"):
        return folded[:-3] + "y"
    return folded[:-1] if folded.endswith("s") and not folded.endswith("ss") else folded


def columns(text: str) -> frozenset[str]:
    """`"tenant_id", "key" DESC` -> {tenantid, key}; an expression such as lower(email) counts as its column."""
    found = []
    for part in text.split(","):
        name = part.strip().split("(")[-1].strip("\"'`[]() \n\t:").split(" ")[0].rsplit(".", 1)[-1].strip("\"'`)")
        if name:
            found.append(fold(name))
    return frozenset(found)


def joined(tables: Iterable[Table]) -> Schema:
    """One table described in several places has what all of them say."""
    found: dict[str, Table] = {}
    for table in tables:
        name = key(table.name)
        had = found.get(name)
        if had is None:
            found[name] = table
            continue
        found[name] = Table(
            had.name,
            {**had.columns, **table.columns},
            had.unique | table.unique,
            table.engine or had.engine,
            table.order_by or had.order_by,
            had.dropped | table.dropped,
        )
    return Schema(found)
