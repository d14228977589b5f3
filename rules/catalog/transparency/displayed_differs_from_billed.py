"""What customers are shown is computed in another way than what they are billed.

Two queries sum the same table, one for the dashboard and one for the invoice, and they differ in the column, a condition or the
rounding: customers see one figure and pay another, and each of them is explained to support by somebody else. Compute usage in
one function and call it from both, or say on the page that the figure is an estimate.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Comment, Literal, Span, fold
from rules.meaning.contexts import Context
from rules.meaning.sql import Statement
from rules.meaning.subjects import name_around
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.schema.tables import key
from rules.tracing.sights import Kind, Sight
from rules.tracing.sums import ONE

ABOUT = About(
    id="MTR-502",
    title="Dashboard computes usage by another formula than billing",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("T4",),
    cwe=("CWE-682",),
    iso_25010="Functional suitability / functional correctness; Security / accountability",
)
SHOWS = frozenset("show display dashboard overview chart widget summary current stats view preview".split())
BILLS = frozenset("bill billing billable invoice charge charges close rate rated".split())
ESTIMATES = frozenset("estimate estimated approx approximate forecast projected preview".split())
SYNC = re.compile(r"keep in sync|must match|in sync with|mirrors? |copied from|same as in|duplicated? (?:from|in)", re.I)
PRICED = frozenset("price prices cents rate rates cost costs unit tariff per fee".split())
NEAR = 3


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    sums = [one for one in code.statements if one.aggregates and one.tables and code.context(one.scope) is not Context.TEST]
    for shown in sums:
        if not says(shown, SHOWS) or says(shown, BILLS | ESTIMATES):
            continue
        for billed in sums:
            if says(billed, BILLS) and not says(billed, SHOWS) and (how := differ(shown, billed)):
                yield finding(shown, billed.span, how)
                break
        else:
            yield from billed_elsewhere(code, shown)
    yield from copied_prices(code)


def billed_elsewhere(code: Code, shown: Statement) -> Iterator[Finding]:
    """The same table summed in another way by a function of another file that bills."""
    trace = code.elsewhere.trace
    for sight, node in trace.seen.of(Kind.AGGREGATE) if trace is not None else ():
        routine = trace.graph.routine(node) if trace is not None else None
        if routine is None or sight.path == code.facts.path or sight.via[:1] != (ONE,) or len(shown.aggregates) != 1:
            continue
        said = {*words(routine.name)}
        same = len(shown.tables) == 1 and key(sight.owner) == key(shown.tables[0])
        if same and said & BILLS and not said & SHOWS and (how := differs(shown, sight)):
            yield finding(shown, Span(sight.line, sight.line, 0, 0), how, sight.path)
            return


def differs(shown: Statement, billed: Sight) -> str:
    one = shown.aggregates[0]
    if plain(one.argument) != fold(billed.name):
        return f"`{one.argument}` against `{billed.name}`" if billed.name and plain(one.argument).isidentifier() else ""
    conditions = {one for one in billed.via[1:] if not one.endswith("()")}
    extra = sorted(conditions ^ {fold(part.column) for part in shown.comparisons})
    telling = [column for column in extra if not column.endswith(("id", "at", "start", "end", "time", "date"))]
    return f"the condition on `{telling[0]}`" if telling else ""


def says(one: Statement, wanted: frozenset[str]) -> bool:
    return bool(wanted & set(words(name_around(one.scope))))


def differ(shown: Statement, billed: Statement) -> str:
    """In what two sums over one table differ; empty where they are the same or cannot be compared."""
    if set(shown.tables) != set(billed.tables) or len(shown.aggregates) != 1 or len(billed.aggregates) != 1:
        return ""
    one, other = shown.aggregates[0], billed.aggregates[0]
    if one.function != other.function or plain(one.argument) != plain(other.argument):
        return f"`{one.function}({one.argument})` against `{other.function}({other.argument})`"
    mine = {fold(part.column) for part in shown.comparisons}
    theirs = {fold(part.column) for part in billed.comparisons}
    extra = sorted(column for column in mine ^ theirs if not {"id", "at", "start", "end", "time", "date"} & set(words(column)))
    return f"the condition on `{extra[0]}`" if extra else ""


def plain(argument: str) -> str:
    return fold(argument).replace('"', "").rsplit(".", 1)[-1]


def finding(shown: Statement, billed: Span, how: str, path: str | None = None) -> Finding:
    return Finding(
        span=shown.span,
        description=(
            f"What is shown here and what is billed are both summed from `{shown.tables[0]}` and differ in {how}: customers "
            "see one figure and pay another."
        ),
        remediation="Compute both in one function.",
        confidence=Confidence.LIKELY,
        trace=(Step(billed, "what is billed is summed here", path),),
    )


def copied_prices(code: Code) -> Iterator[Finding]:
    """Prices that a comment says are written down a second time."""
    for comment in code.facts.comments:
        if not SYNC.search(comment.text) or (at := prices_after(code, comment)) is None:
            continue
        yield Finding(
            span=at,
            description="These prices are a copy kept in step by hand: once one changes, what is shown differs from the bill.",
            remediation="Read the prices from where billing has them, or test that the two are the same.",
            confidence=Confidence.POSSIBLE,
        )
        return


def prices_after(code: Code, comment: Comment) -> Span | None:
    for assign in code.facts.assigns:
        below = 0 <= assign.span.line - comment.span.end_line <= NEAR
        value = assign.value
        number = isinstance(value, Literal) and isinstance(value.value, int | float) and not isinstance(value.value, bool)
        if below and number and any(len(PRICED & set(words(getattr(target, "text", "")))) > 0 for target in assign.targets):
            return assign.span
    return None


INVOICES = """
def invoice_usage(db, customer, start):
    return db.scalar("SELECT SUM(billed_tokens) FROM usage_events WHERE customer_id = %s", (customer,))
