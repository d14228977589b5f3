"""A query for one billing period includes the moment at which the next one starts, or stops short of it.

With `<= end` or BETWEEN an event exactly on the boundary is in two periods and billed twice; with 23:59:59 as the end, what
happens in the last second is in none and never billed. Make periods half-open: `at >= start AND at < next_start`, so that
every event is in exactly one.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Kind,
    Member,
    Name,
    Scope,
    enclosing,
    fold,
    outermost_function,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.origins import Kinds
from rules.meaning.subjects import bills, name_around, only_shows, spoken_in
from rules.meaning.times.periods import Boundary, Precision
from rules.meaning.times.ranges import Bound, Range, is_instant, ranges_of
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-301",
    title="Period filter includes its end (BETWEEN, <= end, 23:59:59)",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A2",),
    cwe=("CWE-193",),
    iso_25010="Functional suitability / functional correctness",
)
END_WORDS = frozenset("end ends ended to until till stop next upper".split())
PERIOD_WORDS = frozenset("period cycle billing invoice month window range interval usage".split())
CLOSING = frozenset("period cycle invoice invoices invoicing month monthly close rollup charge bill settle".split())
COUNTED = frozenset("usage usages metering metered meter meters consumption consumed overage quota tokens billable".split())
"""Words of code whose sums are billed or limited."""
CLAIM = re.compile(
    r"(invoice|billed|processed|reported|charged|settled)\w*\W{1,6}(is|eq|equals|none|null|false|nil)\b|"
    r"un(settled|billed|processed|reported|charged|invoiced)",
    re.I,
)
AGGREGATING = frozenset("aggregate groupby sum count annotate queryusage countdocuments sumusage".split())
WARNING = frozenset("alert alerts notify notification notifications notifier warning warnings reminder reminders".split())
CHARGED = re.compile(r"invoice|charge|overage|deduct|meter_?events", re.I)
STEPS = frozenset("addmonths addmonth addmonthsnooverflow relativedelta adddate plusmonths nextmonth dateadd".split())
LAST_MOMENTS = ("endOfDay", "endOfMonth", "end_of_day", "end_of_month", "EndOfDay", "EndOfMonth", "endOf", "setHours")
MILLISECONDS = "fields"
"""Stores reached by field objects, Prisma and Mongo, keep milliseconds: .999 is the last moment there."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for one in ranges_of(code.bounds):
        if not concerns(code, one):
            continue
        end = end_of(code, one.upper)
        found = short_end(code, one, end) if end is not None else inclusive_end(code, one)
        key = (end.span if end is not None else None, enclosing(one.upper.scope, Kind.FUNCTION))
        if found is not None and key not in said:
            said.add(key)
            yield found


def concerns(code: Code, one: Range) -> bool:
    """A range of moments in code that counts what is billed."""
    scope = one.upper.scope
    if code.context(scope) in (Context.TEST, Context.BROWSER) or not is_instant(one.upper.column):
        return False
    if only_shows(code.facts, scope) or only_warns(code, scope) or only_answers(scope):
        return False
    return bills(code.facts, scope) and not is_now(code, one.upper)


def only_warns(code: Code, scope: Scope) -> bool:
    """Whether the sum only decides about a message: by the name of the function or file, and nothing is charged in it."""
    said = {*words(name_around(scope)), *words(code.facts.path.rsplit("/", 1)[-1])}
    function = enclosing(scope, Kind.FUNCTION)
    text = code.facts.text(function.span) if function is not None else ""
    return bool(said & WARNING) and not CHARGED.search(text)


def only_answers(scope: Scope) -> bool:
    """Whether the query is that of an endpoint that is asked and changes nothing: what it shows is not what is billed."""
    outer = outermost_function(scope)
    head = outer.head if outer is not None else None
    return isinstance(head, Function) and (head.name == "GET" or fold(head.passed_to).endswith(".get"))


def is_now(code: Code, bound: Bound) -> bool:
    """Up to this moment is no boundary between two periods."""
    if bound.value is None:
        return any(mark in bound.text.lower() for mark in ("now", "current_", "sysdate"))
    if isinstance(bound.value, Name | Member) and {"now", "today", "cutoff", "watermark"} & set(words(last_name(bound.value))):
        return True
    if is_stepped(code, bound) or end_of(code, bound) is not None:
        return False
    return any(origin.kind is Kinds.CLOCK for origin in code.origins(bound.value, bound.scope, bound.span.start))


