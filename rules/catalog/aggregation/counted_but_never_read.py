"""A usage counter is counted up and nothing ever reads it, while its siblings in the same row are limited, shown or billed.

Somebody added a counter for a new thing that is sold, and the sum, the limit or the invoice was not taught about it: the
usage is recorded and nobody pays for it. Read it where its siblings are read, or stop counting it.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Span, fold
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.vocabulary import names_used, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.schema import looks_like_schema
from rules.schema.tables import key
from rules.tracing.graph import Graph
from rules.tracing.seen import Seen
from rules.tracing.sights import Kind, Sight

ABOUT = About(
    id="MTR-320",
    title="A usage counter is counted and never read, while its siblings are billed or limited",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("A12",),
    cwe=("CWE-1164",),
    iso_25010="Functional suitability / functional completeness",
    gives_way_to=("names-that-do-not-meet",),
)
SIBLINGS = 2
PARTS = frozenset("reasoning thinking cached cache audio".split())
"""Words of counts that are part of another count: who is billed for output tokens is billed for those spent on reasoning."""


def check(code: Code) -> Iterator[Finding]:
    trace = code.elsewhere.trace
    if trace is None:
        return
    moved = {one.span.line: one for one in code.counters if one.change is Change.ADD and names_used(one.name)}
    counted = [sight for sight, _ in trace.seen.of(Kind.COUNT) if sight.owner and sight.owner != "redis"]
    read = reads(trace.graph, trace.seen)
    told: set[str] = set()
    for sight in counted:
        here = sight.path == code.facts.path and sight.line in moved and not PARTS & set(words(sight.name))
        if not here or fold(sight.name) in read or sight.name in told or code.elsewhere.schema.table(sight.owner) is None:
            continue
        siblings = {fold(one.name): one for one in counted if key(one.owner) == key(sight.owner) and fold(one.name) in read}
        counting = frozenset(one.path for one in counted if fold(one.name) == fold(sight.name))
        alone = known(code, sight, counting) and not code.elsewhere.speaks_of(sight.name, counting)
        if len(siblings) >= SIBLINGS and alone:
            told.add(sight.name)
            yield finding(moved[sight.line], sight, next(iter(siblings.values())))


def known(code: Code, sight: Sight, counting: frozenset[str]) -> bool:
    """Whether every file that could read it is at hand; where only those that have the name are, they must only count it."""
    if code.elsewhere.whole:
        return True
    having = code.elsewhere.only_in(sight.name)
    return having is not None and all(path in counting or looks_like_schema(path) for path in having)


def reads(graph: Graph, seen: Seen) -> frozenset[str]:
    """Folded names of counters that any function reads that does not count them, or that a query sums or a limit compares."""
    writing = {(node, fold(sight.name)) for sight, node in seen.of(Kind.COUNT)}
    found = {
        name
        for position, digest in enumerate(graph.digests)
        for number, routine in enumerate(digest.routines)
        for name in routine.reads
        if ((position, number), name) not in writing
    }
    named = {fold(sight.name) for kind in (Kind.AGGREGATE, Kind.LIMIT) for sight, _ in seen.of(kind)}
    through = {fold(name) for sight, _ in seen.of(Kind.LIMIT) for name in sight.via}
    return frozenset(found | named | through | graph.shown)


def finding(counter: Counter, sight: Sight, sibling: Sight) -> Finding:
    return Finding(
        span=counter.span,
        description=(
            f"`{sight.name}` is counted here and nothing reads it, while `{sibling.name}` of the same row is read: this "
            "usage is recorded and never billed, limited or shown."
        ),
        remediation=f"Read it where `{sibling.name}` is read, or stop counting it.",
        confidence=Confidence.POSSIBLE,
        trace=(Step(Span(sibling.line, sibling.line, 0, 0), f"`{sibling.name}` is counted here, and read", sibling.path),),
    )


MODELS = """
class UsagePeriod(Base):
    __tablename__ = "usage_periods"

    id = Column(Integer, primary_key=True)
    tokens_used = Column(Integer, default=0)
    images_used = Column(Integer, default=0)
    minutes_used = Column(Integer, default=0)
"""
INVOICES = """
def close_period(db, period):
    create_invoice_item(period.customer_id, period.tokens_used * TOKEN_PRICE)
    create_invoice_item(period.customer_id, period.images_used * IMAGE_PRICE)
"""
COMPLETE = """
def close_period(db, period):
    create_invoice_item(period.customer_id, period.tokens_used * TOKEN_PRICE)
    create_invoice_item(period.customer_id, period.images_used * IMAGE_PRICE)
    create_invoice_item(period.customer_id, period.minutes_used * MINUTE_PRICE)
"""

EXAMPLES = (
    Example(
        "python",
        """
def record_tokens(db, period_id, n):
    db.execute("UPDATE usage_periods SET tokens_used = tokens_used + %s WHERE id = %s", (n, period_id))

def record_images(db, period_id, n):
    db.execute("UPDATE usage_periods SET images_used = images_used + %s WHERE id = %s", (n, period_id))

def record_minutes(db, period_id, n):
    db.execute("UPDATE usage_periods SET minutes_used = minutes_used + %s WHERE id = %s", (n, period_id))  # <- finding
""",
        path="app/recorder.py",
        context={"app/models.py": MODELS, "app/invoices.py": INVOICES},
    ),
    Example(
        "python",
        """
def record_tokens(db, period_id, n):
    db.execute("UPDATE usage_periods SET tokens_used = tokens_used + %s WHERE id = %s", (n, period_id))

def record_images(db, period_id, n):
    db.execute("UPDATE usage_periods SET images_used = images_used + %s WHERE id = %s", (n, period_id))

def record_minutes(db, period_id, n):
    db.execute("UPDATE usage_periods SET minutes_used = minutes_used + %s WHERE id = %s", (n, period_id))
""",
        path="app/recorder.py",
        context={"app/models.py": MODELS, "app/invoices.py": COMPLETE},
    ),
    Example(
        "python",
        """
def record_tokens(db, period_id, n):
    db.execute("UPDATE usage_periods SET tokens_used = tokens_used + %s WHERE id = %s", (n, period_id))

def record_images(db, period_id, n):
    db.execute("UPDATE usage_periods SET images_used = images_used + %s WHERE id = %s", (n, period_id))

def record_reasoning(db, period_id, n):
    db.execute("UPDATE usage_periods SET reasoning_tokens_used = reasoning_tokens_used + %s WHERE id = %s", (n, period_id))
""",
        path="app/recorder.py",
        context={"app/models.py": MODELS.replace("minutes_used", "reasoning_tokens_used"), "app/invoices.py": INVOICES},
    ),
)