"""

EXAMPLES = (
    Example(
        "python",
        """
def dashboard_usage(db, customer, start):
    return db.scalar("SELECT SUM(total_tokens) FROM usage_events WHERE customer_id = %s", (customer,))  # <- finding
""",
        path="app/dashboard.py",
        context={"app/invoices.py": INVOICES},
    ),
    Example(
        "python",
        """
def dashboard_usage(db, customer, start):
    return db.scalar("SELECT SUM(billed_tokens) FROM usage_events WHERE customer_id = %s", (customer,))
""",
        path="app/dashboard.py",
        context={"app/invoices.py": INVOICES},
    ),
    Example(
        "python",
        """
def dashboard_usage(db, customer, start):
    return db.scalar("SELECT SUM(total_tokens) FROM usage_events WHERE customer_id = %s", (customer,))  # <- finding

def billable_usage(db, customer, start):
    return db.scalar("SELECT SUM(billed_tokens) FROM usage_events WHERE customer_id = %s", (customer,))
""",
    ),
    Example(
        "python",
        """
def dashboard_usage(db, customer, start):
    return billable_usage(db, customer, start)

def billable_usage(db, customer, start):
    return db.scalar("SELECT SUM(billed_tokens) FROM usage_events WHERE customer_id = %s", (customer,))

def estimated_usage_summary(db, customer):
    return db.scalar("SELECT SUM(total_tokens) FROM usage_events WHERE customer_id = %s", (customer,))
""",
    ),
    Example(
        "typescript",
        """
/** Keep in sync with the invoice job. */
const CENTS_PER_TOKEN = 2;  // <- finding

export async function showUsage(db: Pool, customer: string) {
  return db.query("SELECT SUM(tokens) FROM billing_usage WHERE customer_id = $1", [customer]);  // <- finding
}

export async function invoiceUsage(db: Pool, customer: string) {
  return db.query("SELECT SUM(tokens) FROM billing_usage WHERE customer_id = $1 AND free = $2", [customer, false]);
}
""",
    ),
    Example(
        "typescript",
        """
import { CENTS_PER_TOKEN } from "./prices";

export async function showUsage(db: Pool, customer: string) {
  return db.query("SELECT SUM(tokens) FROM billing_usage WHERE customer_id = $1 AND free = $2", [customer, false]);
}

export async function invoiceUsage(db: Pool, customer: string) {
  return db.query("SELECT SUM(tokens) FROM billing_usage WHERE customer_id = $1 AND free = $2", [customer, false]);
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Store) DashboardUsage(ctx context.Context, customer string) *sql.Row {
	return s.db.QueryRowContext(ctx, "SELECT SUM(tokens) FROM usage WHERE customer_id = $1", customer)  // <- finding
}

func (s *Store) InvoiceUsage(ctx context.Context, customer string) *sql.Row {
	return s.db.QueryRowContext(ctx, "SELECT SUM(tokens) FROM usage WHERE customer_id = $1 AND refunded = false", customer)
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Store) DashboardUsage(ctx context.Context, customer string) *sql.Row {
	return s.InvoiceUsage(ctx, customer)
}

func (s *Store) InvoiceUsage(ctx context.Context, customer string) *sql.Row {
	return s.db.QueryRowContext(ctx, "SELECT SUM(tokens) FROM usage WHERE customer_id = $1 AND refunded = false", customer)
}
""",
    ),
)
