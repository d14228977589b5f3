"""The amount of usage is cut off, can be negative, or can be no number at all.

A fraction that is cut off on every event is never billed, and over many small uses that is most of the usage. A difference
without a floor turns a late or repeated reading into negative usage, which is refused or gives money back; a missing number
becomes the text `undefined` or NaN. Carry fractions on to the period's sum and round there, and refuse what is not a number
of zero or more.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Kind, Literal, Member, Name, Scope, Span, enclosing, fold, walk, within
from rules.meaning.casts import whole_casts
from rules.meaning.contexts import Context
from rules.meaning.money.fine import cut_of_nothing
from rules.meaning.subjects import name_around
from rules.meaning.usage.counters import Change
from rules.meaning.usage.emissions import Emission, shown
from rules.meaning.usage.floors import unfloored
from rules.meaning.usage.quantities import given_quantities, named_quantities
from rules.meaning.values import definitions_at, root_of
from rules.meaning.vocabulary import consumes, emits, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.typed import only_whole

ABOUT = About(
    id="MTR-121",
    title="Quantity is cut off, negative or no number",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E16",),
    cwe=("CWE-681", "CWE-1284", "CWE-190"),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=("client-supplied-quantity",),
)
CUTS = frozenset("int int64 int32 long short parseint floor trunc intvalue longvalue tolong toint".split())
METHOD_CUTS = frozenset("intvalue longvalue tolong toint".split())
"""Cuts that are asked of the number itself: `cost.longValue()`."""
WHOLE_CUTS = frozenset("parseint floor trunc".split())
FRACTIONS = frozenset("ratio price rate cost multiplier factor hours minutes fraction per".split())
MEANT = frozenset("started rounded billable whole full block blocks".split())
RESERVED = frozenset("pre reserved reserve estimate estimated hold held".split())
TIMES = frozenset("time start end now date at timestamp ms started finished elapsed begin duration seconds".split())
BOUNDS = frozenset("max min abs clamp".split())


GAMES = frozenset("gamification game games reputation karma badge badges leaderboard xp achievements".split())
"""Points that nobody pays for."""


def check(code: Code) -> Iterator[Finding]:
    reported: set[Span] = set()
    for what, at, scope, value in amounts(code):
        for cut in cuts(code, value, scope, at.start):
            if cut.span not in reported and not cut_of_nothing(code, cut):
                reported.add(cut.span)
                yield truncated(code, cut, what, at)
    for emission in code.emissions:
        if emission.direct and code.context(emission.scope) is not Context.TEST:
            for name, value in named_quantities(code, emission):
                yield from unsound(code, emission, name, value)
    yield from cast_to_whole(code)
    for found, scope, name in unfloored(code):
        if code.context(scope) not in (Context.TEST, Context.SCRIPT, Context.BROWSER) and found.span not in reported:
            reported.add(found.span)
            sure = Confidence.POSSIBLE if is_given(code, found, scope) else Confidence.LIKELY
            yield below_zero(code, found, name, sure)


def is_given(code: Code, found: Binary, scope: Scope) -> bool:
    """Whether what is taken from is a parameter: the caller may have compared it already."""
    root = root_of(found.left)
    known = definitions_at(code.values, root.text, scope, found.span.start) if isinstance(root, Name) else ()
    return root is found.left and any(one.how == "parameter" for one in known)


def below_zero(code: Code, found: Binary, name: str, sure: Confidence) -> Finding:
    text = code.facts.text(found.span)
    return Finding(
        span=found.span,
        description=f"`{text}` is below zero for whoever has more free or left than was used, and `{name}` carries that on: a "
        "negative amount is billed or granted.",
        remediation="Put a floor of 0 under the difference.",
        confidence=sure,
    )


def cast_to_whole(code: Code) -> Iterator[Finding]:
    """A number that customers send in JSON, compared or summed as a whole one."""
    if not code.billing:
        return
    for cast in whole_casts(code):
        if code.context(cast.scope) in (Context.TEST, Context.SCRIPT) or only_whole(code, cast.column):
            continue
        if metered(code, cast.scope):
            yield Finding(
                span=cast.span,
                description=f"`{cast.text}` takes a number out of JSON for a whole one: with 0.5 the query fails or the event "
                "is left out or cut off, and that usage is not billed.",
                remediation="Cast to a decimal (`::numeric`, `as_numeric`, `JSONExtractFloat`), and round the sum.",
                # A property that the program names itself may be one that it only ever fills with whole numbers.
                confidence=Confidence.LIKELY if cast.chosen else Confidence.POSSIBLE,
            )


def metered(code: Code, scope: Scope) -> bool:
    """Whether what is cast is a measured value: the file or the function is about meters, usage or aggregation."""
    place = set(words("/".join(code.facts.path.split("/")[-3:]))) | set(words(name_around(scope)))
    return bool(place & {"meter", "meters", "metering", "usage", "aggregate", "aggregation", "billable", "quantity", "overage"})


def amounts(code: Code) -> Iterator[tuple[str, Span, Scope, Expression]]:
    """Every amount that is reported, counted, or given to a function that says that it consumes."""
    if not code.billing:
        return
    seen: set[int] = set()
    for emission in code.emissions:
        seen.add(id(emission.call))
        if RESERVED & set(words(emission.call.method)):
            continue
        for value in given_quantities(code, emission):
            yield emission.title, emission.call.span, emission.scope, value
    for counter in code.counters:
        if counter.amount is not None and counter.change in (Change.ADD, Change.SUBTRACT):
            yield f"the change of `{counter.name}`", counter.span, counter.scope, counter.amount
    for call in code.facts.calls:
        said = words(call.method)
        if RESERVED & set(said):
            continue
        charges = (
            consumes(call.method)
            or emits(call.method)
            or (said[:1] in (("update",), ("add",)) and {"used", "quota"} <= set(said))
        )
        if charges and id(call) not in seen:
            for argument in call.arguments:
                yield f"`{shown(call)}`", call.span, call.scope, argument.value


def cuts(code: Code, value: Expression, scope: Scope, at: int) -> Iterator[Call]:
    """The calls that cut a fraction off on the way to an amount, followed through one variable."""
    if code.context(scope) is Context.TEST or GAMES & set(words("/".join(code.facts.path.split("/")[-2:]))):
        return
    sides = [value.left, value.right] if isinstance(value, Binary) and value.operator in ("+", "-") else [value]
    for one in sides:
        if isinstance(one, Call) and is_cut(code, one, scope):
            yield one
        if isinstance(one, Name) and not MEANT & set(words(one.text)):
            for found in definitions_at(code.values, one.text, scope, at):
                if found.how == "assign" and isinstance(found.value, Call) and is_cut(code, found.value, found.scope):
                    yield found.value


def is_cut(code: Code, call: Call, scope: Scope) -> bool:
    last = fold(call.method)
    if any(RESERVED & set(spoken(target)) for target in call.targets):
        return False
    if last in METHOD_CUTS and call.receiver is not None and not call.arguments:
        inner = call.receiver
    elif last not in CUTS or not call.arguments or (last not in WHOLE_CUTS and call.receiver is not None):
        return False
    else:
        inner = call.arguments[0].value
    if any(is_fine(part) for part in walk(inner)):
        return False
    return is_fraction(code, inner, scope, call.span.start) and not rounds(code, inner)


def is_fine(part: Expression) -> bool:
    """A factor that makes small units of a price, `* 1_000_000`, `* QuotaPerUnit`: what is then cut off is worth nothing."""
    if isinstance(part, Literal):
        return isinstance(part.value, int | float) and part.value >= 100
    said = spoken(part)
    return said[-2:] == ("per", "unit") or bool({"micros", "scale", "nano", "micro"} & set(said))


def is_fraction(code: Code, value: Expression, scope: Scope, at: int, hops: int = 2) -> bool:
    """Whether a value is worked out with a division or a price, a ratio or the like. A plain number out of a text is none."""
    whole = [part.span for part in walk(value) if isinstance(part, Call) and is_whole(part)]
    for part in walk(value):
        if any(span.holds(part.span) for span in whole):
            continue
        if isinstance(part, Binary) and part.operator == "/" and not is_time(part):
            return not (isinstance(part.right, Literal) and part.right.value == 1000)
        if (
            isinstance(part, Binary)
            and part.operator == "*"
            and any(FRACTIONS & set(spoken(side)) for side in (part.left, part.right))
        ):
            return True
    if isinstance(value, Name) and hops:
        return any(
            one.value is not None
            and one.how in ("assign", "change")
            and is_fraction(code, one.value, one.scope, one.end, hops - 1)
            for one in definitions_at(code.values, value.text, scope, at)
        )
    return False


def is_whole(call: Call) -> bool:
    """What is whole already: `int64(price * ratio)`, `math.Ceil(x)`, `Math.round(x)`."""
    return fold(call.method) in CUTS | {"ceil", "round", "roundtoint"}


def is_time(part: Binary) -> bool:
    return bool(TIMES & {word for inner in walk(part) for word in spoken(inner)})


def rounds(code: Code, value: Expression) -> bool:
    """`int(x + 0.5)`, `int(math.ceil(x))`, `Math.floor(x.Round(0))`: the fraction was dealt with."""
    text = code.facts.text(value.span).lower()
    return any(word in text for word in ("round", "ceil", "0.5", "random", "1e6", "1000000", "remainder", "now", "time"))


def spoken(part: Expression) -> tuple[str, ...]:
    match part:
        case Name(text=text):
            return words(text)
        case Member(name=name):
            return words(name)
        case Call():
            return words(part.method)
        case _:
            return ()


def unsound(code: Code, emission: Emission, name: str, value: Expression) -> Iterator[Finding]:
    text = code.facts.text(value.span)
    if "?." in text and "??" not in text and "||" not in text and not tested(code, emission.scope, value):
        yield Finding(
            span=value.span,
            cause=emission.call.span,
            description=f"`{text}` is undefined where a part is missing, and {emission.title} then books nothing.",
            remediation=f"Test `{name}` before the report, and say what a missing amount means.",
            confidence=Confidence.LIKELY,
        )
    difference = subtraction(code, emission, value)
    known = emission.record.quantity if emission.record else None
    if difference is not None and not tested(code, emission.scope, difference) and not is_time(difference):
        yield Finding(
            span=value.span,
            cause=emission.call.span,
            description=f"`{code.facts.text(difference.span)}` can be below zero, and {emission.title} then refuses it.",
            remediation="Put a floor of 0 under the difference, and keep what is below it for the next report.",
            confidence=Confidence.LIKELY if known is not None and known.negative is False else Confidence.POSSIBLE,
        )


def subtraction(code: Code, emission: Emission, value: Expression) -> Binary | None:
    whole = value
    while isinstance(whole, Call) and len(whole.arguments) == 1 and fold(whole.method) not in BOUNDS:
        whole = whole.arguments[0].value
    if isinstance(whole, Name):
        found = definitions_at(code.values, whole.text, emission.scope, emission.call.span.start)
        if (
            len(found) == 1
            and found[0].how == "assign"
            and found[0].value is not None
            and not tested(code, emission.scope, whole)
        ):
            whole = found[0].value
    plain = isinstance(whole, Binary) and whole.operator == "-"
    return whole if plain and isinstance(whole, Binary) and not isinstance(whole.right, Literal) else None


def tested(code: Code, scope: Scope, value: Expression) -> bool:
    """Whether the function asks for one of the names first."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    names = {part.text if isinstance(part, Name) else part.name for part in walk(value) if isinstance(part, Name | Member)}
    for test in code.facts.tests:
        if function is not None and within(test.scope, function):
            for part in walk(test.value):
                if isinstance(part, Name | Member) and (part.text if isinstance(part, Name) else part.name) in names:
                    return True
    return False


