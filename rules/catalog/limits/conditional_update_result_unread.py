"""The write that takes from a limit holds the right condition, and nobody looks at whether it changed a row.

`UPDATE … SET credits = credits - 5 WHERE credits >= 5` refuses by changing nothing: it raises no error. Code that does not
read the number of affected rows goes on as if the customer had paid, so the work is done for free and its usage is recorded
nowhere. Read the count, and refuse when it is 0.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Conditional, Expression, Kind, Member, Name, Object, Start, Use, enclosing, fold, walk
from rules.meaning.answers import Answer, answer_of
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import leaves
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.takings import COMPARING, COMPARING_ENDS, fluent, is_minus, outer_of, text_of
from rules.meaning.vocabulary import names_left, names_limit, names_used, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-411",
    title="Conditional update of a limit whose affected rows are not looked at",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("L1",),
    cwe=("CWE-252",),
    iso_25010="Security / integrity",
)
SENDS = frozenset("execute exec execcontext query run all raw scalar executeraw executerawunsafe".split())
ERRORS = frozenset("error err errors message".split())
PROCEDURE = re.compile(rb"\bCREATE\s+(?:OR\s+\w+\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:FUNCTION|PROCEDURE|TRIGGER|EVENT)\b", re.I)
SMALLER = re.compile(r"(?<![-=<])>|<(?!>)")
"""A comparison by size, as against `<>`, `->` and `=>`."""
CLAMP = re.compile(r"\bset\s+(\w+)\s*=\s*([\w:$@.?]+)\b[\s\S]{1,200}?\bwhere\b[\s\S]{0,200}?\b\1\s*>=?\s*\2(?![\w.])", re.I)
"""A statement that sets a column to what it compares it with."""
COUNTS = ("rowcount", "rowsaffected", "affectedrows", "affected", "changes", "modifiedcount", "matchedcount", "returning")


def check(code: Code) -> Iterator[Finding]:
    told: set[int] = set()
    for counter in code.counters:
        call = counter.call
        if call is None or counter.change is Change.RESET or code.context(counter.scope) in (Context.TEST, Context.BROWSER):
            continue
        if (not names_left(counter.name) and not names_used(counter.name)) or {"last", "at"} & set(words(counter.name)):
            continue
        if runs_once(code, call) or is_rest(code, counter):
            continue
        if id(call) in told or not holds_counter(code, call, counter) or raises(call):
            continue
        if gives_back(counter) or clamps(code, call, counter):
            continue
        told.add(id(call))
        end = end_of(code, call)
        if end is not None and unread(code, end):
            yield finding(code, counter, call)


def runs_once(code: Code, call: Call) -> bool:
    """A migration's own statement, as against one in the body of a procedure: nobody asks what it changed."""
    before = code.facts.source[: call.span.start]
    in_body = len(re.findall(rb"\$\w*\$", before)) % 2 == 1 or PROCEDURE.search(before) is not None
    return code.facts.traits.statements_only and not in_body


def is_rest(code: Code, counter: Counter) -> bool:
    """The second of two ways to take: the first one's rows were counted, and where it changed one this is not reached."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    return any(
        one.call is not None
        and one.call is not counter.call
        and fold(one.name) == fold(counter.name)
        and function is not None
        and enclosing(one.scope, Kind.FUNCTION) is function
        and (end := end_of(code, one.call)) is not None
        and leaves_by(code, end, counter)
        for one in code.counters
    )


def leaves_by(code: Code, end: Call, later: Counter) -> bool:
    """Whether a test between a statement and a later one looks at the statement's answer and leaves."""
    names = answer_of(code, end).names
    return any(
        end.span.end < test.span.start < later.span.start
        and leaves(code.facts, test.then)
        and any(isinstance(part, Name) and part.text in names for part in walk(test.value))
        for test in code.facts.tests
    )


def gives_back(counter: Counter) -> bool:
    """What was used is lowered, or what is left is raised: where no row matches there is nothing to give back."""
    if is_minus(counter.amount):
        return True
    lowers, raises_it = counter.change is Change.SUBTRACT, counter.change is Change.ADD
    return (lowers and names_used(counter.name)) or (raises_it and names_left(counter.name))


