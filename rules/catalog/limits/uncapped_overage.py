"""Usage beyond what is included or left has no end, or is thrown away.

Overage that is billed without a cap or a warning becomes the invoice that the customer disputes; a balance that is lowered
without asking whether it is enough goes on below zero; and one that is cut at zero gives the rest away without a trace.
Refuse or ask for consent at a cap, and record what was used even where it is not charged.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Function, Kind, Member, Name, Object, Scope, chain, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import follows
from rules.meaning.limits import gates
from rules.meaning.limits.limits import Limit, is_zero, lets_through, said_by
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.takings import conditional
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import names_left, names_limit, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-410",
    title="Overage has no cap, warning or consent",
    severity=Severity.MEDIUM,
    classification=Classification.SUGGESTION,
    classes=("L10",),
    cwe=("CWE-770",),
    iso_25010="Interaction capability / user error protection",
    variants={
        "cap-drops-usage": Variant(
            "Usage beyond the limit is silently discarded",
            Severity.MEDIUM,
            ("L10", "E12"),
            cwe=("CWE-684",),
            classification=Classification.DEFICIENCY,
        ),
    },
)
CAPS = re.compile(
    r"\bcap\b|max_?overage|overage_?(limit|cap|allowed|enabled)|notify|alert|warn|consent|threshold|hard_?limit", re.I
)
REST = re.compile(r"overage|debt|excess|shortfall|deficit|overdraft|overdrawn|owed|unpaid|uncovered", re.I)
QUIET = (Context.TEST, Context.BROWSER, Context.SCRIPT)


def check(code: Code) -> Iterator[Finding]:
    for counter in code.counters:
        if code.context(counter.scope) in QUIET:
            continue
        if (cut := cut_at_zero(code, counter)) is not None:
            if not tested_before(code, counter):
                yield dropped(code, counter, cut)
        elif is_never_compared(code, counter):
            yield below_zero(code, counter)
    for limit in code.limits:
        if code.context(limit.scope) not in QUIET and bills_overage(code, limit):
            yield uncapped(code, limit)


def cut_at_zero(code: Code, counter: Counter) -> Call | None:
    """A balance held at zero: the new value of `credits = max(0, credits - cost)`, or of Rust's `(credits - cost).max(0)`."""
    if not names_left(counter.name) or counter.value is None or counter.change is Change.RESET or in_answer(code, counter):
        return None
    whole = resolved(code.values, counter.value, counter.scope, counter.span.start)
    if not isinstance(whole, Call) or fold(whole.method) not in ("max", "greatest"):
        return None
    values = [argument.value for argument in whole.arguments]
    if len(values) == 1 and whole.receiver is not None:
        values.append(whole.receiver)
    if len(values) != 2:
        return None
    # `max(0, limit - used)` is what is shown of a limit, and no balance that was taken from.
    taken = any(isinstance(value, Binary) and value.operator == "-" and not of_limit(value.left) for value in values)
    return whole if taken and any(is_zero(value) for value in values) else None


def in_answer(code: Code, counter: Counter) -> bool:
    """`shown = {…}; shown["balance"] = max(0, granted - used)`: a figure of an answer, and nobody's row."""
    if counter.call is not None:
        return False
    roots = [root_of(target) for one in code.facts.assigns if one.span == counter.span for target in one.targets]
    names = [one.text for one in roots if isinstance(one, Name)]
    made = [found.value for name in names for found in definitions_at(code.values, name, counter.scope, counter.span.start)]
    return any(isinstance(one, Object) or (isinstance(one, Call) and one.name == "dict") for one in made)


def of_limit(value: Expression) -> bool:
    return isinstance(value, Name | Member) and names_limit(value.text if isinstance(value, Name) else value.name)


