"""Two different uses get the same idempotency key, and the second is dropped as a repeat of the first.

A key made of the customer and the second, the day, a constant or the meter's name does not say which use is meant: what
arrives second is refused or ignored without an error, and is never billed. So does one key that is given to every event of a
batch, and a fallback such as `"unknown"` for events without an id. Put the id of what was used into the key: the request's,
message's, job's or row's. A key per customer, meter and period is right only for a value already summed over that period.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Name,
    Scope,
    Span,
    chain,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.repeats.keys import Key, keys_of, records_of, written
from rules.meaning.repeats.segments import Part, Segment, is_coarse, segments_of
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-203",
    title="Key lacks event identity (customer + second, day, constant)",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("D3",),
    cwe=("CWE-694",),
    iso_25010="Functional suitability / functional correctness",
    unprompted=True,
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})
COMMON = frozenset({Part.CONSTANT, Part.CUSTOMER, Part.FEATURE, Part.AMOUNT, Part.TIME, Part.CLOCK})
"""Parts that several uses of one customer share."""
SUMMED = frozenset(
    "total totals sum summed aggregate aggregated rollup summary daily monthly hourly period close finalize".split()
)
NONCES = frozenset("nonce sequence seq salt discriminator event request message".split())


def check(code: Code) -> Iterator[Finding]:
    reported: set[Span] = set()
    for found in every(code):
        if found.span not in reported:
            reported.add(found.span)
            yield found


def every(code: Code) -> Iterator[Finding]:
    for key in keys_of(code):
        if code.context(key.scope) in QUIET:
            continue
        found = shared_by_batch(code, key) or constant_fallback(code, key) or without_identity(code, key)
        if found is not None:
            yield found
    for key in records_of(code):
        if code.context(key.scope) not in QUIET and (found := same_instant(code, key)) is not None:
            yield found
    yield from ignoring_builders(code)


def without_identity(code: Code, key: Key) -> Finding | None:
    """A key of nothing but the customer, the meter and a coarse time."""
    parts = segments_of(code, key.value, key.scope, key.at)
    kinds = {one.part for one in parts}
    if key.queued:
        return kept_job(code, key, parts)
    if not kinds or kinds - COMMON or (key.emission is None and not kinds & {Part.TIME, Part.CLOCK}):
        return None
    if summed(code, key) or overwrites(key) or not meaningful(parts):
        return None
    if Part.CLOCK in kinds and Part.TIME not in kinds and not is_coarse(code, key):
        return None
    sure = key.emission is not None and key.emission.direct
    if kinds <= {Part.CONSTANT}:
        return None if not sure else said(code, key, "is the same for every event", Confidence.CERTAIN)
    if not kinds & {Part.TIME, Part.CLOCK}:
        names = ", ".join(sorted({f"`{one.name}`" for one in parts if one.part is not Part.CONSTANT}))
        return said(code, key, f"is made of {names} alone", Confidence.CERTAIN if sure else Confidence.POSSIBLE)
    if Part.CUSTOMER not in kinds:
        return None
    when = "the time of the event" if Part.TIME in kinds else "the clock, cut to a second or more"
    return said(code, key, f"tells two uses of one customer apart only by {when}", Confidence.LIKELY)


def kept_job(code: Code, key: Key, parts: tuple[Segment, ...]) -> Finding | None:
    """A job id per customer and period: while the queue keeps the finished job, it ignores every later one."""
    kinds = {one.part for one in parts}
    kept = (
        next((one.value for one in key.holder.entries if fold(one.name or "") == "removeoncomplete"), None)
        if key.holder
        else None
    )
    if (
        kept is None
        or (isinstance(kept, Literal) and kept.value is True)
        or kinds - COMMON - {Part.PERIOD}
        or Part.CLOCK in kinds
    ):
        return None
    if Part.CUSTOMER not in kinds:
        return None
    return Finding(
        span=key.value.span,
        cause=key.value.span,
        description=(
            "This job id is the same for all work of one customer and period, and finished jobs are kept: the queue ignores "
            "every later job of that id, so usage that arrives after the first is never counted."
        ),
        remediation="Remove finished jobs (`removeOnComplete: true`), or put what the job is about into its id.",
        confidence=Confidence.LIKELY,
    )


def said(code: Code, key: Key, what: str, sure: Confidence) -> Finding:
    whole = written(code, key)
    return Finding(
        span=whole.span,
        cause=key.cause,
        description=f"The key of {key.title} {what}, so another use is dropped as a repeat and never billed.",
        remediation="Put the id of what was used into the key: the request's, message's, job's or row's.",
        confidence=sure,
        trace=(Step(key.cause, "the key is given here"),) if key.cause.line != whole.span.line else (),
    )


def meaningful(parts: tuple[Segment, ...]) -> bool:
    """`None`, `undefined` and an empty text are no key at all."""
    return any(not isinstance(one.expression, Literal) or one.expression.value not in (None, "", False, 0) for one in parts)


def summed(code: Code, key: Key) -> bool:
    """Whether what is sent is already a sum over a period, for which one key per period is right."""
    if code.context(key.scope) is Context.SCHEDULE:
        return True
    names = [one.head.name for one in chain(key.scope) if isinstance(one.head, Function)]
    if key.emission is not None:
        for given in (*key.emission.events, key.emission.given):
            names += [text for value in given.named.values() for text in spoken(code, value, key.scope)]
    return any(SUMMED & set(words(name)) for name in names)


def spoken(code: Code, value: Expression, scope: Scope) -> Iterator[str]:
    for part in walk(value):
        if isinstance(part, Name):
            yield part.text
            whole = resolved(code.values, part, scope, part.span.start)
            if isinstance(whole, Call):
                yield whole.method
        elif not isinstance(part, Literal):
            yield getattr(part, "name", "") or ""


def overwrites(key: Key) -> bool:
    record = key.emission.record if key.emission is not None else None
    if key.emission is None or record is None or record.key is None:
        return False
    if record.key.natural:
        return True
    return any(
        isinstance(value := key.emission.given.named.get(name), Literal) and str(value.value).lower() in harmless
        for name, harmless in record.key.natural_when.items()
    )


def constant_fallback(code: Code, key: Key) -> Finding | None:
    """`request.id or "unknown"`: every event without an id has the same one."""
    whole = written(code, key)
    last: Expression | None = None
    if isinstance(whole, Logical) and whole.operator in ("or", "??"):
        last = whole.right
    elif isinstance(whole, Call) and fold(whole.method) == "get" and len(whole.arguments) == 2:
        last = whole.arguments[1].value
    if key.shaped or not isinstance(last, Literal) or not isinstance(last.value, str) or not last.value:
        return None
    return said(code, key, f'falls back to "{last.value}" for every event that has none', Confidence.LIKELY)


def in_metadata(code: Code, key: Key) -> bool:
    """`metadata={**given, "idempotency_key": key}`: noted beside the row, and no key of it."""
    for call in code.facts.calls:
        for argument in call.arguments if call.span.holds(key.value.span) else ():
            named = [
                argument.name or "",
                *(
                    entry.name or ""
                    for entry in getattr(argument.value, "entries", ())
                    if entry.value.span.holds(key.value.span) and entry.value is not key.value
                ),
            ]
            if argument.span.holds(key.value.span) and any(
                {"metadata", "meta", "context", "extra"} & set(words(one)) for one in named
            ):
                return True
    return False


def shared_by_batch(code: Code, key: Key) -> Finding | None:
    """One value, made outside the loop over a batch, as the key of each of its events."""
    loop = around(code, key.scope)
    if loop is None or key.shaped or in_metadata(code, key):
        return None
    whole = written(code, key)
    for one in alternatives(whole):
        if isinstance(one, Literal | Lambda) or not named_outside(code, one, loop, key):
            continue
        text = code.facts.text(one.span)
        return Finding(
            span=whole.span,
            cause=key.cause,
            description=(
                f"`{text}` is one value for the whole batch and becomes the key of every event in it: the first is stored, "
                "the others are dropped as repeats and never billed."
            ),
            remediation=f"Make each event's key its own: join `{text}` with the event's id or its place in the batch.",
            confidence=Confidence.LIKELY,
        )
    return None


def alternatives(whole: Expression) -> Iterator[Expression]:
    if isinstance(whole, Logical):
        yield from alternatives(whole.left)
        yield from alternatives(whole.right)
    else:
        yield whole


def around(code: Code, scope: Scope) -> Scope | None:
    """The loop over things, or the callback of `map` and its kind, that a key stands in."""
    for outer in chain(scope):
        head = outer.head
        if isinstance(head, Loop):
            return outer if goes_over_things(code, outer, head) else None
        if isinstance(head, Function):
            return outer if fold(head.passed_to).rsplit(".", 1)[-1] in ("map", "foreach", "flatmap") else None
    return None


def goes_over_things(code: Code, loop: Scope, head: Loop) -> bool:
    if head.iterates is not None:
        return not (isinstance(head.iterates, Call) and fold(head.iterates.method) == "range")
    counted = {part.text for part in walk(head.test) if isinstance(part, Name)} if head.test is not None else set()
    return any(
        assign.value is not None and within(assign.scope, loop) and f"[{name}]" in code.facts.text(assign.value.span)
        for assign in code.facts.assigns
        for name in counted
    )


def named_outside(code: Code, one: Expression, loop: Scope, key: Key) -> bool:
    """Whether every name in an alternative was bound before the loop, and at least one is a variable of the function."""
    names = [part for part in walk(one) if isinstance(part, Name)]
    if not names or any(isinstance(part, Call) for part in walk(one)):
        return False
    known = 0
    for name in names:
        found = definitions_at(code.values, name.text, key.scope, key.at)
        if not found or any(within(each.scope, loop) or each.how == "loop" for each in found):
            return False
        known += all(Kind.MODULE is not each.scope.kind for each in found)
    return known > 0


def same_instant(code: Code, key: Key) -> Finding | None:
    """The id of a usage record that is only a customer and a moment."""
    kinds = {one.part for one in segments_of(code, key.value, key.scope, key.at)}
    if kinds - {Part.CUSTOMER, Part.CLOCK, Part.CONSTANT, Part.FEATURE} or not kinds >= {Part.CUSTOMER, Part.CLOCK}:
        return None
    moment = "second" if is_coarse(code, key) else "millisecond"
    return said(code, key, f"tells two uses of one customer apart only by the {moment}", Confidence.LIKELY)


def ignoring_builders(code: Code) -> Iterator[Finding]:
    """A function that makes keys takes a part that would tell events apart, and leaves it out."""
    for scope in code.facts.scopes:
        head = scope.head
        if not isinstance(head, Function) or not makes_keys(head.name) or code.context(scope) in QUIET:
            continue
        for name in accepted(code, scope, head):
            made = assembled(code, scope)
            if NONCES & set(words(name)) and made is not None and not used(code, scope, head, name):
                yield Finding(
                    span=made,
                    cause=scope.span,
                    description=(
                        f"`{head.name}` takes `{name}` and leaves it out of the key, so two events that differ in nothing "
                        "else have one key and the second is dropped."
                    ),
                    remediation=f"Put `{name}` into the key.",
                    confidence=Confidence.LIKELY,
                )
                break


def makes_keys(name: str) -> bool:
    said = words(name)
    return bool({"idempotency", "idempotent", "dedup", "dedupe", "deduplication"} & set(said)) and bool(
        {"key", "id"} & set(said[1:])
    )


def accepted(code: Code, scope: Scope, head: Function) -> Iterator[str]:
    """The names of parameters, and of the properties that a parameter's own type lists."""
    for parameter in head.parameters:
        if parameter.name:
            yield parameter.name
        if parameter.type.lstrip(": ").startswith("{"):
            yield from (
                piece.split(":")[0].strip(" ?{\n\t") for piece in parameter.type.replace(",", ";").split(";") if ":" in piece
            )


