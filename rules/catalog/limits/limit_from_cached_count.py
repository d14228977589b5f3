"""A hard limit is held against a count that lags behind what is used.

A cached balance, or a provider's aggregate that is computed minutes later, still shows room while the last requests have
used it up; a count in the memory of one process starts at zero with every deployment and exists once per instance. Enforce
from the counter that the charge itself writes, in one step with it, and keep the cache for display.
"""

from collections.abc import Iterator

from rules import providers
from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    enclosing,
    fold,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import Limit, leaves, said_by
from rules.meaning.limits.machinery import SOLD
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import NOT_OF_A_PLAN, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-402",
    title="Hard limit enforced from a cache or a late aggregate",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("L2",),
    cwe=("CWE-367",),
    iso_25010="Functional suitability / functional correctness",
    variants={
        "process-local-limiter": Variant(
            "Quota counted in the memory of one process", Severity.MEDIUM, ("L2", "L1"), cwe=("CWE-820",)
        ),
    },
    gives_way_to=("check-then-act-limit",),
)
FRESH = frozenset("set invalidate delete del remove decrease decrement incr increment update refresh evict clear".split())
MOVES = frozenset("decrease decrement incr decr increment increase deduct".split())
MAKERS = frozenset("map dict defaultdict counter object make set weakmap".split())
STEPS = frozenset("getvalueordefault trygetvalue get has pop setdefault".split())


def check(code: Code) -> Iterator[Finding]:
    told: set[Scope | None] = set()
    for limit in code.limits:
        if not refuses(code, limit) or limit.function in told:
            continue
        if (read := lagging(code, limit)) is not None:
            told.add(limit.function)
            yield stale(code, limit, read)
        elif (held := in_memory(code, limit)) is not None:
            told.add(limit.function)
            yield local(code, limit, held)


def refuses(code: Code, limit: Limit) -> bool:
    """A hard limit of a server: its branch leaves. A warning may lag behind."""
    quiet = (Context.TEST, Context.BROWSER, Context.SCRIPT)
    return limit.refuses and leaves(code.facts, limit.test.then) and code.context(limit.scope) not in quiet


def lagging(code: Code, limit: Limit) -> Call | None:
    """The call of a cache, or of a provider's aggregate, from which the reading comes."""
    for origin in code.origins(limit.used, limit.scope, limit.span.start):
        call = source_of(code, origin.expression, origin.scope)
        if call is None:
            continue
        if is_late(code, call) or (reads_cache(call) and not kept_fresh(code, call)):
            return call
    return None


def source_of(code: Code, expression: Expression, scope: Scope) -> Call | None:
    root = root_of(expression)
    whole = resolved(code.values, root, scope, expression.span.start) if isinstance(root, Name) else root
    if isinstance(whole, Name):
        found = definitions_at(code.values, whole.text, scope, expression.span.start)
        whole = found[0].value if found and found[0].value is not None else whole
    return whole if isinstance(whole, Call) else None


def reads_cache(call: Call) -> bool:
    """`cache.get(…)`, `CacheGetUserQuota(…)`, `get_cached_usage(…)`; Redis may well be the counter itself."""
    said = {*words(call.name)}
    return bool(said & {"cache", "cached", "lru"}) and bool(
        frozenset(words(call.method)) & {"get", "read", "fetch", "cached", "load"}
    )


def kept_fresh(code: Code, read: Call) -> bool:
    """Whether the cached count is moved with each use, in its function, or anywhere by adding to it: it is no copy then."""
    if any(moves(code, call, read) for call in code.facts.calls if call is not read):
        return True
    trace = code.elsewhere.trace
    about = set(words(read.method)) - {"cache", "cached", "get", "read", "fetch", "load"}
    # `CacheDecreaseUserQuota` beside `CacheGetUserQuota`.
    return bool(about) and any(
        {"cache", "cached"} & said and MOVES & said and about <= said
        for said in (set(words(name)) for name in (trace.graph.by_name if trace is not None else ()))
    )


