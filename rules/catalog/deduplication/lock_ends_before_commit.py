"""A lock around a balance, a counter or a charge ends before what it protects is finished, or does not protect at all.

The next holder then reads the old balance, because the transaction that changes it is not committed yet, or starts the same
charge, because the first one was only started. The same happens where a lease that has run out is deleted by somebody who no
longer owns it, and where nobody looks whether the lock was got at all. Take the lock outside the transaction and give it back
after the commit, or lock the row itself; wait for the charge; delete a lease only while it still holds your own token.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Function,
    Kind,
    Lambda,
    Member,
    Name,
    Scope,
    Span,
    Start,
    Unary,
    Use,
    chain,
    enclosing,
    fold,
    outermost_function,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import leaves
from rules.meaning.promises import promises, started_beside
from rules.meaning.repeats.leases import LOCKS, Held, blind_releases, key_text, set_if_absent, speaks_of_lock, stretches
from rules.meaning.repeats.marks import speaks
from rules.meaning.repeats.transactions import transaction_of
from rules.meaning.subjects import BILLED, name_around
from rules.meaning.usage.counters import Change
from rules.meaning.usage.duties import Work, works
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-212",
    title="Lock is released before the transaction or the charge it protects has finished, or by someone who does not own it",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A6", "A13", "D7"),
    cwe=("CWE-667",),
    iso_25010="Reliability / faultlessness",
)
STORES = frozenset("session db tx trx conn connection uow transaction txn".split())
WRITES = frozenset(
    "savechanges executeupdate update "
    "create save add insert upsert execute exec flush updates updatemany increment decrement".split()
)
COMMITS = frozenset("commit committransaction rollback".split())


MONEY = BILLED | frozenset("balance balances wallet payment payments payout refund refunds order orders reset resets "
                           "renewal period cycle rollover".split())  # fmt: skip


HELPERS = LOCKS | frozenset("acquire release clear take get give try set free obtain distributed redis with".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for found, scope in (*early(code), *ownerless(code), *unasked(code)):
        if code.context(scope) not in (Context.TEST, Context.BROWSER):
            yield found


def early(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """Stretches under a lock whose writes are committed, or whose charge ends, after it."""
    held = list(stretches(code))
    work = list(works(code)) if held else []
    for one in held:
        write = uncommitted(code, one)
        started = None if write is not None else only_started(code, one, work)
        if write is not None:
            yield before_commit(one, write), one.scope
        elif started is not None:
            yield before_end(one, started), one.scope


def uncommitted(code: Code, held: Held) -> Span | None:
    """The first write under a lock that is kept only by a commit after it."""
    if any(held.covers(call.span, call.scope) and fold(call.method) in COMMITS for call in code.facts.calls):
        return None
    around = transaction_of(code, held.scope)
    inner = transaction_of(code, held.inside)
    if inner is not None and inner is not around:
        return None
    if around is None and borrowed(code, held) is None:
        return None
    if around is not None and isinstance(around.head, Function) and not callback(around) and not committed_after(code, held):
        return None
    return next((one.span for one in code.counters if held.covers(one.span, one.scope) and saved(code, held, one.change)), None)


def callback(around: Scope) -> bool:
    return isinstance(around.head, Function) and bool(around.head.passed_to or around.head.decorators)


def committed_after(code: Code, held: Held) -> bool:
    function = enclosing(held.scope, Kind.FUNCTION)
    return any(fold(call.method) == "commit" and call.span.start >= held.span.end for call in code.calls_in(function))


def saved(code: Code, held: Held, change: Change) -> bool:
    """Whether the stretch writes to the database and not to memory alone."""
    return any(
        held.covers(call.span, call.scope) and fold(call.method) in WRITES and "." in call.name for call in code.facts.calls
    )


def borrowed(code: Code, held: Held) -> str | None:
    """The caller's session, used under the lock: who handed it over commits it later."""
    function = enclosing(held.scope, Kind.FUNCTION)
    if function is None or not isinstance(function.head, Function) or held.inside.kind is not Kind.WITH:
        return None
    for parameter in function.head.parameters:
        if fold(parameter.name) not in STORES or not ("Session" in parameter.type or parameter.name in ("session", "uow")):
            continue
        for call in code.calls_in(held.inside):
            if any(isinstance(part, Name) and part.text == parameter.name for part in walk(call)):
                return parameter.name
    return None


