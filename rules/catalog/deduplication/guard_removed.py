"""The change takes away what kept a billing write safe: a lock, a state test, a conflict clause, a key or a limit check.

The write itself is still there and looks as ordinary as before, so nothing in the new code shows that it can now run twice, or
past a limit. If the guard has moved, say where; if it was in the way, replace it by one that does the same work: a conditional
update, a unique index with a conflict clause, a key of the event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Compare, Function, Kind, Member, Name, Object, Scope, Span, Test, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone, takes_lock
from rules.meaning.limits.limits import leaves
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.writes import UsageWrite, usage_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-215",
    title="Guard of a billing write is removed",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D4", "L1", "D1", "A6", "A13"),
    cwe=("CWE-693",),
    iso_25010="Reliability / faultlessness",
)
STATES = frozenset(
    "status state processed processing claimed locked done sent settled paid version started running exists".split()
)
CONFLICTS = frozenset(
    "onconflictdonothing onconflictdoupdate onconflict ignoreconflicts doupdate donothing skipduplicates".split()
)
CONDITIONS = frozenset("where filter".split())


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """What is gone: its place in the base, and how a message names it."""

    span: Span
    what: str
    costs: str


def check(code: Code) -> Iterator[Finding]:
    before = code.base
    if before is None or not code.deleted or not (code.billing or before.billing):
        return
    said: set[Span] = set()
    for write in usage_writes(code):
        function = named(write.scope)
        old = twin(before, function) if function is not None else None
        if function is None or old is None or code.context(write.scope) is Context.TEST:
            continue
        for guard in guards_gone(code, before, write, function, old):
            if guard.span not in said:
                said.add(guard.span)
                yield finding(guard, write)
    for emission in code.emissions:
        yield from key_gone(code, before, emission)


def named(scope: Scope) -> Scope | None:
    function = enclosing(scope, Kind.FUNCTION)
    while function is not None and isinstance(function.head, Function) and not function.head.name:
        function = enclosing(function.parent, Kind.FUNCTION)
    return function


def twin(before: Code, function: Scope) -> Scope | None:
    """The function of that name before the change, where there was just one."""
    head = function.head
    found = before.values.functions.get(head.name, ()) if isinstance(head, Function) else ()
    return found[0] if len(found) == 1 else None


def guards_gone(code: Code, before: Code, write: UsageWrite, function: Scope, old: Scope) -> Iterator[Guard]:
    if not wrote_before(before, old, write):
        return
    yield from lock_gone(code, before, write, function, old)
    yield from test_gone(code, before, function, old)
    yield from condition_gone(code, before, write, old)
    yield from conflict_gone(code, before, function, old)


def wrote_before(before: Code, old: Scope, write: UsageWrite) -> bool:
    """Whether the function already made this write: a new one had no guard to lose."""
    return any(within(one.scope, old) and one.title == write.title for one in usage_writes(before))


def lock_gone(code: Code, before: Code, write: UsageWrite, function: Scope, old: Scope) -> Iterator[Guard]:
    if runs_alone(code, write.scope) or any(takes_lock(call, transactions=True) for call in code.calls_in(function)):
        return
    for call in before.calls_in(old):
        if takes_lock(call, transactions=False) and call.span.line in code.deleted:
            yield Guard(call.span, f"the lock `{call.name}`", "two runs at once can now both do it")
            return


def test_gone(code: Code, before: Code, function: Scope, old: Scope) -> Iterator[Guard]:
    """A test of state or limit that kept the function from going on. One that reads alike anywhere in the file has moved."""
    now = {tested(code, test) for test in code.facts.tests}
    for test in before.facts.tests:
        if not within(test.scope, old) or test.span.line not in code.deleted or not leaves(before.facts, test.then):
            continue
        if (what := kind_of_test(before, test)) and tested(before, test) not in now and not similar(code, function, test):
            text = " ".join(before.facts.text(test.span).split())[:80]
            yield Guard(test.span, f"{what} `{text}`", "what it kept out now gets through")


def tested(code: Code, test: Test) -> str:
    return "".join(code.facts.text(test.span).split())


def kind_of_test(before: Code, test: Test) -> str:
    if any(limit.test is test for limit in before.limits):
        return "the limit test"
    said = {word for part in walk(test.value) for word in spoken(part)}
    compares = any(isinstance(part, Compare) for part in walk(test.value))
    return "the state test" if said & STATES and compares else ""


def spoken(part: object) -> tuple[str, ...]:
    return words(part.text) if isinstance(part, Name) else words(part.name) if isinstance(part, Member) else ()


def similar(code: Code, function: Scope, gone: Test) -> bool:
    """A test in the function now, or a condition of a query in it, that speaks of the same fields: the guard was rewritten."""
    wanted = {word for part in walk(gone.value) for word in spoken(part)} & STATES
    for test in code.facts.tests:
        if within(test.scope, function) and wanted & {word for part in walk(test.value) for word in spoken(part)}:
            return True
    asked = [one.column for query in code.statements if within(query.scope, function) for one in query.comparisons]
    asked += [name for call in code.calls_in(function) for name, _ in conditions(call)]
    if any(wanted & set(words(name)) for name in asked):
        return True
    return bool(code.limits) and not wanted


def condition_gone(code: Code, before: Code, write: UsageWrite, old: Scope) -> Iterator[Guard]:
    """`where: { id, status: "pending" }` that now only names the id."""
    if write.call is None:
        return
    now = dict(conditions(write.call))
    for call in before.calls_in(old):
        if call.folded != write.call.folded:
            continue
        for name, span in conditions(call):
            gone = name not in now and (set(words(name)) & STATES or fold(name).endswith("at")) and bool(now)
            if gone and span.line in code.deleted:
                yield Guard(span, f"the condition on `{name}`", "a second run finds nothing that stops it")


def conditions(call: Call) -> Iterator[tuple[str, Span]]:
    for argument in call.arguments:
        for part in walk(argument.value):
            for entry in part.entries if isinstance(part, Object) else ():
                if entry.name is not None and fold(entry.name) in CONDITIONS and isinstance(entry.value, Object):
                    yield from ((inner.name, inner.span) for inner in entry.value.entries if inner.name is not None)


def conflict_gone(code: Code, before: Code, function: Scope, old: Scope) -> Iterator[Guard]:
    if any(fold(call.method) in CONFLICTS for call in code.calls_in(function)):
        return
    for call in before.calls_in(old):
        if fold(call.method) in CONFLICTS and call.span.end_line in code.deleted:
            yield Guard(call.span, f"the conflict clause `{call.method}`", "the same event is now stored, and billed, twice")


def key_gone(code: Code, before: Code, emission: Emission) -> Iterator[Finding]:
    """The same report with one argument less: the one by which a repeat is recognised."""
    key = emission.record.key if emission.record else None
    if key is None or not all(event.complete for event in emission.events):
        return
    names = (*key.names, *key.option_names)
    if any(given.first(names) is not None for given in (*emission.events, emission.given)):
        return
    for old in before.emissions:
        same = old.call.folded == emission.call.folded
        same = same and before.function_name(old.scope) == code.function_name(emission.scope)
        value = next((found for event in old.events if (found := event.first(names)) is not None), None)
        if same and value is not None and value.span.line in code.deleted:
            text = before.facts.text(value.span)
            yield Finding(
                span=value.span,
                cause=emission.call.span,
                description=f"{emission.title} loses its key `{text}`: a repeat is no longer recognised and is billed again.",
                remediation=f"Keep `{text}` as the key, or say where the repeat is caught now.",
                confidence=Confidence.CERTAIN,
                trace=(Step(emission.call.span, "still sent here, without a key"),),
                at_base=True,
            )
            return


def finding(guard: Guard, write: UsageWrite) -> Finding:
    return Finding(
        span=guard.span,
        cause=write.span,
        description=f"This takes away {guard.what} before {write.title}, which is still there: {guard.costs}.",
        remediation="Keep it, or replace it by something that does the same, such as a conditional update or a unique key.",
        confidence=Confidence.LIKELY,
        trace=(Step(write.span, "no longer guarded"),),
        at_base=True,
    )


EXAMPLES = (
    Example(
        "python",
        """
