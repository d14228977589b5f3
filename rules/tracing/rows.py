"""Which rows and columns are usage, by the names of tables and of the functions that write them."""

from dataclasses import replace

from rules.facts import fold
from rules.meaning.vocabulary import consumes, emits, words
from rules.schema.tables import Schema
from rules.tracing.sights import MEMORY, Digest, Kind, Sight

ROWS = frozenset("usage usages metered metering event events log logs ledger consumption record records generation generations "
                 "spend billable transaction transactions".split())  # fmt: skip
"""Words of a table's name that let its rows be usage."""
MOVED = frozenset("transaction transactions record records log logs".split())
USED = frozenset("usage credit credits token tokens quota meter metering billing consumption request generation".split())
"""A table of the first is one of usage only with a word of the second."""
NO_TABLE = frozenset("service repository manager client meter meters props name names type types session config".split())
AMOUNTS = (
    "tokens", "quota", "credits", "usage", "cost", "quantity", "units", "amount", "consumed", "used", "tokencount", "spend",
)  # fmt: skip
"""Endings of folded columns that hold how much was used."""
WRITING = frozenset(
    "update add increase decrease increment decrement set record save insert create store apply write sync".split()
)
COUNTED = frozenset("usage used quota credits credit tokens spend consumption balance cost consumed".split())


def is_usage_table(name: str) -> bool:
    """`usage_events`, `CreditTransaction`, `TokenLog`; never a table of meters, nor an object that is no table."""
    said = words(name)
    if not said or said[-1] in NO_TABLE or not ROWS & {*said}:
        return False
    return bool({*said} & (ROWS - MOVED)) or bool({*said} & USED)


def stored_only(digest: Digest, schema: Schema) -> Digest:
    """Without the fields that are no column of a table: adding to them keeps nothing. Rows of no usage become plain rows."""
    counting = {sight.routine for sight in digest.sights if sight.kind is Kind.COUNT}
    kept: list[Sight] = []
    for sight in digest.sights:
        if MEMORY not in sight.via or (
            is_column(sight, schema) and (sight.kind is not Kind.INSERT or records(digest, sight, counting))
        ):
            kept.append(sight)
        elif sight.kind is Kind.INSERT:
            kept.append(replace(sight, kind=Kind.ROW))
    return replace(digest, sights=tuple(kept))


def records(digest: Digest, sight: Sight, counting: set[int]) -> bool:
    """Whether a row that may be usage is stored by a function that records usage: by its name, or as it counts as well."""
    if sight.routine < 0:
        return False
    return sight.routine in counting or books(digest.routines[sight.routine].name) or "event" in sight.owner.lower()


def books(name: str) -> bool:
    """`recordUsage`, `PostConsumeTokenQuota`, `updateUserUsedQuota`: a function that only writes usage down."""
    said = words(name)
    return emits(name) or consumes(name) or (len(said) > 1 and said[0] in WRITING and bool(frozenset(said[1:]) & COUNTED))


def is_column(sight: Sight, schema: Schema) -> bool:
    """Of a field that it is a column; of a row that its table holds amounts of use."""
    table = schema.table(sight.owner) if sight.owner else None
    if table is None:
        return False
    if sight.kind is Kind.INSERT:
        amounts = any(one.endswith(AMOUNTS) for one in table.columns)
        return is_usage_table(sight.owner) and (amounts or "ingest" in sight.path.lower())
    return fold(sight.name) in table.columns
