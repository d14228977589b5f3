"""Usage is reported through an interface that its provider has removed or replaced.

Stripe took usage records out of API version 2025-03-31 (basil) and out of the SDKs of that time: once the version or the SDK
is raised, every report fails, and the usage of that time is not billed. Move to billing meters: create a meter, put it on the
price, and send meter events with the customer, a value and an identifier. Where another provider's old call still works,
nothing is lost today, but new integrations should start with its successor.
"""

import re
from collections.abc import Iterator

from rules import providers
from rules.code import Code
from rules.facts import Call, Function, Member, Scope, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-117",
    title="Call of the removed usage-records API",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E14",),
    cwe=("CWE-477",),
    iso_25010="Maintainability; Compatibility",
    variants={
        "deprecated-provider-surface": Variant(
            "Deprecated provider field or call", Severity.LOW, ("E14",), classification=Classification.SUGGESTION
        )
    },
    unprompted=True,
)
CALLS = frozenset("createusagerecord createusagerecordasync".split())
ITEMS = frozenset("subscriptionitem subscriptionitems".split())
ROLES = frozenset("emit emit_batch query".split())
AWS_OLD = ("customeridentifier", "productcode")
AWS_NEW = ("licensearn", "customerawsaccountid")


def check(code: Code) -> Iterator[Finding]:
    for call in code.facts.calls:
        if code.context(call.scope) is Context.TEST or is_sdk(code, call.scope):
            continue
        record = record_of(code, call)
        if is_stripe(call) or (record is not None and record.deprecated is not None and record.title.startswith("Stripe")):
            yield removed(code, call, record)
        elif record is not None and record.deprecated is not None and record.role in ROLES:
            yield replaced(call, record, record.deprecated)
    for emission in code.emissions:
        if code.context(emission.scope) is not Context.TEST and old_aws_fields(emission):
            yield old_fields(emission)


def record_of(code: Code, call: Call) -> providers.Call | None:
    matched = providers.match(call.folded, code.facts.packages, code.facts.language)
    if matched is None:
        return next((one.record for one in code.emissions if one.call is call), None)
    return matched[1]


def is_stripe(call: Call) -> bool:
    """`subscriptionItems.createUsageRecord`, however it is cast, and the old private helpers with the same two names."""
    return fold(call.method) in CALLS and isinstance(call.callee, Member) and bool(ITEMS & set(call.folded.split(".")[:-1]))


def is_sdk(code: Code, scope: Scope) -> bool:
    """The SDK's own source, where the call is defined."""
    while scope is not None and scope.parent is not None:
        if isinstance(scope.head, Function) and fold(scope.head.name) in CALLS and "stripe" in code.facts.path.split("/")[0]:
            return True
        scope = scope.parent
    return False


PINNED = re.compile(
    r"""(?:api_?version|stripe-version)['"]?\s*(?::|=>?|,)\s*['"](20(?:1\d|2[0-4])-\d\d-\d\d|2025-0[12]-\d\d)\b""", re.I
)
"""A version of the API that still has usage records."""


def until(code: Code) -> str:
    """How long it works: a client that is pinned to an old version is not broken today."""
    pinned = PINNED.search(code.facts.source.decode(errors="replace"))
    return f"it works as long as the client stays on version {pinned[1]}" if pinned else "after an upgrade it fails"


def removed(code: Code, call: Call, record: providers.Call | None) -> Finding:
    reads = record is not None and record.role == "query"
    name = ".".join(call.name.split(".")[-2:])
    what = "reads usage records" if reads else "reports a usage record"
    return Finding(
        span=call.span,
        description=f"`{name}` {what}, which Stripe removed in API version 2025-03-31: {until(code)}.",
        remediation=(
            "Read the meter's event summaries instead (`billing.meters`), after moving the price to a billing meter."
            if reads
            else "Put a billing meter on the price and send meter events with customer, value and identifier."
        ),
        # Nothing is billed wrongly by a summary that cannot be read: who raises the version sees it at once.
        confidence=Confidence.POSSIBLE if reads else Confidence.CERTAIN,
        severity=Severity.MEDIUM if reads else None,
    )


def replaced(call: Call, record: providers.Call, old: providers.Deprecation) -> Finding:
    return Finding(
        span=call.span,
        description=f"{record.title} is deprecated: {old.text}.",
        remediation=f"Use {old.replacement} instead.",
        confidence=Confidence.CERTAIN,
        severity=Severity.LOW,
        variant="deprecated-provider-surface",
    )