def clamps(code: Code, call: Call, counter: Counter) -> bool:
    """`SET balance = :cap WHERE balance > :cap`: what is over is cut off, and where no row matches nothing is over."""
    if counter.change is not Change.SET:
        return False
    if isinstance(counter.value, Name | Member):
        bound = code.facts.text(counter.value.span)
        if any(is_bound(code, one, counter.name, bound) for one in fluent(code.facts, call)):
            return True
    return any(CLAMP.search(text_of(argument.value)) for argument in call.arguments)


def is_bound(code: Code, call: Call, name: str, bound: str) -> bool:
    """Whether a call compares a column with this value: `.gt("balance", cap)`, `{ balance: { gt: cap } }`."""
    compared = [one for argument in call.arguments for one in walk(argument.value) if is_comparison(one)]
    sides = [part for one in (*compared, *((call,) if fold(call.method) in COMPARING else ())) for part in operands(one)]
    texts = {code.facts.text(part.span).strip("'\"") for part in sides}
    if bound in texts and any(fold(text).endswith(fold(name)) for text in texts):
        return True
    return any(
        fold(entry.name or "") == fold(name) and code.facts.text(inner.value.span) == bound
        for argument in call.arguments
        for part in walk(argument.value)
        for entry in getattr(part, "entries", ())
        for inner in getattr(entry.value, "entries", ())
    )


def operands(part: Expression) -> tuple[Expression, ...]:
    """What is compared: `balance > cap`, `gt(accounts.balance, cap)`."""
    if isinstance(part, Compare):
        return part.left, part.right
    return tuple(argument.value for argument in part.arguments) if isinstance(part, Call) else ()


def holds_counter(code: Code, call: Call, counter: Counter) -> bool:
    """Whether the condition compares the counter itself, or its limit."""
    wanted = fold(counter.name)
    return any(wanted in fold(text) or names_limit(text) for one in fluent(code.facts, call) for text in conditions(code, one))


def conditions(code: Code, call: Call) -> Iterator[str]:
    """What stands in a call as a comparison by size, as text."""
    if fold(call.method) in COMPARING:
        yield code.facts.text(call.span)[-200:]
    for argument in call.arguments:
        if (argument.name or "").endswith(COMPARING_ENDS):
            yield argument.name or ""
        yield from sql_conditions(call, argument.value)
        chosen = {id(part.test) for part in walk(argument.value) if isinstance(part, Conditional)}
        for part in walk(argument.value):
            if is_comparison(part) and id(part) not in chosen:
                yield code.facts.text(part.span)
            elif isinstance(part, Object):
                yield from compared_entries(part)


def is_comparison(part: Expression) -> bool:
    """`Account.credits >= cost`, `gte(users.credits, cost)`."""
    if isinstance(part, Compare):
        return part.operator in ("<", ">", "<=", ">=")
    return isinstance(part, Call) and fold(part.method) in COMPARING


def sql_conditions(call: Call, value: Expression) -> Iterator[str]:
    text = text_of(value)
    low = text.lower()
    condition = text[low.index("where") :] if "where" in low else text if fold(call.method) in ("where", "filter") else ""
    if SMALLER.search(condition):
        yield condition


def compared_entries(whole: Object) -> Iterator[str]:
    """`{ credits: { gte: cost } }`."""
    for entry in whole.entries:
        inner = entry.value.entries if isinstance(entry.value, Object) else ()
        if entry.name and any(fold(one.name or "").lstrip("$") in COMPARING for one in inner):
            yield entry.name


def raises(call: Call) -> bool:
    """Prisma's `update({ where, data })` raises where no row matches; `updateMany` does not."""
    names = {
        entry.name for argument in call.arguments if isinstance(argument.value, Object) for entry in argument.value.entries
    }
    return fold(call.method) in ("update", "upsert") and {"where", "data"} <= names


def end_of(code: Code, call: Call) -> Call | None:
    """The call whose value is the outcome: the end of the query chain, or what the statement is handed to."""
    outer = outer_of(code.facts)
    while id(call) in outer and call.use in (Use.CHAINED, Use.ARGUMENT):
        above = outer[id(call)]
        if call.use is Use.ARGUMENT and fold(above.method).lstrip("$") not in SENDS:
            return None
        call = above
    return call


