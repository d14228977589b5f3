"""A running total is sent where the meter adds up, or an increment where it keeps the last value.

A total that is added again with every report grows with the square of the usage; an increment that replaces the last value
bills only the newest one. Send what the meter expects: the difference for a sum, the total for `set`, `last` and `max`.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Entry, Expression, Literal, Member, Name, Span, dotted, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-313",
    title="Running total sent to an additive meter, or increment sent to last/max/pre-aggregated meter",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("A10",),
    cwe=("CWE-682", "CWE-684"),
    iso_25010="Functional suitability / functional correctness",
    variants={
        "aws-mixed-product-and-license": Variant(
            "BatchMeterUsage with both ProductCode and LicenseArn", Severity.CRITICAL, ("E14", "E16"), cwe=("CWE-675",)
        )
    },
)
QUANTITIES = ("quantity", "value", "amount", "usage")
ACTIONS = ("action", "updatebehavior", "mode", "behavior")
ADDS = frozenset("increment delta add inc".split())
SETS = frozenset("set last max absolute replace".split())
TOTALS = frozenset("cumulative running lifetime".split())
TOTAL_OF = frozenset("total sum".split())
PERIODS = frozenset("period month monthly usage used so far cycle current".split())
METERS = ("meters.create", "meter.create", "createmeter", "meterservice.create", "createbillingmeter.new")
DELTAS = frozenset("delta increment diff difference".split())


def check(code: Code) -> Iterator[Finding]:
    formula = meter_formula(code)
    for emission in code.emissions:
        if code.context(emission.scope) is Context.TEST:
            continue
        found = contradicted(code, emission, formula)
        if found is not None:
            yield found
    for call in code.facts.calls:
        if "batchmeterusage" in call.folded and code.context(call.scope) is not Context.TEST:
            yield from mixed(code, call)


def meter_formula(code: Code) -> str:
    """How the one meter that is defined in this file adds up: `default_aggregation: { formula: "sum" }`."""
    found: set[str] = set()
    for call in code.facts.calls:
        if not call.folded.endswith(METERS):
            continue
        for argument in call.arguments:
            for part in walk(argument.value):
                for entry in getattr(part, "entries", ()):
                    if fold(entry.name or "") in ("formula", "aggregation") and (said := option(entry.value)):
                        found.add(said)
    return found.pop() if len(found) == 1 else ""


def option(value: Expression) -> str:
    """One of the values of an option, as text or as a member of an enumeration: `"sum"`, Rust's `Formula::Sum`."""
    if isinstance(value, Literal):
        return str(value.value).lower()
    holder, _, member = dotted(value).rpartition(".")
    return member.lower() if holder.endswith(("Formula", "Aggregation")) else ""


def contradicted(code: Code, emission: Emission, formula: str) -> Finding | None:
    given = emission.events[0] if emission.events else emission.given
    quantity = given.first(QUANTITIES) or emission.given.first(QUANTITIES) or payload_value(given.named.get("payload"))
    if quantity is None:
        return None
    action = given.first(ACTIONS) or emission.given.first(ACTIONS)
    whole = resolved(code.values, action, emission.scope, emission.call.span.start) if action is not None else None
    mode = str(whole.value).lower() if isinstance(whole, Literal) else formula
    if (mode in ADDS or mode == "sum") and is_total(quantity):
        return said(code, emission, quantity, f"a running total, and the meter adds it up (`{mode}`)", action is not None)
    if mode in SETS and is_delta(quantity):
        return said(
            code, emission, quantity, f"one increment, and the meter keeps only the last value (`{mode}`)", action is not None
        )
    return None


def payload_value(payload: Expression | None) -> Expression | None:
    for entry in getattr(payload, "entries", ()):
        if entry.name == "value":
            return entry.value if isinstance(entry, Entry) else None
    return None


def name_of(quantity: Expression) -> tuple[str, ...]:
    """The words of the name of a quantity, conversions and formatting peeled off."""
    for part in walk(quantity):
        if isinstance(part, Name):
            return words(part.text)
        if isinstance(part, Member) and fold(part.name) not in ("tostring", "tofixed"):
            return words(part.name)
        if isinstance(part, Call) and fold(part.method) in ("count", "sum"):
            return ("total", "usage")
    return ()


