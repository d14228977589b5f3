"""A webhook or queue consumer adds to a counter or a balance, and nothing tells a message that it has already handled.

Webhooks and queues deliver at least once: when an answer is slow or an acknowledgement is lost, the same message comes again,
and the usage is counted or the credits are granted a second time. Store the message's id under a unique index in the same
transaction as the addition and go on only if it was new, or make the write one that may be repeated: an upsert of a row per
message, a sum over such rows, a provider key made of the message's id.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Object, Scope, Span, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import exclusive
from rules.meaning.repeats.marks import saving
from rules.meaning.repeats.recognition import carries_identity, stored_once, tells_repeats
from rules.meaning.repeats.redelivery import Delivery, deliveries
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.writes import inserts_usage
from rules.meaning.values import resolved, root_of
from rules.meaning.vocabulary import releases, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.recognised import recognised_inside

ABOUT = About(
    id="MTR-208",
    title="Webhook or queue consumer increments usage with no event-id guard",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("D6",),
    cwe=("CWE-837", "CWE-675"),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=(
        "missing-idempotency-key",
        "unstable-key-random",
        "colliding-key",
        "guard-removed",
        "client-supplied-quantity",
        "check-then-insert-dedup",
    ),
    unprompted=True,
)
GRANTS = frozenset("increase increment add grant credit topup deposit give fulfill".split())
BALANCES = frozenset("credit credits quota quotas balance tokens token usage minutes units".split())
UNDOING = frozenset("fail failed failure failures refund error errors retry rollback cancel".split())

Addition = tuple[Span, Scope, str, Call | None]


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    added = list(additions(code))
    if not added:
        return
    said: set[Span] = set()
    for delivery in deliveries(code):
        here = [one for one in added if belongs(one[1], delivery.path[-1]) and one[0] not in said]
        stored = stored_once(code, delivery) if here else True
        told: list[Scope] = []
        for span, scope, title, call in here if stored is not True else ():
            # Several writes on one path are one cause: the message that nobody tells from its repeat.
            if tells_repeats(code, delivery, scope) or any(not exclusive(scope, other) for other in told):
                continue
            if enclosing(scope, Kind.HANDLER) is None and not (call is not None and carries_identity(code, call)):
                said.add(span)
                told.append(scope)
                known = call is not None and recognised_inside(code, delivery, call)
                yield finding(code, delivery, span, title, delivery.sure and stored is False and not known)


def belongs(scope: Scope, function: Scope) -> bool:
    """Whether the work stands in the function itself or in a closure of it."""
    current: Scope | None = scope
    while current is not None and current is not function:
        head = current.head
        if isinstance(head, Function) and head.name and not head.passed_to:
            return False
        current = current.parent
    return current is not None


def additions(code: Code) -> Iterator[Addition]:
    """What counts double when it is done twice: additions to stored counters, grants, rows of usage, own recorders."""
    for counter in code.counters:
        if adds(code, counter):
            yield counter.span, counter.scope, f"`{counter.name}`", counter.call
    written = {id(counter.call) for counter in code.counters}
    for emission in code.emissions:
        if (
            emission.record is None
            and not releases(emission.call.method)
            and id(emission.call) not in written
            and not raised(emission.call)
        ):
            yield emission.call.span, emission.scope, emission.title, emission.call
            written.add(id(emission.call))
    for call in code.facts.calls:
        if id(call) in written or code.context(call.scope) is Context.TEST:
            continue
        if grants(call) or (inserts_usage(call) and not fold(call.method).startswith("upsert") and not keyed(code, call)):
            yield call.span, call.scope, f"`{call.name}`", call


def raised(call: Call) -> bool:
    """`MeterNotFound(…)`: a class, not a verb."""
    return call.method[:1].isupper() and "." not in call.name


def adds(code: Code, counter: Counter) -> bool:
    if counter.change not in (Change.ADD, Change.SUBTRACT) or UNDOING & set(words(counter.name)):
        return False
    if counter.call is not None or counter.atomic:
        return True
    assign = next((one for one in code.facts.assigns if one.span == counter.span), None)
    return assign is not None and any(saving(code, assign, root_of(target)) is not None for target in assign.targets)


def grants(call: Call) -> bool:
    """`addCredits(user, n)`, `grant_tokens(…)`: the project's own way to raise a balance."""
    said = words(call.method)
    return (
        len(said) > 1
        and said[0] in GRANTS
        and bool(BALANCES & set(said[1:]))
        and not call.constructs
        and len(call.arguments) > 1
    )


def keyed(code: Code, call: Call) -> bool:
    """Whether a row has an id that is given to it: then a unique index may tell, which the project's schema may answer."""
    for argument in call.arguments:
        whole = resolved(code.values, argument.value, call.scope, call.span.start)
        for part in (*walk(argument.value), *walk(whole)):
            if isinstance(part, Object) and any(fold(entry.name or "") in ("id", "uuid", "key") for entry in part.entries):
                return True
    return not any(isinstance(part, Object) for argument in call.arguments for part in walk(argument.value))


