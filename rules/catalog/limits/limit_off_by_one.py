"""A limit is compared so that it admits one unit too many, or leaves out what this request is about to add.

`used > limit` lets a customer through who has used exactly the limit, and the next statement counts one more; `used >= limit`
before adding `n` lets a batch of any size through while a single unit is left. Test the usage as it will be: `used + n > limit`
refuses, which for one unit is the same as `used >= limit`.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Literal, Name, Unary, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import follows
from rules.meaning.limits.limits import Limit, lets_through, said_by
from rules.meaning.origins import Kinds
from rules.meaning.usage.takings import Taking, amount_of, conditional, one_more, same_for_all, same_thing, takings
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-404",
    title="Limit admits one unit too many, or ignores what this request adds",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("L4",),
    cwe=("CWE-193", "CWE-1284"),
    iso_25010="Functional suitability / functional correctness",
)
TAKING = ("incr", "consume", "take", "reserve", "decr")
MONEY = frozenset("cost costs spend spent budget amount money price dollars usd eur cents balance".split())


def check(code: Code) -> Iterator[Finding]:
    for limit in code.limits:
        if limit.left or code.context(limit.scope) in (Context.TEST, Context.BROWSER) or reads_result(code, limit):
            continue
        taken = taken_after(code, limit)
        if taken is not None:
            yield from off_by_one(code, limit, taken)


def reads_result(code: Code, limit: Limit) -> bool:
    """`used = incr(key)`, `used = row.used + 1`: this request is already in it."""
    if any(
        isinstance(origin.expression, Call) and any(word in origin.expression.folded for word in TAKING)
        for origin in code.origins(limit.used, limit.scope, limit.span.start)
        if origin.kind is Kinds.CALL
    ):
        return True
    whole = resolved(code.values, limit.used, limit.scope, limit.span.start)
    return whole is not limit.used and any(getattr(part, "operator", "") in ("+", "-") for part in walk(whole))


def taken_after(code: Code, limit: Limit) -> Taking | None:
    """The write of the very counter that was compared, or one more row of what was counted."""
    if any(
        same_thing(limit.used, one) and follows(code, one.span, one.scope, limit.span, limit.scope) for one in takings(code)
    ):
        return None
    for taking in takings(code):
        if same_thing(limit.used, taking) and comes_after(code, limit, taking):
            return taking
    counted = resolved(code.values, limit.used, limit.scope, limit.span.start)
    more = one_more(code, counted) if not same_for_all(code, limit) else ()
    return next((taking for taking in more if comes_after(code, limit, taking)), None)


def comes_after(code: Code, limit: Limit, taking: Taking) -> bool:
    after = follows(code, limit.span, limit.scope, taking.span, taking.scope)
    if conditional(code.facts, taking.call):
        return False
    return after and lets_through(code.facts, limit, taking.scope)


def off_by_one(code: Code, limit: Limit, taken: Taking) -> Iterator[Finding]:
    amount = amount_of(taken)
    adds = limit.added is not None
    if limit.operator == (">" if limit.refuses else "<=") and not adds:
        if is_one(amount):
            yield one_too_many(code, limit, taken)
        elif known_before(code, amount, limit):
            yield size_ignored(code, limit, taken, amount)
    elif limit.operator in (">=", "<") and not adds and not is_one(amount) and known_before(code, amount, limit):
        yield size_ignored(code, limit, taken, amount)
    elif limit.operator in (">=", "<") and adds and not is_money(limit):
        yield last_unit_refused(code, limit, taken)


def is_one(amount: Expression | None) -> bool:
    return amount is None or (isinstance(amount, Literal) and amount.value == 1)


def known_before(code: Code, amount: Expression | None, limit: Limit) -> bool:
    """Whether the size is an argument or a number above one, so that the comparison could have held it."""
    if isinstance(amount, Literal):
        return isinstance(amount.value, int) and amount.value > 1
    if not isinstance(amount, Name):
        return False
    found = code.origins(amount, limit.scope, limit.span.start)
    return bool(found) and all(origin.kind in (Kinds.PARAMETER, Kinds.REQUEST) for origin in found)


def is_money(limit: Limit) -> bool:
    """Of an amount of money the last fraction of a cent does not matter."""
    return bool(MONEY & {*words(said_by(limit.used)), *words(said_by(limit.limit))})


def one_too_many(code: Code, limit: Limit, taken: Taking) -> Finding:
    test = code.facts.text(limit.span)
    return Finding(
        span=limit.span,
        description=(
            f"With `{said_by(limit.used)}` at the limit, `{test}` still lets the request through, and {taken.what} after it: "
            "every customer gets one unit more than the plan allows."
        ),
        remediation=f"Compare with `{strict(limit)}`: at the limit there is no room for one more.",
        confidence=Confidence.CERTAIN if taken.counter is not None else Confidence.LIKELY,
        trace=(Step(taken.span, "one more is counted here"),),
        fix=operator_fix(code, limit, taken),
    )


def strict(limit: Limit) -> str:
    return ">=" if limit.refuses else "<"


def operator_fix(code: Code, limit: Limit, taken: Taking) -> Fix | None:
    """Turns `>` into `>=`, and `<=` into `<`, as the code writes it; not under a `not`, where the words turn round."""
    compare = limit.compare
    if any(isinstance(part, Unary) and part.operator == "not" for part in walk(limit.test.value)):
        return None
    between = code.facts.source[compare.left.span.end : compare.right.span.start].decode()
    if between.strip() != compare.operator:
        return None
    at = compare.left.span.end + between.index(compare.operator)
    turned = {">": ">=", "<": "<=", ">=": ">", "<=": "<"}[compare.operator]
    return Fix(f"Compare with `{turned}`", (Edit(at, at + len(compare.operator), turned),))


def size_ignored(code: Code, limit: Limit, taken: Taking, amount: Expression | None) -> Finding:
    size = code.facts.text(amount.span) if amount is not None else "the amount"
    used = code.facts.text(limit.used.span)
    return Finding(
        span=limit.span,
        description=(
            f"`{code.facts.text(limit.span)}` does not count the `{size}` that is added after it: with one unit left, a "
            "request of any size goes through."
        ),
        remediation=f"Compare what it will be: refuse when `{used} + {size}` is above the limit.",
        confidence=Confidence.LIKELY,
        trace=(Step(taken.span, f"`{size}` is added here"),),
    )


def is_of_request(code: Code, limit: Limit) -> bool:
    """Whether what is added is a number, or is handed in: a local that grows afterwards is what was used so far."""
    if limit.added is None or isinstance(limit.added, Literal):
        return limit.added is not None
    found = code.origins(limit.added, limit.scope, limit.span.start)
    return bool(found) and all(origin.kind in (Kinds.PARAMETER, Kinds.REQUEST) for origin in found)


def last_unit_refused(code: Code, limit: Limit, taken: Taking) -> Finding:
    return Finding(
        span=limit.span,
        description=(
            f"`{code.facts.text(limit.span)}` already holds what this request adds, so it refuses the last unit that the plan "
            "includes: customers pay for one more than they can use."
        ),
        remediation=f"Compare with `{'>' if limit.refuses else '<='}`: using exactly the limit is allowed.",
        confidence=Confidence.LIKELY if is_of_request(code, limit) else Confidence.POSSIBLE,
        trace=(Step(taken.span, "added here"),),
        fix=operator_fix(code, limit, taken),
    )


EXAMPLES = (
    Example(
        "python",
        """
