"""The limit could not be checked, and the request goes on as if there were room, without anyone hearing of it.

A database or cache that is down then means unlimited use for everyone, for as long as it lasts, and nothing in the logs or
metrics says so. Refuse when the check fails (free plans and costly actions), or let a request pass on purpose: with a small
local cap, a metric and an alert, and a comment that says so.
"""

import re
from collections.abc import Iterator, Mapping

from rules.code import Code
from rules.facts import (
    Call,
    Compare,
    Expression,
    Function,
    Handler,
    Kind,
    Literal,
    Name,
    Object,
    Scope,
    Sequence,
    Start,
    Test,
    Unary,
    enclosing,
    fold,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.limits import gates
from rules.meaning.limits.limits import Limit, leaves
from rules.meaning.limits.mixups import stale_tests
from rules.meaning.limits.unheld import goes_on_unheld, skipped_blocks
from rules.meaning.outcomes import LOST, Outcome, logs, outcome
from rules.meaning.usage.takings import takings
from rules.meaning.vocabulary import NOT_OF_A_PLAN, checks_limit, consumes, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.absorbed import leaves_process
from rules.tracing.spared import functions_behind

ABOUT = About(
    id="MTR-403",
    title="Limiter error or timeout lets the request pass without trace",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("L3",),
    cwe=("CWE-636",),
    iso_25010="Security / integrity",
)
VERBS = frozenset("can is has check allow allows within enforce verify validate should may limit ensure assert pre".split())
PAID = frozenset("credit credits quota quotas budget balance spend usage plan entitlement allowance subscription".split())
TURNS = frozenset("error errors throw raise reject handle handler fail".split())
ABSENT = re.compile(r"DoesNotExist|NotFound|NoResult|KeyError|NoSuchElement|NoRows|MissingKey")
MALFORMED = re.compile(r"Decode|Json(?:Syntax|Parse|Processing|Mapping)|JSONException|SyntaxError|Unmarshal|Malformed", re.I)
PARSING = frozenset("loads parse parseint parsefloat int float decimal number unmarshal jsondecode decode fromstring".split())
UNENFORCED = re.compile(r"(won.t|will not|not) be (enforced|limited|checked)|unenforced|fail(ing|s|ed)?[ -]open|allowing", re.I)
STATED = re.compile(r"fail.?open|best.?effort|availab|degrad|block|allow|on purpose|intention|deliberate|graceful", re.I)

Ends = tuple[tuple[Code, Scope], ...]
"""Handlers of other files, each with its file."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    checks = {call: ends_behind(code, call) for call in gates.asked(code) if of_use(code, call)}
    for scope in code.facts.scopes:
        if scope.kind is Kind.HANDLER and isinstance(scope.head, Handler) and not unjudged(code, scope):
            if is_of_absence(scope.head) or is_of_form(code, scope.head):
                continue
            what = checked_under(code, scope, scope.head, checks)
            if what is not None and lets_pass(code, scope, what):
                yield finding(code, scope, what)
    yield from never_heard(code, checks)
    for test in code.facts.tests:
        limit = missed(code, test)
        if limit is not None and not unjudged(code, test.scope):
            yield unread(code, test, limit)
    for call in (*(one for one, _ in skipped_blocks(code)), *goes_on_unheld(code)):
        if not unjudged(code, call.scope):
            yield unheld(call)
    for call, test, given, asked in stale_tests(code):
        if not unjudged(code, test.scope) and takes_or_checks(call):
            yield mixed_up(call, test, given, asked)


def is_of_absence(head: Handler) -> bool:
    """`except Plan.DoesNotExist`: the store answers, and says that there is nothing."""
    return bool(head.catches) and all(ABSENT.search(one) for one in head.catches)


def is_of_form(code: Code, head: Handler) -> bool:
    """A try that only takes apart a value in memory, or a handler of nothing but its bad form: no store is asked there."""
    if head.catches and all(MALFORMED.search(one) for one in head.catches):
        return True
    if isinstance(head.guards, Scope):
        asked = [call for call in code.facts.calls if within(call.scope, head.guards)]
    else:
        asked = list(head.guards or ())
    return bool(asked) and all(parses(one) for one in asked)


def parses(call: Call) -> bool:
    """`json.loads(text)`, `JSON.parse(body)`, `int(header)`."""
    return call.start is not Start.AWAITED and fold(call.name).rsplit(".", 1)[-1] in PARSING


def unheld(call: Call) -> Finding:
    skips = call.method == "with_advisory_lock"
    what = "the block is left out" if skips else "the work goes on without it"
    return Finding(
        span=call.span,
        cause=call.span,
        description=f"When `{call.method}` does not get the lock in time it answers false and {what}: nobody reads the answer, "
        "so what the lock protects is not done, or done twice at once, without an error.",
        remediation="Use `with_advisory_lock!`, or raise when the answer is false."
        if skips
        else f"Test the answer of `{call.method}`, and refuse or try again later when it is false.",
        confidence=Confidence.LIKELY,
    )


def takes_or_checks(call: Call) -> bool:
    """A call that says whether there is room, or takes from what is left: its error is the refusal."""
    said = words(call.method)
    takes = said[:1] in (("pre",), ("reserve",), ("consume",), ("deduct",), ("charge",), ("take",), ("decrease",))
    return checks_limit(call.method) or consumes(call.method) or (takes and bool(PAID & set(said)))


def mixed_up(call: Call, test: Test, given: str, asked: str) -> Finding:
    return Finding(
        span=test.span,
        cause=call.span,
        description=f"The answer of `{call.method}` is in `{given}`, and this tests `{asked}` of an earlier call: a customer "
        "without anything left is let through.",
        remediation=f"Test `{given}`.",
        confidence=Confidence.CERTAIN,
        trace=(Step(call.span, f"`{given}` is set here"),),
    )


def unjudged(code: Code, scope: Scope) -> bool:
    return code.context(scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT)


def checked_under(code: Code, scope: Scope, head: Handler, checks: Mapping[Call, Ends]) -> str | None:
    """The name of the check whose failure a handler takes: a helper's, or the function's own where that is a check."""
    for call, ends in checks.items():
        if guards(head, call) and not ends:
            return call.method
    function = enclosing(scope, Kind.FUNCTION)
    if function is None or not isinstance(function.head, Function):
        return None
    return function.head.name or "the check" if is_check(code, function, head) else None


def never_heard(code: Code, checks: Mapping[Call, Ends]) -> Iterator[Finding]:
    """The first of the handlers around a check of another file that ends its own failures with no answer: none gets here."""
    said: set[str] = set()
    for call, ends in checks.items():
        handler = next(iter(handlers_of(code, call, call)), None)
        if handler is None or call.method in said or unjudged(code, handler):
            continue
        if ends and all(outcome(other.facts, end) in LOST for other, end in ends) and lets_pass(code, handler, call.method):
            said.add(call.method)
            yield unheard(code, call, handler, *ends[0])


def ends_behind(code: Code, call: Call) -> Ends:
    """Where the functions of other files that a call leads to end every failure of their own; empty where one lets some out."""
    found = tuple(functions_behind(code, call))
    ends = tuple((other, end) for other, function in found if (end := end_of_all(other, function)) is not None)
    return ends if len(ends) == len(found) else ()


def end_of_all(code: Code, function: Scope) -> Scope | None:
    """The handler of a try around all that can fail in a function, which is every call but one for a log."""
    calls = [one for one in code.calls_in(function) if not logs(one)]
    raised = [one for one in code.facts.raises if enclosing(one.scope, Kind.FUNCTION) is function]
    failing = any(leaves_process(code, one) for one in calls) or bool(raised)
    scopes = [*(one.scope for one in calls), *(one.scope for one in raised)]
    for one in code.facts.scopes if failing else ():
        tried = one.head.guards if isinstance(one.head, Handler) else None
        if enclosing(one, Kind.FUNCTION) is not function or not isinstance(tried, Scope):
            continue
        inside = all(within(scope, tried) for scope in scopes)
        if inside and outcome(code.facts, one) is not Outcome.RETHROWN:
            return one
    return None


def guards(head: Handler, call: Call) -> bool:
    if isinstance(head.guards, Scope):
        same = enclosing(call.scope, Kind.FUNCTION) is enclosing(head.guards, Kind.FUNCTION)
        return same and within(call.scope, head.guards)
    return head.guards is not None and any(one is call or one.span.holds(call.span) for one in head.guards)


def of_use(code: Code, call: Call) -> bool:
    """A check whose answer is dropped and that cannot raise decides nothing."""
    return gates.raises(call) or gates.test_of(code, call) is not None


def is_check(code: Code, function: Scope, head: Handler) -> bool:
    """A function that says whether there is room, by its name, or by its name's verb and a comparison with a limit."""
    name = function.head.name if isinstance(function.head, Function) else ""
    limits = [limit for limit in code.limits if limit.function is function]
    if any(limit.span.end < start_of(head) for limit in limits):
        return False
    if isinstance(head.guards, Scope):
        raising = [limit for limit in limits if within(limit.scope, head.guards) and raises(code, limit)]
        if raising and not any(within(taking.scope, head.guards) for taking in takings(code)):
            return True
    if checks_limit(name):
        return not frozenset(words(name)) & NOT_OF_A_PLAN
    return bool(limits) and bool(words(name)) and words(name)[0] in VERBS


def start_of(head: Handler) -> int:
    """Where what a handler guards begins: what fails after the comparison no longer decides it."""
    if isinstance(head.guards, Scope):
        return head.guards.span.start
    return min((call.span.start for call in head.guards or ()), default=0)


def raises(code: Code, limit: Limit) -> bool:
    then = limit.test.then
    return limit.refuses and then is not None and any(within(one.scope, then) for one in code.facts.raises)


def lets_pass(code: Code, handler: Scope, what: str) -> bool:
    """Whether a handler ends with room: it answers so, calls `next()`, or goes on to what the check stands before."""
    if any(own(one.scope, handler) for one in code.facts.raises):
        return False
    if any(is_turned(code, call, handler) for call in code.facts.calls):
        return False
    answers = [one for one in code.facts.returns if own(one.scope, handler)]
    if answers:
        return all(allows(one.value, what, code.facts.traits.errors_returned) for one in answers)
    instead = [one.value for one in code.facts.assigns if own(one.scope, handler) and one.operator == "="]
    if instead and not any(allows(value, what, code.facts.traits.errors_returned) for value in instead):
        return False
    if any(fold(call.method) == "next" and not call.arguments and own(call.scope, handler) for call in code.facts.calls):
        return True
    return outcome(code.facts, handler) in (Outcome.LOGGED, Outcome.EMPTY) and goes_on(code, handler)


def is_turned(code: Code, call: Call, handler: Scope) -> bool:
    """`toApiError(err)`, `handleError(err)`: a helper that may well raise again."""
    bound = handler.head.binds if isinstance(handler.head, Handler) else ""
    given = bound and any(isinstance(one.value, Name) and one.value.text == bound for one in call.arguments)
    said = words(call.method)
    turned = len(said) > 1 and bool(frozenset(said) & TURNS) and said[0] not in ("log", "capture", "report", "track", "print")
    return bool(given) and turned and own(call.scope, handler)


def own(scope: Scope, handler: Scope) -> bool:
    return within(scope, handler) and enclosing(scope, Kind.FUNCTION) is enclosing(handler, Kind.FUNCTION)


def allows(value: Expression | None, what: str, errors_returned: bool) -> bool:
    """`return true`, `return { allowed: true }`, `return true, nil`; `return false` of what asks whether it is exceeded."""
    inverted = bool(frozenset(words(what)) & gates.REFUSED)
    match value:
        case Literal(value=bool(said)):
            return said is not inverted
        case Literal(value=None):
            return errors_returned and not inverted
        case Object(entries=entries):
            return any(says_room(entry.name or "", entry.value) for entry in entries)
        case Sequence(items=(Literal(value=bool(said)), *rest)):
            return said is not inverted and not any(isinstance(one, Name) for one in rest)
        case Call(arguments=arguments):
            return any(isinstance(one.value, Object) and allows(one.value, what, errors_returned) for one in arguments[:1])
        case _:
            return False


def says_room(name: str, value: Expression) -> bool:
    said = frozenset(words(name))
    if not isinstance(value, Literal) or not isinstance(value.value, bool):
        return False
    if said & gates.REFUSED:
        return not value.value
    return value.value and bool(said & gates.ASKING) and "fallback" not in said


def goes_on(code: Code, handler: Scope) -> bool:
    """A handler that falls through lets pass what stands after a helper's check; where raising refuses, the caller."""
    function = enclosing(handler, Kind.FUNCTION)
    head = handler.head
    assert isinstance(head, Handler)
    if function is None or any(one.span.start > handler.span.end and own(one.scope, function) for one in code.facts.raises):
        return False
    tried = head.guards
    if isinstance(tried, Scope):
        if any(within(taking.scope, tried) for taking in takings(code)):
            return False
        if any(within(one.scope, tried) for one in code.facts.raises):
            return True
    helped = any(guards(head, call) for call in gates.asked(code))
    return helped and any(call.span.start > handler.span.end for call in code.calls_in(function))


def missed(code: Code, test: Test) -> Limit | None:
    """The limit that is never looked at because the cache has no entry: `if cached is None: return`."""
    name = absent(test.value)
    if name is None or not leaves(code.facts, test.then) or test.then is None:
        return None
    then = test.then
    if any(within(one.scope, then) for one in code.facts.raises):
        return None
    answers = [one for one in code.facts.returns if own(one.scope, then)]
    if not answers or not all(one.value is None or allows(one.value, "", code.facts.traits.errors_returned) for one in answers):
        return None
    if not from_cache(code, name, test):
        return None
    function = enclosing(test.scope, Kind.FUNCTION)
    later = [one for one in code.limits if one.function is function and one.span.start > test.span.end and raises(code, one)]
    return later[0] if later else None


def absent(value: Expression) -> Name | None:
    """The name in `x is None`, `x == null`, `!x`."""
    match value:
        case Compare(operator="is" | "==", left=Name() as name, right=Literal(value=None)):
            return name
        case Unary(operator="not", value=Name() as name):
            return name
        case _:
            return None


def from_cache(code: Code, name: Name, test: Test) -> bool:
    return any(
        isinstance(origin.expression, Call) and "cache" in origin.expression.folded
        for origin in code.origins(name, test.scope, test.span.start)
    )


def is_paid(code: Code, handler: Scope, what: str) -> bool:
    """A quota that money depends on, as against a throttle."""
    function = enclosing(handler, Kind.FUNCTION)
    said = frozenset((*words(what), *words(code.function_name(handler))))
    inside = frozenset(words(code.facts.text(function.span))) if function is not None else frozenset()
    return bool(PAID & said) or (bool(PAID & inside) and "rate" not in said)


def stated(code: Code, handler: Scope) -> bool:
    """Whether a comment beside the handler says that it is meant, or its log line that the limit does not hold."""
    return UNENFORCED.search(code.facts.text(handler.span)) is not None or any(
        handler.span.line - 2 <= comment.span.line <= handler.span.end_line and STATED.search(comment.text) is not None
        for comment in code.facts.comments
    )


def finding(code: Code, handler: Scope, what: str) -> Finding:
    silent = not any(handler.span.holds(call.span) for call in code.facts.calls if fold(call.method) != "next")
    sure = is_paid(code, handler, what) and not stated(code, handler)
    explicit = any(own(one.scope, handler) for one in code.facts.returns)
    again = code.facts.idioms.rethrow
    return Finding(
        span=handler.span,
        description=(
            f"When `{what}` fails, the error ends here and the request goes on as if there were room: while the store is down "
            + ("nobody is limited, and nothing says so." if silent else "nobody is limited; a line in a log is all that tells.")
        ),
        remediation=(
            f"Refuse when `{what}` cannot answer, or {again}. Where passing is meant, cap it locally, count it in a metric and "
            "say so in a comment."
        ),
        confidence=(Confidence.POSSIBLE if not sure else Confidence.CERTAIN if silent and explicit else Confidence.LIKELY),
    )


def unheard(code: Code, call: Call, handler: Scope, other: Code, end: Scope) -> Finding:
    return Finding(
        span=handler.span,
        cause=call.span,
        description=f"`{call.method}` ends its own failures and answers nothing, so no failure ever reaches this handler: when "
        "it cannot check, the request goes on as if there were room.",
        remediation=f"Let `{call.method}` {code.facts.idioms.rethrow}, and refuse here.",
        confidence=Confidence.LIKELY
        if is_paid(code, handler, call.method) and not stated(code, handler)
        else Confidence.POSSIBLE,
        trace=(Step(end.span, f"`{call.method}` ends its failures here", other.facts.path),),
    )


def unread(code: Code, test: Test, limit: Limit) -> Finding:
    return Finding(
        span=test.span,
        description=(
            f"Without an entry in the cache this returns before `{code.facts.text(limit.span)}` is looked at: whoever is not "
            "cached yet, or any more, is not limited."
        ),
        remediation="On a cache miss read the stored value and test it; only a customer without a limit may pass untested.",
        confidence=Confidence.LIKELY,
        trace=(Step(limit.span, "this test is not reached"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
def settle_credits(redis, account, cost):
    lock = redis.lock(f"credits:{account.id}")
    lock.acquire(blocking_timeout=5)  # <- finding
    account.credits = read_credits(account.id) - cost
    store_credits(account)
    lock.release()
""",
    ),
    Example(
        "python",
        """
def settle_credits(redis, account, cost):
    lock = redis.lock(f"credits:{account.id}")
    if not lock.acquire(blocking_timeout=5):
        raise BusyError(account.id)
    store_credits(account, read_credits(account.id) - cost)
    lock.release()
""",
    ),
    Example(
        "python",
        """
async def check_quota(user_id: str) -> bool:
    try:
        row = await db.fetch_one("SELECT used, quota FROM accounts WHERE id = :id", {"id": user_id})
        return row.used < row.quota
    except Exception:  # <- finding
        return True


class BudgetHook:
    async def pre_call(self, user):
        try:
            row = await self.cache.get(f"user:{user.id}")
            if row is None:  # <- finding
                return
            if row["spend"] >= row["max_budget"]:
                raise HTTPException(status_code=402, detail="budget used up")
        except HTTPException:
            raise
        except Exception as error:  # <- finding
            logger.exception(error)
""",
    ),
    Example(
        "python",
        """
async def check_quota(user_id: str) -> bool:
    try:
        row = await db.fetch_one("SELECT used, quota FROM accounts WHERE id = :id", {"id": user_id})
        return row.used < row.quota
    except DatabaseError:
        logger.exception("quota of %s is unknown", user_id)
        return False


async def is_quota_exceeded(user_id: str) -> bool:
    try:
        row = await db.fetch_one("SELECT used, quota FROM accounts WHERE id = :id", {"id": user_id})
        return row.used >= row.quota
    except DatabaseError:
        return True


async def check_usage_limit(user_id: str) -> bool:
    try:
        row = await read(user_id)
        return row.used < row.quota
    except TimeoutError:
        # Fails open on purpose: paid customers, capped by the local limiter, alerted on by the counter.
        fail_open_total.inc()
        return local_limiter.allow(user_id)
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const user = await currentUser();
  try {
    await assertQuota(user.id);
  } catch (error) {}  // <- finding
  return Response.json(await generate(await request.json(), user));
}

export async function checkCredits(userId: string): Promise<{ allowed: boolean }> {
  try {
    const user = await prisma.user.findUnique({ where: { id: userId } });
    return { allowed: user.credits > 0 };
  } catch (error) {  // <- finding
    console.error("credit check failed", error);
    return { allowed: true };
  }
}
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const user = await currentUser();
  try {
    await assertQuota(user.id);
  } catch (error) {
    return Response.json({ error: "quota exceeded" }, { status: 402 });
  }
  return Response.json(await generate(await request.json(), user));
}

export async function checkCredits(userId: string): Promise<{ allowed: boolean }> {
  try {
    const user = await prisma.user.findUnique({ where: { id: userId } });
    return { allowed: user.credits > 0 };
  } catch (error) {
    console.error("credit check failed", error);
    return { allowed: false };
  }
}

export async function isRateLimited(key: string) {
  try {
    return (await limiter.limit(key)).success === false;
  } catch (error) {
    logger.error("rate limiter is down", error);
    return false;
  }
}
""",
    ),
    Example(
        "javascript",
        """
module.exports = async function enforceCredits(req, res, next) {
  try {
    const account = await Account.findById(req.accountId);
    if (account.credits <= 0) return res.status(402).json({ error: "out of credits" });
    next();
  } catch (err) {  // <- finding
    next();
  }
};
""",
    ),
    Example(
        "javascript",
        """
module.exports = async function enforceCredits(req, res, next) {
  try {
    const account = await Account.findById(req.accountId);
    if (account.credits <= 0) return res.status(402).json({ error: "out of credits" });
    next();
  } catch (err) {
    next(err);
  }
};
""",
    ),
    Example(
        "go",
        """
package quota

func CheckQuota(ctx context.Context, db *DB, org string) error {
	row, err := db.Quota(ctx, org)
	if err != nil {  // <- finding
		return nil
	}
	if row.Used >= row.Limit {
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

func CheckQuota(ctx context.Context, db *DB, org string) error {
	row, err := db.Quota(ctx, org)
	if err != nil {
		return fmt.Errorf("read the quota of %s: %w", org, err)
	}
	if row.Used >= row.Limit {
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package billing

func relay(c *Context, request Request) *APIError {
	price, err := priceOf(request.Model)
	if err != nil {
		return wrap(err)
	}
	left, apiErr := preConsumeQuota(c, price)
	if err != nil {  // <- finding
		return apiErr
	}
	return forward(c, request, left)
}
""",
    ),
    Example(
        "go",
        """
package billing

func relay(c *Context, request Request) *APIError {
	price, err := priceOf(request.Model)
	if err != nil {
		return wrap(err)
	}
	left, apiErr := preConsumeQuota(c, price)
	if apiErr != nil {
		return apiErr
	}
	return forward(c, request, left)
}
""",
    ),
    Example(
        "typescript",
        """
export async function generate(supabase: SupabaseClient, user: User, prompt: string) {
  const { data: plan, error } = await supabase.from("plans").select().eq("id", user.planId).single();
  if (error) throw error;
  const { error: creditError } = await deductCredits(user.id, plan.price);
  if (error) {  // <- finding
    throw creditError;
  }
  return complete(prompt);
}
""",
    ),
    Example(
        "typescript",
        """
export async function generate(supabase: SupabaseClient, user: User, prompt: string) {
  const { data: plan, error } = await supabase.from("plans").select().eq("id", user.planId).single();
  if (error) throw error;
  const { error: creditError } = await deductCredits(user.id, plan.price);
  if (creditError) {
    throw creditError;
  }
  return complete(prompt);
}
""",
    ),
    Example(
        "python",
        """
def start_machine(project, plan):
    try:
        check_quota(project, plan)
    except Quota.DoesNotExist:
        pass
    return create_machine(project, plan)
""",
    ),
    Example(
        "python",
        """
import json


def is_quota_exceeded(response) -> bool:
    if response.status_code != 403:
        return False
    try:
        answer = json.loads(response.content)
    except ValueError:
        return False
    return answer.get("code") == "quota_exceeded"
""",
    ),
    Example(
        "typescript",
        """
import * as quotas from "./quotas";

export async function answer(team: Team, prompt: string) {
  try {
    await quotas.checkQuotaUsage(team.id);
  } catch (error) {}  // <- finding
  return complete(prompt);
}

export async function draw(team: Team, prompt: string) {
  try {
    await quotas.checkQuotaUsage(team.id);
  } catch (error) {}
  return paint(prompt);
}
""",
        path="src/answer.ts",
        context={
            "src/quotas.ts": """
export async function checkQuotaUsage(teamId: string) {
  try {
    const used = await redis.get(`used:${teamId}`);
    const team = await db.team.findUnique({ where: { id: teamId } });
    if (Number(used) >= team.quota) await db.team.update({ where: { id: teamId }, data: { stopped: true } });
  } catch (error) {
    logger.error("quota of team is unknown", error);
  }
}
"""
        },
    ),
    Example(
        "typescript",
        """
import * as quotas from "./quotas";

export async function answer(team: Team, prompt: string) {
  try {
    if (await quotas.isQuotaExceeded(team.id)) return refuse(team);
  } catch (error) {}
  return complete(prompt);
}
""",
        path="src/answer.ts",
        context={
            "src/quotas.ts": """
export async function isQuotaExceeded(teamId: string) {
  try {
    const team = await db.team.findUnique({ where: { id: teamId } });
    return team.used >= team.quota;
  } catch (error) {
    return true;
  }
}
"""
        },
    ),
    Example(
        "typescript",
        """
import { checkQuotaUsage } from "./usage-quotas";

export async function answer(team: Team, prompt: string) {
  try {
    await checkQuotaUsage(team.id);
  } catch (error) {  // <- finding
    metrics.skipped += 1;
  }
  return complete(prompt);
}
""",
        path="src/answer.ts",
        context={
            "src/usage-quotas.ts": """
export async function checkQuotaUsage(teamId: string) {
  const used = sumOfUse(teamId);
  if (used >= quotaOf(teamId)) refuse(teamId);
  try {
    cache.put(teamId, used);
  } catch (error) {
    return false;
  }
}
"""
        },
    ),
)
