"""Usage is dated or sent so late, or so early, that its provider no longer takes it.

Providers take usage for a limited time: AWS Marketplace for a day and for the old month until 06:00 UTC on the 1st, Azure for
a day, others for weeks. What comes later is refused or belongs to no open invoice. Send usage as it happens, or every hour,
and keep a margin before the provider's cut-off.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Function, Literal, Member, Scope, chain, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.origins import Kinds
from rules.meaning.times.durations import seconds
from rules.meaning.usage.emissions import Emission
from rules.meaning.values import resolved
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-120",
    title="Event time outside the provider's window",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("E13", "A11"),
    cwe=("CWE-754",),
    iso_25010="Functional suitability / functional completeness",
    variants={"cron-misses-cutoff": Variant("Usage is sent only by a rare schedule", Severity.MEDIUM, ("E13",))},
)
UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
FORMS = frozenset("timestamp isoformat toisostring torfc3339 unix unixmilli epochsecond toinstant format utc".split())
WRAPS = frozenset("fromsecs fromtimestamp fromunixtimeseconds ofepochsecond time ptr".split())
MONTHLY = re.compile(r"^(\S+ )?\S+ \S+ (\d+|L|28-31) (\*|\*/1) \S+$|^@monthly$")
DAILY = re.compile(r"^(\S+ )?\d+ \d+ \* \* \S+$|^@daily$|^@midnight$")


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if code.context(emission.scope) is Context.TEST:
            continue
        yield from outside(code, emission)
        rare = schedule(emission.scope)
        if rare is not None and emission.direct:
            yield seldom(emission, rare)


def outside(code: Code, emission: Emission) -> Iterator[Finding]:
    time = emission.record.time if emission.record else None
    if time is None:
        return
    for event in emission.events:
        value = event.first(time.names)
        if value is None:
            continue
        shift = shifted(code, value, emission)
        if shift is None:
            continue
        late = shift < 0 and time.past_seconds is not None and -shift > time.past_seconds
        early = shift > 0 and time.future_seconds is not None and shift > time.future_seconds
        if late or early:
            yield finding(code, emission, value, late)
            return


def shifted(code: Code, value: Expression, emission: Emission) -> int | None:
    """By how many seconds a moment is away from now, for `now - timedelta(days=2)` and `subDays(new Date(), 2)`."""
    whole = resolved(code.values, value, emission.scope, emission.call.span.start)
    while isinstance(whole, Call) and (moment := converted(whole)) is not None:
        whole = resolved(code.values, moment, emission.scope, emission.call.span.start)
    if isinstance(whole, Binary) and whole.operator in ("+", "-") and isinstance(whole.right, Call | Binary):
        length = duration(whole.right) if isinstance(whole.right, Call) else spelled(code, whole.right, emission)
        return length * (1 if whole.operator == "+" else -1) if length and is_now(code, whole.left, emission) else None
    if isinstance(whole, Call) and (match := re.fullmatch(r"(sub|add)(hours|days|weeks|minutes)", fold(whole.method))):
        amount = whole.arguments[1].value if len(whole.arguments) == 2 else None
        if isinstance(amount, Literal) and isinstance(amount.value, int) and is_now(code, whole.arguments[0].value, emission):
            return amount.value * UNITS[match[2]] * (1 if match[1] == "add" else -1)
    return moved_by_method(code, whole, emission) if isinstance(whole, Call) else None


def converted(call: Call) -> Expression | None:
    """The moment that `day.isoformat()`, `DateTime::from_secs(n)` and `aws.Time(day)` only give another form."""
    if fold(call.method) in FORMS:
        return call.receiver
    return call.arguments[0].value if fold(call.method) in WRAPS and len(call.arguments) == 1 else None


def moved_by_method(code: Code, whole: Call, emission: Emission) -> int | None:
    """`ZonedDateTime.now().minusDays(2)`, Carbon's `now()->subDays(2)`, Go's `now.Add(-48 * time.Hour)`."""
    if fold(whole.method) == "add" and len(whole.arguments) == 1 and isinstance(whole.arguments[0].value, Binary):
        length = spelled(code, whole.arguments[0].value, emission)
        return length if length and whole.receiver is not None and is_now(code, whole.receiver, emission) else None
    match = re.fullmatch(r"(minus|plus|sub|add)(hours|days|weeks|minutes)", fold(whole.method))
    amount = whole.arguments[0].value if match and len(whole.arguments) == 1 else None
    if match is None or not isinstance(amount, Literal) or not isinstance(amount.value, int) or whole.receiver is None:
        return None
    return (
        amount.value * UNITS[match[2]] * (1 if match[1] in ("plus", "add") else -1)
        if is_now(code, whole.receiver, emission)
        else None
    )


def duration(call: Call) -> int | None:
    if (unit := fold(call.method).removeprefix("of")) in UNITS and call.folded.split(".")[-2:-1] in (
        ["duration"],
        ["timedelta"],
    ):
        amount = call.arguments[0].value if len(call.arguments) == 1 else None
        return amount.value * UNITS[unit] if isinstance(amount, Literal) and isinstance(amount.value, int) else None
    if fold(call.method) != "timedelta":
        return None
    seconds = 0
    for argument in call.arguments:
        if argument.name not in UNITS or not isinstance(argument.value, Literal) or not isinstance(argument.value.value, int):
            return None
        seconds += argument.value.value * UNITS[argument.name]
    return seconds


def spelled(code: Code, product: Binary, emission: Emission) -> int | None:
    """`2.days`, `48 * time.Hour`."""
    units = [part for part in walk(product) if isinstance(part, Member)]
    length = seconds(code, product, emission.scope, emission.call.span.start) if units else None
    return int(length) if length is not None else None


def is_now(code: Code, value: Expression, emission: Emission) -> bool:
    found = code.origins(value, emission.scope, emission.call.span.start)
    return bool(found) and {origin.kind for origin in found} <= {Kinds.CLOCK, Kinds.LITERAL} and found[0].kind is Kinds.CLOCK


def schedule(scope: Scope) -> str | None:
    """The cron line of the job around a report, where it is daily or rarer."""
    for outer in chain(scope):
        if isinstance(outer.head, Function) and outer.head.registered_as:
            line = outer.head.registered_as.strip()
            return line if MONTHLY.match(line) or DAILY.match(line) else None
    return None


def finding(code: Code, emission: Emission, value: Expression, late: bool) -> Finding:
    time = emission.record.time if emission.record else None
    limit = (time.past_seconds if late else time.future_seconds) if time else 0
    return Finding(
        span=value.span,
        cause=emission.call.span,
        description=(
            f"`{code.facts.text(value.span)}` lies further in the {'past' if late else 'future'} than {emission.title} takes "
            f"({(limit or 0) // 3600} hours): the usage is refused."
        ),
        remediation="Send the usage within that time, or use the provider's way for late usage.",
        confidence=Confidence.LIKELY,
    )


def seldom(emission: Emission, line: str) -> Finding:
    monthly = MONTHLY.match(line) is not None
    return Finding(
        span=emission.call.span,
        description=f"{emission.title} is sent only by the schedule `{line}`: usage after a run can miss the period's cut-off.",
        remediation="Send usage as it happens or every hour, and once more shortly before the period closes.",
        confidence=Confidence.LIKELY if monthly else Confidence.POSSIBLE,
        variant="cron-misses-cutoff",
    )


EXAMPLES = (
    Example(
        "python",
        """
