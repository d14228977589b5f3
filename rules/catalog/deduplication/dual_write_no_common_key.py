"""Usage is written twice, to the own database and to the provider, and nothing ties the two records together.

One of the two writes fails or is repeated sooner or later, and then the figures differ: the dashboard shows one sum, the
invoice another, and there is no id by which to find the difference. Write the own row first and send it on from there,
with the row's id as the provider's key, so that a repeat is recognised and a reconciliation can match them one by one.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Literal, Member, Name, Scope, chain, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import exclusive
from rules.meaning.origins import Kinds
from rules.meaning.repeats.keys import OWN_KEYS
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.writes import UsageWrite, inserts_usage, usage_writes
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-210",
    title="Local counter and provider both written without shared id or transaction",
    severity=Severity.MEDIUM,
    classification=Classification.SUGGESTION,
    classes=("D8",),
    cwe=("CWE-662",),
    iso_25010="Reliability / recoverability",
    gives_way_to=(
        "missing-idempotency-key",
        "unstable-key-random",
        "colliding-key",
        "retry-without-stable-key",
        "emit-error-swallowed",
        "emit-not-awaited",
        "usage-only-in-outgoing-call",
    ),
)
RELAY = frozenset(
    "relay outbox sync flush drain process reconcile backfill retry pending unsent replay resend migrate mirror export".split()
)


def check(code: Code) -> Iterator[Finding]:
    sent = [one for one in code.emissions if one.direct and one.record is not None]
    if not sent:
        return
    said: set[Scope] = set()
    for emission in sent:
        function = emission.function
        if function is None or function in said or skipped(code, emission):
            continue
        write = beside(code, emission, function)
        if write is not None and not tied(code, emission, write):
            said.add(function)
            yield finding(code, emission, write)


def skipped(code: Code, emission: Emission) -> bool:
    """Tests, and code whose work it is to carry stored usage on to the provider."""
    if code.context(emission.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT, Context.SCHEDULE):
        return True
    names = [one.head.name for one in chain(emission.scope) if isinstance(one.head, Function)]
    key = emission.record.key if emission.record else None
    return any(RELAY & set(words(name)) for name in names) or (key is not None and key.natural)


def beside(code: Code, emission: Emission, function: Scope) -> UsageWrite | None:
    """The own write of the same usage, in the same function and on the same path."""
    for write in usage_writes(code):
        if write.function is not function or write.call is emission.call or write.call is None:
            continue
        if any(other.call is write.call for other in code.emissions) or exclusive(write.scope, emission.scope):
            continue
        counted = any(one.call is write.call and one.change in ("add", "subtract") for one in code.counters)
        if counted or inserts_usage(write.call):
            return write
    return None


def tied(code: Code, emission: Emission, write: UsageWrite) -> bool:
    """Whether the provider's key and the own row share an id: then the two can be matched."""
    key = provider_key(emission)
    if key is None:
        return not all(event.complete for event in emission.events)
    scope, at = emission.scope, emission.call.span.start
    names = {text for part in parts_of(code, key, scope, at) if (text := name_of(part))}
    assert write.call is not None
    targets = {text for target in write.call.targets for part in walk(target) if (text := name_of(part))}
    given = {
        text
        for argument in write.call.arguments
        for part in parts_of(code, argument.value, write.scope, write.span.start)
        if (text := name_of(part))
    }
    if names & (targets | given):
        return True
    kinds = {origin.kind for origin in code.origins(key, scope, at)}
    # A key that is stored or given may tie the two somewhere that is not in view.
    return not kinds <= {Kinds.CLOCK, Kinds.RANDOM, Kinds.LITERAL} or is_own_key(names)


def provider_key(emission: Emission) -> Expression | None:
    key = emission.record.key if emission.record else None
    names = (*key.names, *key.option_names) if key else OWN_KEYS
    return next((found for one in (*emission.events, emission.given) if (found := one.first(names)) is not None), None)


def is_own_key(names: set[str]) -> bool:
    return any({"id", "key"} & set(words(name)) and {"request", "event", "usage", "row"} & set(words(name)) for name in names)


def parts_of(code: Code, value: Expression, scope: Scope, at: int) -> Iterator[Expression]:
    yield from walk(value)
    whole = resolved(code.values, value, scope, at)
    if whole is not value:
        yield from walk(whole)


def name_of(part: Expression) -> str:
    match part:
        case Name(text=text):
            return text
        case Member(name=name) if fold(name) not in ("id", "value", "quantity", "customer", "tokens"):
            return name
        case Literal(value=str(text)) if len(text) > 7:
            return text
        case _:
            return ""


def finding(code: Code, emission: Emission, write: UsageWrite) -> Finding:
    call: Call = emission.call
    keyless = provider_key(emission) is None
    what = "has no key" if keyless else "has a key that the own row does not know"
    return Finding(
        span=call.span,
        cause=call.span,
        description=(
            f"The usage is written by {write.title} and again by the {emission.title}, which {what}: when one of the two fails "
            "or is repeated, they drift apart and nothing tells by which event."
        ),
        remediation="Store the row first and give its id to the provider as the event's key.",
        confidence=Confidence.POSSIBLE,
        trace=(Step(write.span, "the own record is written here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
import stripe

def track(db, customer, tokens):
    db.usage_records.insert_one({"customer": customer.id, "tokens": tokens})
    stripe.billing.MeterEvent.create(  # <- finding
        event_name="tokens",
        identifier=str(uuid.uuid4()),
        payload={"stripe_customer_id": customer.stripe_id, "value": str(tokens)},
    )
""",
    ),
    Example(
        "python",
        """
import stripe

def track(db, customer, tokens, request_id):
    row = db.usage_records.insert_one({"customer": customer.id, "tokens": tokens, "request_id": request_id})
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=str(row.inserted_id),
        payload={"stripe_customer_id": customer.stripe_id, "value": str(tokens)},
    )

def relay_pending(db):
    for row in db.usage_records.find({"sent": False}):
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=str(row["_id"]),
            payload={"stripe_customer_id": row["customer"], "value": str(row["tokens"])},
        )
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function track(customer: Customer, tokens: number) {
  await prisma.usageRecord.create({ data: { customerId: customer.id, tokens } });
  await stripe.billing.meterEvents.create({  // <- finding
    event_name: "tokens",
    identifier: crypto.randomUUID(),
    payload: { stripe_customer_id: customer.stripeId, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function track(customer: Customer, tokens: number) {
  const usage = await prisma.usageRecord.create({ data: { customerId: customer.id, tokens } });
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier: usage.id,
    payload: { stripe_customer_id: customer.stripeId, value: String(tokens) },
  });
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v82"

func (s *Service) Track(ctx context.Context, customer Customer, tokens int) error {
	if err := s.db.Create(&UsageRecord{CustomerID: customer.ID, Tokens: tokens}).Error; err != nil {
		return err
	}
	_, err := s.stripe.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{  // <- finding
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(uuid.NewString()),
		Payload:    map[string]string{"stripe_customer_id": customer.StripeID, "value": strconv.Itoa(tokens)},
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

func (s *Service) Track(ctx context.Context, customer Customer, tokens int) error {
	usage := UsageRecord{ID: uuid.NewString(), CustomerID: customer.ID, Tokens: tokens}
	if err := s.db.Create(&usage).Error; err != nil {
		return err
	}
	_, err := s.stripe.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(usage.ID),
		Payload:    map[string]string{"stripe_customer_id": customer.StripeID, "value": strconv.Itoa(tokens)},
	})
	return err
}
""",
    ),
)
