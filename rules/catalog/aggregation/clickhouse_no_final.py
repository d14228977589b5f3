"""A billable query reads a ReplacingMergeTree without collapsing its duplicates.

ClickHouse removes duplicates when it merges parts, some time later or never: until then a plain SUM or COUNT counts an event
that was sent twice two times, and the figure changes from one query to the next. Read with FINAL, or collapse in the query
(`argMax`, `LIMIT 1 BY id`, `uniqExact(id)`), and keep everything that differs between two deliveries out of ORDER BY.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Kind, Name, Scope, Span, enclosing, walk, within
from rules.meaning.contexts import Context
from rules.meaning.floats import declared
from rules.meaning.sql import lines_from, written
from rules.meaning.subjects import STRICT, name_around, only_shows
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step, Variant

ABOUT = About(
    id="MTR-307",
    title="Billable query on a ReplacingMergeTree without FINAL or argMax/uniqExact",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A5", "D6"),
    cwe=("CWE-682",),
    iso_25010="Functional suitability / functional correctness",
    variants={
        "replacing-key-has-ingest-time": Variant(
            "ReplacingMergeTree ORDER BY contains an ingestion or random column", Severity.HIGH, ("D5",), cwe=("CWE-694",)
        )
    },
)
TABLE = re.compile(
    r"create\s+table\s+(?:if\s+not\s+exists\s+)?[`\"]?(?:\w+\.)?(\w+)[`\"]?.*?engine\s*=\s*(?:replicated|shared)?replacingmergetree",
    re.I | re.S,
)
ORDER = re.compile(r"order\s+by\s*\(?([^)\n;]*)", re.I)
INGEST = re.compile(r"^(ingested_?at|inserted_?at|received_?at|_?inserted|ingestion_?time|row_?id|_version)$", re.I)
COLLAPSES = re.compile(r"\bfinal\b|argmax|uniqexact|limit\s+1\s+by|\bany\(|distinct|uniq\(|select_sequential_consistency", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    sql: str
    span: Span
    scope: Scope


HANDLE = re.compile(r"click_?house|\bch(_?(conn|client|db|session))?\b|\bchconn\b", re.I)
"""How a handle, a package or a folder of ClickHouse is called."""
OTHER_PACKAGE = re.compile(
    r"gorm|sqlalchemy|psycopg|asyncpg|prisma|drizzle|sequelize|typeorm|knex|mikro-?orm|eloquent|activerecord|postgres|mysql|"
    r"lib/pq|pgx|(^|[/@])pg$|sqlx|django|hibernate|diesel|dapper|entityframework|npgsql",
    re.I,
)
OTHER_HANDLE = re.compile(
    r"gorm|prisma|drizzle|sequelize|knex|entity_?manager|activerecord|application_?record|postgres|mysql|sqlite|\bpg\b|pgx|"
    r"\bpg_?(pool|conn|client|db)\b|\bDB::|\.WithContext\b|\$queryRaw|\bactiverecord\b",
    re.I,
)
"""A handle of another database, where a table may have the same name."""
OTHER_SYNTAX = re.compile(
    r"\bfor\s+update\b|\bdistinct\s+on\b|::(jsonb?|timestamptz|numeric|bigint|uuid)\b|\bjsonb_|\bat\s+time\s+zone\b|"
    r"\bon\s+conflict\b|\breturning\b|\blateral\b|\bto_char\s*\(",
    re.I,
)
"""What Postgres knows and ClickHouse does not."""
VIEW = re.compile(r"\bcreate\s+materialized\s+view\b", re.I)


def check(code: Code) -> Iterator[Finding]:
    texts = list(sql_texts(code))
    tables: dict[str, Text] = {}
    for one in texts:
        for found in TABLE.finditer(one.sql):
            tables[found.group(1).lower()] = one
            if (key := unstable_key(one.sql[found.start() :])) is not None:
                yield in_key(code, one, key)
    replacing = any("replacingmergetree" in table.engine for table in code.elsewhere.schema.tables.values())
    if not (tables or replacing) or re.search(r"\bfinal[\"']?\s*[:=]\s*1", code.facts.source.decode(errors="replace")):
        return
    for one in texts:
        # A materialized view reads the inserted block and not the table: FINAL would mean nothing there.
        aside = code.context(one.scope) is Context.TEST or VIEW.search(one.sql) is not None
        if not aside and feeds_bill(code, one) and in_clickhouse(code, one, bool(tables)):
            yield from uncollapsed(code, one, tables)


def in_clickhouse(code: Code, one: Text, made_here: bool) -> bool:
    """Whether the statement is run there: by the name or type of what runs it, else by what the file imports or is called."""
    if code.facts.traits.statements_only:
        return True
    if OTHER_SYNTAX.search(one.sql):
        return False
    handles = [handle for call in runners(code, one) for handle in (call.name, type_of(code, call))]
    if any(map(HANDLE.search, handles)):
        return True
    if any(map(OTHER_HANDLE.search, handles)):
        return False
    if made_here or "clickhouse" in code.facts.path.lower():
        return True
    packages = [package for package in code.facts.packages if not HANDLE.search(package)]
    return len(packages) < len(code.facts.packages) and not any(map(OTHER_PACKAGE.search, packages))


def runners(code: Code, one: Text) -> list[Call]:
    """The calls that are given the statement, itself or by the name of what it was put into."""
    function = enclosing(one.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    names = {
        target.text for assign in code.facts.assigns if assign.value is not None and assign.value.span.holds(one.span)
        for target in assign.targets if isinstance(target, Name)
    }  # fmt: skip
    return [
        call for call in code.facts.calls
        if any(argument.span.holds(one.span) for argument in call.arguments) or (within(call.scope, function) and any(
            isinstance(argument.value, Name) and argument.value.text in names for argument in call.arguments
        ))
    ]  # fmt: skip


def type_of(code: Code, call: Call) -> str:
    """As it is declared: `clickhouse.Conn`, `*gorm.DB`."""
    first: object = call.receiver
    while not isinstance(first, Name):
        first = getattr(first, "receiver", None) or getattr(first, "object", None)
        if first is None:
            return ""
    return declared(code, first, call.scope, call.span.start)


def feeds_bill(code: Code, one: Text) -> bool:
    """Whether the query, its function or its file speaks of what is paid for, and not of charts."""
    said = set(words(one.sql)) | set(words(name_around(one.scope))) | set(words("/".join(code.facts.path.split("/")[-2:])))
    # How much a thing is used is counted for many ends; what is billed is a sum, or says so.
    paid = said & (STRICT - {"usage", "usages"}) or (said & STRICT and re.search(r"\bsum\s*\(", one.sql, re.I))
    return bool(paid) and not only_shows(code.facts, one.scope)


def replaces(code: Code, name: str) -> bool:
    """Whether a migration of the project makes the table one that collapses its duplicates some time later."""
    table = code.elsewhere.schema.table(name)
    return table is not None and "replacingmergetree" in table.engine


def sql_texts(code: Code) -> Iterator[Text]:
    seen: set[Span] = set()
    for whole, scope in code.expressions:
        for part in walk(whole):
            sql, _ = written(part)
            # The pieces of a text with something filled in come after the whole of it.
            inside = any(span.holds(part.span) for span in seen)
            if sql and not inside and re.search(r"\bselect\b|\bcreate\s+table\b", sql, re.I):
                seen.add(part.span)
                yield Text(sql, part.span, scope)


def unstable_key(ddl: str) -> str | None:
    """The column of ORDER BY that differs between two deliveries of one event."""
    order = ORDER.search(ddl)
    for name in re.split(r"[,\s]+", order.group(1)) if order else ():
        if INGEST.match(name) or re.search(
            rf"\b{re.escape(name)}\b[^,\n]*default\s+(now64|now|generateuuidv4)\s*\(", ddl, re.I
        ):
            return name if name else None
    return None


def in_key(code: Code, one: Text, key: str) -> Finding:
    source = code.facts.text(one.span)
    order = ORDER.search(source)
    return Finding(
        span=lines_from(one.span, source, order.start(), order.end()) if order else one.span,
        description=(
            f"`{key}` is in the sorting key, and it differs each time an event is stored: a duplicate is never "
            "recognised as one, and "
            "is billed."
        ),
        remediation=(
            f"Sort by what identifies the event (customer, event id), and leave `{key}` out; it may be the version column."
        ),
        confidence=Confidence.CERTAIN,
        variant="replacing-key-has-ingest-time",
    )


def uncollapsed(code: Code, one: Text, tables: dict[str, Text]) -> Iterator[Finding]:
    if not re.search(r"\b(sum|count|avg)\s*\(", one.sql, re.I) or COLLAPSES.search(one.sql):
        return
    source = code.facts.text(one.span)
    seen: set[str] = set()
    for found in re.finditer(r"\b(?:from|join)\s+[`\"]?(?:\w+\.)?(\w+)[`\"]?", source, re.I):
        if found.group(1).lower() in seen:
            continue
        seen.add(found.group(1).lower())
        made = tables.get(found.group(1).lower())
        if (made is not None and made is not one) or (made is None and replaces(code, found.group(1))):
            span = lines_from(one.span, source, found.start(), found.end())
            yield Finding(
                span=span,
                description=(
                    f"`{found.group(1)}` is a ReplacingMergeTree, and without FINAL this counts an event once "
                    "for every time it was "
                    "stored."
                ),
                remediation=f"Read `{found.group(1)} FINAL`, or collapse by the event's id first.",
                confidence=Confidence.CERTAIN,
                trace=(Step(made.span, "created here"),) if made is not None else (),
                fix=Fix("Add FINAL", (Edit(span.end, span.end, " FINAL"),)),
            )
            return


MIGRATION = "CREATE TABLE usage_events (event_id String, customer String, quantity UInt64) ENGINE = {} ORDER BY (event_id);\n"

EXAMPLES = (
    Example(
        "python",
        """
