"""The time of a usage event is the moment of sending, although the usage happened earlier.

A worker, job or callback runs later than the use it reports: after a backlog, a retry or an outage by hours. Usage stamped
with the worker's clock falls into a later hour, day or billing period than the one it belongs to, and a retry moves it again.
Take the time at which the usage happened, carry it in the message, and send that one; with its zone, or a server in another
zone shifts it too.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Expression, Function, Kind, Member, Name, Scope, chain, dotted, enclosing, walk, within
from rules.meaning.contexts import Context
from rules.meaning.origins import Kinds
from rules.meaning.times.clock import naive
from rules.meaning.usage.emissions import Emission
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Variant
from rules.traits import Dates

ABOUT = About(
    id="MTR-118",
    title="Event time is taken when the event is sent",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E15", "A3"),
    cwe=("CWE-1025",),
    iso_25010="Functional suitability / functional correctness",
    variants={"naive-datetime-to-provider": Variant("Event time without a zone", Severity.HIGH, ("E15", "A1"))},
)
LATER = frozenset({Context.WORKER, Context.SCHEDULE})
OWN_TIMES = ("timestamp", "eventtime", "occurredat", "happenedat", "usedat", "usagetime", "usagetimestamp", "eventtimestamp")
MOMENTS = frozenset("timestamp time at".split())
HAPPENED = frozenset("end ended event occurred happened used usage completed finished".split())
CARRIERS = frozenset("message msg job event record delivery payload item data row usage request body".split())


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if code.context(emission.scope) in (Context.TEST, Context.BROWSER):
            continue
        for value in times(emission):
            if (zoneless := without_zone(code, emission, value)) is not None:
                yield without_zone_finding(code, emission, value, zoneless)
            elif is_clock_only(code, emission, value) and not bounded(code, emission, value):
                yield from processing_time(code, emission, value)
            break


def times(emission: Emission) -> Iterator[Expression]:
    time = emission.record.time if emission.record else None
    names = time.names if time else OWN_TIMES if emission.record is None else ()
    for given in (*emission.events, emission.given):
        if (value := given.first(names)) is not None:
            yield value


def is_clock_only(code: Code, emission: Emission, value: Expression) -> bool:
    """A fallback, `event.time or now()`, is no processing time: the event may have its own."""
    found = code.origins(value, emission.scope, emission.call.span.start)
    function = enclosing(emission.scope, Kind.FUNCTION)
    kinds = {origin.kind for origin in found if origin.kind is not Kinds.LITERAL}
    return (
        kinds == {Kinds.CLOCK}
        and function is not None
        and all(within(origin.scope, function) for origin in found if origin.kind is Kinds.CLOCK)
    )


def bounded(code: Code, emission: Emission, value: Expression) -> bool:
    """A clock that was compared before, for example with the end of the period that is reported."""
    names = {part.text for part in walk(value) if isinstance(part, Name)}
    return any(
        isinstance(part, Compare) and any(isinstance(inner, Name) and inner.text in names for inner in walk(part))
        for test in code.facts.tests
        if test.span.end < emission.call.span.start
        for part in walk(test.value)
    )


def processing_time(code: Code, emission: Emission, value: Expression) -> Iterator[Finding]:
    context = code.context(emission.scope)
    own = event_time(code, emission.scope, emission.call.span.start)
    if own is None and context not in LATER:
        return
    certain = own is not None and context in LATER and emission.certain
    made = code.facts.text(value.span)
    yield Finding(
        span=value.span,
        cause=emission.call.span,
        description=(
            f"{emission.title} is stamped with `{made}`, the time of sending"
            + (f", although `{own}` says when it happened" if own else f" of this {context.value}")
            + ": late usage counts in a later period."
        ),
        remediation=f"Send {f'`{own}`' if own else 'the time of the use, carried in the message,'} as the event's time.",
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
    )


def event_time(code: Code, scope: Scope, at: int) -> str | None:
    """A time of the use itself that is in scope: `message.timestamp`, a parameter `end_time`."""
    for outer in chain(scope):
        if isinstance(outer.head, Function):
            for parameter in outer.head.parameters:
                said = words(parameter.name)
                if len(said) > 1 and said[-1] in MOMENTS and HAPPENED & set(said):
                    return parameter.name
    function = enclosing(scope, Kind.FUNCTION)
    for call in code.calls_in(function):
        for part in (inner for argument in call.arguments for inner in walk(argument.value)):
            if part.span.start < at and is_own_time(part):
                return dotted(part)
    return None


def is_own_time(part: Expression) -> bool:
    if not isinstance(part, Member) or not isinstance(part.object, Name):
        return False
    said = words(part.name)
    timed = said == ("timestamp",) or (len(said) > 1 and said[-1] in MOMENTS and bool(HAPPENED & set(said)))
    return timed and bool(CARRIERS & set(words(part.object.text)))


def without_zone(code: Code, emission: Emission, value: Expression) -> Call | None:
    """A naive date that is sent as text or turned into seconds. AWS reads naive dates as UTC."""
    if code.facts.traits.dates is not Dates.NAIVE:
        return None
    whole = resolved(code.values, value, emission.scope, emission.call.span.start)
    found = naive(whole)
    if found is None:
        return None
    utc, text = found.folded.endswith("utcnow"), code.facts.text(whole.span)
    epoch = isinstance(whole, Call) and ".timestamp()" in text
    if (utc and ('"Z"' in text or "'Z'" in text or 'Z")' in text)) or (epoch and not utc):
        return None
    native = emission.record is not None and emission.record.time is not None and emission.record.time.unit == "datetime"
    return None if native and utc else found


def without_zone_finding(code: Code, emission: Emission, value: Expression, made: Call) -> Finding:
    utc = made.folded.endswith("utcnow")
    text = code.facts.text(made.span)
    whole = code.facts.text(resolved(code.values, value, emission.scope, emission.call.span.start).span)
    aware = (
        "datetime.now(timezone.utc)"
        if not text.startswith("datetime.datetime")
        else "datetime.datetime.now(datetime.timezone.utc)"
    )
    known = "timezone" in code.facts.imports or text.startswith("datetime.datetime")
    return Finding(
        span=value.span,
        cause=emission.call.span,
        description=f"`{whole}` has no time zone: on a server that is not set to UTC, {emission.title} carries a wrong time.",
        remediation=f"Use `{aware}`.",
        confidence=Confidence.CERTAIN if utc and ".timestamp()" in whole else Confidence.LIKELY,
        variant="naive-datetime-to-provider",
        fix=Fix(f"Use `{aware}`", (Edit(made.span.start, made.span.end, aware),)) if known else None,
    )


EXAMPLES = (
    Example(
        "python",
        """
