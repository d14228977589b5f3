"""What is billed is selected by the time a row was stored, although the event has a time of its own.

An event that arrives late, from a queue that was stuck or a client that was offline, is counted in the period in which it
was stored and not in the one in which it happened; a replay moves all of it. Filter billable sums by the event's own time,
and keep the time of storing for watermarks and operations.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Class, Compare, Expression, Kind, Member, Name, Scope, enclosing, fold, walk
from rules.meaning import wording
from rules.meaning.contexts import Context
from rules.meaning.subjects import bills, name_around, only_shows
from rules.meaning.times.ranges import Bound
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-303",
    title="Billable sum filtered by created_at/ingested_at although an event time column exists",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A3",),
    cwe=("CWE-1025",),
    iso_25010="Functional suitability / functional correctness",
)
STORED = frozenset("createdat created ingestedat insertedat receivedat storedat ingestiontime createdtime inserttime".split())
HAPPENED = frozenset("timestamp occurredat eventtime eventtimestamp happenedat ts usagetime usedat eventat recordedfor".split())
ARRIVED = frozenset("ingestedat receivedat insertedat arrivedat".split())
BOUNDARY = frozenset("trial period cycle billing invoice renewal".split())
OPERATIONS = frozenset(
    "watermark lag cursor backfill pending unprocessed retention cleanup purge delete debounce latest recent page list export "
    "replay new unbilled reprocess".split()
)
SUMS = frozenset("sum aggregate count total usage billable quantity".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    own = event_time(code)
    said: set[object] = set()
    for whole, scope in code.expressions:
        for part in walk(whole):
            if isinstance(part, Compare) and (stored := compared(code, part, scope)) is not None:
                said.add(enclosing(scope, Kind.FUNCTION))
                yield decided(part, stored)
    for bound in code.bounds:
        function = enclosing(bound.scope, Kind.FUNCTION)
        time = in_schema(code, bound, own)
        if time and function not in said and decides(code, bound) and not renamed(code, bound, time):
            said.add(function)
            yield finding(bound, wording.column(code.facts.idioms, time))


def in_schema(code: Code, bound: Bound, own: str) -> str:
    """The event's time as the table has it, where the project's schema knows the table; else as the file has it."""
    tables = bound.statement.tables if bound.statement is not None else ()
    known = [table for name in tables if (table := code.elsewhere.schema.table(name)) is not None and table.columns]
    if not known:
        return own
    columns = {column for table in known for column in table.columns}
    if own and fold(own) in columns:
        return own
    return next((column for column in sorted(columns) if column in HAPPENED), "")


def compared(code: Code, part: Compare, scope: Scope) -> Member | None:
    """`event.ingested_at < subscription.trial_end`: a time of arrival decides about a billing boundary."""
    if part.operator not in ("<", "<=", ">", ">=") or code.context(scope) is Context.TEST or not bills(code.facts, scope):
        return None
    for one, other in ((part.left, part.right), (part.right, part.left)):
        arrived = isinstance(one, Member) and fold(one.name) in ARRIVED and isinstance(one.object, Name)
        if arrived and isinstance(one, Member) and BOUNDARY & set(words(last_name(other))) and is_event(one.object):
            return one
    return None


def is_event(owner: Expression) -> bool:
    """A row, not the model of a query: that is judged as a bound."""
    name = last_name(owner)
    return name[:1].islower() and bool({"event", "usage", "record", "row", "entry"} & set(words(name)))


def last_name(value: Expression) -> str:
    return getattr(value, "name", "") or getattr(value, "text", "")


def decided(part: Compare, stored: Member) -> Finding:
    return Finding(
        span=part.span,
        description=(
            f"`{stored.name}`, the time of arrival, decides on which side of a billing boundary this usage "
            "lies: what happened before "
            "and arrives after it is billed on the wrong side."
        ),
        remediation="Compare the time at which the usage happened.",
        confidence=Confidence.LIKELY,
    )


def event_time(code: Code) -> str:
    """The name under which this file knows when an event happened, as a column, field or key next to the time it was stored."""
    for bound in code.bounds:
        if fold(bound.column) in HAPPENED:
            return bound.column
    for assign in code.facts.assigns:
        if enclosing(assign.scope, Kind.CLASS, Kind.FUNCTION) is None or not isinstance(assign.scope.head, Class):
            continue
        for target in assign.targets:
            if isinstance(target, Name) and fold(target.text) in HAPPENED:
                return target.text
    return next((member_name(code, name) for name in ("timestamp", "occurredat", "eventtime") if member_name(code, name)), "")


def member_name(code: Code, folded: str) -> str:
    """A column of a model, `Event.timestamp`, that a query names."""
    for call in code.facts.calls:
        for argument in call.arguments:
            for part in walk(argument.value):
                if isinstance(part, Member) and fold(part.name) == folded and model(part):
                    return part.name
    return ""


def renamed(code: Code, bound: Bound, own: str) -> bool:
    """`created_at AS occurred_at`: for these rows both are one time."""
    text = code.facts.source.decode(errors="replace")
    return re.search(rf"\b{re.escape(bound.column)}\s+AS\s+[\"`]?{re.escape(own)}\b", text, re.I) is not None


def model(part: Member) -> bool:
    owner = part.object
    return isinstance(owner, Name) and (
        "event" in words(owner.text) or "usage" in words(owner.text) or "events" in words(owner.text)
    )


def decides(code: Code, bound: Bound) -> bool:
    """A bound on the time of storing, in code that computes what is billed."""
    if fold(bound.column) not in STORED or code.context(bound.scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER):
        return False
    named = set(words(name_around(bound.scope)))
    limit = set(words(bound.text))
    if (named | limit) & OPERATIONS or not bills(code.facts, bound.scope) or only_shows(code.facts, bound.scope):
        return False
    if limit & {"trial", "period", "cycle", "billing", "start", "end"}:
        return about_events(code, bound) and (sums(code, bound) or bool(limit & {"trial", "period", "cycle", "billing"}))
    return False


def about_events(code: Code, bound: Bound) -> bool:
    """The bound stands on a table of events or usage."""
    if bound.statement is not None:
        return any({"event", "events", "usage"} & set(words(table)) for table in bound.statement.tables)
    text = code.facts.text(bound.span)
    head = text.split("\n")[0]
    return bool({"event", "events", "usage", "usages"} & set(words(head)))


def sums(code: Code, bound: Bound) -> bool:
    if bound.statement is not None:
        return bool(bound.statement.aggregates)
    function = enclosing(bound.scope, Kind.FUNCTION)
    return any(SUMS & set(words(call.method)) for call in code.calls_in(function) if function is not None)


def finding(bound: Bound, own: str) -> Finding:
    return Finding(
        span=bound.span,
        description=(
            f"What is billed is selected by `{bound.column}`, the time a row was stored, although there is `{own}`: usage that "
            "arrives late is counted in the wrong period."
        ),
        remediation=f"Compare `{own}` with the period, and leave `{bound.column}` to watermarks.",
        # Rows are mostly stored as the thing happens, and nothing here shows that they are not.
        confidence=Confidence.POSSIBLE,
    )


EVENTS = "CREATE TABLE usage_events (id text, customer text, quantity bigint, {}created_at timestamptz);\n"

EXAMPLES = (
    Example(
        "python",
        """