from datetime import datetime, timedelta, timezone
import boto3
client = boto3.client("meteringmarketplace")

def report(product, scans):
    day = datetime.now(timezone.utc) - timedelta(days=2)
    client.meter_usage(ProductCode=product, UsageDimension="scans", UsageQuantity=scans, Timestamp=day)  # <- finding
""",
    ),
    Example(
        "typescript",
        """
import cron from "node-cron";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

cron.schedule("0 3 1 * *", async () => {
  for (const total of await totalsOfLastMonth()) {
    await stripe.billing.meterEvents.create({  // <- finding
      event_name: "calls",
      identifier: total.id,
      payload: { stripe_customer_id: total.customer, value: String(total.calls) },
    });
  }
});
""",
    ),
    Example(
        "python",
        """
from datetime import datetime, timedelta, timezone
import boto3
client = boto3.client("meteringmarketplace")

def report(product, scans):
    hour = datetime.now(timezone.utc) - timedelta(hours=1)
    client.meter_usage(ProductCode=product, UsageDimension="scans", UsageQuantity=scans, Timestamp=hour)
""",
    ),
    Example(
        "typescript",
        """
import cron from "node-cron";
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

cron.schedule("5 * * * *", async () => {
  for (const total of await totalsOfLastHour()) {
    await stripe.billing.meterEvents.create({
      event_name: "calls",
      identifier: total.id,
      timestamp: total.hourEnd,
      payload: { stripe_customer_id: total.customer, value: String(total.calls) },
    });
  }
});
""",
    ),
)
