"""A part of a period is charged by dividing by 30 days, or with a whole-number division.

In a month of 31 days the parts add up to more than the price, in February to less, and a whole-number division drops up to a
unit per day before it is multiplied. Divide by the length of this very period, multiply first, and round once at the end:
`price * used_seconds / (period_end - period_start).total_seconds()`.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Kind, Literal, Member, Name, Scope, Span, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.money.drift import STORES, charges
from rules.meaning.subjects import bills, name_around
from rules.meaning.times.month_numbers import mixed_months
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-310",
    title="Proration divides by 30 or uses integer division",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("A8",),
    cwe=("CWE-682", "CWE-369"),
    iso_25010="Functional suitability / functional correctness",
)
PRORATING = frozenset("prorate prorates prorated proration prorating prorata unused refund".split())
DAILY = frozenset("daily day".split())
MONEY = frozenset("price prices amount cost fee charge total rate credit value subtotal mrr cents".split())
ESTIMATES = frozenset(
    "estimate estimated average avg projected projection forecast display approx mrr arr dashboard chart".split()
)
REST = frozenset("left remaining used unused elapsed rest until since".split())
"""Beside `days`: a part of the period."""
FORMATS = frozenset("format formatted sprintf fixed currency text render".split())
LENGTHS = frozenset("day days month period daysinmonth".split())
"""What a part of a period is divided by."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for whole, scope in code.expressions:
        for part in walk(whole):
            if not isinstance(part, Binary) or not divides(part) or code.context(scope) in (Context.TEST, Context.SCRIPT):
                continue
            key = (enclosing(scope, Kind.FUNCTION), part.span.line)
            found = finding(code, part, scope)
            if found is not None and key not in said:
                said.add(key)
                yield found
    yield from wrong_month(code)


def wrong_month(code: Code) -> Iterator[Finding]:
    """`changed.getMonth() === month` where the month counts from one: the part is worked out for another month."""
    hits: dict[object, list[tuple[Span, str, str]]] = {}
    for span, scope, zero, one in mixed_months(code):
        if bills(code.facts, scope) and prorated(code, scope) and code.context(scope) not in (Context.TEST, Context.SCRIPT):
            hits.setdefault(enclosing(scope, Kind.FUNCTION), []).append((span, zero, one))
    for found in hits.values():
        span, zero, one = min(found, key=lambda hit: hit[0].start)
        yield Finding(
            span=span,
            description=f"`{zero}` counts months from 0 and `{one}` from 1: one of the two is a month off, and what is billed "
            "for a part of a month is worked out for the wrong one.",
            remediation=f"Use `{one} - 1` wherever a date is made or compared with.",
            # Whether a name counts from 0 or from 1 is read from names, and they are wrong too often.
            confidence=Confidence.POSSIBLE,
            trace=tuple(Step(other[0], "here as well") for other in sorted(found, key=lambda hit: hit[0].start)[1:]),
        )


def prorated(code: Code, scope: Scope) -> bool:
    """Whether a function works out a part of a period: it is called so, calls what is, or divides by a number of days."""
    function = enclosing(scope, Kind.FUNCTION)
    named = frozenset(words(name_around(scope)))
    called = {word for call in code.calls_in(function) for word in words(call.method)} if function is not None else set()
    return bool((named | called) & PRORATING) or any(
        divides(part) and spoken(part.right) & LENGTHS
        for whole, place in code.expressions if function is not None and within(place, function)
        for part in walk(whole) if isinstance(part, Binary)
    )  # fmt: skip


def divides(part: Binary) -> bool:
    return part.operator in ("/", "//")


def spoken(expression: Expression | None) -> frozenset[str]:
    return frozenset(word for part in walk(expression) for word in said_by(part))


def said_by(part: Expression) -> tuple[str, ...]:
    if isinstance(part, Name):
        return words(part.text)
    return words(part.name) if isinstance(part, Member) else words(part.method) if isinstance(part, Call) else ()


def around(code: Code, part: Binary, scope: Scope) -> frozenset[str]:
    """The words of the function's name and of what the quotient is assigned to."""
    said = set(words(name_around(scope)))
    for assign in code.facts.assigns:
        if assign.value is not None and assign.value.span.holds(part.span):
            said.update(word for target in assign.targets for word in spoken(target))
    return frozenset(said)


def finding(code: Code, part: Binary, scope: Scope) -> Finding | None:
    named = around(code, part, scope)
    if named & ESTIMATES or not spoken(part.left) & MONEY:
        return None
    daily = bool(named & DAILY) and bool(named & MONEY) and is_multiplied(code, part, scope)
    prorates = (bool(named & PRORATING) or daily) and not is_written_out(code, part)
    if not prorates and not times_days(code, part, scope):
        return None
    text = code.facts.text(part.span)
    if isinstance(part.right, Literal) and part.right.value in (30, 30.0, 31):
        return Finding(
            span=part.span,
            description=(
                f"`{text}` takes every month for {part.right.value} days: the parts of a longer or shorter "
                "month do not add up to "
                "its price."
            ),
            remediation="Divide by the length of this period: its end minus its start.",
            confidence=Confidence.POSSIBLE
            if not settled(code, scope)
            else Confidence.CERTAIN
            if named & PRORATING
            else Confidence.LIKELY,
        )
    if part.operator == "//" and spoken(part.right) & {"days", "day", "seconds", "hours"} and is_multiplied(code, part, scope):
        return Finding(
            span=part.span,
            description=f"`{text}` drops the remainder before it is multiplied: up to one unit is lost for each day.",
            remediation="Multiply first, divide once at the end, and round that.",
            confidence=Confidence.LIKELY if settled(code, scope) else Confidence.POSSIBLE,
        )
    return None