def only_started(code: Code, held: Held, work: list[Work]) -> tuple[Span, str] | None:
    """A charge that is started under the lock and not waited for."""
    for span, scope, title in work:
        if not held.span.holds(span) or not within_stretch(held, scope):
            continue
        if detached(code, span, scope, held):
            return span, title
    for call in code.facts.calls:
        if held.covers(call.span, call.scope) and call.use in (Use.DISCARDED, Use.ASSIGNED):
            for begun in started_beside(call):
                title = next((title for span, _, title in work if span == begun.span), "")
                if title:
                    return call.span, title
    return None


def within_stretch(held: Held, scope: Scope) -> bool:
    return any(outer is held.inside for outer in chain(scope))


def detached(code: Code, span: Span, scope: Scope, held: Held) -> bool:
    """In a goroutine, or a promise that nobody awaits."""
    functions = [one for one in chain(scope) if one.kind is Kind.FUNCTION and held.span.holds(one.span)]
    for call in code.facts.calls:
        if call.start is not Start.DETACHED or not held.span.holds(call.span):
            continue
        if call.span == span or (isinstance(call.callee, Lambda) and call.callee.scope in functions):
            return True
    if not code.facts.traits.promises:
        return False
    return any(
        call.span == span and call.use is Use.DISCARDED and call.start is Start.PLAIN and promises(code, call)
        for call in code.facts.calls
    )


def before_commit(held: Held, write: Span) -> Finding:
    return Finding(
        span=held.taken.span,
        cause=held.taken.span,
        description=(
            f"The lock of `{held.taken.name}` ends before the surrounding transaction commits: the next holder still reads "
            "the old value, and one of the two changes is lost."
        ),
        remediation="Take the lock outside the transaction and keep it past the commit, or lock the row with `FOR UPDATE`.",
        confidence=Confidence.LIKELY,
        trace=(Step(write, "written under the lock, committed after it"),),
    )


def before_end(held: Held, started: tuple[Span, str]) -> Finding:
    return Finding(
        span=started[0],
        cause=started[0],
        description=(
            f"{started[1]} is only started while `{held.taken.name}` is held, and still runs when the lock is given back: "
            "the next holder does not see it, and usage is charged twice."
        ),
        remediation="Wait for it before the lock is released.",
        confidence=Confidence.POSSIBLE,
        trace=(Step(held.taken.span, "the lock"),),
    )


