"""A usage event is sent without the field by which the provider recognises a repeat.

A time-out, a retry of the request, a redelivered webhook or a restarted job sends the same usage again, and the provider
adds it again: the customer pays twice. Give each event an identifier made from what was used (the request's, message's or
row's id), the same one on every attempt. A fresh UUID at send time is no identifier: a retry gets a new one.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rules.code import Code
from rules.edits import added_entry, added_field
from rules.facts import (
    Argument,
    Call,
    Function,
    Kind,
    Literal,
    chain,
    enclosing,
    fold,
)
from rules.meaning.arguments import Given, given
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.repeats.identity import natural_id
from rules.meaning.repeats.keys import USAGE
from rules.meaning.repeats.retries import retried
from rules.meaning.repeats.stored_first import stored_first
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.replacing import overwrites
from rules.meaning.vocabulary import words
from rules.providers import Key
from rules.rule import About, Classification, Confidence, Example, Finding, Fix, Severity, Variant
from rules.tracing.spared import by_hand, replaces
from rules.tracing.standing import standing, started_in

ABOUT = About(
    id="MTR-201",
    title="Meter event without an identifier",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D1",),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
    variants={
        "header-key-mistaken-for-event-key": Variant(
            "HTTP idempotency option used where the event key belongs", Severity.MEDIUM, ("D1", "D5"), cwe=("CWE-573",)
        )
    },
    gives_way_to=("guard-removed", "retry-without-stable-key"),
    unprompted=True,
)
CHARGES = ("invoiceitems.create", "invoiceitem.create", "invoiceitem.new", "invoiceitems.new", "v1invoiceitems.create")
"""Usage that is billed as a line of its own. The store behind each takes a key in the request's options."""
OWN_TABLES = frozenset("prisma db repository repo repositories model models dao tx session objects".split())
INVOICES = ("invoices.create", "invoice.create", "invoice.new", "invoices.new", "v1invoices.create", "invoice.createasync")
PAYMENTS = (
    "charges.create", "charge.create", "charge.new", "charges.new", "v1charges.create", "paymentintents.create",
    "paymentintent.create", "paymentintent.new", "paymentintents.new", "v1paymentintents.create", "transfers.create",
)  # fmt: skip
"""Money that is asked for as a whole. A checkout that a person starts is no run that repeats itself."""
INTENTS = (
    "paymentintents.create",
    "paymentintent.create",
    "paymentintent.new",
    "paymentintents.new",
    "v1paymentintents.create",
)
CONFIRMS = ("confirm", "offsession")
"""What makes an intent a charge at once. Any other waits for the customer's browser, and takes no money until then."""
GRANTS = ("billing.creditgrants.create", "billing.creditgrant.create", "v1billingcreditgrants.create")
"""Credits that Stripe keeps: each call makes one more."""
MADE_BEFORE = re.compile(r"\b(existing|already|duplicate|has_?\w*invoice)|invoice_?id|payment_?intent_?id", re.I)
"""Tests that ask whether it was made before."""
ON_PURPOSE = re.compile(
    r"\b(no|not|without|omit\w*|never)\b[^.]{0,40}\b(idempoten\w*|identifier|dedup\w*)|"
    r"\b(idempoten\w*|identifier)\b[^.]{0,40}\b(not needed|unnecessary|on purpose|intentional\w*|deliberate\w*)",
    re.I,
)
HOPS = 5
"""Calls between a job and what it makes."""
OPTION = ("idempotencykey", "setidempotencykey")


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        key = emission.record.key if emission.record else None
        if key is None or not (key.names or key.option_names) or overwrites(emission, key) or not emission.call.arguments:
            continue
        if key.required or key.natural or key.implicit or code.context(emission.scope) is Context.TEST:
            continue
        if replaces(code, emission) or by_hand(code, emission.scope):
            continue
        if stored_first(code, emission.scope, emission.call.span.start):
            continue
        for event in emission.events:
            if not has_key(event, emission.given, key):
                yield finding(code, emission, event, key)
                break
            if header_only(code, emission, event, key):
                yield mistaken(code, emission, event, key)
                break
    for call in code.facts.calls:
        if call.folded.endswith(CHARGES) and of_stripe(code, call):
            yield from charged(code, call)
        elif call.folded.endswith(GRANTS):
            yield from granted(code, call)
        elif call.folded.endswith((*INVOICES, *PAYMENTS)) and of_stripe(code, call):
            yield from demanded(code, call)


def of_stripe(code: Code, call: Call) -> bool:
    """`stripe.invoices.create`, or `client.invoices.create` where Stripe is used; `Invoice.create` is an own model."""
    if "stripe" in call.folded:
        return True
    return not call.name[:1].isupper() and "stripe" in " ".join(code.facts.packages).lower()


