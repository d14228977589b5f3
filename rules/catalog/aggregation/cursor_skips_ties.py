"""A watermark or page cursor is a timestamp alone, and rows that share it are skipped for ever.

Events of one bulk insert carry the same time. When a page or a run ends among them, the next one asks for what is later than
that time, and the rest of the group is never read: never billed. Order by the time and the id, and compare the pair,
`(ts, id) > (:ts, :id)`; or use `>=` and drop what is known already.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Name, Span, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.subjects import bills
from rules.meaning.times.ranges import Bound, is_instant
from rules.meaning.values import Definition, definitions_at, root_of
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-315",
    title="Watermark or page cursor on a timestamp alone skips rows that share it",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A11", "A2"),
    cwe=("CWE-193",),
    iso_25010="Functional suitability / functional correctness",
)
CURSORS = frozenset("cursor watermark last after since checkpoint previous processed latest high marker offset resume".split())
MARKS = frozenset(
    "cursor watermark checkpoint state sync synced run offset progress bookmark setting settings position".split()
)
"""What a place to go on from is kept under."""
DONE = frozenset("processed synced billed exported handled sent reported aggregated metered".split())
CLOCK = re.compile(r"\bnow\b|today|interval|time\.now|date\(\)|timedelta|\.ago\b|subdays|adddate|minusdays|getutcdate", re.I)
QUERIES = ("order", "sort", "where", "filter", "find", "select", "query", "first", "max", "execute", "limit", "scalar")
NOT_CURSORS = frozenset("now cutoff expires expiry start end from to ago login seen active retention threshold".split())
UNIQUE = re.compile(r"(^|_)(id|uuid|seq|sequence|ulid|pk|offset)$", re.I)


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for bound in code.bounds:
        if bound.operator != ">" or not is_instant(bound.column) or not is_cursor(code, bound):
            continue
        if code.context(bound.scope) in (Context.TEST, Context.BROWSER) or not bills(code.facts, bound.scope):
            continue
        if goes_on(code, bound) and not counts_back(code, bound) and ordered(code, bound) and not has_tie_breaker(code, bound):
            yield finding(bound, Confidence.LIKELY if is_mark(code, bound) else Confidence.POSSIBLE)


def is_cursor(code: Code, bound: Bound) -> bool:
    """What it is compared with is where the last run or page ended."""
    said = set(words(bound.text))
    if {"deleted", "expires", "expired", "canceled", "cancelled", "active"} & set(words(bound.column)):
        return False
    if said & NOT_CURSORS and not said & {"cursor", "watermark", "checkpoint"}:
        return False
    return bool(said & CURSORS)


def goes_on(code: Code, bound: Bound) -> bool:
    """Whether a run or page takes up where one before it ended: by a parameter, or by a mark that was stored. A time that was
    just read from the very rows compares them with each other."""
    if MARKS & set(words(bound.text)) or bound.value is None:
        return True
    root = root_of(bound.value)
    known = definitions_at(code.values, root.text, bound.scope, bound.span.start) if isinstance(root, Name) else ()
    if any(one.how == "parameter" for one in known) or (isinstance(root, Name) and root.text in ("self", "this")):
        return True
    return any(one.value is not None and (MARKS & set(words(code.facts.text(one.value.span))) or is_kept(one)) for one in known)


def is_page(code: Code, bound: Bound) -> bool:
    """Whether it stops at a number of rows, which may be among those of one time."""
    text = bound.statement.text if is_query(bound) and bound.statement else code.facts.text(function_span(code, bound))
    return bool(re.search(r"\b(limit|take|first|top|page_?size|batch_?size)\b\W", text, re.I))


def is_mark(code: Code, bound: Bound) -> bool:
    """Whether its name says where a run ended: `watermark`, `last_processed_at`; `since` may be any day."""
    return bool(MARKS & set(words(bound.text))) or bool(DONE & set(words(bound.text)))


def is_query(bound: Bound) -> bool:
    return bound.statement is not None and bound.statement.kind != "condition"


def counts_back(code: Code, bound: Bound) -> bool:
    """`now - 30 days`: a window that moves with the clock, from which nobody goes on."""
    root = root_of(bound.value) if bound.value is not None else None
    known = definitions_at(code.values, root.text, bound.scope, bound.span.start) if isinstance(root, Name) else ()
    texts = [bound.text, *(code.facts.text(one.value.span) for one in known if one.value is not None)]
    return any(CLOCK.search(text) for text in texts)


def is_kept(one: Definition) -> bool:
    """`meter.last_billed_event`, `await lastProcessed()`: read from where it was put, and not looked for among the rows."""
    return not any(isinstance(part, Call) and fold(part.method).startswith(QUERIES) for part in walk(one.value))


def ordered(code: Code, bound: Bound) -> bool:
    """Rows come in the order of that column: a page or a run walks through them."""
    if bound.statement is not None and is_query(bound):
        return bound.column.lower() in bound.statement.text.lower().partition("order by")[2]
    text = code.facts.text(function_span(code, bound))
    return bool(re.search(r"order_?by", text, re.I)) or ".order(" in text.lower()


def function_span(code: Code, bound: Bound) -> Span:
    function = enclosing(bound.scope, Kind.FUNCTION)
    return function.span if function is not None else code.facts.root.span


def has_tie_breaker(code: Code, bound: Bound) -> bool:
    """Whether the query also orders or compares by a unique column."""
    if bound.statement is not None and bound.statement.kind != "condition":
        after = bound.statement.text.lower().partition("order by")[2]
        compares = any(UNIQUE.search(one.column) and one.operator in (">", "<") for one in bound.statement.comparisons)
        return compares or bool(re.search(r"\b\w*(id|uuid|seq|sequence)\b", after))
    text = code.facts.text(function_span(code, bound))
    orders = re.findall(r"(?:order_?by|\.order)\(([^)]*\)?[^)]*)\)", text, re.I)
    return any(re.search(r"\b\w*(id|uuid|seq)\b", one, re.I) for one in orders) or any(
        other.query == bound.query and UNIQUE.search(other.column) and other.operator == ">" for other in code.bounds
    )


def finding(bound: Bound, sure: Confidence) -> Finding:
    return Finding(
        span=bound.span,
        description=(
            f"Reading goes on after `{bound.text[:60]}` on `{bound.column}` alone: rows with the same time as "
            "the last one read are "
            "skipped for ever, and their usage is never billed."
        ),
        remediation=f"Order by `{bound.column}` and the id, and compare both: `({bound.column}, id) > (last time, last id)`.",
        confidence=sure,
    )


EXAMPLES = (
    Example(
        "python",
        """