def settled(code: Code, scope: Scope) -> bool:
    """Whether the part is charged, credited or stored by what runs; where not all of a program is at hand, others may do so."""
    if not code.elsewhere.whole:
        return True
    function = enclosing(scope, Kind.FUNCTION)
    writes = any(fold(call.method) in STORES or charges(call.method) for call in code.calls_in(function))
    prorates = bool(frozenset(words(name_around(scope))) & PRORATING)
    return (writes or prorates) and is_served(code, scope)


def is_written_out(code: Code, part: Binary) -> bool:
    """`format_money(price / 30)`: a price per day that is advertised."""
    return any(
        FORMATS & set(words(call.method)) and any(one.value.span.holds(part.span) for one in call.arguments)
        for call in code.facts.calls
    )


def times_days(code: Code, part: Binary, scope: Scope) -> bool:
    """`price / 30 * days_left`: whatever the function is called, this charges a part of a month."""
    for whole, place in code.expressions:
        if place is scope and whole.span.holds(part.span):
            for one in walk(whole):
                if isinstance(one, Binary) and one.operator == "*" and part in (one.left, one.right):
                    said = spoken(one.right if one.left is part else one.left)
                    return bool(said & {"days", "day"} and said & REST)
    return False


def is_multiplied(code: Code, part: Binary, scope: Scope) -> bool:
    """The quotient goes into a product: as it stands, or through the name it is assigned to."""
    names = {
        getattr(target, "text", "") for assign in code.facts.assigns if assign.value is part for target in assign.targets
    } - {""}  # fmt: skip
    for whole, place in code.expressions:
        if enclosing(place, Kind.FUNCTION) is not enclosing(scope, Kind.FUNCTION):
            continue
        for one in walk(whole):
            if isinstance(one, Binary) and one.operator == "*":
                inside = list(walk(one.left)) + list(walk(one.right))
                if part in inside or any(isinstance(other, Name) and other.text in names for other in inside):
                    return True
    return False


EXAMPLES = (
    Example(
        "python",
        """
def prorate(subscription, days_used):
    return subscription.price / 30 * days_used  # <- finding

def prorated_amount(invoice, days_in_month, days_used):
    daily = invoice.amount_cents // days_in_month  # <- finding
    return daily * days_used
""",
    ),
    Example(
        "python",
        """
def prorate(subscription, used):
    whole = (subscription.period_end - subscription.period_start).total_seconds()
    return subscription.price * used.total_seconds() / whole

def average_daily_cost(invoice):
    return invoice.amount / 30

def daily_price(plan):
    return format_money(plan.price / 30)

def prorated_amount(invoice, days_in_month, days_used):
    return invoice.amount_cents * days_used // days_in_month
""",
    ),
    Example(
        "typescript",
        """
export function prorateUpgrade(subscription: Subscription, daysLeft: number): number {
  const dailyPrice = subscription.price / 30;  // <- finding
  return Math.round(dailyPrice * daysLeft);
}
""",
    ),
    Example(
        "typescript",
        """
export function prorateUpgrade(subscription: Subscription, now: Date): number {
  const whole = +subscription.periodEnd - +subscription.periodStart;
  return Math.round((subscription.price * (+subscription.periodEnd - +now)) / whole);
}

export function estimatedDailyCost(invoice: Invoice): number {
  return invoice.amount / 30;
}
""",
    ),
    Example(
        "go",
        """
package billing

func prorate(priceCents int64, daysUsed int64) int64 {
	return priceCents / 30 * daysUsed  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

func prorate(priceCents int64, used, period time.Duration) int64 {
	return priceCents * int64(used/time.Second) / int64(period/time.Second)
}
""",
    ),
    Example(
        "typescript",
        """
export function proratedUsage(subscription: Subscription, year: number, month: number) {
  const label = new Date(Date.UTC(year, month - 1, 1)).toISOString();
  if (subscription.changedAt.getUTCMonth() === month) {  // <- finding
    return { label, part: elapsed(subscription.changedAt) };
  }
  return { label, part: 1 };
}
""",
    ),
    Example(
        "typescript",
        """
export function proratedUsage(subscription: Subscription, year: number, month: number) {
  const start = new Date(Date.UTC(year, month - 1, 1));
  if (subscription.changedAt.getUTCMonth() + 1 === month) {
    return { start, part: elapsed(subscription.changedAt) };
  }
  return { start, part: 1 };
}

export function billingMonths(now: Date) {
  const month = now.getUTCMonth();
  const before = new Date(Date.UTC(now.getUTCFullYear(), month - 1, 1));
  return { before, start: new Date(Date.UTC(now.getUTCFullYear(), month, 1)) };
}
""",
    ),
    Example(
        "typescript",
        """
export function billedMonth(period: string) {
  const [year, month] = period.split("-").map(Number);
  return { from: new Date(Date.UTC(year, month - 1, 1)), to: new Date(Date.UTC(year, month, 1)) };
}

export function proratedThrough(usage: Usage, parts: DateParts, later: number) {
  const month = Number(parts.month) - 1 + later;
  const whole = new Date(Date.UTC(parts.year, month, parts.day));
  return { whole, back: new Date(Date.UTC(parts.year, month - 1, parts.day)), share: usage.quantity / parts.daysInMonth };
}

export function usageOfDay(usage: Usage, year: number, month: number, day: number) {
  return { from: new Date(Date.UTC(year, month - 1, day)), to: new Date(Date.UTC(year, month, day)), usage };
}
""",
    ),
)