def moves(code: Code, call: Call, read: Call) -> bool:
    said = set(words(call.method))
    if not {"cache", "cached"} & set(words(call.name)) or not FRESH & said or said & {"invalidate", "refresh", "clear"}:
        return False
    if enclosing(call.scope, Kind.FUNCTION) is enclosing(read.scope, Kind.FUNCTION):
        return True
    keys = [code.facts.text(one.arguments[0].value.span) for one in (call, read) if one.arguments]
    return bool(MOVES & said) and len(keys) == 2 and keys[0] == keys[1]


def is_late(code: Code, call: Call) -> bool:
    matched = providers.match(call.folded, code.facts.packages, code.facts.language)
    return matched is not None and matched[1].role == "query"


def in_memory(code: Code, limit: Limit) -> Name | None:
    """The module's own map in which the usage is counted."""
    for part in walk(resolved(code.values, limit.used, limit.scope, limit.span.start)):
        root = root_of(part.callee.object) if isinstance(part, Call) and isinstance(part.callee, Member) else root_of(part)
        if not isinstance(root, Name) or not isinstance(part, Call | Index):
            continue
        if isinstance(part, Call) and fold(part.method) not in STEPS:
            continue
        if frozenset(words(root.text)) & (NOT_OF_A_PLAN | {"cache", "ip", "window", "limiter", "throttle"}):
            continue
        if is_own_map(code, root) and is_changed(code, root) and not refused_unknown(code, limit, root):
            return root
    return None


def refused_unknown(code: Code, limit: Limit, root: Name) -> bool:
    """`if token not in tokens: raise`: after a restart whoever was counted is not known any more, and gets nothing."""
    return any(
        test.span.end < limit.span.start
        and test is not limit.test
        and enclosing(test.scope, Kind.FUNCTION) is limit.function
        and leaves(code.facts, test.then)
        and any(isinstance(part, Name) and part.text == root.text for part in walk(test.value))
        for test in code.facts.tests
    )


def is_own_map(code: Code, root: Name) -> bool:
    known = [one for one in code.values.definitions.get(root.text, ()) if one.how == "assign"]
    return len(known) == 1 and known[0].scope.kind is Kind.MODULE and is_empty_map(known[0].value)


def is_empty_map(value: Expression | None) -> bool:
    match value:
        case Object(entries=()) | Sequence(items=()):
            return True
        case Call():
            return fold(value.method) in MAKERS and "redis" not in value.folded
        case _:
            return False


def is_changed(code: Code, root: Name) -> bool:
    """Whether a function of the file counts in it: what is only filled at the start is a table."""
    return any(counts_in(assign, root) for assign in code.facts.assigns) or any(
        fold(call.method) == "set" and isinstance(call.receiver, Name) and call.receiver.text == root.text and is_sum(call)
        for call in code.facts.calls
    )


def counts_in(assign: Assign, root: Name) -> bool:
    targets = [target for target in assign.targets if isinstance(target, Index | Member)]
    return assign.operator in ("+=", "-=") and any(getattr(root_of(target), "text", "") == root.text for target in targets)


def is_sum(call: Call) -> bool:
    return any(getattr(part, "operator", "") == "+" for argument in call.arguments[1:] for part in walk(argument.value))


def is_paid(code: Code, limit: Limit) -> bool:
    """Whether somebody who is served pays for what is limited: no breaker of a circuit, and no probe."""
    said = {*words(said_by(limit.used)), *words(said_by(limit.limit)), *words(code.function_name(limit.scope))}
    guards = {"circuit", "breaker", "probe", "throttle", "resilience"} & set(words(code.facts.path))
    return bool(said & SOLD) and not guards and is_served(code, limit.scope)