def is_total(quantity: Expression) -> bool:
    said = set(name_of(quantity))
    return bool(said & TOTALS) or bool(said & TOTAL_OF and said & PERIODS)


def is_delta(quantity: Expression) -> bool:
    return bool(set(name_of(quantity)) & DELTAS) or (isinstance(quantity, Literal) and quantity.value in (1, "1"))


def said(code: Code, emission: Emission, quantity: Expression, what: str, literal: bool) -> Finding:
    return Finding(
        span=quantity.span,
        cause=emission.call.span,
        description=f"`{code.facts.text(quantity.span)}` is {what}: what is billed is far from what was used.",
        remediation="Send the difference since the last report to a meter that adds, and the total to one that is set.",
        confidence=Confidence.CERTAIN if literal else Confidence.LIKELY,
    )


def mixed(code: Code, call: Call) -> Iterator[Finding]:
    """AWS: a request names the product, or each record its license; with both the usage is billed twice."""
    product: Span | None = None
    license_given = False
    for argument in call.arguments:
        if fold(argument.name or "") == "productcode":
            product = argument.span
        for part in walk(resolved(code.values, argument.value, call.scope, call.span.start)):
            for entry in getattr(part, "entries", ()):
                if fold(entry.name or "") == "productcode":
                    product = entry.span
                license_given = license_given or fold(entry.name or "") == "licensearn"
    if product is not None and license_given:
        yield Finding(
            span=product,
            cause=call.span,
            description=(
                "The request carries both `ProductCode` and `LicenseArn`: AWS takes the usage for two "
                "agreements, and the customer is "
                "billed twice."
            ),
            remediation="Leave `ProductCode` out where the records carry a `LicenseArn`.",
            confidence=Confidence.CERTAIN,
            variant="aws-mixed-product-and-license",
        )


EXAMPLES = (
    Example(
        "python",
        """
def report(client, record, item_id, total_usage_this_month):
    stripe.SubscriptionItem.create_usage_record(
        item_id,
        quantity=total_usage_this_month,  # <- finding
        timestamp=record.ended_at,
        action="increment",
        idempotency_key=record.id,
    )

def meter(client, record):
    return client.batch_meter_usage(
        ProductCode="prod",  # <- finding
        UsageRecords=[{"LicenseArn": record.license, "Dimension": "calls", "Quantity": record.calls}],
    )
""",
    ),
    Example(
        "python",
        """
def meter(client, record):
    response = client.batch_meter_usage(
        UsageRecords=[{"LicenseArn": record.license, "Dimension": "calls", "Quantity": record.calls, "Timestamp": record.hour}],
    )
    for result in response["Results"]:
        if result["Status"] != "Success":
            raise MeteringError(result)
    if response["UnprocessedRecords"]:
        raise MeteringError(response["UnprocessedRecords"])
""",
    ),
    Example(
        "typescript",
        """
export async function report(stripe: Stripe, itemId: string, run: Run) {
  await stripe.subscriptionItems.createUsageRecord(
    itemId,
    { quantity: run.cumulativeUsage, timestamp: run.endedAt, action: "increment" },  // <- finding
    { idempotencyKey: run.id },
  );
}
""",
    ),
    Example(
        "typescript",
        """
export async function report(stripe: Stripe, customer: string, run: Run) {
  await stripe.billing.meterEvents.create({
    event_name: "calls",
    identifier: run.id,
    timestamp: run.endedAt,
    payload: { stripe_customer_id: customer, value: String(run.calls) },
  });
}
""",
    ),
    Example(
        "go",
        """
package billing

func meter(ctx context.Context, client *marketplacemetering.Client, record Record) error {
	out, err := client.BatchMeterUsage(ctx, &marketplacemetering.BatchMeterUsageInput{
		ProductCode:  aws.String("prod"),  // <- finding
		UsageRecords: []types.UsageRecord{{LicenseArn: aws.String(record.License), Dimension: aws.String("calls")}},
	})
	return check(out, err)
}
""",
    ),
    Example(
        "go",
        """
package billing

func meter(ctx context.Context, client *marketplacemetering.Client, record Record) error {
	out, err := client.BatchMeterUsage(ctx, &marketplacemetering.BatchMeterUsageInput{
		UsageRecords: []types.UsageRecord{{LicenseArn: aws.String(record.License), Dimension: aws.String("calls")}},
	})
	return check(out, err)
}
""",
    ),
)
