"""The idempotency key is made of a fresh UUID, a random number or the clock at the moment of sending.

Each attempt then has a key of its own, so the provider cannot tell a repeat from new usage: a retried request, a redelivered
message or a restarted job is billed twice. Make the key from what was used (the id of the request, message, job or row), or
make it once, store it with the event, and send the stored one.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Conditional,
    Expression,
    Logical,
    Member,
    Name,
    Object,
    Span,
    chain,
    fold,
    outermost_function,
    walk,
    within,
)
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.origins import Kinds, Origin
from rules.meaning.outcomes import stores
from rules.meaning.repeats.identity import natural_id
from rules.meaning.repeats.keys import NAMED, Key, keys_of, written
from rules.meaning.repeats.retries import retried
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.spared import unfilled

ABOUT = About(
    id="MTR-202",
    title="Idempotency key changes with every attempt",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D2",),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
    gives_way_to=("colliding-key", "retry-without-stable-key"),
)
FRESH = (Kinds.CLOCK, Kinds.RANDOM)


ONE_OFF = re.compile(r"(migrat|backfill|seed|one-?off)[^/]*$", re.I)
"""Scripts that somebody runs once and watches."""


RESERVES = frozenset("reserve hold authorize authorise preauthorize precharge predebit".split())
RUNS = frozenset("batch run snapshot sweep".split())


def check(code: Code) -> Iterator[Finding]:
    reported: set[Span] = set()
    for key in keys_of(code):
        if code.context(key.scope) in (Context.TEST, Context.BROWSER) or ONE_OFF.search(code.facts.path):
            continue
        fresh = made_anew(code, key)
        if fresh is not None and fresh.expression.span not in reported and not stored_first(code, key):
            reported.add(fresh.expression.span)
            yield finding(code, key, fresh)


def made_anew(code: Code, key: Key) -> Origin | None:
    """The part of the key that is new on each call. Unsure is quiet: a key outside every function is one per process."""
    if key.function is None and key.emission is None:
        return None
    return next((one for one in code.origins(key.value, key.scope, key.at) if one.kind in FRESH), None)


def stored_first(code: Code, key: Key) -> bool:
    """A key that was written down before it is sent stays the same on a retry."""
    names = {part.text for part in walk(key.value) if isinstance(part, Name)}
    return bool(names) and any(
        call.span.end <= key.cause.start and stores(call) and mentions(call, names) for call in code.calls_in(key.function)
    )


def mentions(call: Call, names: set[str]) -> bool:
    return any(isinstance(part, Name) and part.text in names for argument in call.arguments for part in walk(argument.value))


def finding(code: Code, key: Key, fresh: Origin) -> Finding:
    found = natural_id(code, key.scope, key.at)
    again = repeats(code, key)
    made = code.facts.text(fresh.expression.span)
    whole = written(code, key)
    holds_it = whole.span.holds(fresh.expression.span)
    alone = found is not None and sum(one.function is key.function for one in code.emissions) == 1
    fix = Fix(f"Use `{found}`", (Edit(whole.span.start, whole.span.end, found),)) if found and holds_it and alone else None
    return Finding(
        span=fresh.expression.span,
        cause=key.cause,
        description=f"The key of {key.title} comes from `{made}`, so a retry carries another key and is billed again.",
        remediation=f"Use {f'`{found}`' if found else 'an id of what was used'} on every attempt, or store the key first.",
        confidence=confidence(code, key, fresh, again, found is not None),
        severity=None if again or found else Severity.MEDIUM,
        trace=(Step(key.cause, "the key is given here"),) if key.cause.line != fresh.expression.span.line else (),
        fix=fix,
    )


def repeats(code: Code, key: Key) -> bool:
    return code.context(key.scope) in REDELIVERED or retried(code, key.scope) is not None


def confidence(code: Code, key: Key, fresh: Origin, again: bool, found: bool) -> Confidence:
    """A key made once, outside what is retried, or only for callers that give none, is mostly meant so."""
    if outlives_retry(code, key, fresh) or is_fallback(code, key, fresh) or handed_over(code, key) or of_snapshot(code, key):
        return Confidence.POSSIBLE
    if not again and opens_work(key, found):
        return Confidence.POSSIBLE
    if key.emission is not None and unfilled(code, key.emission.call):
        return Confidence.POSSIBLE
    if key.emission is None:
        return Confidence.LIKELY if (again and not key.queued) or found else Confidence.POSSIBLE
    return Confidence.CERTAIN if key.emission.certain and (again or found) else Confidence.LIKELY


def opens_work(key: Key, found: bool) -> bool:
    """A request that comes once more is new work at a price of its own: what is reserved before it takes a key of its own,
    and what the project's recorder is told needs an older one only where there is something older to make it of."""
    if key.emission is None or key.emission.record is not None:
        return False
    said = words(key.emission.call.method)
    return not found or bool(RESERVES & set(said[:2]))


def handed_over(code: Code, key: Key) -> bool:
    """`batcher.add([{ key: uuid() }])`, or a list of such that is handed on: what is put into a queue keeps its key over the
    attempts to send it."""
    if key.emission is not None:
        return False
    return is_put(key.title.strip("`").rpartition(".")[2]) or any(is_put(call.method) for call in given_to(code, key))


