"""The test asks for less than is taken after it.

Asking for one credit, or for any balance above zero, and then taking five lets a customer with one credit have a job of
five: the balance goes below zero, or is cut at zero and the difference is given away. Ask for the amount that is taken,
through one variable that both use.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Literal, Name, Span
from rules.meaning.contexts import Context
from rules.meaning.flow import follows
from rules.meaning.limits import gates
from rules.meaning.limits.limits import Limit, is_number, lets_through, said_by
from rules.meaning.origins import Kinds
from rules.meaning.usage.takings import Taking, conditional, same_thing, takings
from rules.meaning.values import resolved
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-413",
    title="Limit check asks for less than is then charged",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("L4",),
    cwe=("CWE-1284",),
    iso_25010="Functional suitability / functional correctness",
)


def check(code: Code) -> Iterator[Finding]:
    for limit in code.limits:
        if limit.left and is_number(limit.limit) and code.context(limit.scope) not in (Context.TEST, Context.BROWSER):
            yield from of_balance(code, limit)
    for gate in gates.gates(code):
        if code.context(gate.scope) not in (Context.TEST, Context.BROWSER):
            yield from of_helper(code, gate)


def of_balance(code: Code, limit: Limit) -> Iterator[Finding]:
    """`credits < 1` and then `credits - 5`."""
    asked = asked_for(limit)
    others = [one for one in code.limits if one is not limit and one.left and said_by(one.used) == said_by(limit.used)]
    if asked is None or any(one.function is limit.function for one in others):
        return
    for taking in takings(code):
        if not same_thing(limit.used, taking) or conditional(code.facts, taking.call) or taking.counter is None:
            continue
        reached = follows(code, limit.span, limit.scope, taking.span, taking.scope)
        if not reached or not lets_through(code.facts, limit, taking.scope):
            continue
        amount = taking.counter.amount
        if amount is not None and more_than(code, amount, taking, asked, limit):
            yield finding(code, limit.span, amount, taking, asked, None)
            return


def asked_for(limit: Limit) -> float | None:
    """The least balance that passes: 1 for `credits < 1`, `credits <= 0`, `credits > 0`."""
    value = getattr(limit.limit, "value", 0)
    if limit.operator in ("<", ">="):
        return float(value)
    return float(value) + 1 if limit.operator in ("<=", ">", "==") else None


def more_than(code: Code, amount: Expression, taking: Taking, asked: float, limit: Limit) -> bool:
    """Whether what is taken is a larger number, or a size that the caller chose and the test could have known."""
    whole = resolved(code.values, amount, taking.scope, taking.span.start)
    if isinstance(whole, Literal):
        return isinstance(whole.value, int | float) and not isinstance(whole.value, bool) and whole.value > asked
    if not isinstance(amount, Name):
        return False
    found = code.origins(amount, limit.scope, limit.span.start)
    return bool(found) and all(origin.kind in (Kinds.PARAMETER, Kinds.REQUEST) for origin in found)


def of_helper(code: Code, gate: gates.Gate) -> Iterator[Finding]:
    """`hasCredits(user, 1)` and then `deductCredits(user, 5)`."""
    asked = last_number(gate.call)
    if asked is None:
        return
    for taking in takings(code):
        if taking.emission is None or not follows(code, gate.span, gate.scope, taking.span, taking.scope):
            continue
        charged = last_number(taking.emission.call)
        if charged is None or not gates.lets_through(code, gate, taking.scope):
            continue
        if float(str(charged.value)) > float(str(asked.value)):
            fix = Fix("Ask for what is taken", (Edit(asked.span.start, asked.span.end, code.facts.text(charged.span)),))
            yield finding(code, gate.span, charged, taking, float(str(asked.value)), fix)
            return


def last_number(call: Call) -> Literal | None:
    """The amount, where it is the one plain number that the call is given."""
    found = [one.value for one in call.arguments if isinstance(one.value, Literal) and is_number(one.value)]
    return found[0] if len(found) == 1 else None


def finding(code: Code, span: Span, amount: Expression, taken: Taking, asked: float, fix: Fix | None) -> Finding:
    charged = code.facts.text(amount.span)
    sure = isinstance(amount, Literal)
    return Finding(
        span=span,
        description=(
            f"`{code.facts.text(span)}` lets through whoever has {asked:g}, and `{charged}` is taken after it: the customer "
            "gets more than is left."
        ),
        remediation=f"Ask for `{charged}` here as well, through one variable for the test and the charge.",
        confidence=Confidence.POSSIBLE
        if not is_served(code, taken.scope)
        else Confidence.CERTAIN
        if sure
        else Confidence.LIKELY,
        trace=(Step(taken.span, f"`{charged}` is taken here"),),
        fix=fix,
    )


EXAMPLES = (
    Example(
        "python",
        """
def render_video(session, account_id, seconds):
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits <= 0:  # <- finding
            raise PaymentRequired()
        account.credits -= seconds
    return start_render(account_id, seconds)
""",
    ),
    Example(
        "python",
        """
def render_video(session, account_id, seconds):
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits < seconds:
            raise PaymentRequired()
        account.credits -= seconds
    return start_render(account_id, seconds)


def render_image(session, account_id):
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits <= 0:
            raise PaymentRequired()
        account.credits -= 1
""",
    ),
    Example(
        "typescript",
        """
export async function redesign(prisma: PrismaClient, userId: string) {
  return prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM users WHERE id = ${userId} FOR UPDATE`;
    const user = await tx.user.findUniqueOrThrow({ where: { id: userId } });
    if (user.credits < 1) throw new PaymentRequiredError();  // <- finding
    await tx.user.update({ where: { id: userId }, data: { credits: { decrement: 5 } } });
  });
}
""",
    ),
    Example(
        "typescript",
        """
const COST = 5;

export async function redesign(prisma: PrismaClient, userId: string) {
  return prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM users WHERE id = ${userId} FOR UPDATE`;
    const user = await tx.user.findUniqueOrThrow({ where: { id: userId } });
    if (user.credits < COST) throw new PaymentRequiredError();
    await tx.user.update({ where: { id: userId }, data: { credits: { decrement: COST } } });
  });
}
""",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Render(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.accounts[user]
	if account.Credits < 1 {  // <- finding
		return ErrNotEnoughCredits
	}
	account.Credits -= 3
	return nil
}
""",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Render(user string, cost int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.accounts[user]
	if account.Credits < cost {
		return ErrNotEnoughCredits
	}
	account.Credits -= cost
	return nil
}
""",
    ),
)