def truncated(code: Code, cut: Call, what: str, at: Span) -> Finding:
    text = code.facts.text(cut.span)
    return Finding(
        span=cut.span,
        cause=at,
        description=f"`{text}` cuts the fraction off on every use before {what} books it: what is cut off is never billed.",
        remediation="Book the exact amount, as a decimal or in smaller units, and round once, on the sum of the period.",
        confidence=Confidence.LIKELY,
        trace=(Step(at, "booked here"),) if at.line != cut.span.line else (),
    )


EXAMPLES = (
    Example(
        "python",
        """
def package_charge(usage, free_units, unit_price):
    billable_units = usage.units - free_units  # <- finding
    return billable_units * unit_price
""",
    ),
    Example(
        "python",
        """
def package_charge(usage, free_units, unit_price):
    billable_units = max(0, usage.units - free_units)
    return billable_units * unit_price

def _charge_above(usage, free_units, unit_price):
    billable_units = usage.units - free_units
    return billable_units * unit_price

def charge(usage, free_units, unit_price):
    if usage.units > free_units:
        return _charge_above(usage, free_units, unit_price)
    return 0

def overage(usage, included_units, unit_price):
    if usage.units <= included_units:
        return 0
    overage_units = usage.units - included_units
    return overage_units * unit_price
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, identifier: string, answer: Answer) {
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    payload: { stripe_customer_id: customer, value: String(answer.usage?.total_tokens) },  // <- finding
  });
}

export async function charge(prisma: PrismaClient, id: string, tokens: number, pricePerToken: number) {
  const cost = Math.floor(tokens * pricePerToken);  // <- finding
  await prisma.account.update({ where: { id }, data: { credits: { decrement: cost } } });
}
""",
    ),
    Example(
        "python",
        """
def charge(session, account_id, tokens, model_ratio):
    quota = int(tokens * model_ratio)  # <- finding
    consume_quota(session, account_id, quota)
""",
    ),
    Example(
        "go",
        """
package quota

func charge(ctx context.Context, user int, tokens int, modelRatio float64) error {
	cost := float64(tokens) * modelRatio
	quota := int(cost)  // <- finding
	return store.ConsumeQuota(ctx, user, quota)
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, identifier: string, answer: Answer) {
  if (!answer.usage?.total_tokens) throw new Error("no usage in the answer");
  await stripe.billing.meterEvents.create({
    event_name: "tokens",
    identifier,
    payload: { stripe_customer_id: customer, value: String(answer.usage?.total_tokens) },
  });
}

export async function charge(prisma: PrismaClient, id: string, millis: number, price: number) {
  const startedMinutes = Math.ceil(millis / 60000);
  await prisma.account.update({ where: { id }, data: { credits: { decrement: startedMinutes } } });
  const micros = Math.round(price * 1e6);
  await prisma.account.update({ where: { id }, data: { spentMicros: { increment: micros } } });
}
""",
    ),
    Example(
        "python",
        """
def charge(session, account_id, tokens, model_ratio):
    quota = int(round(tokens * model_ratio))
    consume_quota(session, account_id, quota)
    consume_quota(session, account_id, int(tokens))
""",
    ),
    Example(
        "go",
        """
package quota

func charge(ctx context.Context, user int, tokens int, modelRatio float64) error {
	quota := int(math.Round(float64(tokens) * modelRatio))
	return store.ConsumeQuota(ctx, user, quota)
}
""",
    ),
    Example(
        "python",
        """
def meter_filter(model, name, value):
    attribute = model.payload[name]
    return and_(func.jsonb_typeof(attribute) == "number", attribute.as_integer() == value)  # <- finding

def usage_quantity(cursor, customer_id, name):
    cursor.execute(
        "SELECT COALESCE(SUM((payload->>%s)::int), 0) FROM billing_events WHERE customer_id = %s",  # <- finding
        (name, customer_id),
    )
""",
    ),
    Example(
        "python",
        """
def meter_filter(model, name, value):
    attribute = model.payload[name]
    return and_(func.jsonb_typeof(attribute) == "number", attribute.as_numeric(38, 12) == value)

def usage_quantity(cursor, customer_id, name):
    cursor.execute(
        "SELECT COALESCE(SUM((payload->>%s)::numeric), 0), MAX((payload->>'prompt_tokens')::int) "
        "FROM billing_events WHERE customer_id = %s",
        (name, customer_id),
    )
""",
    ),
    Example(
        "python",
        """
def billed_usage(model, name):
    return func.sum(model.event_data[name].as_integer())
""",
        path="app/metering/usage_sums.py",
        context={
            "app/events/schemas.py": """
from typing import Annotated
from pydantic import BaseModel, Field

Value = Annotated[str, Field(max_length=240)] | int | bool
Data = Annotated[dict[str, Value], Field(max_length=32)]

class EventIn(BaseModel):
    data: Data = Field(default_factory=dict, serialization_alias="event_data")
"""
        },
    ),
    Example(
        "python",
        """
def billed_usage(model, name):
    return func.sum(model.event_data[name].as_integer())  # <- finding
""",
        path="app/metering/usage_sums.py",
        context={
            "app/events/schemas.py": """
from pydantic import BaseModel

class EventIn(BaseModel):
    event_data: dict[str, str | int | float]
"""
        },
    ),
    Example(
        "go",
        """
package quota

func chargeForPages(ctx context.Context, team int, pages int, creditRate float64) error {
	credits := int(float64(pages) * creditRate)
	if credits < 1 {
		credits = 1
	}
	return store.ConsumeCredits(ctx, team, credits)
}

func chargeUpFront(ctx context.Context, team int, pages int, creditRate float64) error {
	cost := float64(pages) * creditRate
	if cost <= 0 {
		cost = 1
	}
	credits := int(cost)  // <- finding
	return store.ConsumeCredits(ctx, team, credits)
}

func chargeAtMost(ctx context.Context, team int, pages int, creditRate float64) error {
	credits := int(float64(pages) * creditRate)  // <- finding
	if credits < 0 {
		credits = 1
	}
	return store.ConsumeCredits(ctx, team, credits)
}
""",
        path="quota/charge.go",
        context={"settings/units.go": "package settings\n\nvar CreditsPerDollar = 250 * 800.0\n"},
    ),
    Example(
        "go",
        """
package quota

func chargeForPages(ctx context.Context, team int, pages int, creditRate float64) error {
	cost := int(float64(pages) * creditRate)  // <- finding
	if cost < 1 {
		cost = 1
	}
	return store.ConsumeCredits(ctx, team, cost)
}
""",
        path="quota/charge.go",
        context={"settings/prices.go": "package settings\n\nvar CostPerUnit = 320_000\n"},
    ),
    Example(
        "typescript",
        """
export async function usageQuantity(db: Database, customerId: string, since: Date) {
  const total = "SELECT SUM((payload->>'hours')::integer) AS n FROM billing_events WHERE customer_id = $1";  // <- finding
  return db.query(total, [customerId]);
}
""",
    ),
    Example(
        "go",
        """
package billing

func usageQuantitySQL(column string) string {
	return fmt.Sprintf("SELECT sum(JSONExtractInt(data, 'amount')) FROM %s WHERE customer = ?", column)  // <- finding
}
""",
    ),
)
