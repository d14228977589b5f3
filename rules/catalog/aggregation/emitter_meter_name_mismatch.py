"""A usage event is sent under a name, or with payload keys, that the meter does not know.

The provider takes the event, or refuses it later where nobody looks, and no meter counts it: the usage is free. Name the event
and the keys of its payload once, in a constant that the meter's definition and the sender share. A Stripe meter reads quantity
and customer from the payload, under the keys that the meter was created with (`value` and `stripe_customer_id` by default).
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, Literal, Span, fold, walk
from rules.meaning.arguments import Given, entries, object_of
from rules.meaning.contexts import Context
from rules.meaning.naming import HOLE, Meter, distance, text_of
from rules.meaning.usage.emissions import Emission
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.names import named

ABOUT = About(
    id="MTR-314",
    title="Event name or payload key differs from the meter definition",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A12",),
    cwe=("CWE-573",),
    iso_25010="Compatibility / interoperability",
)
CUSTOMERS = frozenset("customer cus stripe subject user account org organization tenant workspace team client id".split())
DEFAULTS = {"value": "value", "customer": "stripe_customer_id"}


def check(code: Code) -> Iterator[Finding]:
    sent = [one for one in code.emissions if one.direct and one.record is not None and one.record.event_name]
    known = {(one.path, one.line): one for one in (*code.meters, *code.elsewhere.meters)} if sent else {}
    for emission in sent:
        if emission.provider is None or code.context(emission.scope) is Context.TEST:
            continue
        meters = [one for one in known.values() if one.provider == emission.provider.id]
        for event in emission.events:
            yield from judged(code, emission, event, meters)


def judged(code: Code, emission: Emission, event: Given, meters: list[Meter]) -> Iterator[Finding]:
    assert emission.record is not None
    assert emission.provider is not None
    value = event.first(emission.record.event_name)
    name = text_of(code.values, value, emission.call) or constant(code, value, emission)
    meter = next((one for one in meters if one.event == name), None)
    if meter is None and value is not None and name and meters:
        yield from unknown_name(code, emission, value, name, meters)
    elif emission.provider.id == "stripe" and emission.record.event_name:
        yield from payload(code, emission, event, meter)


def constant(code: Code, value: Expression | None, emission: Emission) -> str:
    """The name behind a constant of another file; empty where it may be one of several."""
    trace = code.elsewhere.trace
    if value is None or trace is None:
        return ""
    names = {trace.graph.said(one) for one in named(code, value, emission.call)}
    name = next(iter(names)) if len(names) == 1 else ""
    return "" if name.startswith("$") or HOLE in name else name


def unknown_name(code: Code, emission: Emission, value: Expression, name: str, meters: list[Meter]) -> Iterator[Finding]:
    """No meter has this name, and one has nearly: several meters and prefixes of an environment are no finding."""
    meter = min(meters, key=lambda one: distance(name, one.event))
    if not meant(name, meter.event):
        return
    literal = next((part for part in walk(value) if isinstance(part, Literal) and part.value == name), None)
    yield Finding(
        span=literal.span if literal is not None else value.span,
        cause=emission.call.span,
        description=f"The event is called `{name}` and the meter `{meter.event}`: no meter counts it, and the usage is free.",
        remediation=f"Send it as `{meter.event}`, best from one constant that both use.",
        confidence=Confidence.CERTAIN,
        trace=(step(meter),),
        fix=renamed(code, literal, name, meter.event) if literal is not None else None,
    )


def meant(name: str, wanted: str) -> bool:
    """Whether one is the other misspelt: cased or joined differently, a part more or less, a few letters off."""
    if fold(name).replace(".", "") == fold(wanted).replace(".", ""):
        return True
    mine, theirs = set(words(name)), set(words(wanted))
    if mine & theirs and len(mine ^ theirs) == 1 and not {"test", "dev", "prod", "staging"} & (mine ^ theirs):
        return True
    digits = ["".join(filter(str.isdigit, one)) for one in (name, wanted)]
    return digits[0] == digits[1] and distance(name, wanted) <= max(1, min(len(name), len(wanted)) // 5)


def renamed(code: Code, literal: Literal, name: str, wanted: str) -> Fix | None:
    written = code.facts.text(literal.span)
    if written[1:-1] != name:
        return None
    return Fix(f"Use `{wanted}`", (Edit(literal.span.start + 1, literal.span.end - 1, wanted),))


def payload(code: Code, emission: Emission, event: Given, meter: Meter | None) -> Iterator[Finding]:
    """The keys of a Stripe payload against those of the meter, or against what any meter needs."""
    holder = event.named.get("payload")
    scope, at = emission.scope, emission.call.span.start
    whole = object_of(code.values, holder, scope, at) if holder is not None else None
    if whole is None:
        return
    inner = entries(code.values, whole, scope, at)
    if not inner.complete or not all(entry.name for entry in whole.entries) or not whole.entries:
        return
    keys = {entry.name for entry in whole.entries if entry.name}
    for part, default in DEFAULTS.items():
        wanted = getattr(meter, part, "") or default
        if meter is not None and wanted not in keys:
            yield missing(emission, wanted, meter, Confidence.CERTAIN)
            return
    if meter is None and not any(CUSTOMERS & set(words(key)) for key in keys):
        yield missing(emission, DEFAULTS["customer"], None, Confidence.POSSIBLE)


def missing(emission: Emission, wanted: str, meter: Meter | None, sure: Confidence) -> Finding:
    named = f"the meter `{meter.event}`" if meter is not None else "a meter"
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"The payload has no `{wanted}`, by which {named} reads it: it is not counted, and the usage is free.",
        remediation=f"Put it into the payload as `{wanted}`, or change the meter's definition.",
        confidence=sure,
        trace=(step(meter),) if meter is not None else (),
    )


def step(meter: Meter) -> Step:
    return Step(Span(meter.line, meter.line, 0, 0), "the meter is defined here", meter.path)


NAMES = """
export const EVENTS = {
  apiCalls: "api_call",
  storage: "storage_gb",
};
"""
DEFINED = """
await stripe.billing.meters.create({
  display_name: "API calls",
  event_name: "api_calls",
  default_aggregation: { formula: "sum" },
});
"""

EXAMPLES = (
    Example(
        "typescript",
        """