def is_put(method: str) -> bool:
    return words(method)[:1] in (("add",), ("enqueue",), ("push",), ("append",), ("buffer",))


def given_to(code: Code, key: Key) -> Iterator[Call]:
    """The calls that are given the variable in which the key's literal lies."""
    holder = key.holder
    around = outermost_function(key.scope)
    if holder is None or around is None:
        return
    kept = [one for one in code.facts.assigns if one.span.holds(holder.span) and within(one.scope, around)]
    names = {target.text for one in kept for target in one.targets if isinstance(target, Name)}
    for call in code.calls_in(around):
        if call.span.start > holder.span.end and any(
            isinstance(one.value, Name) and one.value.text in names for one in call.arguments
        ):
            yield call


def of_snapshot(code: Code, key: Key) -> bool:
    """What a schedule measures anew and marks with its run, `{ key: uuid(), value, batchId }`: readers take one run for one."""
    if key.holder is None or code.context(key.scope) is not Context.SCHEDULE:
        return False
    inside = [part for part in walk(key.holder) if isinstance(part, Object)]
    said = [words(entry.name) for one in inside for entry in one.entries if entry.name]
    return any(one[-1:] == ("id",) and RUNS & set(one) for one in said)


def outlives_retry(code: Code, key: Key, fresh: Origin) -> bool:
    around = retried(code, key.scope)
    return around is not None and not within(fresh.scope, around) and code.context(key.scope) not in REDELIVERED


def is_fallback(code: Code, key: Key, fresh: Origin) -> bool:
    """`given ?? randomUUID()`, `if key is None: key = …`: only a caller that names no key gets a fresh one."""
    names = {part.text if isinstance(part, Name) else part.name for part in walk(key.value) if isinstance(part, Name | Member)}
    for outer in chain(fresh.scope):
        if isinstance(outer.head, Branch) and outer.head.test is not None and asks_for_key(outer.head.test, names):
            return True
    made = fresh.expression.span
    wholes = (written(code, key), *values_given(code, key), *parts_given(code, key))
    return any(
        isinstance(part, Logical | Conditional) and part.span.holds(made) and has_own(code, key, part)
        for whole in wholes
        for part in walk(whole)
    ) or any(not is_fresh(code, value, key) for value in values_given(code, key)[1:])


def values_given(code: Code, key: Key) -> tuple[Expression, ...]:
    """What a key's variable may hold, latest first."""
    if not isinstance(key.value, Name):
        return ()
    found = definitions_at(code.values, key.value.text, key.scope, key.at)
    return tuple(one.value if one.value is not None else key.value for one in found)


def parts_given(code: Code, key: Key) -> Iterator[Expression]:
    """What the variables may hold of which a key is put together: `base = given or uuid4()` of `f"{base}:tokens"`."""
    for part in walk(key.value):
        if isinstance(part, Name) and part is not key.value:
            for one in definitions_at(code.values, part.text, key.scope, key.at):
                if one.value is not None:
                    yield one.value


def is_fresh(code: Code, value: Expression, key: Key) -> bool:
    return any(one.kind in FRESH for one in code.origins(value, key.scope, key.at))


def asks_for_key(test: Expression, names: set[str]) -> bool:
    """Whether a test asks whether there is a key already."""
    said = {part.text if isinstance(part, Name) else part.name for part in walk(test) if isinstance(part, Name | Member)}
    return any(name in names or fold(name) in NAMED for name in said)


def has_own(code: Code, key: Key, part: Expression) -> bool:
    kinds = {one.kind for one in code.origins(part, key.scope, key.at)}
    return bool(kinds & {Kinds.PARAMETER, Kinds.STORED, Kinds.REQUEST, Kinds.CALL})


EXAMPLES = (
    Example(
        "python",
        """
import uuid
import stripe
from celery import shared_task

@shared_task(autoretry_for=(Exception,))
def report(customer, tokens, event_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=str(uuid.uuid4()),  # <- finding
        payload={"stripe_customer_id": customer, "value": tokens},
    )
""",
    ),
    Example(
        "python",
        """
import hashlib
import uuid
import stripe

def report(customer, tokens, event_id):
    key = hashlib.sha256(f"{customer}:{event_id}".encode()).hexdigest()
    stripe.billing.MeterEvent.create(
        event_name="tokens", identifier=key, payload={"stripe_customer_id": customer, "value": tokens}
    )

def report_stored(db, customer, tokens):
    key = str(uuid.uuid4())
    db.usage_events.insert(key=key, customer=customer, tokens=tokens)
    stripe.billing.MeterEvent.create(
        event_name="tokens", identifier=key, payload={"stripe_customer_id": customer, "value": tokens}
    )
""",
    ),
    Example(
        "typescript",
        """
import { randomUUID } from "crypto";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, requestId: string) {
  const identifier = `${customer}-${Date.now()}`;  // <- finding
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: randomUUID(),  // <- finding
    payload: { stripe_customer_id: customer, value: "1" },
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(usage: { id: string; customer: string; createdAt: Date; tokens: number }) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: `${usage.id}-${usage.createdAt.getTime()}`,
    payload: { stripe_customer_id: usage.customer, value: String(usage.tokens) },
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

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, customer string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(uuid.NewString()),  // <- finding
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
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

func report(ctx context.Context, sc *stripe.Client, customer string, runID string) error {
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(customer + ":" + runID),
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
)
