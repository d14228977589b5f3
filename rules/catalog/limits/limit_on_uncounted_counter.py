"""A limit compares a counter that nothing counts up, while the usage of the same action is counted in another one.

The check was written for an older column, or the counting was moved to a new one: the limit always sees nought, or what an
import once left there, and never stops anybody, while the charge follows the other counter. Compare the counter that the action
counts, and drop the other one, so that the two cannot part again.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Member, Span, fold
from rules.meaning.limits.limits import Limit
from rules.meaning.vocabulary import names_used, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.schema import looks_like_schema
from rules.tracing.sights import RESET, Kind, Sight
from rules.tracing.whole import Trace

ABOUT = About(
    id="MTR-415",
    title="The limit reads another counter than the one that is counted and charged",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("L2", "A12"),
    cwe=("CWE-840",),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=("names-that-do-not-meet",),
)


def check(code: Code) -> Iterator[Finding]:
    trace = code.elsewhere.trace
    if trace is None or not code.limits:
        return
    for limit in code.limits:
        if isinstance(limit.used, Member) and not limit.left and limit.refuses and names_used(limit.used.name):
            found = counted_instead(code, trace, limit.used.name)
            if found is not None:
                yield finding(limit, limit.used.name, found)


def counted_instead(code: Code, trace: Trace, name: str) -> Sight | None:
    """The counter of the same row that the action counts, where the compared one is never counted by anybody."""
    compared = fold(name)
    tables = [table for table in code.elsewhere.schema.tables.values() if compared in table.columns]
    if len(tables) != 1 or moved(trace, compared) or mentioned(code, name) or not known(code, name):
        return None
    others = [
        sight
        for sight, _ in trace.seen.of(Kind.COUNT)
        if fold(sight.name) in tables[0].columns and names_used(sight.name) and fold(sight.name) != compared
    ]
    names = {fold(one.name) for one in others}
    return others[0] if len(names) == 1 and same_unit(name, others[0].name) else None


def moved(trace: Trace, compared: str) -> bool:
    """Whether anything writes it but a reset: counting, copying, an import."""
    writes = (*trace.seen.of(Kind.COUNT), *trace.seen.of(Kind.GRANT))
    return any(fold(sight.name) == compared and RESET not in sight.via for sight, _ in writes)


def known(code: Code, name: str) -> bool:
    """Whether every file that could count it is at hand; where only those that have the name are, none may write it."""
    if code.elsewhere.whole:
        return True
    having = code.elsewhere.only_in(name)
    if having is None:
        return False
    read = [code.elsewhere.code_of(path) for path in having if not looks_like_schema(path)]
    return all(one is not None and not one.facts.broken and not mentioned(one, name) for one in read)


def mentioned(code: Code, name: str) -> bool:
    """Whether a text of this file writes it in a way that is not read: unsure is quiet."""
    source = code.facts.source.decode(errors="replace")
    return any(f"{name}{sign}" in source for sign in (" +=", "+=", " = ", ": {", "++"))


def same_unit(one: str, other: str) -> bool:
    """`tokens_used` and `requests_used` count different things; `usage` and `tokens_used` may be one."""
    units = {"tokens", "token", "requests", "request", "credits", "seats", "minutes", "messages", "storage", "bytes", "calls"}
    mine, theirs = (units & set(words(name)) for name in (one, other))
    return not mine or not theirs or mine == theirs


def finding(limit: Limit, name: str, counted: Sight) -> Finding:
    return Finding(
        span=limit.span,
        description=(
            f"The limit compares `{name}`, which nothing counts up; the usage is counted in `{counted.name}`: the limit never "
            "stops anybody."
        ),
        remediation=f"Compare `{counted.name}`, and drop `{name}`.",
        confidence=Confidence.LIKELY,
        trace=(Step(Span(counted.line, counted.line, 0, 0), "the usage is counted here", counted.path),),
    )


MODELS = """
class Account(Base):
    __tablename__ = "accounts"

    id = Column(Integer, primary_key=True)
    monthly_usage = Column(Integer, default=0)
    usage_this_period = Column(Integer, default=0)
    plan_quota = Column(Integer)
"""
RECORDER = """
def record_usage(db, account_id, amount):
    db.execute("UPDATE accounts SET usage_this_period = usage_this_period + %s WHERE id = %s", (amount, account_id))
"""
PRISMA = """
model Team {
  id           String @id
  usedCredits  Int    @default(0)
  creditsSpent Int    @default(0)
  creditLimit  Int
}
"""
SPEND = """
export async function recordUsage(teamId: string, credits: number) {
  await prisma.team.update({ where: { id: teamId }, data: { creditsSpent: { increment: credits } } });
}
"""

EXAMPLES = (
    Example(
        "python",
        """
def assert_quota(account):
    if account.monthly_usage >= account.plan_quota:  # <- finding
        raise QuotaExceeded(account.id)
""",
        path="app/quota.py",
        context={"app/models.py": MODELS, "app/recorder.py": RECORDER},
    ),
    Example(
        "python",
        """
def assert_quota(account):
    if account.usage_this_period >= account.plan_quota:
        raise QuotaExceeded(account.id)
""",
        path="app/quota.py",
        context={"app/models.py": MODELS, "app/recorder.py": RECORDER},
    ),
    Example(
        "typescript",
        """
export function assertCredits(team: Team) {
  if (team.usedCredits >= team.creditLimit) {  // <- finding
    throw new QuotaError(team.id);
  }
}
""",
        path="src/quota.ts",
        context={"prisma/schema.prisma": PRISMA, "src/spend.ts": SPEND},
    ),
    Example(
        "typescript",
        """
export function assertCredits(team: Team) {
  if (team.creditsSpent >= team.creditLimit) {
    throw new QuotaError(team.id);
  }
}
""",
        path="src/quota.ts",
        context={"prisma/schema.prisma": PRISMA, "src/spend.ts": SPEND},
    ),
)