def last_name(value: Expression | None) -> str:
    return getattr(value, "name", "") or getattr(value, "text", "")


def end_of(code: Code, bound: Bound) -> Boundary | None:
    """The last moment of a period that the bound is made of: `endOfMonth(now)`, `day + "T23:59:59Z"`, set on a variable."""
    if bound.value is None:
        return None
    spans = [bound.value.span]
    for part in walk(bound.value):
        if isinstance(part, Name):
            spans.extend(
                one.value.span for one in definitions_at(code.values, part.text, bound.scope, bound.span.start) if one.value
            )
    for one in code.boundaries:
        if one.end is None:
            continue
        if any(span.holds(one.span) for span in spans) or set_on(bound.value, one):
            return one
    return None


def set_on(value: Expression, one: Boundary) -> bool:
    """`end.setHours(23, 59, 59)` before `lte: end`."""
    changed = one.expression.receiver if isinstance(one.expression, Call) else None
    return isinstance(changed, Name) and isinstance(value, Name) and changed.text == value.text


def short_end(code: Code, one: Range, end: Boundary) -> Finding | None:
    if end.end in (Precision.EXACT, Precision.MICROSECOND) or (
        end.end is Precision.MILLISECOND and one.upper.operator == "<=" and one.upper.style == MILLISECONDS
    ):
        return None
    text = code.facts.text(end.span).split("\n")[0]
    lost = "second" if end.end is Precision.SECOND else "millisecond"
    billed = aggregates(code, one) and bool(COUNTED & spoken_in(code.facts, one.upper.scope))
    confidence = fine_end(one) if end.end is not Precision.SECOND else Confidence.LIKELY if billed else Confidence.POSSIBLE
    return Finding(
        span=end.span,
        description=(f"The period ends at `{text}`: what happens in its last {lost} is in no period and is never billed."),
        remediation=f"Use the start of the next period as the end, and `<` on `{one.upper.column}`.",
        confidence=confidence,
        severity=None if end.end is Precision.SECOND else Severity.LOW,
        trace=(Step(one.upper.span, f"`{one.upper.column}` is compared with it here"),),
    )


def fine_end(one: Range) -> Confidence:
    """A millisecond matters where a period's usage is summed, hardly in a list from one day to another."""
    named = frozenset(words(last_name(one.upper.value))) & {"period", "cycle", "billing"}
    return Confidence.LIKELY if named else Confidence.POSSIBLE


def inclusive_end(code: Code, one: Range) -> Finding | None:
    upper = one.upper
    if upper.operator != "<=" or one.lower.operator != ">=":
        return None
    said = frozenset(words(upper.text if upper.value is None else last_name(upper.value)))
    if not said & END_WORDS or claimed(code, upper):
        return None
    around = frozenset(words(name_around(upper.scope)))
    named = bool(said & PERIOD_WORDS) or bool(around & CLOSING)
    sure = aggregates(code, one) and named and bool(said & (END_WORDS - {"to"}))
    return Finding(
        span=upper.span,
        description=(
            f"`{upper.column}` up to and including `{upper.text[:60]}`: an event exactly on the boundary is in this "
            "period and, where the next one starts at that moment, in the next as well, and is counted twice."
        ),
        remediation=f"Make the period half-open: compare `{upper.column}` with `<`, and end where the next period starts.",
        confidence=Confidence.LIKELY
        if sure and meets_next(code, upper) and sums_for_bill(code, upper)
        else Confidence.POSSIBLE,
        fix=exclusive(code, upper) if sure else None,
    )


def sums_for_bill(code: Code, upper: Bound) -> bool:
    """Whether the function itself says that it invoices, charges or closes: an alert or a page may count an event twice."""
    return bool(set(words(name_around(upper.scope))) & CLOSING)