def outlives(code: Code, read: Call) -> bool:
    """Whether a cache is there longer than the request: one that is handed in or made here may be a copy of this moment."""
    if is_late(code, read) or {"cache", "cached"} & set(words(read.method)):
        return True
    root = root_of(read.callee) if read.callee is not None else None
    name = root.text if isinstance(root, Name) else ""
    function = enclosing(read.scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if not name or (isinstance(head, Function) and any(one.name == name for one in head.parameters)):
        return False
    return not any(
        one.scope.kind is not Kind.MODULE and enclosing(one.scope, Kind.FUNCTION) is function
        for one in code.values.definitions.get(name, ())
    )


def stale(code: Code, limit: Limit, read: Call) -> Finding:
    return Finding(
        span=limit.span,
        description=(
            f"`{said_by(limit.used)}` comes from `{read.name}`, which lags behind what is used: until it catches up, requests "
            "pass a limit that has been reached."
        ),
        remediation="Enforce from the counter that the charge writes, in one step with it; keep this reading for display.",
        confidence=Confidence.LIKELY if is_paid(code, limit) and outlives(code, read) else Confidence.POSSIBLE,
        trace=(Step(read.span, "read here"),),
    )


def local(code: Code, limit: Limit, held: Name) -> Finding:
    return Finding(
        span=limit.span,
        description=(
            f"The usage lies in `{held.text}`, in the memory of this process: it is zero again after every deployment or "
            "crash, and each instance counts its own."
        ),
        remediation=f"Keep what `{held.text}` counts in the database or in Redis, and take from it with a conditional update.",
        confidence=Confidence.LIKELY if is_paid(code, limit) else Confidence.POSSIBLE,
        variant="process-local-limiter",
    )


EXAMPLES = (
    Example(
        "python",
        """
usage = {}


async def generate(request: Request, user: User):
    cached = await cache.get(f"spend:{user.id}")
    if cached["spend"] >= user.max_budget:  # <- finding
        raise HTTPException(status_code=402, detail="budget used up")
    return await call_model(await request.json())


def ask(request: Request, user: User):
    if usage[user.id] >= user.monthly_limit:  # <- finding
        raise HTTPException(status_code=429, detail="limit reached")


def count(user: User, tokens: int):
    usage[user.id] += tokens
""",
    ),
    Example(
        "python",
        """
PRICES = {"small": 1, "large": 5}
left = {}


def spend(code: str, user: User):
    if code not in left:
        raise HTTPException(status_code=404, detail="no such code")
    if left[code] >= user.monthly_limit:
        raise HTTPException(status_code=429, detail="limit reached")
    left[code] += 1


def admit(tenant: Tenant):
    if cache.get(f"used:{tenant.id}") >= tenant.monthly_limit:
        raise HTTPException(status_code=429, detail="limit reached")


def count(tenant: Tenant):
    cache.increment(f"used:{tenant.id}")


async def generate(request: Request, user: User):
    row = await db.fetch_one("SELECT spend, max_budget FROM users WHERE id = :id", {"id": user.id})
    if row.spend >= row.max_budget:
        raise HTTPException(status_code=402, detail="budget used up")
    return await call_model(await request.json())


async def warn(user: User):
    cached = await cache.get(f"spend:{user.id}")
    if cached["spend"] >= user.max_budget:
        logger.warning("%s has reached its budget", user.id)
""",
    ),
    Example(
        "typescript",
        """
const usedToday = new Map<string, number>();

export async function POST(request: Request) {
  const user = await currentUser();
  const used = usedToday.get(user.id) ?? 0;
  if (used >= user.plan.dailyLimit) {  // <- finding
    return Response.json({ error: "limit reached" }, { status: 429 });
  }
  return Response.json(await generate(await request.json()));
}

export function count(userId: string, n: number) {
  usedToday.set(userId, (usedToday.get(userId) ?? 0) + n);
}
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const user = await currentUser();
  const usage = await prisma.usage.findUnique({ where: { userId: user.id } });
  if (usage.used >= user.plan.dailyLimit) {
    return Response.json({ error: "limit reached" }, { status: 429 });
  }
  return Response.json(await generate(await request.json()));
}
""",
    ),
    Example(
        "go",
        """
package relay

func admit(ctx context.Context, user *User, cost int64) error {
	balance, err := model.CacheGetUserQuota(ctx, user.Id)
	if err != nil {
		return err
	}
	if balance < cost {  // <- finding
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package relay

func admit(ctx context.Context, user *User, cost int64) error {
	balance, err := model.GetUserQuota(ctx, user.Id)
	if err != nil {
		return err
	}
	if balance < cost {
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
)