def has_key(event: Given, call: Given, key: Key) -> bool:
    """Unsure is quiet: an event or options that cannot be seen whole may hold the key."""
    if not event.complete or not call.complete:
        return True
    return event.first(key.names) is not None or call.first((*key.names, *key.option_names)) is not None


def meant(code: Code, emission: Emission) -> bool:
    """Whether a comment at the function says that the key is left out on purpose."""
    function = emission.function
    if function is None:
        return False
    near = " ".join(
        one.text for one in code.facts.comments if function.span.line - 20 <= one.span.line <= function.span.end_line
    )
    return bool(ON_PURPOSE.search(near))


def header_only(code: Code, emission: Emission, event: Given, key: Key) -> bool:
    """A queue may deliver again long after the request's key is forgotten; the event's own key is kept with the event."""
    return (
        bool(key.names)
        and event.complete
        and event.first(key.names) is None
        and emission.given.first(key.option_names) is not None
        and code.context(emission.scope) is Context.WORKER
    )


def finding(code: Code, emission: Emission, event: Given, key: Key) -> Finding:
    record = emission.record
    assert record is not None
    field, edit = None, None
    found = natural_id(code, emission.scope, emission.call.span.start)
    if written := key.written(code.facts.language):
        field = written
        alone = sum(one.function is emission.function for one in code.emissions) == 1
        edit = added_field(code.facts, emission.call, event, field, found) if found and alone else None
    field = field or key.option_written(code.facts.language)
    field = field or (*key.names, *key.option_names)[0]
    again = "the redelivered job" if code.context(emission.scope) in REDELIVERED else "a retry or a repeated request"
    return Finding(
        span=emission.call.span,
        description=f"This {record.title} carries no `{field}`, so {again} sends it as new usage and it is billed twice.",
        remediation=f"Pass `{field}` that belongs to this usage, such as {example(found)}, and keep it on a retry.",
        confidence=confidence(code, emission),
        fix=Fix(f"Add `{field}`", (edit,)) if edit else None,
    )


def confidence(code: Code, emission: Emission) -> Confidence:
    """In a project that is judged as it stands, what would send it again must be seen; nobody has just left the key out."""
    if meant(code, emission) or (code.elsewhere.swept and not runs_again(code, emission.call)):
        return Confidence.POSSIBLE
    return Confidence.CERTAIN


def runs_again(code: Code, call: Call) -> bool:
    """Whether there is a retry around it, or a job, a webhook or a clock runs it or leads to it.

    A request that a customer sends again is mostly new usage, and is no such thing; nor is a retry in another file seen.
    """
    if retried(code, call.scope) is not None or code.context(call.scope) in REDELIVERED:
        return True
    found = standing(code, call.span.line)
    return found is not None and started_in(*found, REDELIVERED, HOPS)


def mistaken(code: Code, emission: Emission, event: Given, key: Key) -> Finding:
    record = emission.record
    assert record is not None
    field = key.written(code.facts.language) or key.names[0]
    option = emission.given.first(key.option_names)
    assert option is not None
    value = code.facts.text(option.span)
    edit = added_entry(code.facts, event.literal, field, value) if event.literal is not None else None
    return Finding(
        span=emission.call.span,
        description=(
            f"Only the request carries a key here, not the {record.title} itself: the provider forgets it within a day and "
            "replays a stored failure under it, while this job may run again later and is then billed twice."
        ),
        remediation=f"Pass the same value as `{field}` of the event.",
        confidence=Confidence.LIKELY,
        severity=Severity.MEDIUM,
        variant="header-key-mistaken-for-event-key",
        fix=Fix(f"Add `{field}`", (edit,), safe=False) if edit else None,
    )


def charged(code: Code, call: Call) -> Iterator[Finding]:
    """An invoice item for usage, made where it is made again after a failure."""
    if code.context(call.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT) or not call.arguments:
        return
    options = given(code.values, call)
    if options.first(OPTION) is not None or unseen_options(call) or not for_usage(code, call):
        return
    again = code.context(call.scope) in REDELIVERED
    yield Finding(
        span=call.span,
        description="This invoice item for usage carries no idempotency key, so a repeat of the request bills it twice.",
        remediation="Give the request an idempotency key made of the invoice, the price and the period.",
        confidence=Confidence.LIKELY if again or "usage" in fold(code.function_name(call.scope)) else Confidence.POSSIBLE,
    )