import time
from datetime import datetime, timezone
import stripe
from celery import shared_task

@shared_task
def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        timestamp=int(time.time()),  # <- finding
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )

def log_success(kwargs, response, start_time, end_time):
    stripe.billing.MeterEvent.create(
        event_name="calls",
        identifier=response.id,
        timestamp=int(time.time()),  # <- finding
        payload={"stripe_customer_id": kwargs["customer"], "value": "1"},
    )

def report_now(customer, request_id):
    stripe.billing.MeterEvent.create(
        event_name="calls",
        identifier=request_id,
        timestamp=int(datetime.utcnow().timestamp()),  # <- finding
        payload={"stripe_customer_id": customer, "value": "1"},
    )
""",
    ),
    Example(
        "typescript",
        """
import { Worker, Job } from "bullmq";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

new Worker("usage", async (job: Job) => {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: job.data.requestId,
    timestamp: Math.floor(Date.now() / 1000),  // <- finding
    payload: { stripe_customer_id: job.data.customer, value: String(job.data.tokens) },
  });
});
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stripe/stripe-go/v82"
)

func handle(ctx context.Context, sc *stripe.Client, msg kafka.Message) error {
	used := decode(msg.Value)
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(used.RequestID),
		Timestamp:  stripe.Int64(time.Now().Unix()),  // <- finding
		Payload:    map[string]string{"stripe_customer_id": used.Customer, "value": used.Tokens},
	})
	return err
}
""",
    ),
    Example(
        "python",
        """
import time
from datetime import datetime, timezone
import stripe
from celery import shared_task

@shared_task(acks_late=True)
def report(customer, tokens, request_id, used_at):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        timestamp=used_at,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )

@app.post("/ask")
def ask(request):
    answer = complete(request.data["prompt"])
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request.id,
        timestamp=int(datetime.now(timezone.utc).timestamp()),
        payload={"stripe_customer_id": request.user.customer, "value": str(answer.tokens)},
    )
    return answer
""",
    ),
    Example(
        "typescript",
        """
import { Worker, Job } from "bullmq";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

new Worker("usage", async (job: Job) => {
  const usedAt = job.data.usedAt ?? Math.floor(Date.now() / 1000);
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: job.data.requestId,
    timestamp: usedAt,
    payload: { stripe_customer_id: job.data.customer, value: String(job.data.tokens) },
  });
});
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/stripe/stripe-go/v82"
)

func handle(ctx context.Context, sc *stripe.Client, msg kafka.Message) error {
	used := decode(msg.Value)
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(used.RequestID),
		Timestamp:  stripe.Int64(msg.Time.Unix()),
		Payload:    map[string]string{"stripe_customer_id": used.Customer, "value": used.Tokens},
	})
	return err
}
""",
    ),
)
