"""A unit of work is marked as done before the work is done.

When the work then fails, the mark stays: the redelivered webhook, the retried job or the next run finds it, takes the work for
a repeat and skips it. That usage is never reported, that credit never granted. Mark after the work, do both in one
transaction, or claim with a state that expires (`processing`) and write `done` only at the end.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Handler, Kind, Literal, Span, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes, serializable
from rules.meaning.repeats.left_blocks import left_by_return, rolls_back, tells_failure
from rules.meaning.repeats.marks import How, Mark, lifetime, marks_of
from rules.meaning.repeats.transactions import listed_together, shared
from rules.meaning.subjects import name_around
from rules.meaning.usage.duties import Work, unread_failure, works
from rules.meaning.vocabulary import STRONG_EMIT_VERBS, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.tracing.graph import upwards
from rules.tracing.standing import standing

ABOUT = About(
    id="MTR-209",
    title="Event marked processed before the work is durable",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D7",),
    cwe=("CWE-696",),
    iso_25010="Reliability / recoverability",
    variants={
        "marked-apart-from-balance": Variant("Unit is marked as done apart from the balance it changes", None, ("D7", "D8")),
        "transaction-left-by-return": Variant(
            "Transaction is left by `return` after it has written", Severity.MEDIUM, ("D7", "D8"), ("CWE-696",)
        ),
    },
)
UNMARKS = frozenset(
    "del delete unlink remove release unmark srem discard rollback destroy deleteone deletemany hdel expire".split()
)
UNDONE = frozenset("failed failure pending error retry open new unsent unbilled requires false none null".split())
ASKS = frozenset("isunique isnew isfirst isfirsttime checkandset checkandmark markifnew addifabsent ensureunique".split())
TELLS = frozenset("set mark add store commit confirm save record".split())
UNDOES = "The project's Rails rolls back on that: the record of what was billed is gone without an error."
DEPENDS = (
    "Rails 7.0 rolls back on that, earlier and later versions commit: either the record of what was billed is gone without an "
    "error, or the half that was written stays."
)
DELIVERED = frozenset("webhook webhooks notify callback ipn worker consumer subscriber listener".split())
"""Words of what a provider or a queue calls, again where it failed."""
HOPS = 4
LEASE_SECONDS = 900
"""A mark that is gone so soon is a claim, and the next delivery finds the work undone."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing or serializable(code):
        return
    reported: set[Span] = set()
    work = [one for one in works(code) if code.context(one[1]) is not Context.TEST]
    marks = [mark for mark in marks_of(code) if code.context(mark.scope) not in (Context.TEST, Context.BROWSER)]
    for mark in marks:
        if mark.function is None or mark.span in reported or mark.how is How.MEMORY:
            continue
        after = first_after(code, mark, work)
        if after is not None and not taken_back(code, mark) and not leased(code, mark, marks):
            reported.add(mark.span)
            yield too_early(code, mark, after)
    for mark in marks:
        failed = unread_failure(code, mark)
        if failed is not None and mark.span not in reported:
            reported.add(mark.span)
            yield after_failure(mark, failed)
    yield from asked_and_marked(code)
    yield from left_early(code)


def first_after(code: Code, mark: Mark, work: list[Work]) -> Work | None:
    """The first work after the mark, on a path through both, that may fail without taking the mark along."""
    written = mark.call if mark.call is not None else None
    span = written.span if written is not None else mark.span
    if mark.how is How.STATUS and any(one[0].end <= span.start and same_path(code, one, mark) for one in work):
        return None
    for one in sorted(work, key=lambda one: one[0].start):
        if one[0].start < span.end or span.holds(one[0]) or one[0].holds(span):
            continue
        if listed_together(code, span, one[0]) or (written is not None and one[2].strip("`") == written.name):
            continue
        if precedes(code, span, mark.scope, one[0], one[1]) and not shared(code, mark.scope, one[1]):
            # A later unit of the same loop is not this mark's work.
            return one if needs_mark(code, mark) else None
    return None


def same_path(code: Code, one: Work, mark: Mark) -> bool:
    return precedes(code, one[0], one[1], mark.span, mark.scope)


def needs_mark(code: Code, mark: Mark) -> bool:
    """A row of handled events and a key say by their name what they are for; a status must be asked for in the file."""
    if mark.how is not How.STATUS:
        return True
    return any(
        enclosing(test.scope, Kind.FUNCTION) is mark.function
        and test.span.start < mark.span.start
        and asks(test.value, mark.name)
        for test in code.facts.tests
    ) or any(asks_in_query(call, mark.name) for call in code.facts.calls if call.span.start < mark.span.start)


