"""A state is read and tested, and later overwritten by id alone, without comparing that it is still the same.

Two workers, webhooks or requests at once both read the old state, both pass the test and both do the work: a code is redeemed
twice, an hour of usage is reported twice. Put the old state into the condition of the update and go on only if a row was
changed, or take the row with a lock that holds until the new state is stored.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Conditional,
    Expression,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Start,
    Test,
    Unary,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone, serializable
from rules.meaning.limits.limits import leaves
from rules.meaning.promises import LATER, STARTERS
from rules.meaning.repeats.claims import called_alone, recognised, refused_once_stored, resumes
from rules.meaning.repeats.marks import UPDATES
from rules.meaning.usage.counters import SQL_COLUMN_WRITE, sql_of, written_fields
from rules.meaning.usage.duties import Work, works
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-213",
    title="State is read, decided on, then overwritten by id without comparing the old state",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D4", "A13", "L1"),
    cwe=("CWE-367",),
    iso_25010="Reliability / faultlessness",
    gives_way_to=("read-modify-write-counter",),
)
STATES = frozenset("status state".split())
ONCE = frozenset(
    "used redeemed claimed consumed processed reported billed invoiced settled credited fulfilled granted applied".split()
)
"""What happens once to a thing, as a field of it says."""
ANSWERS = frozenset("response resp res reply result answer error err".split())
PROVIDERS = frozenset("stripe paddle polar autumn orb retrieve fetch axios http".split())
MAKING = (("create",), ("insert",), ("add",), ("new",))
READS = ("get", "find", "first", "one", "load", "select", "fetch", "by", "scalar", "retrieve", "take", "upsert", "query")


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    work = list(works(code))
    reported: set[Scope] = set()
    for test in code.facts.tests:
        function = enclosing(test.scope, Kind.FUNCTION)
        if function is None or function in reported or code.context(function) in (Context.TEST, Context.BROWSER):
            continue
        ignored = ignored_lock(code, function)
        alone = serializable(code) or (ignored is None and runs_alone(code, test.scope))
        if alone or not tests_state(test) or foreign(code, test):
            continue
        claims = claims_after(code, test, function)
        after = (one for one in work if within(one[1], function) and one[0].start > test.span.end)
        done = [one for one in after if decided(code, test, one[1])]
        if claims and done and not resumes(code, test, claims, tells_state):
            write = claims[0]
            reported.add(function)
            sure = (ignored is not None or looked_up(code, test, function)) and is_served(code, test.scope)
            sure = sure and not harmless(code, test, function, done)
            beside = started_beside_it(code, write, function)
            if beside is not None and any(one[0].end <= beside.span.start for one in done):
                yield late_mark(beside, write[0], done)
            else:
                yield finding(test, write[0], done, ignored, sure)


def claims_after(code: Code, test: Test, function: Scope) -> list[tuple[Span, Scope]]:
    roots = frozenset(root_name(one) for one in states(test))
    return [
        one
        for one in writes(code, function, roots)
        if one[0].start > test.span.end and decided(code, test, one[1]) and not of_a_new_row(code, one, roots)
    ]


def harmless(code: Code, test: Test, function: Scope, done: list[Work]) -> bool:
    """Whether a second run is refused or recognised by what it reaches, never starts beside the first, or is not seen to book
    anything."""
    booked = {span for span, _, _ in works(code, handed_on=False)}
    if all(one[0] not in booked or recognised(code, one) for one in done):
        return True
    return refused_once_stored(code, test, function, done) or called_alone(code, function)


def of_a_new_row(code: Code, write: tuple[Span, Scope], roots: frozenset[str]) -> bool:
    """`render = create(…)` and then `updateStatus(render.id, "running")`: the row is this call's own, not the one tested."""
    named = {
        root.text
        for call in code.facts.calls
        if write[0].holds(call.span) or call.span == write[0]
        for argument in call.arguments
        for part in walk(argument.value)
        if isinstance(part, Member | Name) and isinstance(root := root_of(part), Name)
    }
    reaching = [one for name in named for one in definitions_at(code.values, name, write[1], write[0].start)]
    made = [one.value for one in reaching if isinstance(one.value, Call)]
    return not named & roots and any(words(one.method)[:1] in MAKING for one in made)


def started_beside_it(code: Code, write: tuple[Span, Scope], function: Scope) -> Call | None:
    """The call that starts the write beside the function: `go func() {…}()`, `create_task(mark(…))`, `setImmediate(…)`."""
    for call in code.calls_in(function):
        if not call.span.holds(write[0]) or enclosing(call.scope, Kind.FUNCTION) is not function:
            continue
        if call.start is Start.DETACHED or fold(call.method) in LATER | STARTERS:
            return call
    return None