def finding(code: Code, delivery: Delivery, span: Span, title: str, sure: bool) -> Finding:
    what = "webhook" if delivery.webhook else "consumer"
    name = code.function_name(delivery.entry)
    named = f"The {what} `{name}`" if name else f"This {what}"
    return Finding(
        span=span,
        cause=span,
        description=(
            f"{named} adds to {title} each time a message is delivered, and nothing here tells a message that comes again: "
            "one event counts twice."
        ),
        remediation=(
            "Store the message's id under a unique index, in the same transaction as this write, and go on only if it was new."
        ),
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        trace=() if delivery.entry is delivery.path[-1] else (Step(delivery.entry.span, "deliveries arrive here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
import boto3

sqs = boto3.client("sqs")

def poll(db, queue_url):
    for message in sqs.receive_message(QueueUrl=queue_url)["Messages"]:
        handle_message(db, json.loads(message["Body"]))
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

def handle_message(db, usage):
    db.execute("UPDATE accounts SET credits = credits - %s WHERE id = %s", (usage["cost"], usage["account_id"]))  # <- finding
""",
    ),
    Example(
        "python",
        """
import boto3

sqs = boto3.client("sqs")

def handle_message(db, usage):
    stored = db.execute("INSERT INTO usage_events (event_id) VALUES (%s) ON CONFLICT DO NOTHING", (usage["event_id"],))
    if stored.rowcount:
        db.execute("UPDATE accounts SET credits = credits - %s WHERE id = %s", (usage["cost"], usage["account_id"]))

def handle_record(db, usage):
    record_usage(db, usage["account_id"], usage["tokens"], usage["event_id"])

@app.post("/generate")
def generate(request, db):
    db.execute("UPDATE accounts SET credits = credits - 1 WHERE id = %s", (request.user.id,))
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), request.headers.get("stripe-signature")!, secret);
  if (event.type === "checkout.session.completed") {
    await credit(event.data.object.metadata.userId, Number(event.data.object.metadata.credits));
  }
  return new Response("ok");
}

async function credit(userId: string, credits: number) {
  await prisma.user.update({ where: { id: userId }, data: { credits: { increment: credits } } });  // <- finding
}
""",
        path="app/api/webhooks/stripe/route.ts",
    ),
    Example(
        "typescript",
        """
import { Kafka } from "kafkajs";

await consumer.run({
  eachMessage: async ({ message }) => {
    const usage = JSON.parse(message.value!.toString());
    await recordUsage(usage.customerId, usage.tokens);  // <- finding
  },
});
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), request.headers.get("stripe-signature")!, secret);
  if (event.type === "checkout.session.completed") {
    const purchase = await prisma.purchase.findUnique({ where: { sessionId: event.data.object.id } });
    if (!purchase || purchase.status === "paid") return new Response("ok");
    await prisma.$transaction([
      prisma.purchase.update({ where: { id: purchase.id }, data: { status: "paid" } }),
      prisma.user.update({ where: { id: purchase.userId }, data: { credits: { increment: purchase.credits } } }),
    ]);
  }
  if (event.type === "invoice.paid") {
    await prisma.user.update({ where: { id: event.data.object.metadata.userId }, data: { credits: 1000 } });
  }
  return new Response("ok");
}
""",
        path="app/api/webhooks/stripe/route.ts",
    ),
    Example(
        "typescript",
        """
import { Kafka } from "kafkajs";

await consumer.run({
  eachMessage: async ({ message }) => {
    const usage = JSON.parse(message.value!.toString());
    await recordUsage(usage.customerId, usage.tokens, `${message.offset}`);
  },
});
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), request.headers.get("stripe-signature")!, secret);
  const session = event.data.object;
  await prisma.payment.create({ data: { sessionId: session.id, userId: session.metadata.userId } });
  await prisma.user.update({ where: { id: session.metadata.userId }, data: { credits: { increment: 100 } } });  // <- finding
  return new Response("ok");
}
""",
        path="app/api/webhooks/stripe/route.ts",
        context={"prisma/schema.prisma": "model Payment {\n  id Int @id\n  sessionId String\n  userId String\n}\n"},
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), request.headers.get("stripe-signature")!, secret);
  const session = event.data.object;
  await prisma.payment.create({ data: { sessionId: session.id, userId: session.metadata.userId } });
  await prisma.user.update({ where: { id: session.metadata.userId }, data: { credits: { increment: 100 } } });
  return new Response("ok");
}
""",
        path="app/api/webhooks/stripe/route.ts",
        context={"prisma/schema.prisma": "model Payment {\n  id Int @id\n  sessionId String @unique\n  userId String\n}\n"},
    ),
    Example(
        "go",
        """
package billing

import "github.com/segmentio/kafka-go"

func (c *Consumer) HandleMessage(ctx context.Context, message kafka.Message) error {
	var usage Usage
	if err := json.Unmarshal(message.Value, &usage); err != nil {
		return err
	}
	account := c.db.Model(&Account{}).Where("id = ?", usage.AccountID)
	return account.Update("used_quota", gorm.Expr("used_quota + ?", usage.Tokens)).Error  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/segmentio/kafka-go"

func (c *Consumer) HandleMessage(ctx context.Context, message kafka.Message) error {
	var usage Usage
	if err := json.Unmarshal(message.Value, &usage); err != nil {
		return err
	}
	return c.db.Transaction(func(tx *gorm.DB) error {
		stored := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&Receipt{EventID: usage.EventID})
		if stored.Error != nil || stored.RowsAffected == 0 {
			return stored.Error
		}
		account := tx.Model(&Account{}).Where("id = ?", usage.AccountID)
		return account.Update("used_quota", gorm.Expr("used_quota + ?", usage.Tokens)).Error
	})
}
""",
    ),
    Example(
        "php",
        """
<?php

class WebhookController
{
    public function handleOrderCreated(array $payload)
    {
        $data = $payload['data'];
        if ($this->orderExists($data['id'])) {
            return;
        }
        $account = Account::where('customer', $data['customer_id'])->first();
        $account->increment('credits', $data['quantity']);
    }

    protected function orderExists(string $orderId)
    {
        return Order::where('remote', $orderId)->exists();
    }
}
""",
        path="app/Http/Controllers/WebhookController.php",
    ),
)
