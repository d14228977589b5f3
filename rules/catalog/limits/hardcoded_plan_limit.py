"""What a plan includes stands as numbers in the code that enforces it.

A new price list, a customer with a contract of their own or a second place that shows the limit then means a search through
the code, and the place that is forgotten bills or refuses wrongly. Read the limit from the plan that the customer bought, or
from one table that everything uses.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Branch, Compare, Expression, Kind, Literal, Object, Scope, Span, enclosing, walk
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import Limit, is_number, leaves, said_by
from rules.meaning.vocabulary import names_limit, names_used, of_a_plan, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-408",
    title="Plan limits are literals in the code that enforces them",
    severity=Severity.LOW,
    classification=Classification.SUGGESTION,
    classes=("L8",),
    cwe=("CWE-547",),
    iso_25010="Maintainability / modifiability",
)
PLANS = frozenset(
    "free hobby starter basic standard plus pro premium team teams business growth scale enterprise trial lite ultra".split()
)
CENTRAL = re.compile(
    r"(plans?|pricing|prices?|tiers?|limits?|quotas?|config\w*|settings?|constants?|consts?|defaults?|types?|schema|products?|"
    r"entitlements?|features?|seeds?|data)\.\w+$|(^|/)(config|constants|pricing|plans|content|marketing)/",
    re.I,
)
"""Files that are the one place."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing or CENTRAL.search(code.facts.path):
        return
    quiet = (Context.TEST, Context.BROWSER, Context.SCRIPT)
    if code.context(code.facts.root) in quiet:
        return
    found = [*tables(code), *branches(code), *compared(code)]
    if found:
        yield min(found, key=lambda one: one.span.start)


def tables(code: Code) -> Iterator[Finding]:
    """`LIMITS = {"free": 100, "pro": 10_000}` in a file whose functions compare with it."""
    if not any(scope.kind is Kind.FUNCTION for scope in code.facts.scopes):
        return
    for assign in code.facts.assigns:
        if is_table(assign) and enforces(code):
            names = ", ".join(f"`{entry.name}`" for entry in getattr(assign.value, "entries", ())[:3])
            alone = enclosing(assign.scope, Kind.FUNCTION) is None
            yield finding(
                assign.span,
                f"What {names} include is written down here",
                Confidence.POSSIBLE if alone else Confidence.LIKELY,
            )


def is_table(assign: Assign) -> bool:
    if not isinstance(assign.value, Object) or not any(names_limit(said_by(target)) for target in assign.targets):
        return False
    plans = [entry for entry in assign.value.entries if PLANS & set(words(entry.name or ""))]
    return len(plans) >= 2 and all(holds_number(entry.value) for entry in plans)


def holds_number(value: Expression) -> bool:
    if isinstance(value, Object):
        return any(holds_number(entry.value) for entry in value.entries)
    return is_number(value)


def enforces(code: Code) -> bool:
    """A file that enforces: it compares usage with a limit, or raises about one."""
    return bool(code.limits)


def branches(code: Code) -> Iterator[Finding]:
    """`if plan == "pro": limit = 10_000` for two plans or more."""
    numbered = [one for one in code.facts.assigns if is_number_of_limit(one)]
    seen: dict[Scope | None, dict[str, Span]] = {}
    for assign in numbered:
        plan = plan_around(assign.scope)
        if plan is not None:
            seen.setdefault(enclosing(assign.scope, Kind.FUNCTION), {}).setdefault(plan, assign.span)
    for plans in seen.values():
        if len(plans) >= 2:
            names = ", ".join(f"`{name}`" for name in plans)
            yield finding(next(iter(plans.values())), f"What {names} include is decided by numbers in these branches")


def is_number_of_limit(assign: Assign) -> bool:
    return (
        assign.value is not None and is_number(assign.value) and any(names_limit(said_by(target)) for target in assign.targets)
    )


def plan_around(scope: Scope) -> str | None:
    """The plan of which the branch around a scope is: `plan == "pro"`."""
    branch = enclosing(scope, Kind.BRANCH)
    test = branch.head.test if branch is not None and isinstance(branch.head, Branch) and branch.head.arm == "then" else None
    return next((plan for part in walk(test) if (plan := plan_named(part)) is not None), None)


def plan_named(part: Expression) -> str | None:
    if isinstance(part, Compare) and part.operator == "==":
        for side in (part.left, part.right):
            if isinstance(side, Literal) and isinstance(side.value, str) and PLANS & set(words(side.value)):
                return side.value
    return None


def compared(code: Code) -> Iterator[Finding]:
    """`if plan == "free" and used >= 100`."""
    for limit in code.limits:
        plan = next((found for part in walk(limit.test.value) if (found := plan_named(part)) is not None), None)
        plan = plan or plan_around(limit.scope)
        if plan is not None and is_plain(limit) and leaves(code.facts, limit.test.then):
            number = code.facts.text(limit.limit.span)
            yield finding(limit.span, f"What the plan `{plan}` includes is the number {number} here")


def is_plain(limit: Limit) -> bool:
    name = said_by(limit.used)
    return not limit.left and is_number(limit.limit) and names_used(name) and of_a_plan(name)


def finding(span: Span, what: str, confidence: Confidence = Confidence.LIKELY) -> Finding:
    return Finding(
        span=span,
        description=f"{what}: a new price list or a contract is a change of code, and other places may disagree.",
        remediation="Read the limit from the customer's plan (database, entitlement), or from one table that all use.",
        confidence=confidence,
    )


EXAMPLES = (
    Example(
        "python",
        """
def enforce(account):
    if account.plan == "free":
        monthly_limit = 100  # <- finding
    elif account.plan == "pro":
        monthly_limit = 10_000
    if account.used_calls >= monthly_limit:
        raise QuotaExceeded()
""",
        path="app/services/quota_service.py",
    ),
    Example(
        "python",
        """
PLAN_LIMITS = {"free": 100, "pro": 10_000}  # <- finding


def enforce(account):
    if account.used_calls >= PLAN_LIMITS[account.plan]:
        raise QuotaExceeded()
""",
        path="app/services/metering_service.py",
    ),
    Example(
        "python",
        """
PLAN_LIMITS = {"free": 100, "pro": 10_000}


def limit_of(account):
    return PLAN_LIMITS[account.plan]
""",
        path="app/plans.py",
    ),
    Example(
        "typescript",
        """
export function enforce(user: User, usage: Usage) {
  if (user.plan === "free" && usage.usedCredits >= 50) {  // <- finding
    throw new QuotaExceededError();
  }
}
""",
    ),
    Example(
        "typescript",
        """
export function enforce(user: User, usage: Usage) {
  if (usage.usedCredits >= user.plan.creditLimit) {
    throw new QuotaExceededError();
  }
}
""",
    ),
    Example(
        "go",
        """
package quota

func enforce(account *Account) error {
	if account.Plan == "free" && account.UsedTokens >= 1000 {  // <- finding
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

func enforce(account *Account) error {
	if account.UsedTokens >= account.Plan.TokenQuota {
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
)