def granted(code: Code, call: Call) -> Iterator[Finding]:
    """A credit grant: made where a payment arrives, which is told more than once."""
    options = given(code.values, call)
    if code.context(call.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT) or not call.arguments:
        return
    if options.complete and options.first(OPTION) is None:
        yield Finding(
            span=call.span,
            description="This credit grant is made without an idempotency key: a redelivered webhook or a retry grants the "
            "credits once more.",
            remediation="Give the request an idempotency key made of the payment or session that the credits were bought with.",
            confidence=Confidence.POSSIBLE if asked_before(code, call) else Confidence.LIKELY,
        )


def demanded(code: Code, call: Call) -> Iterator[Finding]:
    """An invoice or a payment, made by code that runs again by itself or is called by whoever retries."""
    if OWN_TABLES & set(words(call.name)):
        return
    context = code.context(call.scope)
    if context not in (*REDELIVERED, Context.LIBRARY) or not call.arguments:
        return
    invoice = call.folded.endswith(INVOICES)
    options = given(code.values, call)
    if not options.complete or options.first(OPTION) is not None or (not invoice and context not in REDELIVERED):
        return
    if call.folded.endswith(INTENTS) and not confirmed(code, call, options):
        return
    what = "invoice" if invoice else "payment"
    yield Finding(
        span=call.span,
        description=f"This {what} is created without an idempotency key: after a time-out, a retry leaves two of them.",
        remediation="Give the request an idempotency key made of the id that this stands for in your own records.",
        confidence=Confidence.LIKELY if comes_again(code, call) and not asked_before(code, call) else Confidence.POSSIBLE,
    )


def confirmed(code: Code, call: Call, options: Given) -> bool:
    """Whether a payment intent is charged by this code, when it is made or by a later call of the function."""
    asked = [value for name in CONFIRMS if (value := options.first((name,))) is not None]
    if any(not (isinstance(value, Literal) and value.value is False) for value in asked):
        return True
    function = enclosing(call.scope, Kind.FUNCTION)
    return any(fold(one.method) == "confirm" and "intent" in one.folded for one in code.calls_in(function))


def comes_again(code: Code, call: Call) -> bool:
    """Whether something runs the call once more: a retry around it, a webhook, or a job that hears of its failure."""
    if retried(code, call.scope) is not None or code.context(call.scope) is Context.WEBHOOK:
        return True
    if any(outcome(code.facts, one) is not Outcome.RETHROWN for one in handlers_of(code, call, call)):
        return False
    if code.context(call.scope) in REDELIVERED:
        return True
    found = standing(code, call.span.line)
    if found is None:
        return False
    if not code.elsewhere.whole:
        # It hands the failure on to somebody, and a review does not see all who call it.
        return True
    return started_in(*found, REDELIVERED, HOPS)


def asked_before(code: Code, call: Call) -> bool:
    """Whether the function asks first if it was made already, for instance by the id that is stored of it."""
    function = enclosing(call.scope, Kind.FUNCTION)
    return function is not None and any(
        test.span.end <= call.span.start
        and function.span.holds(test.span)
        and MADE_BEFORE.search(code.facts.text(test.value.span))
        for test in code.facts.tests
    )


def unseen_options(call: Call) -> bool:
    """A second argument is the request's options; keywords may come from elsewhere."""
    plain: list[Argument] = [one for one in call.arguments if one.name is None]
    return len(plain) > 1 and not call.folded.endswith(("invoiceitem.new", "v1invoiceitems.create"))


def for_usage(code: Code, call: Call) -> bool:
    names = [one.head.name for one in chain(call.scope) if isinstance(one.head, Function)]
    said = {word for name in (PurePosixPath(code.facts.path).stem, *names) for word in words(name)}
    inside = {word for argument in call.arguments for word in words(code.facts.text(argument.span))}
    return bool((said | inside) & (USAGE | {"overage"}))


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

export async function afterItsRow(db: Database, receipt: Receipt) {
  try {
    await db.insert(receipts).values({ requestId: receipt.requestId, tokens: receipt.tokens });
  } catch (error) {
    if (error.code === "23505") return;
    throw error;
  }
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    payload: { stripe_customer_id: receipt.customer, value: String(receipt.tokens) },
  });
}

