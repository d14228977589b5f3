"""A usage counter is read, changed in the program and written back.

Two requests that read the same value write the same result, and one use is never counted; under load a good part of the
usage is lost, or a balance is spent twice. Let the database add: `SET used = used + n`, `increment`, `F("used") + n`, `$inc`,
`INCRBY`.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.contexts import Context
from rules.counters import Change, Counter
from rules.facts import Call, Expression, Kind, Member, Name, Object, Span, enclosing, fold, walk
from rules.flow import runs_alone
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.values import root_of

ABOUT = About(
    id="MTR-308",
    title="Usage counter is read, changed and written back",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A6",),
    cwe=("CWE-362",),
    iso_25010="Reliability / faultlessness",
)
SAVES = frozenset(
    "save commit flush saveasync savechanges savechangesasync put set update updateone replaceone persist".split()
)


def check(code: Code) -> Iterator[Finding]:
    for counter in code.counters:
        if counter.atomic or counter.read is None or counter.change not in (Change.ADD, Change.SUBTRACT):
            continue
        if code.context(counter.scope) in (Context.TEST, Context.BROWSER):
            continue
        saved = saving_call(code, counter)
        if saved is None or runs_alone(code, counter.scope) or compares_old(saved):
            continue
        yield finding(code, counter, saved)


def saving_call(code: Code, counter: Counter) -> Call | None:
    """The call that writes it back. A field of an object counts only if that object is saved later in the function."""
    if counter.call is not None:
        return counter.call
    root = root_of(counter.read) if counter.read is not None else None
    if not isinstance(root, Name) or root.text in ("self", "this"):
        return None
    function = enclosing(counter.scope, Kind.FUNCTION)
    for call in code.calls_in(function) if function is not None else ():
        if call.span.start > counter.span.end and fold(call.method) in SAVES and saves(call, root.text):
            return call
    return None


def saves(call: Call, name: str) -> bool:
    """`row.save()`, `session.commit()`, `db.Save(&row)`."""
    if fold(call.method) in ("commit", "flush", "savechanges", "savechangesasync"):
        return True
    parts = [call.receiver, *(argument.value for argument in call.arguments)]
    return any(isinstance(one, Name) and one.text == name for part in parts if part is not None for one in walk(part))


def compares_old(call: Call) -> bool:
    """A version or the old value in the condition: a concurrent write makes this one match nothing."""
    said = [name for argument in call.arguments for name in condition_names(argument.value)]
    return any(fold(name) in ("version", "lockversion", "etag", "updatedat", "rev") for name in said)


def condition_names(value: Expression) -> Iterator[str]:
    for part in walk(value):
        if isinstance(part, Object):
            for entry in part.entries:
                if entry.name is not None and fold(entry.name) in ("where", "filter") and isinstance(entry.value, Object):
                    yield from (inner.name for inner in entry.value.entries if inner.name is not None)


def finding(code: Code, counter: Counter, saved: Call) -> Finding:
    assert counter.read is not None
    sign = "add" if counter.change is Change.ADD else "subtract"
    return Finding(
        span=counter.span if counter.call is None else within_call(counter),
        cause=counter.span,
        description=(
            f"`{counter.name}` is computed from `{code.facts.text(counter.read.span)}`, read earlier: two requests at once "
            "write the same value and one of them is not counted."
        ),
        remediation=f"Let the database {sign}, in one statement.",
        confidence=Confidence.CERTAIN if counter.call is not None else Confidence.LIKELY,
        trace=(Step(saved.span, "written back here"),) if saved.span.line != counter.span.line else (),
        fix=increment(code, counter),
    )


def within_call(counter: Counter) -> Span:
    return counter.value.span if counter.value is not None else counter.span


def increment(code: Code, counter: Counter) -> Fix | None:
    """Prisma's own increment, where the call is Prisma's."""
    call, value = counter.call, counter.value
    if call is None or value is None or counter.amount is None or code.facts.language not in ("typescript", "javascript"):
        return None
    if fold(call.method) not in ("update", "upsert") or not is_prisma(call) or not isinstance(counter.read, Member | Name):
        return None
    word = "increment" if counter.change is Change.ADD else "decrement"
    amount = code.facts.text(counter.amount.span)
    return Fix(f"Use `{word}`", (Edit(value.span.start, value.span.end, f"{{ {word}: {amount} }}"),))


def is_prisma(call: Call) -> bool:
    return "prisma" in call.folded.split(".")[0] or ".prisma." in call.folded


EXAMPLES = (
    Example(
        "python",
        """
def record(session, customer_id, tokens):
    account = session.get(Account, customer_id)
    account.used_tokens += tokens  # <- finding
    session.commit()
""",
    ),
    Example(
        "python",
        """
from django.db import transaction
from django.db.models import F

def record(customer_id, tokens):
    Account.objects.filter(id=customer_id).update(used_tokens=F("used_tokens") + tokens)

def record_locked(customer_id, tokens):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(id=customer_id)
        account.used_tokens += tokens
        account.save()
""",
    ),
    Example(
        "typescript",
        """
export async function deduct(prisma: PrismaClient, userId: string, cost: number) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  await prisma.user.update({
    where: { id: userId },
    data: { credits: user.credits - cost },  // <- finding
  });
}
""",
    ),
    Example(
        "typescript",
        """
export async function deduct(prisma: PrismaClient, userId: string, cost: number) {
  await prisma.user.update({ where: { id: userId }, data: { credits: { decrement: cost } } });
}

export async function deductVersioned(prisma: PrismaClient, userId: string, cost: number) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  await prisma.user.updateMany({
    where: { id: userId, version: user.version },
    data: { credits: user.credits - cost, version: user.version + 1 },
  });
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, userID int, amount int) error {
	var user User
	if err := db.First(&user, userID).Error; err != nil {
		return err
	}
	user.UsedQuota += amount  // <- finding
	return db.Save(&user).Error
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, userID int, amount int) error {
	return db.Model(&User{}).Where("id = ?", userID).Update("used_quota", gorm.Expr("used_quota + ?", amount)).Error
}
""",
    ),
)
