"""The time of a usage event is sent in another unit or form than its provider reads.

Milliseconds where seconds are wanted lie tens of thousands of years ahead, and seconds where milliseconds are wanted lie in
January 1970: the event is refused, or it counts in no period that is ever billed. The unit differs between providers, and
even between the versions of one: Stripe's first meter events take whole seconds, its second ones a text like
`2026-11-20T10:00:00Z`.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Literal, walk
from rules.meaning.times.clock import Unit, unit_of
from rules.meaning.times.event_times import cultural_texts, through_floats
from rules.meaning.usage.emissions import Emission
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Variant
from rules.traits import Dates

ABOUT = About(
    id="MTR-119",
    title="Event time in the wrong unit",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E15",),
    cwe=("CWE-681",),
    iso_25010="Functional suitability / functional correctness",
    variants={
        "time-through-float": Variant("Event time passes through a binary float", Severity.MEDIUM, cwe=("CWE-1339",)),
        "time-as-local-text": Variant("Event time is written as the machine's own text", Severity.MEDIUM, cwe=("CWE-474",)),
    },
)
NUMBERS = (Unit.SECONDS, Unit.MILLISECONDS, Unit.NANOSECONDS)
REFUSED = {
    "s": (Unit.MILLISECONDS, Unit.NANOSECONDS, Unit.TEXT),
    "ms": (Unit.SECONDS, Unit.NANOSECONDS, Unit.TEXT),
    "rfc3339": NUMBERS,
}
WANTED = {"s": "seconds since 1970", "ms": "milliseconds since 1970", "rfc3339": "a text such as `2026-11-20T10:00:00Z`"}


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        time = emission.record.time if emission.record else None
        if time is None or time.unit not in REFUSED:
            continue
        for event in emission.events:
            value = event.first(time.names)
            if value is None:
                continue
            found = unit_of(code.values, value, emission.scope, emission.call.span.start)
            if found in REFUSED[time.unit]:
                yield finding(code, emission, value, found, time.unit)
                break
    if code.billing:
        yield from imprecise(code)
        yield from zoneless(code)


def imprecise(code: Code) -> Iterator[Finding]:
    for field, call in through_floats(code):
        yield Finding(
            span=call.span,
            cause=call.span,
            description=(
                f"`{field.name}` is made of a binary float, which has no exact form for most fractions of a second, and what "
                "follows cuts them: .123 is stored as .122999. Two stores hold the event at different times, and at the edge "
                "of a period it falls out of it or is not recognised as a duplicate."
            ),
            remediation=f"Keep it exact: {code.facts.idioms.exact_decimal}, or a whole number of milliseconds.",
            confidence=Confidence.LIKELY,
            variant="time-through-float",
        )


def zoneless(code: Code) -> Iterator[Finding]:
    for field, call in cultural_texts(code):
        utc = code.facts.idioms.utc_text
        yield Finding(
            span=call.span,
            cause=call.span,
            description=(
                f"`{field.name}` leaves as `{code.facts.text(call.span)}`: a text in the form of the machine's settings, and "
                "no offset. Another machine reads another hour or another day in it, or refuses it."
            ),
            remediation=f"Write it as ISO 8601 in UTC: {utc}.",
            confidence=Confidence.LIKELY,
            variant="time-as-local-text",
        )


def finding(code: Code, emission: Emission, value: Expression, found: Unit, wanted: str) -> Finding:
    written = "a text" if found is Unit.TEXT else found.value
    text, new = code.facts.text(value.span), rewritten(code, value, found, wanted)
    return Finding(
        span=value.span,
        cause=emission.call.span,
        description=f"`{text}` is {written}, but {emission.title} reads {WANTED[wanted]}: {cost(found, wanted)}.",
        remediation=f"Send {f'`{new}`' if new else WANTED[wanted]}.",
        confidence=Confidence.CERTAIN,
        fix=Fix(f"Send `{new}`", (Edit(value.span.start, value.span.end, new),)) if new else None,
    )


def cost(found: Unit, wanted: str) -> str:
    if found is Unit.TEXT or wanted == "rfc3339":
        return "the event is refused"
    if found is Unit.SECONDS:
        return "the event is dated January 1970 and is in no period that is billed"
    return "the event lies far in the future and is refused"


def rewritten(code: Code, value: Expression, found: Unit, wanted: str) -> str | None:
    """The same moment in the unit that is wanted, where that is a plain rewrite of what stands there."""
    text, inner = code.facts.text(value.span), milliseconds_inside(code, value)
    if code.facts.traits.dates is Dates.EPOCH:
        if found is Unit.MILLISECONDS and wanted == "s":
            return f"Math.floor({text} / 1000)" if isinstance(value, Call) else None
        if found is Unit.SECONDS and wanted == "ms":
            return inner
        if wanted == "rfc3339" and isinstance(value, Call | Binary):
            moment = text if found is Unit.MILLISECONDS else inner
            return f"new Date({moment}).toISOString()" if moment else None
    if code.facts.traits.dates is Dates.NAIVE and isinstance(value, Call) and "time.time()" in text:
        if found is Unit.MILLISECONDS and wanted == "s":
            return "int(time.time())"
        if found is Unit.SECONDS and wanted == "ms":
            return "int(time.time() * 1000)"
    return None


def milliseconds_inside(code: Code, value: Expression) -> str | None:
    """The `X` of `Math.floor(X / 1000)`."""
    for part in walk(value):
        if isinstance(part, Binary) and part.operator == "/" and isinstance(part.right, Literal) and part.right.value == 1000:
            return code.facts.text(part.left.span)
    return None


EXAMPLES = (
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, identifier: string) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    timestamp: Date.now(),  // <- finding
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
  const now = Math.floor(Date.now() / 1000);
  await stripe.v2.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    timestamp: now,  // <- finding
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "python",
        """
import time
import stripe

def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        timestamp=int(time.time() * 1000),  # <- finding
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(requestID),
		Timestamp:  stripe.Int64(time.Now().UnixMilli()),  // <- finding
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(usage: Usage, customer: string, tokens: number, identifier: string) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    timestamp: Math.floor(usage.createdAt.getTime() / 1000),
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
  await stripe.v2.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    timestamp: new Date().toISOString(),
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "python",
        """
import time
import stripe

def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        timestamp=int(time.time()),
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
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

func report(ctx context.Context, sc *stripe.Client, customer string, used Usage) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(used.RequestID),
		Timestamp:  stripe.Int64(used.At.Unix()),
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
    Example(
        "typescript",
        """
export async function ingest(db: Db, row: Row) {
  const usageEvent = new UsageEvent();
  usageEvent.quantity = row.quantity;
  usageEvent.timestamp = new Date(parseFloat(row.ts) * 1000);  // <- finding
  await db.save(usageEvent);
}
""",
    ),
    Example(
        "typescript",
        """
export async function ingest(db: Db, row: Row) {
  const usageEvent = new UsageEvent();
  usageEvent.quantity = row.quantity;
  usageEvent.timestamp = new Date(Math.round(parseFloat(row.ts) * 1000));
  await db.save(usageEvent);
}
""",
    ),
)
