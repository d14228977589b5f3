"""The idempotency key contains the number of the attempt.

Every retry then carries a key of its own, and the provider takes it for new usage: exactly the repeat that the key is there
to catch is billed again. Leave the attempt out of the key; log it, or send it as a property, where it is wanted.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Kind, Literal, Loop, Name, Scope, Template, chain, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.repeats.keys import Key, keys_of, written
from rules.meaning.repeats.retries import retried
from rules.meaning.repeats.segments import Part, Segment, is_attempt, segments_of
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-204",
    title="Key contains the retry counter or attempt id",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D2",),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
)


COUNTING = frozenset("range count keys times".split())


def check(code: Code) -> Iterator[Finding]:
    for key in keys_of(code):
        # A queue keeps the job under its id: a job put back needs another one.
        if key.queued or code.context(key.scope) is Context.TEST:
            continue
        counted = attempt(code, key)
        if counted is not None:
            yield finding(code, key, counted)


def attempt(code: Code, key: Key) -> Segment | None:
    """A counter is often a literal plus one: then its own name says more than where it comes from."""
    counters = loop_counters(code, key.scope)
    for part in walk(written(code, key)):
        if isinstance(part, Name) and (part.text in counters or is_attempt(part.text)):
            return Segment(Part.ATTEMPT, part, key.scope, part.text)
    found = segments_of(code, key.value, key.scope, key.at)
    return next((one for one in found if one.part is Part.ATTEMPT), None)


def loop_counters(code: Code, scope: Scope) -> frozenset[str]:
    """The counter of a loop that tries the same again."""
    around = retried(code, scope)
    if around is None or around.kind is not Kind.LOOP:
        return frozenset()
    loops = [outer.head for outer in chain(scope) if isinstance(outer.head, Loop) and counts(outer.head)]
    targets = [part for head in loops for one in head.targets for part in walk(one)]
    names = {part.text for part in targets if isinstance(part, Name)}
    counted = {
        target.text
        for assign in code.facts.assigns
        if assign.scope is around and assign.operator in ("+=", "=")
        for target in assign.targets
        if isinstance(target, Name) and isinstance(assign.value, Literal) and isinstance(assign.value.value, int)
    }
    return frozenset(names | counted)


def counts(loop: Loop) -> bool:
    """`for attempt in range(3)`, `for n := 0; n < 3; n++`; a loop over users or rows does another thing each time."""
    over = loop.iterates
    return over is None or isinstance(over, Literal) or (isinstance(over, Call) and fold(over.method) in COUNTING)


def finding(code: Code, key: Key, counted: Segment) -> Finding:
    whole = written(code, key)
    name = counted.name
    return Finding(
        span=whole.span,
        cause=key.cause,
        description=f"The key of {key.title} contains `{name}`, so each retry carries another key and is billed again.",
        remediation=f"Leave `{name}` out of the key: the same usage needs the same key on every attempt.",
        confidence=sureness(code, key, counted),
        trace=(Step(key.cause, "the key is given here"),) if key.cause.line != whole.span.line else (),
        fix=without(code, whole, counted),
    )


def sureness(code: Code, key: Key, counted: Segment) -> Confidence:
    """An attempt that is stored with its request may well be charged for itself: only a provider that is seen to count by
    the key makes it a repeat."""
    if key.emission is not None and key.emission.certain:
        return Confidence.CERTAIN
    return Confidence.POSSIBLE


def without(code: Code, whole: Expression, counted: Segment) -> Fix | None:
    """Drops the piece from a template that holds it, together with the text that sets it off."""
    edit = None
    if isinstance(whole, Template):
        edit = dropped(code, whole, counted.expression)
    elif isinstance(whole, Binary) and whole.operator == "+" and holds(whole.right, counted.expression):
        left = whole.left
        if isinstance(left, Binary) and left.operator == "+" and isinstance(left.right, Literal):
            left = left.left
        edit = Edit(left.span.end, whole.span.end, "")
    return Fix(f"Drop `{counted.name}`", (edit,)) if edit is not None else None


def dropped(code: Code, whole: Template, counted: Expression) -> Edit | None:
    at = next((number for number, part in enumerate(whole.parts) if holds(part, counted)), None)
    if at is None or at == 0:
        return None
    before = whole.parts[at - 1]
    if not isinstance(before, Literal):
        return None
    text = code.facts.text(whole.span)
    end = closing(text, whole.parts[at].span.end - whole.span.start)
    if end is None:
        return None
    start = before.span.start - whole.span.start
    keep = re_lead(str(before.value))
    return Edit(whole.span.start + start + keep, whole.span.start + end, "")


def re_lead(text: str) -> int:
    """How much of the text before it stays: all but the word and separators that introduce it."""
    stripped = text.rstrip(":-_/.|# ")
    cut = max(stripped.rfind(sign) for sign in ":-_/.|#")
    tail = stripped[cut + 1 :]
    return (
        len(stripped[: cut + 1].rstrip(":-_/.|# "))
        if tail.lower() in ("attempt", "retry", "try", "a", "r", "")
        else len(stripped)
    )


def closing(text: str, at: int) -> int | None:
    """Just after the brace that closes the inserted piece."""
    found = text.find("}", at)
    return found + 1 if found >= 0 else None


def holds(part: Expression, counted: Expression) -> bool:
    return any(one is counted for one in walk(part))


EXAMPLES = (
    Example(
        "python",
        """
