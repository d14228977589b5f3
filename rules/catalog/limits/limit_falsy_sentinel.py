"""A limit of zero, or one that is missing, is taken for no limit because it is tested for truth.

`if (limit && used >= limit)` skips the test for a plan whose limit is 0, and `plan.limit || 1000` gives that plan a thousand:
those who may use nothing may use everything. Test for absence by name (`!= null`, `is not None`, `??`), and write down with a
constant or an own field what stands for "unlimited".
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Compare,
    Expression,
    Index,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Return,
    Scope,
    Span,
    Test,
    Unary,
    enclosing,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import TEST_PATH, Context
from rules.meaning.limits.flags import compared_with_nothing
from rules.meaning.limits.limits import Limit, is_zero, leaves, operands, said_by
from rules.meaning.origins import Kinds
from rules.meaning.subjects import bills
from rules.meaning.vocabulary import LIMIT_NOUNS, names_limit, of_a_plan, words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity
from rules.traits import Truth

ABOUT = About(
    id="MTR-405",
    title="Limit of 0 or a missing one is treated as unlimited by truthiness",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("L11",),
    cwe=("CWE-1023",),
    iso_25010="Security / integrity",
)
SUBJECTS = frozenset(
    "credit credits quota quotas usage token tokens request requests call calls generation generations message messages seat "
    "seats budget spend monthly daily yearly plan tier subscription entitlement allowance included api event events unit units "
    "minutes scans runs exports credits".split()
)
CHARGES = frozenset(
    "fee fees discount discounts installment installments instalment instalments price refund payout late".split()
)
"""What a customer pays, or is given off: its maximum is no limit of use."""
OWNERS = frozenset("plan tier subscription entitlement entitlements limits quota quotas org organization account team".split())
CUSTOMERS = frozenset("customer customers tenant workspace user billing invoice balance limit limits".split())
ANSWERS = frozenset("send json jsonify status_json respond reply render".split())
DESCRIBED = re.compile(r'"""[^"]*(unlimited|uncapped|no limit|no cap|not limited)', re.I)
UNLIMITED = ("unlimited", "no limit", "no cap", "infinite", "0 means", "zero means", "0 =", "not limited", "uncapped", "0 is")


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    asked = compared_with_nothing(code) if code.facts.traits.truth is Truth.VALUES else ()
    for span, scope, name in asked:
        if not unjudged(code, scope) and bills(code.facts, scope):
            yield flag_asked_for(code, span, name, scope)
    for limit in code.limits:
        if not limit.left and not unjudged(code, limit.scope) and code.facts.traits.truth is Truth.VALUES:
            yield from skipped_by_truth(code, limit)
            yield from passed_when_falsy(code, limit)
    for one in defaults(code):
        if not unjudged(code, one[1]) and not throttles(code, one[1], one[0].span):
            yield from replaced(code, *one)


def flag_asked_for(code: Code, span: Span, name: str, scope: Scope) -> Finding:
    said = {*words(code.facts.text(span)), *words(code.function_name(scope))}
    return Finding(
        span=span,
        description=f"`{code.facts.text(span)}` asks whether the flag is there, not what it says: false counts like true, "
        "and this branch is taken, or left out, for every customer.",
        remediation=f"Test `{name}` itself.",
        # Without a word of a customer or a plan the flag is any program's.
        confidence=Confidence.LIKELY if said & (SUBJECTS | OWNERS | CUSTOMERS) else Confidence.POSSIBLE,
    )


def span_holds(assign: Assign, span: Span) -> bool:
    return assign.value is not None and assign.value.span.holds(span)


def throttles(code: Code, scope: Scope, span: Span) -> bool:
    """A function about rate limits, or what is named for one: how many requests an hour it tells of is no plan's limit."""
    named = (target for assign in code.facts.assigns if span_holds(assign, span) for target in assign.targets)
    if any({"rate", "limit"} <= set(words(name_of(target))) for target in named):
        return True
    return {"rate", "limit"} <= set(words(code.function_name(scope))) or {"ratelimit"} <= set(words(code.function_name(scope)))


def unjudged(code: Code, scope: Scope) -> bool:
    return code.context(scope) in (Context.TEST, Context.BROWSER)


def skipped_by_truth(code: Code, limit: Limit) -> Iterator[Finding]:
    """`if (limit && used >= limit)`."""
    if not limit.refuses or not is_limit(code, limit) or is_page(limit):
        return
    text = code.facts.text(limit.limit.span)
    for whole in walk(limit.test.value):
        if not isinstance(whole, Logical) or whole.operator != "and":
            continue
        parts = list(operands_of_and(whole))
        for part in parts:
            if (
                is_field(part)
                and code.facts.text(part.span) == text
                and any(limit.compare is inner for one in parts for inner in walk(one))
            ):
                if not documented(code, part.span) and not meant(code, parts, text):
                    yield finding(code, part, limit.span, "skips this test", present(code, part))
                return


def is_page(limit: Limit) -> bool:
    """`if limit and len(rows) >= limit`: how many rows are wanted, not how much a customer may use."""
    used = limit.used
    counts = (isinstance(used, Call) and used.method == "len") or (isinstance(used, Member) and used.name in ("length", "size"))
    return counts and isinstance(limit.limit, Name)


def meant(code: Code, parts: list[Expression], text: str) -> bool:
    """`limit && limit > 0 && …`: that zero is no limit is written down."""
    return any(
        isinstance(part, Compare)
        and part.operator in (">", "!=")
        and code.facts.text(part.left.span) == text
        and isinstance(part.right, Literal)
        and part.right.value == 0
        for part in parts
    )


def operands_of_and(whole: Expression) -> Iterator[Expression]:
    if isinstance(whole, Logical) and whole.operator == "and":
        yield from operands_of_and(whole.left)
        yield from operands_of_and(whole.right)
    else:
        yield whole


def passed_when_falsy(code: Code, limit: Limit) -> Iterator[Finding]:
    """`if (!limit) return true; return used < limit`, `if limit: if used >= limit: raise`."""
    if not is_limit(code, limit):
        return
    text = code.facts.text(limit.limit.span)
    function = enclosing(limit.scope, Kind.FUNCTION)
    for test in code.facts.tests:
        if test.then is None or function is None or enclosing(test.scope, Kind.FUNCTION) is not function:
            continue
        part = test.value
        if (
            is_field(part)
            and code.facts.text(part.span) == text
            and within(limit.scope, test.then)
            and not documented(code, part.span)
        ):
            yield finding(code, part, part.span, "skips the test inside", present(code, part))
        elif negated(part, code, text) and test.span.end < limit.span.start and lets_pass(code, test):
            inner = part.value if isinstance(part, Unary) else part
            if not documented(code, part.span):
                yield finding(code, inner, test.span, "is let through untested", None)


def negated(part: Expression, code: Code, text: str) -> bool:
    return (
        isinstance(part, Unary) and part.operator == "not" and is_field(part.value) and code.facts.text(part.value.span) == text
    )


def lets_pass(code: Code, test: Test) -> bool:
    """Whether the branch answers that there is room."""
    if test.then is None or not leaves(code.facts, test.then):
        return False
    then = test.then
    answers = [one for one in code.facts.returns if within(one.scope, then)]
    return bool(answers) and all(says_yes(one) for one in answers)


def says_yes(one: Return) -> bool:
    if isinstance(one.value, Literal):
        return one.value.value is True
    return any(
        (entry.name or "").lower().startswith(("allow", "ok", "within", "can", "has"))
        and getattr(entry.value, "value", None) is True
        for entry in getattr(one.value, "entries", ())
    )


def is_field(part: Expression) -> bool:
    return isinstance(part, Name | Member | Index)


def is_limit(code: Code, limit: Limit) -> bool:
    """A number that is held against usage; a literal or a configured constant has no zero."""
    name = said_by(limit.limit)
    return is_field(limit.limit) and not is_constant(limit.limit) and of_a_plan(name) and not CHARGES & set(words(name))


def is_constant(part: Expression) -> bool:
    return isinstance(part, Name) and part.text.isupper()


def defaults(code: Code) -> Iterator[tuple[Logical, Scope]]:
    """`x || y` and `x or y` wherever a value is made, once each."""
    seen: set[int] = set()
    places: list[tuple[Expression | None, Scope]] = [(one.value, one.scope) for one in code.facts.assigns]
    places += [(one.value, one.scope) for one in code.facts.returns]
    places += [(one.value, one.scope) for one in code.facts.tests]
    places += [(argument.value, call.scope) for call in code.facts.calls for argument in call.arguments]
    for value, scope in places:
        for part in walk(value):
            if isinstance(part, Logical) and part.operator in ("or", "??") and id(part) not in seen:
                seen.add(id(part))
                yield part, scope


def replaced(code: Code, part: Logical, scope: Scope) -> Iterator[Finding]:
    """`plan.monthlyLimit || 1000`, `limit or DEFAULT_QUOTA`: zero becomes the default."""
    if not is_field(part.left) or not names_plan_limit(part.left) or not is_generous(part.right):
        return
    if from_outside(code, part.left, scope) or documented(code, part.span) or is_tested(part) or divides(code, part, scope):
        return
    if part.operator == "??" and not is_huge(part.right):
        return
    if is_lookup(part.left) and not (is_huge(part.right) or is_endless(part.right)):
        return
    if part.operator == "??" or is_lookup(part.left):
        yield missing(code, part)
    else:
        endless = is_endless(part.right) or is_huge(part.right)
        what, cost = f"becomes `{code.facts.text(part.right.span)}`", "is not limited" if endless else "may use that much"
        found = finding(code, part.left, part.span, what, coalesced(code, part), cost)
        refuses = endless or holds_back(code, part, scope)
        yield found if refuses else replace(found, confidence=Confidence.POSSIBLE)


def holds_back(code: Code, part: Logical, scope: Scope) -> bool:
    """Whether usage is held to what comes out: itself in a comparison, or the name or field that it is kept under."""
    asked = [limit for limit in code.limits if not only_answers(limit)]
    if any(any(one is part for one in walk(limit.compare)) for limit in asked):
        return True
    function = enclosing(scope, Kind.FUNCTION)
    kept = {
        code.facts.text(target.span)
        for assign in code.facts.assigns
        if span_holds(assign, part.span) and enclosing(assign.scope, Kind.FUNCTION) is function
        for target in assign.targets
    }
    return any(
        limit.function is function and any(code.facts.text(one.span) in kept for one in walk(limit.limit)) for limit in asked
    )


def only_answers(limit: Limit) -> bool:
    """`return res.json({ over: used > limit })`: a client is told, and whoever refuses asks again."""
    value = limit.test.value
    return isinstance(value, Call) and value.method in ANSWERS and value.receiver is not None


def divides(code: Code, part: Logical, scope: Scope) -> bool:
    """`used / (limit or 1)`: a share for display, that must not divide by zero."""
    if not isinstance(part.right, Literal) or part.right.value != 1:
        return False
    text = code.facts.text((enclosing(scope, Kind.FUNCTION) or code.facts.root).span)
    return re.search(r"\s/\s|percent|ratio", text) is not None


def names_plan_limit(left: Expression) -> bool:
    """A limit that says what of: `plan.limit`, `monthlyLimit`, `max_credits`; never the `limit` of a page."""
    name = said_by(left)
    said = frozenset(words(name))
    if not names_limit(name) or not of_a_plan(name) or is_constant(left) or said >= {"max", "tokens"} or said & CHARGES:
        return False
    owner = frozenset(words(said_by(left.object))) if isinstance(left, Member | Index) else frozenset()
    return bool(said & SUBJECTS - LIMIT_NOUNS) or bool(said & {"quota", "allowance", "budget"}) or bool(owner & OWNERS)


def is_generous(right: Expression) -> bool:
    """A default that allows something: a number above zero, infinity, or a limit by name."""
    if isinstance(right, Literal):
        return isinstance(right.value, int | float) and not isinstance(right.value, bool) and right.value > 0
    name = said_by(right)
    if is_endless(right):
        return True
    return isinstance(right, Name | Member) and names_limit(name) and bool({"default", "free"} & frozenset(words(name)))


def is_endless(right: Expression) -> bool:
    name = right.name if isinstance(right, Member) else said_by(right)
    return name in ("Infinity", "MAX_SAFE_INTEGER", "POSITIVE_INFINITY", "inf", "maxsize", "MAX_VALUE")


def is_huge(right: Expression) -> bool:
    """`?? 100000000`: whoever has no limit on record gets a number that nobody reaches."""
    return isinstance(right, Literal) and isinstance(right.value, int | float) and right.value >= 1_000_000


def is_lookup(left: Expression) -> bool:
    """`PLAN_LIMITS[plan] || 10`: an unknown plan gets the smallest; the table itself has no zero by accident."""
    return isinstance(left, Index) and not isinstance(left.key, Literal)


def is_tested(part: Logical) -> bool:
    return any(isinstance(one, Compare) and one.operator != "in" for one in operands(part.left)) or is_zero(part.right)


def from_outside(code: Code, left: Expression, scope: Scope) -> bool:
    """What a caller or the environment sets has no plan behind it."""
    if any(
        word in code.facts.text(left.span).lower()
        for word in ("process.env", "environ", "req.", "query", "option", "config", "props")
    ):
        return True
    return any(origin.kind is Kinds.REQUEST for origin in code.origins(left, scope, left.span.start))


def documented(code: Code, span: Span) -> bool:
    """Whether a comment beside it, or the function's description, says that zero stands for unlimited."""
    around = [one for one in code.facts.scopes if one.kind is Kind.FUNCTION and one.span.holds(span)]
    if around and DESCRIBED.search(code.facts.text(max(around, key=lambda one: one.span.start).span)[:500]):
        return True
    return any(
        span.line - 3 <= comment.span.line <= span.line + 1 and any(word in comment.text.lower() for word in UNLIMITED)
        for comment in code.facts.comments
    )


def present(code: Code, part: Expression) -> Fix:
    """`limit` in a condition becomes `limit != null`, `limit is not None`."""
    return Fix("Test for absence, not for zero", (Edit(part.span.end, part.span.end, code.facts.idioms.present),))


def coalesced(code: Code, part: Logical) -> Fix | None:
    """`||` becomes `??`. Python has no such operator."""
    between = code.facts.source[part.left.span.end : part.right.span.start].decode()
    sign = between.strip()
    if sign not in ("||", "?:"):
        return None
    at = part.left.span.end + between.index(sign)
    return Fix("Default only what is missing", (Edit(at, at + 2, "??"),))


def missing(code: Code, part: Logical) -> Finding:
    name = code.facts.text(part.left.span)
    return Finding(
        span=part.span,
        description=(
            f"A customer for whom `{name}` is missing gets `{code.facts.text(part.right.span)}`, which nobody reaches: an "
            "unknown plan is an unlimited one."
        ),
        remediation=f"Refuse, or take the smallest plan, when `{name}` is missing; give unlimited plans a value of their own.",
        confidence=Confidence.LIKELY,
    )


def finding(code: Code, limit: Expression, span: Span, what: str, fix: Fix | None, cost: str = "is not limited") -> Finding:
    name = code.facts.text(limit.span)
    return Finding(
        span=span,
        description=f"A `{name}` of 0 is falsy and {what}: a customer who may use nothing {cost}.",
        remediation=(
            f"Test `{name}` for absence, not for truth ({code.facts.idioms.null_test}), and give unlimited plans a "
            "value of their own."
        ),
        confidence=Confidence.LIKELY if is_of_use(limit) and is_ever_zero(code, said_by(limit)) else Confidence.POSSIBLE,
        fix=fix,
    )


def is_of_use(limit: Expression) -> bool:
    """`max_tokens`, `monthly_quota`: a limit of use. A ceiling of a fee or of a discount holds nobody back."""
    return not {"fee", "fees", "discount", "amount", "price", "refund", "tax", "commission"} & set(words(said_by(limit)))


def is_ever_zero(code: Code, name: str) -> bool:
    """Whether some plan, tier or row is seen to be given a limit of 0; where none is, 0 may well stand for no limit."""
    said = words(name)
    given = re.compile(rf"\b\w*{'_?'.join(map(re.escape, said))}[\"']?\s*(?:[:=]|=>)\s*0(?![.\w])", re.I) if said else None
    texts = [code.facts.source.decode(errors="replace")]
    for path in code.elsewhere.only_in(name) or ():
        other = code.elsewhere.code_of(path)
        texts += [other.facts.source.decode(errors="replace")] if other is not None and not TEST_PATH.search(path) else []
    return given is not None and any(given.search(text) for text in texts)


EXAMPLES = (
    Example(
        "python",
        """
def enforce(account, plan):
    if plan.monthly_limit and account.used >= plan.monthly_limit:  # <- finding
        raise QuotaExceeded()


def check_quota(account, quota_limit):
    if not quota_limit:  # <- finding
        return True
    return account.used < quota_limit


def credits_of(plan):
    return plan.credit_limit or 1000  # <- finding
""",
    ),
    Example(
        "python",
        """
UNLIMITED = -1


def enforce(account, plan):
    if plan.monthly_limit is not None and account.used >= plan.monthly_limit:
        raise QuotaExceeded()


def enforce_with_sentinel(account, plan):
    if plan.monthly_limit != UNLIMITED and account.used >= plan.monthly_limit:
        raise QuotaExceeded()


def enforce_documented(account, plan):
    # 0 means unlimited, see the pricing page
    if plan.monthly_limit and account.used >= plan.monthly_limit:
        raise QuotaExceeded()


def page(request, invoices):
    limit = int(request.args.get("limit") or 20)
    return invoices[: limit or 20]


def usage_rows(rows, limit):
    found = []
    for row in rows:
        found.append(row)
        if limit and len(found) >= limit:
            break
    return found
""",
    ),
    Example(
        "typescript",
        """
export function enforce(usage: Usage, plan: Plan) {
  if (plan.requestLimit && usage.used >= plan.requestLimit) {  // <- finding
    throw new QuotaExceededError();
  }
}

export function allowance(subscription: Subscription) {
  const included = subscription.monthlyCreditLimit || 10_000;  // <- finding
  const tokens = subscription.tokenQuota ?? 100_000_000;  // <- finding
  return included + tokens + (QUOTAS[subscription.plan] || Infinity);  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export function enforce(usage: Usage, plan: Plan) {
  if (plan.requestLimit !== null && usage.used >= plan.requestLimit) {
    throw new QuotaExceededError();
  }
  if (plan.tokenLimit > 0 && usage.usedTokens >= plan.tokenLimit) {
    throw new QuotaExceededError();
  }
}

export function allowance(subscription: Subscription) {
  const included = subscription.monthlyCreditLimit ?? 10_000;
  const floor = subscription.monthlyCreditLimit || 0;
  const known = QUOTAS[subscription.plan] || QUOTAS.free;
  return Math.max(included, floor, known);
}

export async function listInvoices(req: Request, options: ListOptions) {
  const limit = options.limit || 50;
  return invoices.find().limit(limit);
}
""",
    ),
    Example(
        "javascript",
        """
function canGenerate(user, dailyLimit) {
  if (!dailyLimit) {  // <- finding
    return { allowed: true };
  }
  return { allowed: user.usedCredits < dailyLimit };
}
""",
    ),
    Example(
        "javascript",
        """
function canGenerate(user, dailyLimit) {
  if (dailyLimit === undefined) {
    throw new Error("the plan has no daily limit");
  }
  return { allowed: user.usedCredits < dailyLimit };
}
""",
    ),
    Example(
        "python",
        """
async def refresh_usage(repository, customer_id):
    customer = await repository.get(customer_id)
    if customer.is_deleted is not None:  # <- finding
        return
    await recompute_balance(customer)
""",
    ),
    Example(
        "python",
        """
async def refresh_usage(repository, customer_id, filters):
    customer = await repository.get(customer_id)
    if customer.is_deleted or customer.deleted_at is not None:
        return
    if filters.is_active is not None:
        return await recompute_active_balance(customer, filters.is_active)
    await recompute_balance(customer)
""",
    ),
    Example(
        "typescript",
        """
export async function canUseCredits(org: Organization, needed: number) {
  if (org.plan.hasOverage !== null) return true;  // <- finding
  return org.credits >= needed;
}
""",
    ),
    Example(
        "typescript",
        """
export async function canUseCredits(org: Organization, needed: number) {
  if (org.plan.hasOverage) return true;
  return org.credits >= needed;
}
""",
    ),
    Example(
        "typescript",
        """
export function atLimit(records: Usage[]) {
  return records.filter((one) => one.limitUnits && one.limitUnits > 0 && one.usedUnits >= one.limitUnits).length;
}

export function share(subscription: Subscription) {
  const limit = subscription.tokensLimit || 1;
  return (subscription.tokensUsed / limit) * 100;
}
""",
    ),
    Example(
        "typescript",
        """
export function chargeable(invoice: Invoice, usage: Usage) {
  return invoice.isTaxed != null ? { taxed: invoice.isTaxed, quantity: usage.quantity } : { quantity: usage.quantity };
}

export function billable(account: Account) {
  if (account.isTaxed != null) return meter(account.quota);
}
""",
        path="app/billing.ts",
        context={"app/billing_types.ts": "export interface Invoice { usageQuota: number; isTaxed: boolean | null }"},
    ),
)