def asks(test: object, field: str) -> bool:
    return any(fold(getattr(part, "name", "") or "") == fold(field) for part in walk(test))  # type: ignore[arg-type]


def asks_in_query(call: Call, field: str) -> bool:
    """A query for what is not yet marked: `where: { reported: false }`, `filter(status="pending")`."""
    if not fold(call.method).startswith(
        ("find", "get", "select", "filter", "where", "query", "first", "list", "fetch", "exclude")
    ):
        return False
    for argument in call.arguments:
        if argument.name is not None and fold(argument.name).split("_")[0] == fold(field):
            return True
        for part in walk(argument.value):
            if any(fold(entry.name or "") == fold(field) for entry in getattr(part, "entries", ())):
                return True
    return False


def taken_back(code: Code, mark: Mark) -> bool:
    """Whether the function takes the mark away again when the work fails."""
    for call in code.calls_in(mark.function):
        if call.span.start < mark.span.end:
            continue
        if fold(call.method) in UNMARKS and not (fold(call.method) == "expire" and mark.how is How.STORE):
            return True
        if (
            enclosing(call.scope, Kind.HANDLER, Kind.BRANCH)
            and any(
                UNDONE & set(words(str(part.value)))
                for argument in call.arguments
                for part in walk(argument.value)
                if isinstance(part, Literal)
            )
            and set(words(call.name)) & {"update", "set", "mark", "save", "status", "updatemany"}
        ):
            return True
    return any(
        within(assign.scope, handler) and any(asks(target, mark.name) for target in assign.targets)
        for handler in code.facts.scopes
        if isinstance(handler.head, Handler)
        for assign in code.facts.assigns
    )


def leased(code: Code, mark: Mark, marks: list[Mark]) -> bool:
    """Whether the mark is a claim: it says so, runs out soon, or a second one says that the work is done."""
    if mark.value and set(words(mark.value)) & {"processing", "pending", "claimed", "started", "locked", "running", "progress"}:
        return True
    if mark.how is How.STORE:
        later = (other for other in marks if other.how is How.STORE and other.span.start > mark.span.end)
        if any(other.function is mark.function for other in later):
            return True
        return (seconds := lifetime(code, mark)) is not None and seconds <= LEASE_SECONDS
    return (
        mark.how is How.ROW
        and mark.call is not None
        and any(
            set(words(str(part.value))) & {"processing", "pending", "received", "started"}
            for argument in mark.call.arguments
            for part in walk(argument.value)
            if isinstance(part, Literal)
        )
    )


def asked_and_marked(code: Code) -> Iterator[Finding]:
    """`if unique { return ingest(event) }`, where asking records the id and nothing else ever does."""
    for call in code.facts.calls:
        if fold(call.method) not in ASKS or call.receiver is None or code.context(call.scope) is Context.TEST:
            continue
        about = set(words(call.name.rpartition(".")[0]))
        if not about & {"dedup", "dedupe", "deduplicator", "deduper", "deduplication", "idempotency"}:
            continue
        function = enclosing(call.scope, Kind.FUNCTION)
        if function is None or any(tells(other, call) for other in code.facts.calls):
            continue
        after = next((one for one in code.calls_in(function) if one.span.start > call.span.end and forwards(one)), None)
        if after is not None and not any(fold(one.method) in UNMARKS for one in code.calls_in(function)):
            yield Finding(
                span=call.span,
                cause=call.span,
                description=(
                    f"`{call.name}` is the only place where the event's id is recorded, before `{after.name}`: if that fails, "
                    "the client's retry is taken for a duplicate and its usage is lost."
                ),
                remediation=f"Only ask first, and record the id after `{after.name}` has succeeded, or remove it on failure.",
                confidence=Confidence.LIKELY,
                trace=(Step(after.span, "the event is handed on here"),),
            )


def tells(other: Call, ask: Call) -> bool:
    return (
        other is not ask
        and other.name.rpartition(".")[0] == ask.name.rpartition(".")[0]
        and words(other.method)[:1] != ()
        and (words(other.method)[0] in TELLS)
    )


def forwards(call: Call) -> bool:
    said = words(call.method)
    return (
        bool(said)
        and "." in call.name
        and said[0] in STRONG_EMIT_VERBS | {"insert", "store", "produce", "next", "process"} - {"log"}
    )


