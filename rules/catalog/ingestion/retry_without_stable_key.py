"""A usage report is repeated after a failure, and the repeats cannot be recognised as such.

A time-out does not mean that the provider did not count the event. Each attempt without a key, or with a key that is made
inside the repeated code, is new usage to the provider: one bad minute of the network bills a customer several times. Make the
key before the first attempt from what was used, and send the same one on every attempt.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.edits import added_field
from rules.facts import Expression, Literal, Scope, within
from rules.meaning.arguments import Given
from rules.meaning.contexts import Context
from rules.meaning.origins import Kinds, Origin
from rules.meaning.repeats.identity import natural_id
from rules.meaning.repeats.retries import retried
from rules.meaning.usage.emissions import Emission
from rules.providers import Key
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-111",
    title="Retried usage report without a stable key",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E5", "D1", "D2"),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
    gives_way_to=("emit-error-swallowed",),
)
OWN_KEYS = ("idempotencykey", "transactionid", "identifier", "uniqueid", "eventid", "dedupkey", "deduplicationid")


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if code.context(emission.scope) is Context.TEST:
            continue
        again = retried(code, emission.scope)
        if again is None:
            continue
        key = emission.record.key if emission.record else Key(names=OWN_KEYS, required=True)
        if key is not None and key.names and not key.natural and not overwrites(emission, key):
            yield from unstable(code, emission, key, again)


def unstable(code: Code, emission: Emission, key: Key, again: Scope) -> Iterator[Finding]:
    for event in emission.events:
        value = event.first(key.names) or emission.given.first((*key.names, *key.option_names))
        if value is None:
            if not key.required and event.complete and emission.given.complete:
                yield without_key(code, emission, event, key, again)
                return
        elif (fresh := made_inside(code, emission, value, again)) is not None:
            yield fresh_key(code, emission, value, fresh, again)
            return


def overwrites(emission: Emission, key: Key) -> bool:
    """`action: "set"` replaces the value, so a repeat changes nothing."""
    for name, harmless in key.natural_when.items():
        value = emission.given.named.get(name)
        if isinstance(value, Literal) and str(value.value).lower() in harmless:
            return True
    return False


def made_inside(code: Code, emission: Emission, value: Expression, again: Scope) -> Origin | None:
    """The clock or random call in the repeated code from which the key is made."""
    for origin in code.origins(value, emission.scope, emission.call.span.start):
        if origin.kind in (Kinds.CLOCK, Kinds.RANDOM) and within(origin.scope, again):
            return origin
    return None


def without_key(code: Code, emission: Emission, event: Given, key: Key, again: Scope) -> Finding:
    field = key.written(code.facts.language) or key.names[0]
    found = natural_id(code, emission.scope, emission.call.span.start)
    edit = added_field(code.facts, emission.call, event, field, found) if found else None
    return Finding(
        span=emission.call.span,
        description=f"{emission.title} is retried here without `{field}`: each attempt that did arrive is billed again.",
        remediation=f"Pass `{field}`, such as {f'`{found}`' if found else 'the id of what was used'}, same on every attempt.",
        confidence=Confidence.CERTAIN,
        trace=(Step(again.span, "this is run again after a failure"),),
        fix=Fix(f"Add `{field}`", (edit,)) if edit else None,
    )


def fresh_key(code: Code, emission: Emission, value: Expression, fresh: Origin, again: Scope) -> Finding:
    made = code.facts.text(fresh.expression.span)
    found = natural_id(code, emission.scope, emission.call.span.start)
    direct = found and made in code.facts.text(value.span)
    return Finding(
        span=value.span,
        cause=emission.call.span,
        description=f"Each attempt of {emission.title} makes a new key with `{made}`: one that did arrive is billed again.",
        remediation=f"Make the key before the first attempt, from {f'`{found}`' if found else 'the id of what was used'}.",
        confidence=Confidence.CERTAIN if emission.certain else Confidence.LIKELY,
        trace=(Step(again.span, "this is run again after a failure"),),
        fix=Fix(f"Use `{found}`", (Edit(value.span.start, value.span.end, str(found)),)) if direct else None,
    )


EXAMPLES = (
    Example(
        "python",
        """
import uuid
import stripe
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(3))
def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(  # <- finding
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )

def report_in_a_loop(customer, tokens, request_id):
    for attempt in range(3):
        try:
            return stripe.billing.MeterEvent.create(
                event_name="tokens",
                identifier=str(uuid.uuid4()),  # <- finding
                payload={"stripe_customer_id": customer, "value": str(tokens)},
            )
        except stripe.APIConnectionError:
            time.sleep(2 ** attempt)
""",
    ),
    Example(
        "python",
        """
import stripe
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(3))
def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
""",
    ),
    Example(
        "typescript",
        """
import pRetry from "p-retry";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, requestId: string) {
  await pRetry(() =>
    stripe.billing.meterEvents.create({  // <- finding
      event_name: "tokens",
      payload: { stripe_customer_id: customer, value: String(tokens) },
    }),
  );
}
""",
    ),
    Example(
        "typescript",
        """
import pRetry from "p-retry";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, requestId: string) {
  await pRetry(() =>
    stripe.billing.meterEvents.create({
      event_name: "tokens",
      identifier: requestId,
      payload: { stripe_customer_id: customer, value: String(tokens) },
    }),
  );
}

export async function setSeats(item: string, seats: number) {
  await pRetry(() => stripe.subscriptionItems.update(item, { quantity: seats }));
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	"github.com/avast/retry-go"
	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	return retry.Do(func() error {
		_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{  // <- finding
			EventName: stripe.String("tokens"),
			Payload:   map[string]string{"stripe_customer_id": customer, "value": "1"},
		})
		return err
	})
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	"github.com/avast/retry-go"
	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	return retry.Do(func() error {
		_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
			EventName:  stripe.String("tokens"),
			Identifier: stripe.String(requestID),
			Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
		})
		return err
	})
}
""",
    ),
)