def unread(code: Code, end: Call) -> bool:
    """Whether nothing but the error is looked at. A call that is not awaited gives no count, and is no matter of this rule."""
    if end.start is Start.DETACHED or counted_elsewhere(code, end):
        return False
    after = code.facts.source[end.span.end : end.span.end + 12].decode(errors="replace")
    if code.facts.traits.errors_returned and after.startswith(".Error"):
        return True
    answer = answer_of(code, end)
    return answer.dropped or only_errors(answer)


def only_errors(answer: Answer) -> bool:
    """`const { error } = await …`, `result.Error`: whether the statement ran, not whether it changed anything."""
    fields = answer.fields - {fold(name) for name in answer.names}
    return not answer.passed_on and bool(fields) and fields <= ERRORS


def counted_elsewhere(code: Code, end: Call) -> bool:
    """`cursor.rowcount`, `db.changes`: the count lies on the connection."""
    function = enclosing(end.scope, Kind.FUNCTION, Kind.MODULE)
    if function is None:
        return False
    said = fold(code.facts.source[end.span.start : function.span.end].decode(errors="replace"))
    return any(word in said for word in COUNTS)


def finding(code: Code, counter: Counter, call: Call) -> Finding:
    read = code.facts.idioms.affected_rows
    moves = "adds to" if names_used(counter.name) else "takes from"
    room = "there is room" if names_used(counter.name) else "there is enough"
    none = "counted" if names_used(counter.name) else "taken"
    return Finding(
        span=call.span,
        description=(
            f"This {moves} `{counter.name}` only where {room}, and {read} are not read: when there is not, nothing "
            f"is {none}, no error tells of it, and the work goes on unpaid."
        ),
        remediation=f"Read {read} and refuse when they are 0 (402), before anything is done for the customer.",
        confidence=Confidence.POSSIBLE
        if not is_served(code, call.scope)
        else Confidence.CERTAIN
        if {"credits", "credit", "balance", "quota"} & set(words(counter.name))
        else Confidence.LIKELY,
        cause=call.span,
    )