def too_early(code: Code, mark: Mark, after: Work) -> Finding:
    again = {"webhook": "the redelivered webhook", "queue worker": "the redelivered message"}.get(
        code.context(mark.scope), "the next attempt"
    )
    sent = any(emission.call.span == after[0] for emission in code.emissions)
    return Finding(
        span=mark.span,
        cause=mark.span,
        variant=None if sent else "marked-apart-from-balance",
        description=(
            f"{marked(code, mark)} before {after[2]}: if that fails, {again} finds it done and skips it, and it never happens."
        ),
        remediation="Mark it after the work, do both in one transaction, or take the mark back when the work fails.",
        confidence=Confidence.LIKELY if redelivered(code, mark) else Confidence.POSSIBLE,
        trace=(Step(after[0], "the work is done here"),),
    )


def redelivered(code: Code, mark: Mark) -> bool:
    """Whether what the mark guards is sure to come again after a failure: a webhook or a message does, by its sender."""
    if code.context(mark.scope) in (Context.WEBHOOK, Context.WORKER):
        return True
    names = {
        *words(code.facts.path.rsplit("/", 1)[-1]),
        *words(code.function_name(mark.scope)),
        *words(name_around(mark.scope)),
    }
    if names & DELIVERED:
        return True
    found = standing(code, mark.span.line)
    if found is None or found[1][1] < 0:
        return False
    graph, node = found
    return any(graph.context(one.node) in (Context.WEBHOOK, Context.WORKER) for one in upwards(graph, node, HOPS))


def marked(code: Code, mark: Mark) -> str:
    """What a message says that the mark does."""
    if mark.how is How.ROW:
        return f"The event is written to `{mark.name}`"
    if mark.how is not How.STATUS:
        return "The event's key is set"
    if mark.call is not None and not mark.value:
        return f"`{code.facts.text(mark.call.callee.span).split('(')[0]}` marks it as done"
    return f"`{mark.name}` is set" + (f' to "{mark.value}"' if mark.value != mark.name.lower() else "")


def after_failure(mark: Mark, failed: Call) -> Finding:
    return Finding(
        span=mark.span,
        cause=mark.span,
        description=(
            f"`{failed.method}` answers its own failure with a value, nobody reads it, and the event is marked in "
            f"`{mark.name}` all the same: usage that was not recorded counts as recorded and is never tried again."
        ),
        remediation=f"Mark only when `{failed.method}` says that it succeeded, or let its failure reach this place.",
        confidence=Confidence.LIKELY,
        trace=(Step(failed.span, "its result is not read"),),
    )


def left_early(code: Code) -> Iterator[Finding]:
    """One for a block: the first way out that a reader meets."""
    said: set[Span] = set()
    for end, wrote in left_by_return(code):
        function = enclosing(end.scope, Kind.FUNCTION)
        if function is None or function.span in said:
            continue
        undone = rolls_back(code)
        if undone and tells_failure(code, end):
            continue
        said.add(function.span)
        left = UNDOES if undone else DEPENDS
        yield Finding(
            span=end.span,
            cause=end.span,
            description=f"This `return` leaves the transaction after `{wrote.name}` has written in it. {left}",
            remediation="Say which is meant: `raise ActiveRecord::Rollback` undoes it, `next` keeps it; return after it.",
            confidence=Confidence.LIKELY if undone else Confidence.POSSIBLE,
            variant="transaction-left-by-return",
            trace=(Step(wrote.span, "written in the transaction"),),
        )