def old_aws_fields(emission: Emission) -> bool:
    """AWS Marketplace names customers by account and licence now; what integrates by the old names goes on to work."""
    if emission.provider is None or emission.provider.id != "aws_marketplace" or not takes_batch(emission):
        return False
    given = [emission.given, *emission.events]
    has_old = any(one.first(AWS_OLD) is not None for one in given)
    return has_old and not any(one.first(AWS_NEW) is not None for one in given) and all(one.complete for one in given)


def takes_batch(emission: Emission) -> bool:
    """`MeterUsage` still names the product by its code; only the batch call has new names."""
    return emission.record is not None and emission.record.role == "emit_batch"


def old_fields(emission: Emission) -> Finding:
    return Finding(
        span=emission.call.span,
        description=f"{emission.title} uses `CustomerIdentifier` or `ProductCode`, which new products no longer have.",
        remediation="For a new product use `CustomerAWSAccountId` and `LicenseArn`; never send both pairs, that bills twice.",
        confidence=Confidence.CERTAIN,
        severity=Severity.LOW,
        variant="deprecated-provider-surface",
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import Stripe from "stripe";

const stripe = new Stripe(process.env.STRIPE_KEY, { apiVersion: "2023-10-16" });

export async function book(itemId: string, minutes: number, key: string) {
  return stripe.subscriptionItems.createUsageRecord(  // <- finding
    itemId,
    { quantity: minutes, action: "increment" },
    { idempotencyKey: key },
  );
}
""",
    ),
    Example(
        "typescript",
        """
import { getStripe } from "@/lib/stripe";

export async function report(subscriptionItemId: string, quantity: number, key: string) {
  const stripe = getStripe();
  return (stripe?.subscriptionItems as any).createUsageRecord(  // <- finding
    subscriptionItemId,
    { quantity, timestamp: "now", action: "increment" },
    { idempotencyKey: key },
  );
}
""",
    ),
    Example(
        "python",
        """
import stripe

def report(item, quantity, key, at):
    stripe.SubscriptionItem.create_usage_record(  # <- finding
        item, quantity=quantity, timestamp=at, action="increment", idempotency_key=key
    )

def total(item):
    return stripe.SubscriptionItem.list_usage_record_summaries(item)  # <- finding
""",
    ),
    Example(
        "python",
        """
import boto3
client = boto3.client("meteringmarketplace")

def report(product, customer, hour, quantity):
    return client.batch_meter_usage(  # <- finding
        ProductCode=product,
        UsageRecords=[
            {"Timestamp": hour, "CustomerIdentifier": customer, "Dimension": "scans", "Quantity": quantity},
        ],
    )
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"github.com/stripe/stripe-go/v72"
	"github.com/stripe/stripe-go/v72/usagerecord"
)

func report(item string, quantity int64, at int64) error {
	_, err := usagerecord.New(&stripe.UsageRecordParams{  // <- finding
		SubscriptionItem: stripe.String(item),
		Quantity:         stripe.Int64(quantity),
		Timestamp:        stripe.Int64(at),
		Action:           stripe.String("set"),
	})
	return err
}
""",
    ),
    Example(
        "typescript",
        """
import { createUsageRecord } from "@lemonsqueezy/lemonsqueezy.js";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, value: number, identifier: string) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens", identifier, payload: { stripe_customer_id: customer, value: String(value) },
  });
}

export async function reportToLemonSqueezy(item: string, quantity: number) {
  const { error } = await createUsageRecord({ subscriptionItemId: item, quantity, action: "set" });
  if (error) throw error;
}

export async function store(prisma: PrismaClient, quantity: number, key: string) {
  await prisma.usageRecord.create({ data: { quantity, key } });
}
""",
    ),
    Example(
        "python",
        """
import boto3
client = boto3.client("meteringmarketplace")

def report(licence, account, hour):
    answer = client.batch_meter_usage(
        UsageRecords=[
            {"Timestamp": hour, "LicenseArn": licence, "CustomerAWSAccountId": account, "Dimension": "scans", "Quantity": 1},
        ],
    )
    refused = [one for one in answer["Results"] if one["Status"] != "Success"]
    if answer["UnprocessedRecords"] or refused:
        raise RuntimeError("usage not taken")
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
	_, err := sc.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{
		EventName:  stripe.String("tokens"),
		Identifier: stripe.String(requestID),
		Payload:    map[string]string{"stripe_customer_id": customer, "value": "1"},
	})
	return err
}
""",
    ),
)