import { EVENTS } from "./events";

export async function reportCalls(customer: string, calls: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: EVENTS.apiCalls,  // <- finding
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(calls) },
  });
}
""",
        path="src/report.ts",
        context={"src/events.ts": NAMES, "scripts/meters.ts": DEFINED},
    ),
    Example(
        "typescript",
        """
import { EVENTS } from "./events";

export async function reportCalls(customer: string, calls: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: EVENTS.apiCalls,
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(calls) },
  });
}
""",
        path="src/report.ts",
        context={"src/events.ts": NAMES.replace("api_call", "api_calls"), "scripts/meters.ts": DEFINED},
    ),
    Example(
        "python",
        """
import stripe

stripe.billing.Meter.create(
    display_name="API calls",
    event_name="api_calls",
    default_aggregation={"formula": "sum"},
    value_settings={"event_payload_key": "calls"},
)

def report(customer, calls, request_id):
    stripe.billing.MeterEvent.create(
        event_name="api_call",  # <- finding
        identifier=request_id,
        payload={"stripe_customer_id": customer, "calls": str(calls)},
    )

def report_batch(customer, calls, request_id):
    stripe.billing.MeterEvent.create(  # <- finding
        event_name="api_calls",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(calls)},
    )
""",
    ),
    Example(
        "python",
        """
import stripe

EVENT = "api_calls"

stripe.billing.Meter.create(
    display_name="API calls",
    event_name=EVENT,
    default_aggregation={"formula": "sum"},
    value_settings={"event_payload_key": "calls"},
)

def report(customer, calls, request_id):
    stripe.billing.MeterEvent.create(
        event_name=EVENT,
        identifier=request_id,
        payload={"stripe_customer_id": customer, "calls": str(calls)},
    )

def report_storage(customer, gigabytes, request_id):
    stripe.billing.MeterEvent.create(
        event_name="storage",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(gigabytes)},
    )
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function report(customer: string, tokens: number, requestId: string) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens-used",  // <- finding
    identifier: requestId,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
""",
        path="src/report.ts",
        context={
            "src/setup.ts": (
                'import Stripe from "stripe";\nexport const meter = await stripe.billing.meters.create({\n'
                '  display_name: "Tokens",\n  event_name: "tokens_used",\n  default_aggregation: { formula: "sum" },\n});\n'
            )
        },
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function report(customer: string, tokens: number, requestId: string) {
  await stripe.billing.meterEvents.create({  // <- finding
    event_name: "tokens_used",
    identifier: requestId,
    payload: { value: String(tokens) },
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function report(customer: string, tokens: number, requestId: string, extra: Record<string, string>) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens_used",
    identifier: requestId,
    payload: { customer_ref: customer, value: String(tokens) },
  });
  await stripe.billing.meterEvents.create({
    event_name: `${process.env.STAGE}_tokens_used`,
    identifier: requestId,
    payload: { ...extra, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v82"

func Setup(ctx context.Context, sc *stripe.Client) error {
	_, err := sc.V1BillingMeters.Create(ctx, &stripe.BillingMeterCreateParams{EventName: stripe.String("tokens_used")})
	return err
}

func Report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("token_used"),  // <- finding
		Identifier: stripe.String(requestID),
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v82"

func Setup(ctx context.Context, sc *stripe.Client) error {
	_, err := sc.V1BillingMeters.Create(ctx, &stripe.BillingMeterCreateParams{EventName: stripe.String("tokens_used")})
	return err
}

func Report(ctx context.Context, sc *stripe.Client, customer string, requestID string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens_used"),
		Identifier: stripe.String(requestID),
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
)