def tested_before(code: Code, counter: Counter) -> bool:
    """Whether it was asked before if there is enough, or the rest is kept elsewhere: then nothing is lost by the cut."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    if function is not None and REST.search(code.facts.text(function.span)):
        return True
    return any(
        limit.left and follows(code, limit.span, limit.scope, counter.span, counter.scope) for limit in code.limits
    ) or any(follows(code, gate.span, gate.scope, counter.span, counter.scope) for gate in gates.gates(code))


def is_never_compared(code: Code, counter: Counter) -> bool:
    """A balance that a request handler reads, lowers and writes, without ever comparing it."""
    if counter.change is not Change.SUBTRACT or counter.read is None or not names_left(counter.name) or counter.call is None:
        return False
    if code.context(counter.scope) is not Context.REQUEST or conditional(code.facts, counter.call):
        return False
    function = outermost(counter.scope)
    if function is None or any(within_text(limit, function) for limit in code.limits):
        return False
    if any(function.span.holds(gate.span) for gate in gates.gates(code)):
        return False
    return not any(function.span.holds(test.span) and speaks_of(test.value, counter.name) for test in code.facts.tests)


def outermost(scope: Scope) -> Scope | None:
    functions = [outer for outer in chain(scope) if isinstance(outer.head, Function)]
    return functions[-1] if functions else None


def within_text(limit: Limit, function: Scope) -> bool:
    return function.span.holds(limit.span)


def speaks_of(value: Expression, name: str) -> bool:
    """A test of the balance in any form: `if (!credits)`, `if (credits - cost < 0)`."""
    wanted = frozenset(words(name))
    return any(wanted & frozenset(words(said_by(part))) for part in walk(value))


def bills_overage(code: Code, limit: Limit) -> bool:
    """`if used > included: bill(used - included)` where nothing in the file speaks of a cap or a warning."""
    if (
        limit.left
        or not limit.refuses
        or limit.test.then is None
        or not {"included", "allowance"} & set(words(said_by(limit.limit)))
    ):
        return False
    billed = any(
        limit.test.then.span.holds(emission.call.span) and lets_over(code, limit, emission.scope) for emission in code.emissions
    )
    return billed and CAPS.search(code.facts.source.decode(errors="replace")) is None


def lets_over(code: Code, limit: Limit, scope: Scope) -> bool:
    return not lets_through(code.facts, limit, scope) and enclosing(scope, Kind.FUNCTION) is limit.function


def is_charged(counter: Counter) -> bool:
    """What was set aside and is let go of again was never used: nothing is lost where that is cut at zero."""
    return not {"frozen", "reserved", "held", "hold", "pending", "locked", "blocked"} & set(words(counter.name))


def dropped(code: Code, counter: Counter, cut: Call) -> Finding:
    return Finding(
        span=counter.span,
        description=(
            f"`{code.facts.text(cut.span)}` cuts `{counter.name}` at zero: what was used beyond the balance is neither "
            "charged nor recorded anywhere."
        ),
        remediation=f"Refuse before the work when `{counter.name}` is not enough, or let it go below zero and settle the debt.",
        confidence=Confidence.LIKELY if is_charged(counter) and is_served(code, counter.scope) else Confidence.POSSIBLE,
        variant="cap-drops-usage",
    )


def below_zero(code: Code, counter: Counter) -> Finding:
    return Finding(
        span=counter.span,
        description=(
            f"`{counter.name}` is read, lowered and written, and nothing asks whether it is enough: it goes below zero, and "
            "the customer goes on for free."
        ),
        remediation=f"Refuse with 402 when `{counter.name}` does not cover the amount, in the update's own condition.",
        confidence=Confidence.LIKELY if is_served(code, counter.scope) else Confidence.POSSIBLE,
    )


def uncapped(code: Code, limit: Limit) -> Finding:
    return Finding(
        span=limit.span,
        description=(
            f"Beyond `{code.facts.text(limit.limit.span)}` every unit is billed, and no cap, warning or consent is in sight: "
            "the customer learns of it from the invoice."
        ),
        remediation="Warn at 80 % and at 100 %, and stop at a cap that the customer can move.",
        confidence=Confidence.POSSIBLE,
    )


EXAMPLES = (
    Example(
        "python",
        """
def provider_account(client):
    shown = {"balance": None, "usage": None}
    credits = client.get("/v1/credits").json()
    shown["usage"] = credits["total_usage"]
    shown["balance"] = max(0.0, credits["total_credits"] - credits["total_usage"])
    return shown
""",
    ),
    Example(
        "python",
        """
def settle(session, account, cost):
    account.credits = max(0, account.credits - cost)  # <- finding
    session.commit()
""",
    ),
    Example(
        "python",
        """
def settle(session, account_id, cost):
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits < cost:
            raise PaymentRequired()
        account.credits = max(0, account.credits - cost)


def shown(account):
    return {"left": max(0, account.credit_limit - account.used)}
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  return prisma.$transaction(async (tx) => {
    const user = await tx.user.findUniqueOrThrow({ where: { id: await userId(request) } });
    await tx.user.update({  // <- finding
      where: { id: user.id },
      data: { credits: user.credits - 5 },
    });
  }, { isolationLevel: "Serializable" });
}
""",
        path="app/api/deduct/route.ts",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  return prisma.$transaction(async (tx) => {
    const user = await tx.user.findUniqueOrThrow({ where: { id: await userId(request) } });
    if (user.credits < 5) return new Response("out of credits", { status: 402 });
    await tx.user.update({ where: { id: user.id }, data: { credits: user.credits - 5 } });
    return new Response("ok");
  }, { isolationLevel: "Serializable" });
}
""",
        path="app/api/deduct/route.ts",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Settle(user string, cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.accounts[user]
	account.Credits = max(0, account.Credits-cost)  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Settle(user string, cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.accounts[user]
	account.Credits -= cost
}
""",
    ),
)