def ownerless(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """`redis.del(lockKey)` of a lease that may be somebody else's by now."""
    for call, lease in blind_releases(code):
        if not of_billing(code, call) and not of_billing(code, lease):
            continue
        yield (
            Finding(
                span=call.span,
                cause=call.span,
                description=(
                    f"`{call.name}` deletes the lock whoever holds it: when the lease has run out, it is the next holder's, "
                    "and two runs charge or reset at the same time."
                ),
                remediation="Store a random token with the lock, and delete the key only where it still holds that token, "
                "in one script.",
                # Of a helper it is not seen what is done under the lock, and for how long.
                confidence=Confidence.POSSIBLE,
                trace=(Step(lease.span, "taken here, for a limited time"),),
            ),
            call.scope,
        )


def of_billing(code: Code, call: Call) -> bool:
    """Whether a lock keeps usage, a balance or a charge from being handled twice: by its key, the names around it, or what
    the function that takes or gives it back does."""
    said = {*words(key_text(code, call)), *words(name_around(call.scope)), *words(code.facts.path.rsplit("/", 1)[-1])}
    if set(words(name_around(call.scope))) <= HELPERS:
        # A helper for whatever is locked: who calls it is not seen from here.
        return True
    function = outermost_function(call.scope)
    return bool(said & MONEY) or any(function is not None and within(scope, function) for _, scope, _ in works(code))


def unasked(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """A lock whose answer nobody reads, or reads the wrong way round."""
    for call in code.facts.calls:
        if set_if_absent(code, call) and guards(code, call) and of_billing(code, call):
            if dropped(code, call):
                yield unread(call), call.scope
            elif (test := turned_round(code, call)) is not None:
                yield reversed_test(call, test), call.scope
        elif (fold(call.method) in ("trylock", "tryacquire", "tryacquirelock") and call.use is Use.DISCARDED) or (
            fold(call.method) == "acquire"
            and call.use is Use.DISCARDED
            and speaks_of_lock(call.name)
            and any(fold(one.name or "") in ("blocking", "blockingtimeout") for one in call.arguments)
        ):
            yield unread(call), call.scope


def guards(code: Code, call: Call) -> bool:
    """Whether the key is a lock's or a mark's, and not a cached value or a default."""
    text = key_text(code, call)
    return speaks_of_lock(text) or speaks(text) or speaks_of_lock(name_around(call.scope))


def dropped(code: Code, call: Call) -> bool:
    """Nobody reads the answer; Go's `.Err()` says only whether Redis could be asked."""
    if call.use is Use.DISCARDED and call.start is not Start.DETACHED:
        return "pipe" not in fold(call.name) and "multi" not in fold(call.name)
    return any(fold(other.method) == "err" and other.receiver is call for other in code.facts.calls)


def turned_round(code: Code, call: Call) -> Span | None:
    """`if (await redis.set(key, 1, "NX")) return;`: who got the lock leaves, who did not goes on."""
    names = {target.text for target in call.targets if isinstance(target, Name)}
    for test in code.facts.tests:
        if test.then is None or test.value.span.start < call.span.start - 400 or isinstance(test.value, Unary | Member):
            continue
        if enclosing(test.scope, Kind.FUNCTION) is not enclosing(call.scope, Kind.FUNCTION):
            continue
        asked = test.value is call or (isinstance(test.value, Name) and test.value.text in names)
        if asked and leaves(code.facts, test.then) and gives_up(code, test.then):
            return test.value.span
    return None


def gives_up(code: Code, branch: Scope) -> bool:
    """A branch that does nothing but leave: it answers nothing, and calls nothing but a log."""
    for one in code.facts.returns:
        if any(outer is branch for outer in chain(one.scope)) and one.value is not None:
            return False
    return not any(call.start is Start.AWAITED for call in code.calls_in(branch))


def unread(call: Call) -> Finding:
    return Finding(
        span=call.span,
        cause=call.span,
        description=(
            f"Nobody reads whether `{call.name}` got the lock: a second run goes on as well, and the same usage is "
            "charged or reported twice."
        ),
        remediation="Go on only if it was got, and leave otherwise.",
        confidence=Confidence.LIKELY,
    )


def reversed_test(call: Call, test: Span) -> Finding:
    return Finding(
        span=test,
        cause=call.span,
        description=(
            f"`{call.name}` answers true for the first one, which leaves here, and the repeats go on: what should happen "
            "once happens on every repeat and never the first time."
        ),
        remediation="Leave where the key could not be set.",
        confidence=Confidence.LIKELY,
    )


EXAMPLES = (
    Example(
        "python",
        """
async def recompute_balance(session: AsyncSession, locker: Locker, customer: Customer) -> None:
    async with locker.lock(f"balance:{customer.id}", timeout=5):  # <- finding
        wallet = await WalletRepository(session).by_customer(customer.id)
        wallet.balance = wallet.credited - await consumed_units(session, customer.id)
        session.add(wallet)
        await session.flush()


def close_period(redis, customer):
    lock_key = f"lock:close:{customer.id}"
    if not redis.set(lock_key, "1", nx=True, ex=60):
        return
    try:
        create_invoice(customer)
    finally:
        redis.delete(lock_key)  # <- finding


def report_hour(redis, hour):
    redis.set(f"lock:report:{hour}", "1", nx=True, ex=3600)  # <- finding
    report_usage(hour)
""",
    ),
    Example(
        "python",
        """
async def recompute_balance(locker: Locker, customer: Customer) -> None:
    async with locker.lock(f"balance:{customer.id}", timeout=5):
        async with session_maker() as session:
            wallet = await WalletRepository(session).by_customer(customer.id)
            wallet.balance = wallet.credited - await consumed_units(session, customer.id)
            session.add(wallet)
            await session.commit()


def close_period(redis, customer, token):
    lock_key = f"lock:close:{customer.id}"
    if not redis.set(lock_key, token, nx=True, ex=60):
        return
    try:
        create_invoice(customer)
    finally:
        redis.eval(RELEASE_IF_MINE, 1, lock_key, token)


def warm_plan(redis, plan):
    redis.set(f"plan:{plan.id}", plan.credits, nx=True, ex=600)

""",
    ),
    Example(
        "typescript",
        """
export async function settle(db: Database, redlock: Redlock, userId: string, cost: number) {
  await db.transaction(async (tx) => {
    const lock = await redlock.acquire([`lock:wallet:${userId}`], 5000);  // <- finding
    const wallet = await tx.wallet.findUnique({ where: { userId } });
    await tx.wallet.update({ where: { userId }, data: { credits: wallet.credits - cost } });
    await lock.release();
  });
}

export const acquireLock = async (lockKey: string, ttlMs: number) =>
  redis.set(lockKey, "locked", "PX", ttlMs, "NX");

export const clearLock = async (lockKey: string) => {
  await redis.del(lockKey);  // <- finding
};

export async function onInvoicePaid(redis: Redis, eventId: string, userId: string, credits: number) {
  const first = await redis.set(`lock:grant:${eventId}`, "1", "EX", 86400, "NX");
  if (first) return;  // <- finding
  await addCredits(userId, credits);
}
""",
    ),
    Example(
        "typescript",
        """
export async function settle(db: Database, redlock: Redlock, userId: string, cost: number) {
  const lock = await redlock.acquire([`lock:wallet:${userId}`], 5000);
  try {
    await db.transaction(async (tx) => {
      await tx.wallet.update({ where: { userId }, data: { credits: { decrement: cost } } });
    });
  } finally {
    await lock.release();
  }
}

export const acquireLock = async (lockKey: string, token: string, ttlMs: number) =>
  redis.set(lockKey, token, "PX", ttlMs, "NX");

export const clearLock = async (lockKey: string, token: string) => {
  await redis.eval(DELETE_IF_EQUAL, 1, lockKey, token);
};

export const forceReleaseLock = async (lockKey: string) => {
  await redis.del(lockKey);
};

export async function onInvoicePaid(redis: Redis, eventId: string, userId: string, credits: number) {
  const first = await redis.set(`lock:grant:${eventId}`, "1", "EX", 86400, "NX");
  if (!first) return;
  await addCredits(userId, credits);
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) Settle(ctx context.Context, userID string, cost int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remaining(userID) < cost {
		return
	}
	go s.deductCredits(ctx, userID, cost)  // <- finding
}

func (s *Service) CloseHour(ctx context.Context, rdb *redis.Client, hour string) error {
	if err := rdb.SetNX(ctx, "lock:close:"+hour, 1, time.Hour).Err(); err != nil {  // <- finding
		return err
	}
	return s.reportUsage(ctx, hour)
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) Settle(ctx context.Context, userID string, cost int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remaining(userID) < cost {
		return ErrQuota
	}
	return s.deductCredits(ctx, userID, cost)
}

func (s *Service) CloseHour(ctx context.Context, rdb *redis.Client, hour string) error {
	got, err := rdb.SetNX(ctx, "lock:close:"+hour, 1, time.Hour).Result()
	if err != nil || !got {
		return err
	}
	return s.reportUsage(ctx, hour)
}
""",
    ),
    Example(
        "python",
        """
def greet(redis, chat):
    if redis.set(f"lock:greeting:{chat.id}", "1", nx=True, ex=60):
        send_message(chat, "Your subscription has begun")
        redis.delete(f"lock:greeting:{chat.id}")
""",
        path="chat/greetings.py",
    ),
)
