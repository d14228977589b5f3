"""Inside a transaction, a statement runs on the global database handle instead of the transaction's.

It is a transaction of its own: it stays when the rest is rolled back, it does not see what the transaction has written, and
its locks end at once. A balance is then credited without its order being marked, or an order marked without the credit. Run
every statement inside on the handle that the transaction gives.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Member, Name, Scope, Start, With, dotted, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.repeats.transactions import opens
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

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
    "executeraw increment decrement add insertone updateone deleteone findoneandupdate bulkwrite".split()
)
READS = frozenset("first find findone findunique findfirst findmany get take scan".split())
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
        if stray:
            yield finding(code, stray, handle, outside)


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
        if call.span.holds(scope.span) and opens(call.method) and isinstance(call.receiver, Name | Member):
            outside = dotted(call.receiver)
            return (handle, outside) if handle and outside and handle != outside else None
    return None


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
    if last not in methods or not written_name(call).startswith(outside + "."):
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
    return dotted(call.callee).replace("()", "")


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
    """Puts the transaction's handle where the statement names the outer one."""
    start = call.span.start
    if not code.facts.text(call.span).startswith(outside):
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
