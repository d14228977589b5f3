"""A usage event is sent without the field by which the provider recognises a repeat.

A time-out, a retry of the request, a redelivered webhook or a restarted job sends the same usage again, and the provider
adds it again: the customer pays twice. Give each event an identifier made from what was used (the request's, message's or
row's id), the same one on every attempt. A fresh UUID at send time is no identifier: a retry gets a new one.
"""

from collections.abc import Iterator

from rules.arguments import Given
from rules.code import Code
from rules.contexts import REDELIVERED
from rules.edits import added_field
from rules.emissions import Emission
from rules.facts import Literal
from rules.identity import natural_id
from rules.providers import Key
from rules.rule import About, Classification, Confidence, Example, Finding, Fix, Severity

ABOUT = About(
    id="MTR-201",
    title="Meter event without an identifier",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D1",),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
)


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        key = emission.record.key if emission.record else None
        if key is None or not key.names or key.required or key.natural or overwrites(emission, key):
            continue
        for event in emission.events:
            if has_key(event, emission.given, key):
                continue
            yield finding(code, emission, event, key)
            break


def has_key(event: Given, call: Given, key: Key) -> bool:
    """Unsure is quiet: an event or options that cannot be seen whole may hold the key."""
    if not event.complete or not call.complete:
        return True
    return event.first(key.names) is not None or call.first((*key.names, *key.option_names)) is not None


def overwrites(emission: Emission, key: Key) -> bool:
    """`action: "set"` replaces the value, so a repeat changes nothing."""
    for name, harmless in key.natural_when.items():
        value = emission.given.named.get(name)
        if isinstance(value, Literal) and str(value.value).lower() in harmless:
            return True
    return False


def finding(code: Code, emission: Emission, event: Given, key: Key) -> Finding:
    record = emission.record
    assert record is not None
    language = code.facts.language
    field = key.spelling.get(language) or key.names[0]
    again = "the redelivered job" if code.context(emission.scope) in REDELIVERED else "a retry or a repeated request"
    found = natural_id(code, emission.scope, emission.call.span.start)
    fix = None
    if found is not None:
        edit = added_field(code.facts, emission.call, event, field, found)
        fix = Fix(f"Add `{field}`", (edit,)) if edit else None
    return Finding(
        span=emission.call.span,
        description=f"This {record.title} carries no `{field}`, so {again} sends it as new usage and it is billed twice.",
        remediation=f"Pass `{field}` that belongs to this usage, such as {example(found)}, and keep it on a retry.",
        confidence=Confidence.CERTAIN,
        fix=fix,
    )


def example(found: str | None) -> str:
    return f"`{found}`" if found else "the id of the request, message or row that was used"


EXAMPLES = (
    Example(
        "python",
        """
import stripe

def report(customer_id, tokens, request_id):
    stripe.billing.MeterEvent.create(  # <- finding
        event_name="tokens",
        payload={"stripe_customer_id": customer_id, "value": str(tokens)},
    )
""",
    ),
    Example(
        "python",
        """
import stripe

def report(customer_id, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer_id, "value": str(tokens)},
    )

def report_all(events):
    for event in events:
        stripe.billing.MeterEvent.create(**event)
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, requestId: string) {
  await stripe.billing.meterEvents.create({  // <- finding
    event_name: "tokens",
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, identifier: string) {
  const params = { event_name: "tokens", identifier, payload: { stripe_customer_id: customer, value: String(tokens) } };
  await stripe.billing.meterEvents.create(params);
}

export async function withOption(customer: string, tokens: number, key: string) {
  await stripe.billing.meterEvents.create(
    { event_name: "tokens", payload: { stripe_customer_id: customer, value: String(tokens) } },
    { idempotencyKey: key },
  );
}

export async function passedOn(event: Stripe.Billing.MeterEventCreateParams) {
  await stripe.billing.meterEvents.create({ ...event });
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

func report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{  // <- finding
		EventName: stripe.String("tokens"),
		Payload:   map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
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

func report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	params := &stripe.BillingMeterEventCreateParams{
		EventName: stripe.String("tokens"),
		Payload:   map[string]string{"stripe_customer_id": customer, "value": "1"},
	}
	params.Identifier = stripe.String(requestID)
	_, err := sc.V1BillingMeterEvents.Create(ctx, params)
	return err
}
""",
    ),
)