import stripe
from celery import shared_task

@shared_task(bind=True, max_retries=5, acks_late=True, reject_on_worker_lost=True)
def report(self, customer, tokens, event_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=f"{event_id}-{self.request.retries}",  # <- finding
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )

def report_in_loop(customer, tokens, event_id):
    for attempt in range(3):
        try:
            stripe.billing.MeterEvent.create(
                event_name="tokens",
                identifier=f"{event_id}:attempt-{attempt}",  # <- finding
                payload={"stripe_customer_id": customer, "value": str(tokens)},
            )
            return
        except stripe.APIConnectionError as error:
            last = error
    raise last
""",
    ),
    Example(
        "python",
        """
import logging
import stripe
from celery import shared_task

@shared_task(bind=True, max_retries=5, acks_late=True, reject_on_worker_lost=True)
def report(self, customer, tokens, event_id):
    logging.info("attempt %s of %s", self.request.retries, event_id)
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=event_id,
        payload={"stripe_customer_id": customer, "value": str(tokens), "attempt": str(self.request.retries)},
    )

def retry_payment(invoice, attempt):
    stripe.PaymentIntent.create(amount=invoice.total, currency="usd", idempotency_key=f"{invoice.id}-{attempt}")
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
import { Job, Worker } from "bullmq";
const stripe = new Stripe(process.env.STRIPE_KEY!);

new Worker("usage", async (job: Job) => {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: `${job.data.requestId}-${job.attemptsMade}`,  // <- finding
    payload: { stripe_customer_id: job.data.customer, value: String(job.data.tokens) },
  });
});
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
import { Job, Queue, Worker } from "bullmq";
const stripe = new Stripe(process.env.STRIPE_KEY!);
const again = new Queue("usage");

new Worker("usage", async (job: Job) => {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: job.data.requestId,
    payload: { stripe_customer_id: job.data.customer, value: String(job.data.tokens) },
  });
});

export async function putBack(usage: { requestId: string }, attempt: number) {
  await again.add("usage", usage, { jobId: `${usage.requestId}-${attempt}`, delay: 60_000 });
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer, eventID string) error {
	var last error
	for attempt := 0; attempt < 3; attempt++ {
		_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
			EventName:  stripe.String("tokens"),
			Identifier: stripe.String(fmt.Sprintf("%s-%d", eventID, attempt)),  // <- finding
			Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
		})
		if err == nil {
			return nil
		}
		last = err
	}
	return last
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer, eventID string) error {
	var last error
	for attempt := 0; attempt < 3; attempt++ {
		_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
			EventName:  stripe.String("tokens"),
			Identifier: stripe.String(eventID),
			Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
		})
		if err == nil {
			return nil
		}
		last = err
	}
	return last
}
""",
    ),
    Example(
        "typescript",
        """
export async function grantDaily(ledger: CreditLedger, users: User[], date: string) {
  const failed: unknown[] = [];
  for (const user of users) {
    try {
      await ledger.recordUsage({ userId: user.id, idempotencyKey: `daily:${user.id}:${date}` });
    } catch (error) {
      failed.push(error);
    }
  }
  if (failed.length > 0) throw new AggregateError(failed);
}
""",
    ),
)