def billable_events(session, watermark):
    return (
        session.query(UsageEvent)
        .filter(UsageEvent.created_at > watermark)  # <- finding
        .order_by(UsageEvent.created_at)
        .limit(500)
        .all()
    )
""",
    ),
    Example(
        "python",
        """
def billable_events(session, watermark, last_id):
    return (
        session.query(UsageEvent)
        .filter(tuple_(UsageEvent.created_at, UsageEvent.id) > (watermark, last_id))
        .order_by(UsageEvent.created_at, UsageEvent.id)
        .limit(500)
        .all()
    )

def failing_charges_since_success(session, subscription_id):
    last = session.query(Charge).filter(Charge.status == "paid").order_by(Charge.created_at.desc()).first()
    failed = session.query(Charge).filter(Charge.status == "failed", Charge.created_at > last.created_at)
    return failed.order_by(Charge.created_at).first()

def billing_usage_since(session, period_start):
    return session.query(UsageEvent).filter(UsageEvent.created_at > period_start).order_by(UsageEvent.created_at).all()
""",
    ),
    Example(
        "typescript",
        """
export async function nextPage(pool: Pool, lastProcessedAt: Date) {
  return pool.query(
    "SELECT customer_id, quantity FROM usage_events WHERE recorded_at > $1 ORDER BY recorded_at LIMIT 100",  // <- finding
    [lastProcessedAt],
  );
}
""",
    ),
    Example(
        "typescript",
        """
export async function nextPage(pool: Pool, lastProcessedAt: Date, lastId: string) {
  return pool.query(
    "SELECT customer_id, quantity FROM usage_events WHERE (recorded_at, id) > ($1, $2) ORDER BY recorded_at, id LIMIT 100",
    [lastProcessedAt, lastId],
  );
}
""",
    ),
    Example(
        "go",
        """
package billing

func Next(ctx context.Context, db *sql.DB, watermark time.Time) (*sql.Rows, error) {
	return db.QueryContext(ctx,
		"SELECT id, quantity FROM usage_events WHERE ingested_at > $1 ORDER BY ingested_at LIMIT 500",  // <- finding
		watermark)
}
""",
    ),
    Example(
        "go",
        """
package billing

func Next(ctx context.Context, db *sql.DB, lastID int64) (*sql.Rows, error) {
	return db.QueryContext(ctx, "SELECT id, quantity FROM usage_events WHERE id > $1 ORDER BY id LIMIT 500", lastID)
}
""",
    ),
    Example(
        "go",
        """
package billing

func CostByDay(ctx context.Context, db *sql.DB) (*sql.Rows, error) {
	since := time.Now().AddDate(0, 0, -30)
	return db.QueryContext(ctx,
		"SELECT day, SUM(cost) AS total FROM usage_events WHERE recorded_at > $1 GROUP BY day ORDER BY total DESC", since)
}
""",
    ),
)
