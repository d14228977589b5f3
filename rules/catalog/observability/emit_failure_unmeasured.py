"""A usage report that fails leaves a log line but no number that anyone is alerted by.

Log lines of a failing provider are read after the invoice was wrong. This file counts other things already: count failed
reports too, and alert on them, so that a failing provider is noticed on the same day. Where events wait in an outbox, measure
the age of the oldest as well.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Scope, enclosing
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import LOG_WORDS, LOST, outcome
from rules.meaning.usage.emissions import Emission
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-601",
    title="Failed usage reports are not counted",
    severity=Severity.LOW,
    classification=Classification.SUGGESTION,
    classes=("O1",),
    cwe=("CWE-778",),
    iso_25010="Maintainability / analysability",
    variants={"lag-unmeasured": Variant("Age of waiting usage is not measured", Severity.LOW, ("O5",))},
    gives_way_to=("emit-error-swallowed",),
)
CLIENTS = ("prom-client", "prometheus", "statsd", "datadog", "dd-trace", "opentelemetry", "micrometer", "hot-shots")
MEASURES = frozenset(
    "inc increment observe record gauge counter metric metrics statsd histogram add alert page notify sentry capture".split()
)
WAITING = frozenset("outbox relay pending backlog unsent".split())


def check(code: Code) -> Iterator[Finding]:
    measured = any(client in package.lower() for package in code.facts.packages for client in CLIENTS)
    reported: set[Scope] = set()
    for emission in code.emissions:
        if not emission.direct or code.context(emission.scope) is Context.TEST:
            continue
        for handler in handlers_of(code, emission.call, emission.sent)[:1]:
            silent = measured and handler not in reported and outcome(code.facts, handler) not in LOST
            if silent and only_logs(code, handler):
                reported.add(handler)
                yield uncounted(emission, handler)
        function = enclosing(emission.scope, Kind.FUNCTION)
        if function is not None and function not in reported and relays(code, emission, function):
            reported.add(function)
            yield unmeasured(emission)


def only_logs(code: Code, handler: Scope) -> bool:
    inside = [call for call in code.facts.calls if handler.span.holds(call.span)]
    logs = [call for call in inside if is_log(call)]
    return bool(logs) and not any(MEASURES & set(words(call.name)) for call in inside if not is_log(call))


def is_log(call: Call) -> bool:
    return bool({"log", "logger", "logging", "console", "slog"} & set(words(call.name)) & LOG_WORDS)


def relays(code: Code, emission: Emission, function: Scope) -> bool:
    """A loop over waiting events without any measuring in the file."""
    said = set(words(code.function_name(function))) | set(words(code.facts.path))
    in_loop = enclosing(emission.scope, Kind.LOOP, Kind.FUNCTION)
    looped = in_loop is not None and in_loop.kind is Kind.LOOP
    return looped and bool(WAITING & said) and not any(MEASURES & set(words(call.method)) for call in code.facts.calls)


def uncounted(emission: Emission, handler: Scope) -> Finding:
    return Finding(
        span=handler.span,
        cause=emission.call.span,
        description=f"A failing {emission.title} is logged but not counted, so no alert tells of lost or late usage.",
        remediation="Count failures here with the metrics client of this file, and alert on the count.",
        # A log may be alerted on as well: that nobody looks is not seen from here.
        confidence=Confidence.POSSIBLE,
    )


def unmeasured(emission: Emission) -> Finding:
    return Finding(
        span=emission.call.span,
        description="Nothing here measures how long usage has been waiting, so a stuck relay is noticed by the invoice.",
        remediation="Publish the age of the oldest waiting event and the number of them.",
        confidence=Confidence.POSSIBLE,
        variant="lag-unmeasured",
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import { Counter } from "prom-client";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);
const sent = new Counter({ name: "usage_sent", help: "reports sent" });

export async function report(params: Stripe.Billing.MeterEventCreateParams) {
  try {
    await stripe.billing.meterEvents.create(params);
    sent.inc();
  } catch (error) {  // <- finding
    console.error("usage not reported", error);
    throw error;
  }
}
""",
    ),
    Example(
        "python",
        """
import stripe
from prometheus_client import Counter

SENT = Counter("usage_sent", "reports sent")

def report(event):
    try:
        stripe.billing.MeterEvent.create(**event)
        SENT.inc()
    except stripe.StripeError:  # <- finding
        logger.exception("usage not reported")
        raise
""",
    ),
    Example(
        "typescript",
        """
import { Counter } from "prom-client";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);
const failed = new Counter({ name: "usage_failed", help: "reports failed" });

export async function report(params: Stripe.Billing.MeterEventCreateParams) {
  try {
    await stripe.billing.meterEvents.create(params);
  } catch (error) {
    failed.inc();
    console.error("usage not reported", error);
    throw error;
  }
}
""",
    ),
    Example(
        "python",
        """
import stripe

def report(event):
    try:
        stripe.billing.MeterEvent.create(**event)
    except stripe.StripeError:
        logger.exception("usage not reported")
        raise
""",
    ),
)