def late_mark(beside: Call, write: Span, done: list[Work]) -> Finding:
    return Finding(
        span=Span(beside.span.line, beside.span.line, beside.span.start, beside.span.end),
        cause=write,
        description=f"{done[0][2]} comes first, and the mark against a repeat is set beside the caller, whenever that runs: "
        "until then, or if it fails, the same thing can be used again.",
        remediation="Set the mark first, in the same transaction, where the old state still holds, and then do the work.",
        confidence=Confidence.LIKELY,
        trace=(Step(write, "the new state is written here"),),
    )


def tests_state(test: Test) -> bool:
    """`card.status !== "unused"`, `card.redeemedAt != null`, `if (card.used)`: something's state is asked for."""
    return bool(states(test))


def states(test: Test) -> list[Member]:
    """The fields of a state in a test; the status of an answer is none, nor is the name of a helper."""
    helpers = {id(part.callee) for part in walk(test.value) if isinstance(part, Call)}
    found = [part for part in walk(test.value) if isinstance(part, Member) and tells_state(part.name)]
    return [one for one in found if id(one) not in helpers and not ANSWERS & set(words(root_name(one)))]


def root_name(part: Expression) -> str:
    root = root_of(part)
    return root.text if isinstance(root, Name) else ""


def foreign(code: Code, test: Test) -> bool:
    """`subscription = await stripe.subscriptions.retrieve(id)`: a provider's state, that nobody here claims."""
    roots = {root_name(one) for one in states(test)}
    return any(
        isinstance(target, Name) and target.text in roots and (PROVIDERS & set(words(call.name)))
        for call in code.facts.calls
        for target in call.targets
    )


def tells_state(name: str) -> bool:
    """A field that holds a state, or that is set once: `status`, `isUsed`, `redeemed_at`."""
    said = [word for word in words(name) if word not in ("is", "was", "has", "at")]
    return bool(said) and (said[-1] in STATES or (len(said) == 1 and said[0] in ONCE))


def decided(code: Code, test: Test, scope: Scope) -> bool:
    """Whether the test decides if what stands in `scope` runs: in a branch of it, or after one that leaves."""
    for one in code.facts.scopes:
        if isinstance(one.head, Branch) and one.head.test is test.value:
            if any(outer is one for outer in chain(scope)):
                return True
            if leaves(code.facts, one) and one.span.end <= scope.span.end:
                return True
    return False


def writes(code: Code, function: Scope, roots: frozenset[str]) -> Iterator[tuple[Span, Scope]]:
    """Writes of a new state that do not name the old one in their condition. A field that is set is one of `roots`, whose
    state was tested: what is made for the new piece of work has a state of its own."""
    found: list[tuple[Span, Scope]] = []
    for call in code.calls_in(function):
        stated = list(set_in_sql(call))
        if stated or (fold(call.method) in UPDATES and "." in call.name):
            names = stated or [name for name, _ in written_fields(code.values, call)]
            if stays(code, call):
                continue
            if any(tells_state(name) for name in names) and not any(compares(code, call, name) for name in names):
                found.append((call.span, call.scope))
        elif sets_state(call):
            found.append((call.span, call.scope))
    assigned = (one for one in code.facts.assigns if within(one.scope, function) and one.operator == "=")
    found += [(one.span, one.scope) for one in assigned if any(is_state(target, roots) for target in one.targets)]
    yield from sorted(found, key=lambda one: one[0].start)


def stays(code: Code, call: Call) -> bool:
    """`status: used >= granted ? "exhausted" : "active"`: a state that may be the old one again claims nothing."""
    written = [value for name, value in written_fields(code.values, call) if tells_state(name)]
    return bool(written) and all(
        isinstance(resolved(code.values, value, call.scope, call.span.start), Conditional) for value in written
    )


def set_in_sql(call: Call) -> Iterator[str]:
    """`UPDATE codes SET used = true WHERE id = $1`: the columns that a statement text sets."""
    text = sql_of(call)
    if text.lstrip().lower().startswith("update"):
        yield from (column for column, _ in SQL_COLUMN_WRITE.findall(re.split(r"\bwhere\b", text, maxsplit=1, flags=re.I)[0]))


def is_state(target: Expression, roots: frozenset[str]) -> bool:
    return isinstance(target, Member) and tells_state(target.name) and root_name(target) in roots