EXAMPLES = (
    Example(
        "python",
        """
def charge(session, account_id, cost):
    session.execute(
        update(Account)  # <- finding
        .where(Account.id == account_id, Account.credits >= cost)
        .values(credits=Account.credits - cost)
    )
    session.commit()


def charge_raw(connection, account_id, cost):
    connection.execute(  # <- finding
        "UPDATE accounts SET credits = credits - %s WHERE id = %s AND credits >= %s", (cost, account_id, cost)
    )


def charge_django(account_id, cost):
    Account.objects.filter(pk=account_id, credits__gte=cost).update(credits=F("credits") - cost)  # <- finding
""",
    ),
    Example(
        "python",
        """
def charge(session, account_id, cost):
    result = session.execute(
        update(Account)
        .where(Account.id == account_id, Account.credits >= cost)
        .values(credits=Account.credits - cost)
    )
    if result.rowcount == 0:
        raise PaymentRequired()


def charge_returning(connection, account_id, cost):
    row = connection.execute(
        "UPDATE accounts SET credits = credits - %s WHERE id = %s AND credits >= %s RETURNING credits",
        (cost, account_id, cost),
    ).fetchone()
    if row is None:
        raise PaymentRequired()


def charge_django(account_id, cost):
    changed = Account.objects.filter(pk=account_id, credits__gte=cost).update(credits=F("credits") - cost)
    return changed == 1
""",
    ),
    Example(
        "typescript",
        """
export async function spend(prisma: PrismaClient, userId: string, cost: number) {
  await prisma.user.updateMany({  // <- finding
    where: { id: userId, credits: { gte: cost } },
    data: { credits: { decrement: cost } },
  });
}

export async function spendInSupabase(userId: string, credits: number, cost: number) {
  const { error } = await supabase
    .from("profiles")
    .update({ credits: credits - cost })
    .eq("id", userId)
    .gte("credits", cost);
  if (error) throw error;
}
""".replace("  const { error } = await supabase\n", "  const { error } = await supabase  // <- finding\n"),
    ),
    Example(
        "typescript",
        """
export async function countFree(prisma: PrismaClient, plan: Plan, month: number) {
  const renewed = await prisma.plan.updateMany({
    where: { id: plan.id, freeMonth: { not: month } },
    data: { freeCredits: GIVEN - 1, freeMonth: month },
  });
  if (renewed.count > 0) return;
  await prisma.plan.updateMany({
    where: { id: plan.id, freeMonth: month, freeCredits: { gt: 0 } },
    data: { freeCredits: { decrement: 1 } },
  });
}
""",
    ),
    Example(
        "sql",
        """
BEGIN;
ALTER TABLE wallets ADD COLUMN balance_cents BIGINT NOT NULL DEFAULT 0;
UPDATE wallets SET balance_cents = FLOOR(balance * 100) WHERE balance_cents = 0 AND balance <> 0;
COMMIT;
""",
        path="migrations/002.sql",
    ),
    Example(
        "typescript",
        """
export async function spend(prisma: PrismaClient, userId: string, cost: number) {
  const taken = await prisma.user.updateMany({
    where: { id: userId, credits: { gte: cost } },
    data: { credits: { decrement: cost } },
  });
  if (taken.count === 0) throw new PaymentRequiredError();
}

export async function spendOne(prisma: PrismaClient, userId: string, cost: number) {
  await prisma.user.update({
    where: { id: userId, credits: { gte: cost } },
    data: { credits: { decrement: cost } },
  });
}

export async function resetDue(prisma: PrismaClient, now: Date) {
  await prisma.user.updateMany({ where: { resetAt: { lte: now } }, data: { usedCredits: 0 } });
}
""",
    ),
    Example(
        "javascript",
        """
async function spend(userId, cost) {
  await User.updateOne({ _id: userId, credits: { $gte: cost } }, { $inc: { credits: -cost } });  // <- finding
}
""",
    ),
    Example(
        "javascript",
        """
async function spend(userId, cost) {
  const user = await User.findOneAndUpdate(
    { _id: userId, credits: { $gte: cost } },
    { $inc: { credits: -cost } },
    { new: true },
  );
  if (!user) throw new PaymentRequiredError();
  return user.credits;
}
""",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Spend(ctx context.Context, user string, cost int) error {
	_, err := s.db.ExecContext(ctx,  // <- finding
		"UPDATE users SET credits = credits - $1 WHERE id = $2 AND credits >= $1", cost, user)
	return err
}

func (s *Store) SpendGorm(user string, cost int) error {
	users := s.gorm.Model(&User{})
	return users.Where("id = ? AND quota >= ?", user, cost).Update("quota", gorm.Expr("quota - ?", cost)).Error  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package credits

func (s *Store) Spend(ctx context.Context, user string, cost int) error {
	result, err := s.db.ExecContext(ctx, "UPDATE users SET credits = credits - $1 WHERE id = $2 AND credits >= $1", cost, user)
	if err != nil {
		return err
	}
	if changed, err := result.RowsAffected(); err != nil || changed == 0 {
		return ErrNotEnoughCredits
	}
	return nil
}
""",
    ),
    Example(
        "typescript",
        """
export async function touchKey(db: Db, keyId: string, staleBefore: Date) {
  await db.update(apiKeys).set({ lastUsed: new Date() }).where(and(eq(apiKeys.id, keyId), lt(apiKeys.lastUsed, staleBefore)));
}
""",
    ),
    Example(
        "sql",
        """
UPDATE accounts SET credits = COALESCE(credits, 0) - 5 WHERE credits >= 5 AND plan = 'trial';
""",
        path="migrations/0007_trial_credits.sql",
    ),
    Example(
        "typescript",
        """
export async function leaveTeam(supabase: SupabaseClient, memberId: string, cap: number) {
  await supabase.from("wallets").update({ balance: cap }).eq("member_id", memberId).gt("balance", cap);
}

export async function giveBack(prisma: PrismaClient, accountId: string) {
  await prisma.allowance.updateMany({
    where: { accountId, usedCredits: { gt: 0 } },
    data: { usedCredits: { decrement: 1 } },
  });
}

export async function fillUp(prisma: PrismaClient, accountId: string, amount: number) {
  await prisma.wallet.updateMany({
    where: { accountId, credits: { lt: MOST_CREDITS } },
    data: { credits: { increment: amount } },
  });
}
""",
    ),
)