EXAMPLES = (
    Example(
        "python",
        """
import stripe

def stripe_webhook(request):
    event = stripe.Webhook.construct_event(request.body, request.headers["Stripe-Signature"], SECRET)
    if ProcessedEvent.objects.filter(id=event.id).exists():
        return HttpResponse(status=200)
    ProcessedEvent.objects.create(id=event.id)  # <- finding
    grant_credits(event.data.object)
    return HttpResponse(status=200)

def report_pending(session):
    for usage in session.query(Usage).filter_by(reported=False):
        usage.reported = True  # <- finding
        session.commit()
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=str(usage.id),
            payload={"stripe_customer_id": usage.customer, "value": str(usage.tokens)},
        )
""",
    ),
    Example(
        "python",
        """
import stripe
from django.db import transaction

def stripe_webhook(request):
    event = stripe.Webhook.construct_event(request.body, request.headers["Stripe-Signature"], SECRET)
    with transaction.atomic():
        created = ProcessedEvent.objects.bulk_create([ProcessedEvent(id=event.id)], ignore_conflicts=True)
        if created:
            grant_credits(event.data.object)
    return HttpResponse(status=200)

def report_pending(session):
    for usage in session.query(Usage).filter_by(reported=False):
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=str(usage.id),
            payload={"stripe_customer_id": usage.customer, "value": str(usage.tokens)},
        )
        usage.reported = True
        session.commit()
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function handleWebhook(req: Request, redis: Redis, prisma: PrismaClient) {
  const event = stripe.webhooks.constructEvent(await req.text(), req.headers.get("stripe-signature")!, SECRET);
  const first = await redis.set(`processed:${event.id}`, "1", "EX", 86400, "NX");  // <- finding
  if (!first) return new Response("ok");
  await prisma.user.update({ where: { id: event.data.object.customer }, data: { credits: { increment: 100 } } });
  return new Response("ok");
}

class Reporter {
  private reported = new Set<string>();

  async reportOnce(id: string, tokens: number) {
    const result = await this.sendReport(id, tokens);
    this.reported.add(id);  // <- finding
    return result;
  }

  private async sendReport(id: string, tokens: number) {
    try {
      await billing.recordUsage(id, tokens);
      return true;
    } catch (error) {
      console.error("not recorded", error);
      return false;
    }
  }
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function handleWebhook(req: Request, redis: Redis, prisma: PrismaClient) {
  const event = stripe.webhooks.constructEvent(await req.text(), req.headers.get("stripe-signature")!, SECRET);
  const key = `processed:${event.id}`;
  const claimed = await redis.set(key, "processing", "EX", 300, "NX");
  if (!claimed) return new Response("ok");
  try {
    await prisma.user.update({ where: { id: event.data.object.customer }, data: { credits: { increment: 100 } } });
  } catch (error) {
    await redis.del(key);
    throw error;
  }
  await redis.set(key, "done", "EX", 86400 * 35);
  return new Response("ok");
}

export async function redeem(prisma: PrismaClient, order: { id: string; userId: string; amount: number }) {
  await prisma.$transaction(async (tx) => {
    const paid = await tx.order.updateMany({ where: { id: order.id, status: "pending" }, data: { status: "paid" } });
    if (paid.count === 0) return;
    await tx.user.update({ where: { id: order.userId }, data: { credits: { increment: order.amount } } });
  });
}
""",
    ),
    Example(
        "go",
        """
package billing

func onPaid(c *gin.Context, order *TopUp) error {
	if order.Status != "pending" {
		return nil
	}
	order.Status = "success"  // <- finding
	if err := order.Update(); err != nil {
		return err
	}
	return IncreaseUserQuota(order.UserID, order.Amount)
}

func (d Collector) Ingest(ctx context.Context, event UsageEvent) error {
	unique, err := d.Deduplicator.IsUnique(ctx, event)  // <- finding
	if err != nil {
		return err
	}
	if unique {
		return d.Next.Ingest(ctx, event)
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package billing

func onPaid(db *gorm.DB, order *TopUp) error {
	return db.Transaction(func(tx *gorm.DB) error {
		paid := tx.Model(&TopUp{}).Where("id = ? AND status = ?", order.ID, "pending").Update("status", "success")
		if paid.Error != nil || paid.RowsAffected == 0 {
			return paid.Error
		}
		return tx.Model(&User{}).Where("id = ?", order.UserID).Update("quota", gorm.Expr("quota + ?", order.Amount)).Error
	})
}

func (d Collector) Ingest(ctx context.Context, event UsageEvent) error {
	unique, err := d.Deduplicator.IsUnique(ctx, event)
	if err != nil || !unique {
		return err
	}
	if err := d.Next.Ingest(ctx, event); err != nil {
		return err
	}
	return d.Deduplicator.Set(ctx, event)
}
""",
    ),
    Example(
        "typescript",
        """
import { internalMutation } from "./_generated/server";

export const close = internalMutation({
  handler: async (ctx, { invoice }) => {
    await ctx.db.patch(invoice, { billedAt: Date.now() });
    const { team, credits } = await ctx.db.get(invoice);
    await ctx.db.insert("usageRecords", { team, quantity: credits });
  },
});
""",
        path="convex/invoices.ts",
    ),
)