def meets_next(code: Code, upper: Bound) -> bool:
    """Whether the end is known to be the moment at which the next period starts: it is reached by adding a month to a start, or
    it is the stored end of a subscription's period. A parameter may be the last moment of a day, and then it is included
    rightly; so may be a stored end in a project that makes the last moments of days and months."""
    if upper.value is None:
        return False
    if is_stepped(code, upper):
        return True
    value = resolved(code.values, upper.value, upper.scope, upper.span.start)
    stored = {"period", "cycle"} & set(words(last_name(value)))
    return isinstance(value, Member) and bool(stored) and not any(map(code.elsewhere.naming, LAST_MOMENTS))


def is_stepped(code: Code, bound: Bound) -> bool:
    """`start + relativedelta(months=1)`: reached by adding months, be it to the first of the present one."""
    value = resolved(code.values, bound.value, bound.scope, bound.span.start) if bound.value is not None else None
    return any(isinstance(part, Call) and fold(part.method) in STEPS for part in walk(value))


def claimed(code: Code, upper: Bound) -> bool:
    """`invoiceId IS NULL`, `status: Unsettled` beside the range: what was billed once is not found a second time."""
    around = [whole for whole, scope in code.expressions if whole.span.holds(upper.span)]
    around += [call for call in code.facts.calls if call.span.holds(upper.span) or call.span.start == upper.span.start]
    text = code.facts.text(max(around, key=lambda one: one.span.end - one.span.start).span) if around else upper.text
    if upper.statement is not None:
        text += code.facts.text(upper.statement.span)
    return CLAIM.search(text) is not None


def aggregates(code: Code, one: Range) -> bool:
    """Whether the query, or the function around it, sums or counts."""
    if one.upper.statement is not None and one.upper.statement.aggregates:
        return True
    function = enclosing(one.upper.scope, Kind.FUNCTION)
    return any(fold(call.method) in AGGREGATING for call in code.calls_in(function)) or any(
        statement.aggregates for statement in code.statements if function is None or function.span.holds(statement.span)
    )


def exclusive(code: Code, upper: Bound) -> Fix | None:
    """One character, where the operator stands alone on the spot."""
    text = code.facts.text(upper.span)
    place = text.find("<=")
    if text.count("<=") != 1 or upper.style == "fields":
        return None
    at = upper.span.start + len(text[:place].encode())
    return Fix("Leave the end out", (Edit(at, at + 2, "<"),), safe=False)