def looked_up(code: Code, test: Test, function: Scope) -> bool:
    """Whether what is tested was read in this function: then nothing outside can have locked it for this test."""
    roots = {root.text for part in walk(test.value) if isinstance(part, Member) and isinstance(root := root_of(part), Name)}
    for call in code.calls_in(function):
        if call.span.start > test.span.start or not fold(call.method).startswith(READS):
            continue
        into = [one.value.value if isinstance(one.value, Unary) else one.value for one in call.arguments]
        if any(isinstance(one, Name) and one.text in roots for one in (*call.targets, *into)):
            return True
    return False


def compares(code: Code, call: Call, name: str) -> bool:
    """A second mention of a state that is written is the statement's condition."""
    text = code.facts.text(call.span)
    return tells_state(name) and len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.I)) > 1


def sets_state(call: Call) -> bool:
    """`updateCardStatus(card.id, "used")`: a helper that is told the id and the new state, and not the old one."""
    said = words(call.method)
    plain = [one for one in call.arguments if isinstance(one.value, Literal | Member)]
    return (
        bool(said)
        and said[0] in ("update", "set", "mark")
        and bool(STATES & set(said))
        and len(plain) == len(call.arguments) == 2
    )


def ignored_lock(code: Code, function: Scope) -> Call | None:
    """GORM 2 does not know `Set("gorm:query_option", "FOR UPDATE")`: it is accepted and does nothing."""
    if not any(package.startswith("gorm.io/") for package in code.facts.packages):
        return None
    for call in code.calls_in(function):
        if any(isinstance(one.value, Literal) and one.value.value == "gorm:query_option" for one in call.arguments):
            return call
    return None


def finding(test: Test, write: Span, done: list[Work], ignored: Call | None, sure: bool) -> Finding:
    before = next((one for one in done if one[0].end <= write.start), None)
    what = (before or done[0])[2]
    lock = " The lock asked for here is GORM 1's, and GORM 2 ignores it." if ignored is not None else ""
    span = ignored.span if ignored is not None else test.span if before is not None else write
    return Finding(
        span=span,
        cause=write,
        description=f"Two runs at once both pass this test of the state, and {what} happens twice.{lock}"
        if span is not write
        else f"The new state is written whatever the old one is by now: two runs at once get here, and {what} happens twice.",
        remediation=(
            'Lock the row with `Clauses(clause.Locking{Strength: "UPDATE"})`.'
            if ignored is not None
            else "Put the old state into the update's condition, do it before the work, and go on only if a row was changed."
        ),
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        trace=(Step(write, "the new state is written here"),)
        if span is not write
        else (Step(test.span, "the old one is tested here"),),
    )