def used(code: Code, scope: Scope, head: Function, name: str) -> bool:
    """Whether a name occurs in the function after its parameters; a parameter passed on whole takes it along."""
    end = max(one.span.end for one in head.parameters)
    body = code.facts.source[end : scope.span.end].decode(errors="replace")
    whole = {parameter.name for parameter in head.parameters if parameter.type.lstrip(": ").startswith("{")}
    passed = any(
        isinstance(argument.value, Name) and argument.value.text in whole
        for call in code.calls_in(scope)
        for argument in call.arguments
    )
    return passed or name in body


def assembled(code: Code, scope: Scope) -> Span | None:
    """Where the key is put together: the first list or template of two or more pieces."""
    places: list[tuple[Expression | None, Scope, Span]] = [(one.value, one.scope, one.span) for one in code.facts.assigns]
    places += [(one.value, one.scope, one.span) for one in code.facts.returns]
    for value, inner, span in sorted(places, key=lambda place: place[2].start):
        if within(inner, scope) and value is not None and len([one for one in walk(value) if isinstance(one, Name)]) > 1:
            return span
    return None


EXAMPLES = (
    Example(
        "python",
        """
import time
import stripe

def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=f"{customer.id}-{int(time.time())}",  # <- finding
        payload={"stripe_customer_id": customer.id, "value": str(tokens)},
    )

def report_call(customer_id):
    stripe.billing.MeterEvent.create(
        event_name="calls",
        identifier=f"calls-{customer_id}",  # <- finding
        payload={"stripe_customer_id": customer_id, "value": "1"},
    )

def report_event(event):
    stripe.billing.MeterEvent.create(
        event_name="calls",
        identifier=event.get("request_id", "unknown"),  # <- finding
        payload={"stripe_customer_id": event["customer"], "value": "1"},
    )
""",
    ),
    Example(
        "python",
        """
import stripe

def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=f"{customer.id}-{request_id}",
        payload={"stripe_customer_id": customer.id, "value": str(tokens)},
    )

def report_period(customer, period_start, total_tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=f"tokens-{customer.id}-{period_start.isoformat()}",
        payload={"stripe_customer_id": customer.id, "value": str(total_tokens)},
    )

def report_batch(events):
    for event in events:
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=event["id"],
            payload={"stripe_customer_id": event["customer"], "value": event["tokens"]},
        )
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function reportCall(customer: string) {
  const day = new Date().toISOString().slice(0, 10);
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: `${customer}-${day}`,  // <- finding
    payload: { stripe_customer_id: customer, value: "1" },
  });
}

export async function ingest(request: Request, store: UsageStore, events: UsageEvent[]) {
  const headerKey = request.headers.get("idempotency-key");
  const rows = [];
  for (const event of events) {
    const idempotencyKey = event.idempotencyKey ?? headerKey;  // <- finding
    rows.push({ ...event, idempotencyKey });
  }
  await store.insertUsage(rows);
}

export function usageIdempotencyKey(params: { tenant: string; metric: string; ts: string; nonce?: string }) {
  const { tenant, metric, ts } = params;
  return [tenant, metric, ts].join(":");  // <- finding
}

export async function recordUsage(store: UsageEvent[], userId: string, amount: number) {
  store.push({ id: `${userId}-${Date.now()}`, userId, amount });  // <- finding
}

export async function queueUsage(usageQueue: Queue, job: { tenantId: string; metric: string; periodStart: string }) {
  await usageQueue.add("aggregate", job, {
    jobId: `${job.tenantId}:${job.metric}:${job.periodStart}`,  // <- finding
    removeOnComplete: 100,
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function reportCall(customer: string, requestId: string) {
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: `${customer}-${requestId}`,
    payload: { stripe_customer_id: customer, value: "1" },
  });
}

export async function reportDay(customer: string, day: string, dailyTotal: number) {
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: `${customer}-${day}`,
    payload: { stripe_customer_id: customer, value: String(dailyTotal) },
  });
}

export async function ingest(request: Request, store: UsageStore, events: UsageEvent[]) {
  const headerKey = request.headers.get("idempotency-key");
  const rows = events.map((event, place) => ({ ...event, idempotencyKey: event.idempotencyKey ?? `${headerKey}:${place}` }));
  await store.insertUsage(rows);
}

export function usageIdempotencyKey(params: { tenant: string; metric: string; ts: string; nonce?: string }) {
  const { tenant, metric, ts, nonce } = params;
  return [tenant, metric, ts, nonce].join(":");
}

export async function queueUsage(usageQueue: Queue, job: { tenantId: string; metric: string; periodStart: string }) {
  await usageQueue.add("aggregate", job, {
    jobId: `${job.tenantId}:${job.metric}:${job.periodStart}`,
    removeOnComplete: true,
  });
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
	"time"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customerID string) error {
	key := fmt.Sprintf("%s-%d", customerID, time.Now().Unix())  // <- finding
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("calls"),
		Identifier: stripe.String(key),
		Payload:    map[string]string{"stripe_customer_id": customerID, "value": "1"},
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
	"fmt"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customerID, requestID string) error {
	key := fmt.Sprintf("%s-%s", customerID, requestID)
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("calls"),
		Identifier: stripe.String(key),
		Payload:    map[string]string{"stripe_customer_id": customerID, "value": "1"},
	})
	return err
}
""",
    ),
)
