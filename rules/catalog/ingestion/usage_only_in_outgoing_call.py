"""The only trace of a use is the request that reports it to the billing provider.

When that request fails, times out or is cut off, nothing in your own system says that the use ever happened, so it can
neither be sent again nor be found by a reconciliation. Write the event to a table first, in the transaction of the work, and
send it from there. A provider may be the only ledger where single events are worth little; then at least bound the wait.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Lambda, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import stores
from rules.meaning.usage.emissions import Emission, is_http, named_function
from rules.meaning.usage.writes import inserts_usage
from rules.providers import Call as Record
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-126",
    title="Usage exists only in the outgoing call",
    severity=Severity.MEDIUM,
    classification=Classification.SUGGESTION,
    classes=("E4", "E1"),
    cwe=("CWE-754",),
    iso_25010="Reliability / recoverability",
    variants={
        "usage-in-waituntil": Variant(
            "Billable emission left to waitUntil/after with no durable fallback", Severity.MEDIUM, ("E1", "E7")
        ),
        "emission-without-timeout": Variant(
            "Emission in the request path without a timeout", Severity.LOW, ("E1",), cwe=("CWE-1088",)
        ),
    },
    gives_way_to=("emit-error-swallowed", "emit-not-awaited", "result-error-unread", "missing-idempotency-key"),
)
LATER = frozenset("waituntil after unstableafter".split())


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if not emission.direct or code.context(emission.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        if recorded(code, emission):
            continue
        if (later := left_to(code, emission)) is not None:
            yield in_wait_until(emission, later)
        elif code.context(emission.scope) is Context.REQUEST:
            yield unbounded(emission) if waits_for_ever(code, emission) else only_there(emission)


def recorded(code: Code, emission: Emission) -> bool:
    """Whether the function, or what takes the failure, writes the event down."""
    function = named_function(emission.scope)
    calls = list(code.calls_in(function)) if function is not None else []
    if any(inserts_usage(call) and call is not emission.call and not is_emission(code, call) for call in calls):
        return True
    handlers = handlers_of(code, emission.call, emission.sent)
    return any(stores(call) and not is_emission(code, call) for one in handlers for call in calls if one.span.holds(call.span))


def is_emission(code: Code, call: Call) -> bool:
    return any(one.call is call for one in code.emissions)


def left_to(code: Code, emission: Emission) -> Call | None:
    """The `waitUntil(…)` or `after(() => …)` that runs this emission after the answer."""
    for call in code.facts.calls:
        if fold(call.method) not in LATER or not call.span.holds(emission.call.span):
            continue
        for argument in call.arguments:
            direct = any(part is emission.sent or part is emission.call for part in walk(argument.value))
            inner = isinstance(argument.value, Lambda) and within(emission.scope, argument.value.scope)
            if direct or inner:
                return call
    return None


def in_wait_until(emission: Emission, later: Call) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"{emission.title} runs in `{later.name}` after the answer: if it fails or is cut off, that usage is lost.",
        remediation="Write the event to a table or queue before answering, and send it from there.",
        confidence=Confidence.LIKELY,
        variant="usage-in-waituntil",
    )


def waits_for_ever(code: Code, emission: Emission) -> bool:
    """`requests` of Python and Go's `http.Post` have no time-out of their own."""
    call, record = emission.call, emission.record
    if not is_request(call, record):
        return False
    patient = code.facts.traits.patient_requests
    bounded = any(fold(one.name or "") == "timeout" for one in call.arguments)
    return not bounded and (call.folded in patient or call.folded.partition(".")[0] in patient)


def is_request(call: Call, record: Record | None) -> bool:
    return is_http(call) and record is not None and bool(record.urls)


def unbounded(emission: Emission) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"{emission.title} is sent without a time-out while a request waits: a slow provider stops your service.",
        remediation="Give the call a time-out of a few seconds, and keep the event for another attempt when it passes.",
        confidence=Confidence.LIKELY,
        variant="emission-without-timeout",
    )


def only_there(emission: Emission) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"This use is written down nowhere but in {emission.title}: if that fails, nothing can send it again.",
        remediation="Write the event to a table in the transaction of the work, and send it from there.",
        confidence=Confidence.POSSIBLE,
    )


EXAMPLES = (
    Example(
        "python",
        """
import requests

@app.post("/complete")
def complete(request):
    answer = generate(request.json["prompt"])
    response = requests.post(  # <- finding
        "https://api.getlago.com/api/v1/events", json={"event": {"transaction_id": answer.id, "code": "tokens"}}
    )
    response.raise_for_status()
    return answer.text
""",
    ),
    Example(
        "python",
        """
import requests

@app.post("/complete")
def complete(request, db):
    answer = generate(request.json["prompt"])
    db.usage_events.insert_one({"key": answer.id, "tokens": answer.tokens})
    response = requests.post(
        "https://api.getlago.com/api/v1/events",
        json={"event": {"transaction_id": answer.id, "code": "tokens"}},
        timeout=5,
    )
    response.raise_for_status()
    return answer.text
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
import { after } from "next/server";

const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function POST(request: Request) {
  const answer = await generate(await request.text());
  after(async () => {
    await stripe.billing.meterEvents.create({  // <- finding
      event_name: "tokens", identifier: answer.id, payload: { stripe_customer_id: answer.customer, value: "1" },
    });
  });
  return Response.json(answer);
}
""",
        path="app/api/complete/route.ts",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
import { after } from "next/server";

const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function POST(request: Request) {
  const answer = await generate(await request.text());
  await prisma.usageEvent.create({ data: { key: answer.id, customer: answer.customer } });
  after(async () => {
    await stripe.billing.meterEvents.create({
      event_name: "tokens", identifier: answer.id, payload: { stripe_customer_id: answer.customer, value: "1" },
    });
  });
  return Response.json(answer);
}
""",
        path="app/api/complete/route.ts",
    ),
)
