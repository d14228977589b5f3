"""The amount of a usage event is written in a form that its provider does not count.

Orb adds up JSON numbers and passes over texts, AWS Marketplace takes decimals as plain digits with at most six places, Azure
refuses zero, and several take whole numbers only. A wrong form is refused, or worse, accepted and never counted. Send what
this provider reads; what is right for one is wrong for another.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Entry, Expression, Literal, Object, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.quantities import is_quantity
from rules.meaning.usage.requests import carried
from rules.meaning.values import resolved
from rules.providers import Quantity
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity

ABOUT = About(
    id="MTR-122",
    title="Quantity in a form that the provider does not count",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("E16", "A12"),
    cwe=("CWE-1287", "CWE-681"),
    iso_25010="Compatibility / interoperability",
)
TO_TEXT = frozenset("string str tostring tofixed sprint itoa formatint formatuint formatfloat valueof".split())


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        quantity = emission.record.quantity if emission.record else None
        if quantity is None or code.context(emission.scope) is Context.TEST:
            continue
        for name, value in given(code, emission):
            if fold(name) in quantity.names:
                yield from in_field(code, emission, quantity, name, value)
            elif fold(name) in quantity.inside and quantity.type == "number":
                yield from inside(code, emission, value)


def given(code: Code, emission: Emission) -> Iterator[tuple[str, Expression]]:
    for argument in emission.call.arguments:
        if argument.name is not None:
            yield argument.name, argument.value
        yield from carried(code, argument.value, emission.scope, emission.call.span.start)


def in_field(code: Code, emission: Emission, quantity: Quantity, name: str, value: Expression) -> Iterator[Finding]:
    number = value.value if isinstance(value, Literal) and not isinstance(value.value, bool) else None
    if fold(name) == "quantityasdecimal" and isinstance(value, Call) and fold(value.method) == "str" and of_a_float(value):
        yield finding(code, emission, value, "writes small and long amounts as `1e-07` or with too many places")
    elif isinstance(number, int | float):
        if number < 0 and quantity.negative is False:
            yield finding(code, emission, value, "is below zero, which is refused")
        elif number == 0 and quantity.zero is False:
            yield finding(code, emission, value, "is zero, which is refused")
        elif quantity.integer_only and isinstance(number, float) and number != int(number):
            yield finding(code, emission, value, "is a fraction, and only whole numbers are taken")


def of_a_float(value: Call) -> bool:
    """`str(amount)` of what is no `Decimal` in view; `str(Decimal(x))` may be quantized already."""
    return bool(value.arguments) and not isinstance(value.arguments[0].value, Call | Literal)


def inside(code: Code, emission: Emission, value: Expression) -> Iterator[Finding]:
    """An amount among the customer's own properties: only one that is called like an amount and made a text on purpose."""
    whole = resolved(code.values, value, emission.scope, emission.call.span.start)
    entries: tuple[Entry, ...] = whole.entries if isinstance(whole, Object) else ()
    for entry in entries:
        if (
            entry.name is not None
            and is_quantity(entry.name)
            and isinstance(entry.value, Call)
            and fold(entry.value.method) in TO_TEXT
        ):
            yield finding(code, emission, entry.value, "is a text, which is not added up")


def finding(code: Code, emission: Emission, value: Expression, what: str) -> Finding:
    plain = isinstance(value, Call) and fold(value.method) in ("string", "str") and len(value.arguments) == 1 and "text" in what
    number = code.facts.text(value.arguments[0].span) if isinstance(value, Call) and plain else None
    return Finding(
        span=value.span,
        cause=emission.call.span,
        description=f"`{code.facts.text(value.span)}` {what} by {emission.title.split()[0]}.",
        remediation=f"Send {f'`{number}`, the number itself' if number else 'the amount in the form this provider takes'}.",
        confidence=Confidence.CERTAIN if isinstance(value, Literal) else Confidence.LIKELY,
        fix=Fix(f"Send `{number}`", (Edit(value.span.start, value.span.end, number),)) if number else None,
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import Orb from "orb-billing";
const orb = new Orb();

export async function report(customer: string, tokens: number, key: string, at: string) {
  const taken = await orb.events.ingest({
    events: [
      {
        event_name: "completion",
        external_customer_id: customer,
        idempotency_key: key,
        timestamp: at,
        properties: { region: "eu", tokens: String(tokens) },  // <- finding
      },
    ],
  });
  if (taken.validation_failed.length > 0) throw new Error("usage refused");
}
""",
    ),
    Example(
        "python",
        """
import boto3
client = boto3.client("meteringmarketplace")

def report(licence, account, hour, amount):
    records = [
        {
            "Timestamp": hour,
            "LicenseArn": licence,
            "CustomerAWSAccountId": account,
            "Dimension": "scans",
            "QuantityAsDecimal": str(amount),  # <- finding
        }
    ]
    return client.batch_meter_usage(UsageRecords=records)
""",
    ),
    Example(
        "typescript",
        """
import Orb from "orb-billing";
const orb = new Orb();

export async function report(customer: string, tokens: number, key: string, at: string) {
  const taken = await orb.events.ingest({
    events: [
      {
        event_name: "completion",
        external_customer_id: customer,
        idempotency_key: key,
        timestamp: at,
        properties: { region: String(region), tokens },
      },
    ],
  });
  if (taken.validation_failed.length > 0) throw new Error("usage refused");
}
""",
    ),
    Example(
        "python",
        """
import stripe

def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
""",
    ),
)
