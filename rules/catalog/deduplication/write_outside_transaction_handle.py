"""Inside a transaction, a statement runs on the global database handle instead of the transaction's.

It is a transaction of its own: it stays when the rest is rolled back, it does not see what the transaction has written, and
its locks end at once. A balance is then credited without its order being marked, or an order marked without the credit. Run
every statement inside on the handle that the transaction gives.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Kind,
    Member,
    Name,
    Scope,
    Start,
    With,
    chain,
    dotted,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.repeats.transactions import opens
from rules.meaning.subjects import BILLED
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import BILLING_NOUNS, words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.graph import downwards
from rules.tracing.sights import Kind as Sight
from rules.tracing.standing import standing

ABOUT = About(
    id="MTR-214",
    title="Billing write inside a transaction uses the global database handle",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D4", "D8"),
    cwe=("CWE-662",),
    iso_25010="Reliability / faultlessness",
)
WRITES = frozenset(
    "create createmany insert update updatemany updatecolumn updatecolumns updates delete deletemany upsert save exec execute "
    "executeraw executenonquery increment decrement add insertone updateone deleteone findoneandupdate bulkwrite".split()
)
READS = frozenset("first find findone findunique findfirst findmany get take scan".split())
CONNECTS = frozenset("openconnection connect getconnection acquire connection".split())
"""What hands out one connection of many."""
MONEY = (
    BILLED
    | (BILLING_NOUNS - {"token", "tokens"})
    | frozenset(
        "payment payments paid order orders wallet wallets balance balances purchase purchases ledger price prices amount "
        "amounts coupon coupons refund refunds points seats plan plans deposit deposits fund funds withdraw payout cost".split()
    )
)
MOVES = (Sight.COUNT, Sight.GRANT, Sight.INSERT, Sight.CHARGE, Sight.EMIT)
HOPS = 2
LOG_WORDS = ("audit", "log", "history", "trace")


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for scope in code.facts.scopes:
        if code.context(scope) is Context.TEST:
            continue
        opened = opening(code, scope)
        if opened is None:
            continue
        handle, outside = opened
        methods = WRITES if uses(code, scope, handle) else WRITES | READS
        stray = [call for call in code.calls_in(scope) if strays(call, scope, outside, methods)]
        if stray and moves_money(code, scope):
            yield finding(code, stray, handle, outside)
    for begun in code.facts.calls:
        if fold(begun.method) == "begintransaction" and code.context(begun.scope) is not Context.TEST:
            yield from past_connection(code, begun)


def moves_money(code: Code, scope: Scope) -> bool:
    """Whether a transaction writes a balance, usage, an order or the like, itself or in what it calls.

    That the rest of the file speaks of billing says nothing of the rows that are written here.
    """
    if not code.elsewhere.whole:
        return True
    if any(MONEY & set(words(code.facts.text(call.span))) for call in code.calls_in(scope)):
        return True
    found = standing(code, scope.span.line)
    if found is None or found[1][1] < 0:
        return True
    graph, node = found
    first, last = scope.span.line, scope.span.end_line
    inside = [link.callee for link in graph.callees.get(node, ()) if first <= link.line <= last]
    return any(
        sight.kind in MOVES and sight.routine == below.node[1]
        for callee in inside
        for below in downwards(graph, callee, HOPS)
        for sight in graph.digests[below.node[0]].sights
    )


def past_connection(code: Code, begun: Call) -> Iterator[Finding]:
    """A statement on the pool while a connection that came from it has a transaction open."""
    handle, pool = dotted(begun.receiver) if isinstance(begun.receiver, Name) else "", drawn_from(code, begun)
    if not pool or not begun.targets:
        return
    ends = [
        call.span.start
        for call in code.facts.calls
        if fold(call.method) in ("commit", "rollback") and call.span.start > begun.span.end
        and dotted(call.callee).startswith(dotted(begun.targets[0]) + ".")
    ]  # fmt: skip
    stray = [
        call
        for call in code.calls_in(enclosing(begun.scope, Kind.FUNCTION))
        if begun.span.end < call.span.start < min(ends, default=0) and strays(call, begun.scope, pool, WRITES)
        and not any(one.kind in (Kind.HANDLER, Kind.FINALLY) for one in chain(call.scope))
    ]  # fmt: skip
    around = enclosing(begun.scope, Kind.FUNCTION)
    if stray and around is not None and moves_money(code, around):
        yield finding(code, stray, handle, pool)


def drawn_from(code: Code, begun: Call) -> str:
    """`pool` where the transaction is opened on `connection = pool.openConnection()`."""
    if not isinstance(begun.receiver, Name):
        return ""
    found = definitions_at(code.values, begun.receiver.text, begun.scope, begun.span.start)
    made = found[0].value if len(found) == 1 else None
    drawn = isinstance(made, Call) and fold(made.method) in CONNECTS and isinstance(made.receiver, Name | Member)
    return dotted(made.receiver) if drawn and isinstance(made, Call) and made.receiver is not None else ""


def opening(code: Code, scope: Scope) -> tuple[str, str] | None:
    """The handle of a transaction and the one it was opened on: `db.transaction(async (tx) => …)`, `with e.begin() as c`."""
    head = scope.head
    if isinstance(head, With):
        for item in head.items:
            # A .NET transaction covers its whole connection or context: nothing is ever run on the transaction itself.
            ambient = isinstance(item, Call) and fold(item.method) == "begintransaction"
            if isinstance(item, Call) and not ambient and opens(item.method) and isinstance(item.receiver, Name | Member):
                bound = [one for assign in code.facts.assigns if assign.value is item for one in assign.targets]
                handle = dotted(bound[0]) if bound else ""
                return (handle, dotted(item.receiver)) if handle else None
        return None
    if not isinstance(head, Function) or not opens(head.passed_to) or not head.parameters:
        return None
    handle = head.parameters[0].name
    for call in code.facts.calls:
        if call.span.holds(scope.span) and opens(call.method) and isinstance(call.receiver, Name | Member | Call):
            outside = handed_out(call.receiver)
            return (handle, outside) if handle and outside and handle != outside else None
    return None


def handed_out(opened_on: Name | Member | Call) -> str:
    """What a transaction is opened on; for `DB::connection("billing")`, what hands that connection out."""
    if isinstance(opened_on, Call):
        chosen = fold(opened_on.method) in CONNECTS and opened_on.receiver is not None
        return dotted(opened_on.receiver) if chosen and opened_on.receiver is not None else ""
    return dotted(opened_on)


def uses(code: Code, scope: Scope, handle: str) -> bool:
    """Whether anything runs in the transaction at all; if not, its reads lock nothing either."""
    return any(
        isinstance(part, Name) and part.text == handle
        for call in code.calls_in(scope)
        for one in (call.callee, *(argument.value for argument in call.arguments))
        for part in walk(one)
    )


def strays(call: Call, scope: Scope, outside: str, methods: frozenset[str]) -> bool:
    """Whether a call writes on the outer handle, in the callback itself and not in one that runs after it."""
    last = fold(call.method).lstrip("$")
    name = written_name(call)
    if last not in methods or not name.startswith(outside + "."):
        return False
    if fold(name.removeprefix(outside + ".").partition(".")[0]) in CONNECTS:
        return False
    if any(word in call.folded for word in LOG_WORDS):
        return False
    inner = enclosing(call.scope, Kind.FUNCTION)
    return inner is enclosing(scope, Kind.FUNCTION) or (
        inner is not None and within(inner, scope) and not opens_again(inner, scope)
    )


STARTED = (Start.DETACHED.value, Start.DEFERRED.value)
"""What a front end says of a function that is started where it stands."""


def opens_again(inner: Scope, scope: Scope) -> bool:
    one: Scope | None = inner
    while one is not None and one is not scope:
        if isinstance(one.head, Function) and (opens(one.head.passed_to) or one.head.passed_to in STARTED):
            return True
        one = one.parent
    return False


def written_name(call: Call) -> str:
    """The call's name as written, before imports are resolved: the handle may be an imported variable."""
    steps: list[str] = []
    step: Expression | None = call.callee
    while isinstance(step, Member | Call):
        if isinstance(step, Member):
            steps.append(step.name)
        step = step.object if isinstance(step, Member) else step.callee
    return ".".join([dotted(step), *reversed(steps)]) if step is not None else ""