def settle(session, invoice_id, usage):
    invoice = session.get(Invoice, invoice_id)
    invoice.usage_total = usage
    session.add(UsageRecord(invoice_id=invoice_id, quantity=usage))
    session.commit()
""",
        before="""
def settle(session, invoice_id, usage):
    invoice = session.get(Invoice, invoice_id)
    if invoice.status == "settled":  # <- finding
        return
    invoice.usage_total = usage
    session.add(UsageRecord(invoice_id=invoice_id, quantity=usage))
    session.commit()
""",
    ),
    Example(
        "python",
        """
def settle(session, invoice_id, usage):
    invoice = session.get(Invoice, invoice_id)
    if invoice.status in ("settled", "void"):
        return
    session.add(UsageRecord(invoice_id=invoice_id, quantity=usage))
    session.commit()
""",
        before="""
def settle(session, invoice_id, usage):
    invoice = session.get(Invoice, invoice_id)
    if invoice.status == "settled":
        return
    session.add(UsageRecord(invoice_id=invoice_id, quantity=usage))
    session.commit()
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function report(stripe: Stripe, prisma: PrismaClient, job: UsageJob) {
  await prisma.usageJob.update({ where: { id: job.id }, data: { state: "processing", usage: job.usage } });
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    payload: { stripe_customer_id: job.customer, value: String(job.usage) },
  });
}
""",
        before="""
import Stripe from "stripe";

export async function report(stripe: Stripe, prisma: PrismaClient, job: UsageJob) {
  await prisma.usageJob.update({
    where: { id: job.id, state: "queued" },  // <- finding
    data: { state: "processing", usage: job.usage },
  });
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: job.id,  // <- finding
    payload: { stripe_customer_id: job.customer, value: String(job.usage) },
  });
}
""",
    ),
    Example(
        "typescript",
        """
export async function take(db: Database, id: string, usage: number) {
  await db.usageJob.updateMany({ where: { id, state: "queued" }, data: { state: "processing", usage } });
}
""",
        before="""
export async function take(db: Database, id: string, usage: number) {
  const job = await db.usageJob.findUnique({ where: { id } });
  if (job.state !== "queued") return;
  await db.usageJob.update({ where: { id }, data: { state: "processing", usage } });
}
""",
    ),
    Example(
        "go",
        """
package quota

func (s *Service) Charge(ctx context.Context, id string, n int) error {
	used := s.used[id] + n
	return s.store.InsertUsageEvent(ctx, id, used)
}
""",
        before="""
package quota

func (s *Service) Charge(ctx context.Context, id string, n int) error {
	s.mutex.Lock()  // <- finding
	defer s.mutex.Unlock()
	used := s.used[id] + n
	return s.store.InsertUsageEvent(ctx, id, used)
}
""",
    ),
    Example(
        "go",
        """
package quota

func (s *Service) Charge(ctx context.Context, id string, n int) error {
	unlock := s.locks.Lock(id)
	defer unlock()
	return s.store.InsertUsageEvent(ctx, id, n)
}
""",
        before="""
package quota

func (s *Service) Charge(ctx context.Context, id string, n int) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.store.InsertUsageEvent(ctx, id, n)
}
""",
    ),
)