EXAMPLES = (
    Example(
        "typescript",
        """
export async function useVisit(db: Db, id: string) {
  const permit = await db.permit.findUnique({ where: { id } });
  if (permit.status !== "active") throw new Error("permit is over");
  const left = permit.visits - 1;
  await db.permit.update({ where: { id }, data: { visits: left, status: left > 0 ? "active" : "spent" } });
  await recordUsage(permit.customerId, 1);
}
""",
    ),
    Example(
        "typescript",
        """
export async function reportHour(prisma: PrismaClient) {
  const job = await prisma.meteringJob.findUnique({ where: { name: "usage" } });
  if (job.state === "processing") return;
  await prisma.meteringJob.update({ where: { name: "usage" }, data: { state: "processing" } });  // <- finding
  await reportUsage(job.lastHour);
}

export async function redeem(cards: CardStore, code: string, userId: string) {
  const card = await cards.byCode(code);
  if (card.status !== "unused") throw new Error("used");  // <- finding
  await addCredits(userId, card.credits);
  await cards.updateStatus(card.id, "used");
}

export async function applyVoucher(prisma: PrismaClient, code: string, userId: string) {
  const voucher = await prisma.voucher.findUnique({ where: { code } });
  if (!voucher || voucher.redeemedAt) throw new Error("used");
  await prisma.voucher.update({ where: { code }, data: { redeemedAt: new Date(), status: States.Redeemed } });  // <- finding
  await addCredits(userId, voucher.credits);
}
""",
    ),
    Example(
        "typescript",
        """
export async function reportHour(prisma: PrismaClient) {
  const job = await prisma.meteringJob.findUnique({ where: { name: "usage" } });
  if (job.state === "processing") return;
  const claimed = await prisma.meteringJob.updateMany({
    where: { name: "usage", state: job.state },
    data: { state: "processing" },
  });
  if (claimed.count === 0) return;
  await reportUsage(job.lastHour);
}
""",
    ),
    Example(
        "python",
        """
def redeem(session, code, user):
    card = session.query(Card).filter_by(code=code).one()
    if card.status != "unused":
        raise ValueError("used")
    card.status = "used"  # <- finding
    session.flush()
    add_credits(user, card.credits)
""",
    ),
    Example(
        "python",
        """
def apply_voucher(db, code, user):
    voucher = db.fetchone("SELECT id, credits, redeemed_at FROM vouchers WHERE code = %s", code)
    if voucher.redeemed_at is not None:
        raise ValueError("used")
    claimed = db.execute("UPDATE vouchers SET redeemed_at = now() WHERE id = %s AND redeemed_at IS NULL", voucher.id)
    if claimed.rowcount == 0:
        raise ValueError("used")
    add_credits(user, voucher.credits)

def redeem(session, code, user):
    with session.begin():
        card = session.query(Card).filter_by(code=code).with_for_update().one()
        if card.status != "unused":
            raise ValueError("used")
        card.status = "used"
        add_credits(user, card.credits)

def upscale(session, task_id, user):
    origin = session.query(Task).get(task_id)
    if origin.status != "success":
        raise ValueError("not finished")
    task = Task(origin=origin.id)
    task.status = "submitted"
    session.add(task)
    deduct_credits(user, 5)
""",
    ),
    Example(
        "go",
        """
package billing

import "gorm.io/gorm"

func redeem(db *gorm.DB, code string, userID int) error {
	return db.Transaction(func(tx *gorm.DB) error {
		card := &Card{}
		tx.Set("gorm:query_option", "FOR UPDATE").Where("code = ?", code).First(card)  // <- finding
		if card.Status != "unused" {
			return ErrUsed
		}
		card.Status = "used"
		if err := tx.Save(card).Error; err != nil {
			return err
		}
		return tx.Model(&User{}).Where("id = ?", userID).Update("quota", gorm.Expr("quota + ?", card.Quota)).Error
	})
}
""",
    ),
    Example(
        "go",
        """
package billing

func Redeem(key string, tokenID int) (int, error) {
	card := &Card{}
	if err := DB.Where("key = ?", key).First(card).Error; err != nil {
		return 0, err
	}
	if card.Status != CardEnabled {
		return 0, ErrUsed
	}
	if err := IncreaseQuota(tokenID, card.Quota); err != nil {
		return 0, err
	}
	go func() {  // <- finding
		card.Status = CardUsed
		if err := card.Save(); err != nil {
			log.Print(err)
		}
	}()
	return card.Quota, nil
}
""",
    ),
    Example(
        "go",
        """
package billing

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func redeem(db *gorm.DB, code string, userID int) error {
	return db.Transaction(func(tx *gorm.DB) error {
		card := &Card{}
		tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("code = ?", code).First(card)
		if card.Status != "unused" {
			return ErrUsed
		}
		card.Status = "used"
		if err := tx.Save(card).Error; err != nil {
			return err
		}
		return tx.Model(&User{}).Where("id = ?", userID).Update("quota", gorm.Expr("quota + ?", card.Quota)).Error
	})
}
""",
    ),
    Example(
        "typescript",
        """
export async function call(path: string, credits: Counter) {
  const response = await fetch(path);
  if (response.status === 429) {
    await credits.update({ used: { increment: 1 }, status: "limited" });
  }
  return response;
}
""",
    ),
    Example(
        "typescript",
        """
import { internalMutation } from "./_generated/server";

export const settle = internalMutation({
  handler: async (ctx, { reservation }) => {
    const row = await ctx.db.get(reservation);
    if (row.status !== "reserved") return;
    await ctx.db.patch(reservation, { status: "settled" });
    await chargeCredits(ctx, row.team, row.credits);
  },
});
""",
        path="convex/reservations.ts",
    ),
    Example(
        "python",
        """
def run_transcript(session, job_id):
    job = session.get(Job, job_id)
    if job.status not in ("waiting", "running"):
        return
    job.status = "running"
    session.commit()
    minutes = transcribe(job.audio)
    deduct_credits(session, job.user_id, minutes)

def give_up(session, job_id):
    job = session.get(Job, job_id)
    if job and not job.processed_at:
        job.processed_at = now()
        session.commit()
    try:
        refund_credits(session, job.user_id, job.credits)
    except RefundError:
        raise
""",
    ),
)