EXAMPLES = (
    Example(
        "python",
        """
def billable_usage(session, customer_id, period_start, period_end):
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.customer_id == customer_id,
        UsageEvent.occurred_at >= period_start,
        UsageEvent.occurred_at <= period_end,  # <- finding
    ).scalar()

def invoiced_usage(customer, cycle_start, cycle_end):
    events = UsageEvent.objects.filter(customer=customer, timestamp__range=(cycle_start, cycle_end))  # <- finding
    return events.aggregate(total=Sum("quantity"))

def usage_total(cursor, start, end_of_period):
    cursor.execute(
        "SELECT SUM(quantity) FROM usage_events WHERE recorded_at BETWEEN %s AND %s",  # <- finding
        (start, end_of_period),
    )
    return cursor.fetchone()[0]
""",
    ),
    Example(
        "python",
        """
def billable_usage(session, customer_id, period_start, period_end):
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.customer_id == customer_id,
        UsageEvent.occurred_at >= period_start,
        UsageEvent.occurred_at < period_end,
    ).scalar()

def usage_of_days(cursor, first_day, last_day):
    cursor.execute(
        "SELECT COALESCE(SUM(quantity), 0) FROM daily_usage WHERE usage_date BETWEEN %s AND %s", (first_day, last_day)
    )
    return cursor.fetchone()[0]

def due_subscriptions(session, now):
    return session.query(Subscription).filter(Subscription.current_period_end <= now).all()

def usage_so_far(session, period_start):
    now = datetime.now(timezone.utc)
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.occurred_at >= period_start, UsageEvent.occurred_at <= now
    ).scalar()

def usage_until_max(session, day):
    end = datetime.combine(day, time.max, tzinfo=timezone.utc)
    return session.query(func.sum(UsageEvent.quantity)).filter(
        UsageEvent.occurred_at >= day, UsageEvent.occurred_at <= end
    ).scalar()
""",
    ),
    Example(
        "typescript",
        """
export async function usageForPeriod(db: Db, customerId: string, periodStart: Date, periodEnd: Date) {
  const [row] = await db
    .select({ total: sum(usageEvents.quantity) })
    .from(usageEvents)
    .where(and(
      eq(usageEvents.customerId, customerId),
      gte(usageEvents.timestamp, periodStart),
      lte(usageEvents.timestamp, periodEnd),  // <- finding
    ));
  return row.total;
}

export async function invoiceUsage(prisma: PrismaClient, customerId: string, start: Date, month: string) {
  const monthEnd = new Date(`${month}-28T23:59:59Z`);  // <- finding
  return prisma.usageEvent.aggregate({
    where: { customerId, timestamp: { gte: start, lte: monthEnd } },
    _sum: { quantity: true },
  });
}
""",
    ),
    Example(
        "typescript",
        """
export async function usageForPeriod(prisma: PrismaClient, customerId: string, periodStart: Date, nextStart: Date) {
  return prisma.usageEvent.aggregate({
    where: { customerId, timestamp: { gte: periodStart, lt: nextStart } },
    _sum: { quantity: true },
  });
}

export async function usageSince(prisma: PrismaClient, customerId: string, periodStart: Date) {
  return prisma.usageEvent.count({ where: { customerId, timestamp: { gte: periodStart, lte: new Date() } } });
}

export async function overlapping(prisma: PrismaClient, periodStart: Date, periodEnd: Date) {
  return prisma.subscription.count({ where: { startedAt: { lte: periodEnd }, endedAt: { gte: periodStart } } });
}

export async function checkUsageAlerts(prisma: PrismaClient, alert: Alert, periodStart: Date, periodEnd: Date) {
  const used = await prisma.usageEvent.aggregate({
    where: { customerId: alert.customerId, timestamp: { gte: periodStart, lte: periodEnd } },
    _sum: { quantity: true },
  });
  if ((used._sum.quantity ?? 0) > alert.threshold) await mail(alert.email, "80 % of your usage");
}

app.get("/usage", async (req, res) => {
  const { periodStart, periodEnd } = rangeOf(req);
  const timestamp = { gte: periodStart, lte: periodEnd };
  res.json(await prisma.usageEvent.aggregate({ where: { customerId: req.user.id, timestamp }, _sum: { quantity: true } }));
});

export async function usageOfDay(prisma: PrismaClient, day: Date) {
  const end = new Date(day);
  end.setUTCHours(23, 59, 59, 999);
  return prisma.usageEvent.aggregate({ where: { timestamp: { gte: day, lte: end } }, _sum: { quantity: true } });
}
""",
    ),
    Example(
        "go",
        """
package billing

func PeriodUsage(ctx context.Context, db *sql.DB, customer string, start, periodEnd time.Time) (int64, error) {
	var total int64
	err := db.QueryRowContext(ctx,
		"SELECT COALESCE(SUM(quantity), 0) FROM usage_events WHERE customer = $1 AND ts >= $2 AND ts <= $3",  // <- finding
		customer, start, periodEnd).Scan(&total)
	return total, err
}
""",
    ),
    Example(
        "go",
        """
package billing

func PeriodUsage(ctx context.Context, db *sql.DB, customer string, start, periodEnd time.Time) (int64, error) {
	var total int64
	err := db.QueryRowContext(ctx,
		"SELECT COALESCE(SUM(quantity), 0) FROM usage_events WHERE customer = $1 AND ts >= $2 AND ts < $3",
		customer, start, periodEnd).Scan(&total)
	return total, err
}

func closingStamp(periodEnd time.Time) time.Time {
	return periodEnd.Add(-time.Second)
}
""",
    ),
    Example(
        "typescript",
        """
export async function invoiceUsage(tx: Tx, invoice: Invoice, periodStart: Date, periodEnd: Date) {
  await tx.updateTable("UsageLog").set({ invoiceId: invoice.id })
    .where("createdAt", ">=", periodStart).where("createdAt", "<=", periodEnd).where("invoiceId", "is", null).execute();
  return tx.selectFrom("UsageLog").select(sum("quantity")).where("invoiceId", "=", invoice.id).execute();
}
""",
    ),
)