import clickhouse_connect

def billable_usage(client, customer):
    return client.query("SELECT sum(quantity) FROM usage_events WHERE customer = %(customer)s")  # <- finding
""",
        context={"migrations/001.sql": MIGRATION.format("ReplacingMergeTree")},
    ),
    Example(
        "python",
        """
import clickhouse_connect

def billable_usage(client, customer):
    return client.query("SELECT sum(quantity) FROM usage_events WHERE customer = %(customer)s")
""",
        context={"migrations/001.sql": MIGRATION.format("MergeTree")},
    ),
    Example(
        "python",
        '''
BILLING_TABLE = """
CREATE TABLE usage_events (event_id String, quantity UInt64, ts DateTime)
ENGINE = ReplacingMergeTree ORDER BY (event_id)
"""

def billable(client, customer):
    return client.query("SELECT sum(quantity) FROM usage_events WHERE customer = %(customer)s")  # <- finding
''',
    ),
    Example(
        "python",
        """
def sdk_usage_by_version(clickhouse):
    return clickhouse.query("SELECT sdk_version, count() FROM usage_events GROUP BY sdk_version")
""",
        context={"migrations/001.sql": MIGRATION.format("ReplacingMergeTree")},
    ),
    Example(
        "python",
        '''
BILLING_TABLE = """
CREATE TABLE usage_events (event_id String, quantity UInt64, ts DateTime)
ENGINE = ReplacingMergeTree ORDER BY (event_id, ts)
"""

def billable(client, customer):
    return client.query("SELECT sum(quantity) FROM usage_events FINAL WHERE customer = %(customer)s")
''',
    ),
    Example(
        "typescript",
        """