def finding(code: Code, stray: list[Call], handle: str, outside: str) -> Finding:
    first = stray[0]
    edits = tuple(edit for call in stray if (edit := rooted(code, call, handle, outside)) is not None)
    return Finding(
        span=first.span,
        cause=first.span,
        description=(
            f"This statement runs on `{outside}`, outside the transaction of `{handle}`: when the transaction is rolled back "
            "it stays, so balance and usage come apart."
        ),
        remediation=f"Run it on `{handle}`.",
        confidence=Confidence.CERTAIN,
        trace=tuple(Step(call.span, f"runs on `{outside}` as well") for call in stray[1:]),
        fix=Fix(f"Use `{handle}`", edits) if len(edits) == len(stray) else None,
    )


def rooted(code: Code, call: Call, handle: str, outside: str) -> Edit | None:
    """Puts the transaction's handle where the statement names the outer one and asks it as it asks the handle."""
    start = call.span.start
    if not re.match(rf"{re.escape(outside)}\s*\.", code.facts.text(call.span)):
        return None
    return Edit(start, start + len(outside.encode()), handle)


EXAMPLES = (
    Example(
        "typescript",
        """
export async function redeem(prisma: PrismaClient, order: { id: string; userId: string; credits: number }) {
  await prisma.$transaction(async (tx) => {
    await tx.order.update({ where: { id: order.id, status: "pending" }, data: { status: "paid" } });
    await prisma.user.update({ where: { id: order.userId }, data: { credits: { increment: order.credits } } });  // <- finding
  });
}
""",
    ),
    Example(
        "typescript",
        """
export async function redeem(prisma: PrismaClient, order: { id: string; userId: string; credits: number }) {
  await prisma.$transaction(async (tx) => {
    await tx.order.update({ where: { id: order.id, status: "pending" }, data: { status: "paid" } });
    await tx.user.update({ where: { id: order.userId }, data: { credits: { increment: order.credits } } });
    await prisma.auditLog.create({ data: { order: order.id } });
  });
}
""",
    ),
    Example(
        "go",
        """
package billing

func redeem(order *TopUp) error {
	return DB.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(order).Update("status", "success").Error; err != nil {
			return err
		}
		user := &User{ID: order.UserID}
		return DB.Model(user).Update("quota", gorm.Expr("quota + ?", order.Quota)).Error  // <- finding
	})
}
""",
    ),
    Example(
        "go",
        """
package billing

func redeem(order *TopUp) error {
	return DB.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(order).Update("status", "success").Error; err != nil {
			return err
		}
		return tx.Model(&User{}).Where("id = ?", order.UserID).Update("quota", gorm.Expr("quota + ?", order.Quota)).Error
	})
}
""",
    ),
    Example(
        "python",
        """
def redeem(engine, order):
    with engine.begin() as connection:
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = %s AND status = 'pending'", order.id)
        engine.execute("UPDATE users SET credits = credits + %s WHERE id = %s", order.credits, order.user_id)  # <- finding
""",
    ),
    Example(
        "python",
        """
def redeem(engine, order):
    with engine.begin() as connection:
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = %s AND status = 'pending'", order.id)
        connection.execute("UPDATE users SET credits = credits + %s WHERE id = %s", order.credits, order.user_id)
""",
    ),
)