def generate(session, account):
    with session.begin():
        account = session.query(Account).with_for_update().get(account.id)
        if account.credits_used > account.credit_limit:  # <- finding
            raise PaymentRequired()
        account.credits_used += 1


def ingest(session, account, events):
    with session.begin():
        account = session.query(Account).with_for_update().get(account.id)
        if account.events_used >= account.event_limit:  # <- finding
            raise PaymentRequired()
        account.events_used += events
""",
    ),
    Example(
        "python",
        """
def generate(session, account):
    with session.begin():
        account = session.query(Account).with_for_update().get(account.id)
        if account.credits_used >= account.credit_limit:
            raise PaymentRequired()
        account.credits_used += 1


def ingest(session, account, events):
    with session.begin():
        account = session.query(Account).with_for_update().get(account.id)
        if account.events_used + events > account.event_limit:
            raise PaymentRequired()
        account.events_used += events


def hit(redis, account):
    used = redis.incr(f"usage:{account.id}")
    if used > account.quota_limit:
        raise PaymentRequired()


def settle(session, account, response):
    with session.begin():
        account = session.query(Account).with_for_update().get(account.id)
        if account.tokens_used >= account.token_quota:
            raise PaymentRequired()
        account.tokens_used += response.usage.total_tokens
""",
    ),
    Example(
        "typescript",
        """
export async function startRun(prisma: PrismaClient, orgId: string, plan: Plan) {
  return prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM organizations WHERE id = ${orgId} FOR UPDATE`;
    const usage = await tx.usage.findUnique({ where: { orgId } });
    if (usage.usedRuns <= plan.runLimit) {  // <- finding
      await tx.usage.update({ where: { orgId }, data: { usedRuns: { increment: 1 } } });
      return true;
    }
    return false;
  }, { isolationLevel: "Serializable" });
}
""",
    ),
    Example(
        "typescript",
        """
export async function startRun(prisma: PrismaClient, orgId: string, plan: Plan) {
  return prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM organizations WHERE id = ${orgId} FOR UPDATE`;
    const usage = await tx.usage.findUnique({ where: { orgId } });
    if (usage.usedRuns < plan.runLimit) {
      await tx.usage.update({ where: { orgId }, data: { usedRuns: { increment: 1 } } });
      return true;
    }
    return false;
  }, { isolationLevel: "Serializable" });
}
""",
    ),
    Example(
        "go",
        """
package quota

func (s *Store) Take(ctx context.Context, org string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	usage := s.usage[org]
	if usage.UsedQuota > usage.QuotaLimit {  // <- finding
		return ErrQuotaExceeded
	}
	usage.UsedQuota++
	return nil
}
""",
    ),
    Example(
        "go",
        """
package quota

func (s *Store) Take(ctx context.Context, org string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	usage := s.usage[org]
	if usage.UsedQuota+n > usage.QuotaLimit {
		return ErrQuotaExceeded
	}
	usage.UsedQuota += n
	return nil
}
""",
    ),
)