export async function orElseThrown(db: Database, receipt: Receipt) {
  try {
    await db.insert(receipts).values({ requestId: receipt.requestId, tokens: receipt.tokens });
  } catch (error) {
    if (error.code !== "23505") throw error;
    return;
  }
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    payload: { stripe_customer_id: receipt.customer, value: String(receipt.tokens) },
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function whateverItsRow(db: Database, receipt: Receipt) {
  try {
    await db.insert(receipts).values({ requestId: receipt.requestId, tokens: receipt.tokens });
  } catch (error) {
    if (error.code !== "23505") throw error;
  }
  await stripe.billing.meterEvents.create({  // <- finding
    event_name: "tokens",
    payload: { stripe_customer_id: receipt.customer, value: String(receipt.tokens) },
  });
}
""",
    ),
    Example(
        "python",
        """
import stripe

def whatever_its_row(session, receipt):
    try:
        session.insert(receipt)
    except IntegrityError as error:
        if "unique" not in str(error):
            raise
    stripe.billing.MeterEvent.create(  # <- finding
        event_name="tokens",
        payload={"stripe_customer_id": receipt.customer, "value": str(receipt.tokens)},
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
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v80/client"

func (c *stripeClient) CreateInvoice(ctx context.Context, input Input) (*stripe.Invoice, error) {
	params := &stripe.InvoiceParams{
		Customer: stripe.String(input.CustomerID),
		Currency: stripe.String(input.Currency),
	}
	return c.client.Invoices.New(params)  // <- finding
}

func (c *stripeClient) CreateKeyedInvoice(ctx context.Context, input Input) (*stripe.Invoice, error) {
	params := &stripe.InvoiceParams{Customer: stripe.String(input.CustomerID)}
	params.SetIdempotencyKey("invoice-" + input.InvoiceID)
	return c.client.Invoices.New(params)
}
""",
        path="billing/invoice.go",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function closePeriod(account: Account, period: Period) {
  await stripe.invoices.create({ customer: account.stripeId, auto_advance: true });  // <- finding
}

export async function closePeriodOnce(account: Account, period: Period) {
  await stripe.invoices.create(
    { customer: account.stripeId, auto_advance: true },
    { idempotencyKey: `close-${account.id}-${period.id}` },
  );
}
""",
        path="src/billing/close.ts",
    ),
    Example(
        "python",
        """
import stripe
from celery import shared_task

@shared_task
def top_up(account_id, amount):
    account = Account.objects.get(pk=account_id)
    stripe.PaymentIntent.create(amount=amount, customer=account.stripe_id, confirm=True)  # <- finding

@shared_task
def top_up_once(account_id, amount, top_up_id):
    account = Account.objects.get(pk=account_id)
    stripe.PaymentIntent.create(
        amount=amount, customer=account.stripe_id, confirm=True, idempotency_key=f"top-up-{top_up_id}"
    )
""",
        path="billing/tasks.py",
    ),
    Example(
        "php",
        """
<?php

namespace App\\Console\\Commands;

class SendMinutes extends Command
{
    protected $signature = 'minutes:send {customer} {minutes}';

    public function handle(): int
    {
        $this->stripe->billing->meterEvents->create([
            'event_name' => 'minutes',
            'payload' => ['stripe_customer_id' => $this->argument('customer'), 'value' => $this->argument('minutes')],
        ]);
        return 0;
    }
}
""",
        path="app/Console/Commands/SendMinutes.php",
        context={
            "app/Console/Kernel.php": """
<?php

class Kernel extends ConsoleKernel
{
    protected $commands = [SendMinutes::class];
}
""",
        },
    ),
    Example(
        "php",
        """
<?php

namespace App\\Console\\Commands;

class SendMinutes extends Command
{
    protected $signature = 'minutes:send';

    public function handle(): int
    {
        $this->stripe->billing->meterEvents->create([  // <- finding
            'event_name' => 'minutes',
            'payload' => ['stripe_customer_id' => $this->customer, 'value' => $this->minutes],
        ]);
        return 0;
    }
}
""",
        path="app/Console/Commands/SendMinutes.php",
        context={
            "app/Console/Kernel.php": """
<?php

class Kernel extends ConsoleKernel
{
    protected function schedule(Schedule $schedule)
    {
        $schedule->command('minutes:send')->hourly();
        $this->usage->meter('minutes');
    }
}
""",
        },
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v72"

func (s *Service) reconcileUsage(ctx context.Context, item string, total int64) error {
	_, err := s.client.UsageRecords.New(&stripe.UsageRecordParams{
		SubscriptionItem: stripe.String(item),
		Quantity:         stripe.Int64(total),
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

export async function onPlanChosen(req: WebhookRequest, res: Response) {
  const intent = await stripe.paymentIntents.create({ amount: req.body.price, currency: "eur", customer: req.body.customer });
  res.json({ clientSecret: intent.client_secret });
}

export async function onPlanRenewed(req: WebhookRequest, res: Response) {
  await stripe.paymentIntents.create({  // <- finding
    amount: req.body.price, currency: "eur", customer: req.body.customer, off_session: true, confirm: true,
  });
  res.sendStatus(204);
}
""",
        path="src/webhooks/plans.ts",
    ),
)
