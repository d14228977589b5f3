"""The first thing a customer hears of a limit is the refusal.

Work stops in the middle of a day, support hears of it before sales does. Say so earlier: a header or field with what remains, a
mail at 80 %. The warning may well live in another service, so this is only ever a note.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import leaves
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-409",
    title="Hard limit without an earlier warning",
    severity=Severity.LOW,
    classification=Classification.SUGGESTION,
    classes=("L5",),
    iso_25010="Interaction capability / user error protection",
)
WARNS = re.compile(r"warn(?!ings?\.)|notif|alert|threshold|remaining|soft|0\.[789]\d?\b|\b[789]\d ?%|email|mail", re.I)


def check(code: Code) -> Iterator[Finding]:
    """One note for a file, at its first refusal."""
    if WARNS.search(code.facts.source.decode(errors="replace")):
        return
    for limit in code.limits:
        refused = limit.refuses and leaves(code.facts, limit.test.then)
        if refused and code.context(limit.scope) in (Context.REQUEST, Context.LIBRARY):
            yield Finding(
                span=limit.span,
                description=f"`{code.facts.text(limit.span)}` refuses, and nothing here tells the customer before.",
                remediation="Tell the customer what remains with each answer, and send a message at 80 %.",
                confidence=Confidence.POSSIBLE,
            )
            return


EXAMPLES = (
    Example(
        "python",
        """
def enforce(account, plan):
    if account.used >= plan.monthly_limit:  # <- finding
        raise QuotaExceeded()
""",
    ),
    Example(
        "python",
        """
def enforce(account, plan):
    if account.used >= plan.monthly_limit:
        raise QuotaExceeded()
    if account.used >= 0.8 * plan.monthly_limit:
        notify(account)
""",
    ),
    Example(
        "typescript",
        """
export function enforce(usage: Usage, plan: Plan) {
  if (usage.used >= plan.monthlyLimit) {  // <- finding
    throw new QuotaExceededError();
  }
}
""",
    ),
    Example(
        "typescript",
        """
export function enforce(usage: Usage, plan: Plan) {
  if (usage.used >= plan.monthlyLimit) {
    throw new QuotaExceededError();
  }
  return { remaining: plan.monthlyLimit - usage.used };
}
""",
    ),
    Example(
        "go",
        """
package quota

func enforce(account *Account, plan *Plan) error {
	if account.UsedTokens >= plan.TokenQuota {  // <- finding
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package quota

func enforce(account *Account, plan *Plan) (remaining int, err error) {
	if account.UsedTokens >= plan.TokenQuota {
		return 0, ErrQuotaExceeded
	}
	return plan.TokenQuota - account.UsedTokens, nil
}
""",
    ),
)