def billable_usage(db, period_start, period_end):
    return db.scalar(
        "SELECT SUM(quantity) FROM usage_events WHERE created_at >= %s AND created_at < %s",  # <- finding
        (period_start, period_end),
    )
""",
        context={"migrations/001.sql": EVENTS.format("occurred_at timestamptz, ")},
    ),
    Example(
        "python",
        """
def billable_usage(db, period_start, period_end):
    return db.scalar(
        "SELECT SUM(quantity) FROM usage_events WHERE created_at >= %s AND created_at < %s",
        (period_start, period_end),
    )
""",
        context={"migrations/001.sql": EVENTS.format("")},
    ),
    Example(
        "python",
        """
class UsageEvent(Base):
    timestamp = mapped_column(DateTime)
    created_at = mapped_column(DateTime, default=utc_now)

def is_free_usage(event, subscription):
    return event.ingested_at < subscription.trial_end  # <- finding

def billable_usage(session, period_start, period_end):
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.created_at >= period_start,  # <- finding
        UsageEvent.created_at < period_end,
    ).scalar()
""",
    ),
    Example(
        "python",
        """
class UsageEvent(Base):
    timestamp = mapped_column(DateTime)
    created_at = mapped_column(DateTime, default=utc_now)

def billable_usage(session, period_start, period_end):
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.timestamp >= period_start,
        UsageEvent.timestamp < period_end,
    ).scalar()

def usage_after_watermark(session, watermark):
    return session.query(UsageEvent).filter(UsageEvent.created_at >= watermark).order_by(UsageEvent.id).all()
""",
    ),
    Example(
        "typescript",
        """
export async function periodUsage(pool: Pool, customer: string, periodStart: Date, periodEnd: Date) {
  return pool.query(
    "SELECT SUM(quantity) FROM usage_events WHERE customer = $1 AND created_at >= $2 AND created_at < $3",  // <- finding
    [customer, periodStart, periodEnd],
  );
}

export async function lastUse(pool: Pool, customer: string, since: Date) {
  return pool.query("SELECT 1 FROM usage_events WHERE customer = $1 AND occurred_at >= $2", [customer, since]);
}
""",
    ),
    Example(
        "typescript",
        """
export async function periodUsage(pool: Pool, customer: string, periodStart: Date, periodEnd: Date) {
  return pool.query(
    "SELECT SUM(quantity) AS total FROM usage_events WHERE customer = $1 AND occurred_at >= $2 AND occurred_at < $3",
    [customer, periodStart, periodEnd],
  );
}

export async function creditsSince(pool: Pool, customer: string, periodStart: Date) {
  return pool.query("SELECT SUM(amount) FROM credit_grants WHERE customer = $1 AND created_at >= $2", [customer, periodStart]);
}
""",
    ),
    Example(
        "go",
        """
package billing

func Usage(ctx context.Context, db *sql.DB, customer string, start, periodEnd time.Time) (total int64, err error) {
	err = db.QueryRowContext(ctx,
		"SELECT COUNT(*) FROM usage_events WHERE customer = $1 AND ingested_at >= $2 AND ingested_at < $3",  // <- finding
		customer, start, periodEnd).Scan(&total)
	return total, err
}

func Exists(ctx context.Context, db *sql.DB, at time.Time) *sql.Row {
	return db.QueryRowContext(ctx, "SELECT 1 FROM usage_events WHERE event_time >= $1", at)
}
""",
    ),
    Example(
        "go",
        """
package billing

func Usage(ctx context.Context, db *sql.DB, customer string, start, periodEnd time.Time) (total int64, err error) {
	err = db.QueryRowContext(ctx,
		"SELECT COALESCE(SUM(quantity), 0) FROM usage_events WHERE customer = $1 AND event_time >= $2 AND event_time < $3",
		customer, start, periodEnd).Scan(&total)
	return total, err
}
""",
    ),
    Example(
        "python",
        """
def messages_of(session, period_start, period_end):
    return session.execute(
        "SELECT SUM(units), created_at AS occurred_at FROM usage_messages WHERE created_at >= %s AND created_at < %s",
        (period_start, period_end),
    )
""",
    ),
)