export const createUsage = `CREATE TABLE billing_usage (id String, inserted_at DateTime DEFAULT now())
ENGINE = ReplacingMergeTree
ORDER BY (id, inserted_at)`;  // <- finding
""",
    ),
    Example(
        "typescript",
        """
export const createUsage = `CREATE TABLE billing_usage (id String, inserted_at DateTime DEFAULT now())
ENGINE = ReplacingMergeTree(inserted_at)
ORDER BY (id)`;
export const distinctUsage = `SELECT uniqExact(id) FROM billing_usage`;
""",
    ),
    Example(
        "go",
        """
package billing

const createUsage = "CREATE TABLE billing_usage (id String, quantity UInt64) ENGINE = ReplacingMergeTree ORDER BY id"

func Total(ctx context.Context, conn driver.Conn) driver.Row {
	return conn.QueryRow(ctx, "SELECT sum(quantity) FROM billing_usage WHERE customer = ?", "c")  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

const createUsage = "CREATE TABLE billing_usage (id String, quantity UInt64) ENGINE = ReplacingMergeTree ORDER BY id"

func Total(ctx context.Context, conn driver.Conn) driver.Row {
	return conn.QueryRow(ctx, "SELECT sum(quantity) FROM billing_usage FINAL WHERE customer = ?", "c")
}
""",
    ),
    Example(
        "go",
        """
package billing

import (
	"github.com/acme/app/clickhouse"
	"gorm.io/gorm"
)

func BillableUsage(ctx context.Context, DB *gorm.DB, ch *clickhouse.Client, id int) (total int64, err error) {
	err = DB.WithContext(ctx).Raw("SELECT SUM(quantity) FROM usage_events WHERE workspace_id = @id", id).Scan(&total).Error
	return total, err
}
""",
        context={"migrations/001.sql": MIGRATION.format("ReplacingMergeTree")},
    ),
    Example(
        "python",
        """
def billable_usage(session, customer):
    return session.execute("SELECT sum(quantity) FROM usage_events WHERE customer = :customer", {"customer": customer})
""",
        context={"migrations/001.sql": MIGRATION.format("ReplacingMergeTree")},
    ),
)
