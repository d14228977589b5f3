"""The counter of a whole period is set to the sum of a shorter window.

A recompute that reads only the last hours is cheap, and right for adding what is new; but when its result replaces the
counter, everything used before the window vanishes from the bill. Either recompute from the start of the period, or add the
difference to what is there.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Expression,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Unary,
    enclosing,
    fold,
    name_of,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.subjects import bills
from rules.meaning.times.ranges import Bound
from rules.meaning.values import Definition, definitions_at
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-317",
    title="Counter of the whole period is overwritten by the sum of a shorter window",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("X", "A10"),
    cwe=("CWE-682",),
    iso_25010="Functional suitability / functional correctness",
)
WINDOW = frozenset("window lateness lookback late watermark recent hours minutes hour minute lag grace".split())
WHOLE = frozenset("total totals lifetime monthly month period agg aggregate sum alltime overall cumulative billed".split())
WRITES = frozenset("set update updates upsert updateone hset findoneandupdate save execute executeupdate".split())
SAVES = frozenset("save savechanges commit flush update".split())
AGGREGATES = re.compile(r"\bsum(?:Async|Of|By)?\b|aggregate|\bSUM\(|count\(|\.sum\(|_sum", re.I)


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for bound in code.bounds:
        function = enclosing(bound.scope, Kind.FUNCTION)
        if bound.operator not in (">", ">=") or not isinstance(bound.value, Name) or function in said or function is None:
            continue
        if code.context(bound.scope) is Context.TEST or not bills(code.facts, bound.scope):
            continue
        window = shorter(code, bound)
        if window is None or not AGGREGATES.search(code.facts.text(function.span)):
            continue
        overwritten = whole_counter(code, function, bound)
        if overwritten is not None:
            said.add(function)
            yield finding(code, bound, window, overwritten)


def shorter(code: Code, bound: Bound) -> Definition | None:
    """The definition by which the lower bound is some hours before now or the watermark, and not the period's start."""
    assert isinstance(bound.value, Name)
    for one in definitions_at(code.values, bound.value.text, bound.scope, bound.span.start):
        if one.value is not None and subtracts_window(code, one.value, one.scope, 3):
            return one
    return None


def subtracts_window(code: Code, value: Expression, scope: Scope, hops: int) -> bool:
    for part in walk(value):
        if isinstance(part, Binary) and part.operator == "-" and is_window(part.right):
            return True
        if (
            isinstance(part, Call)
            and fold(part.method) == "add"
            and any(is_negative(argument.value) and is_window(argument.value) for argument in part.arguments)
        ):
            return True
        if isinstance(part, Call) and fold(part.method) in ("addhours", "addminutes") and goes_back(part):
            return True
        if isinstance(part, Call) and fold(part.method) in ("subhours", "subminutes", "minushours", "subtract"):
            return True
        if isinstance(part, Name) and hops:
            for one in definitions_at(code.values, part.text, scope, part.span.start):
                if one.value is not None and one.how == "assign" and subtracts_window(code, one.value, one.scope, hops - 1):
                    return True
    return False


def goes_back(call: Call) -> bool:
    return any(is_negative(argument.value) for argument in call.arguments)


def is_negative(value: Expression) -> bool:
    if isinstance(value, Literal):
        return isinstance(value.value, int | float) and value.value < 0
    return isinstance(value, Unary) and value.operator == "-"


def is_window(value: Expression) -> bool:
    """`lateWindowHours * 3600 * 1000`, `timedelta(hours=48)`, `48 * time.Hour`; a day or a month may be the period itself."""
    for part in walk(value):
        if isinstance(part, Name | Member) and WINDOW & set(words(getattr(part, "text", "") or getattr(part, "name", ""))):
            return True
        if isinstance(part, Call) and any(argument.name in ("hours", "minutes") for argument in part.arguments):
            return True
    return False


def whole_counter(code: Code, function: Scope, bound: Bound) -> Call | None:
    """A later write that sets, not adds to, a field named for the whole."""
    fields = [
        assign
        for assign in code.facts.assigns
        if enclosing(assign.scope, Kind.FUNCTION) is function and assign.operator == "=" and assign.span.start > bound.span.end
        and any(isinstance(target, Member) and WHOLE & set(words(target.name)) for target in assign.targets)
        and assign.value is not None and not adds(assign.value)
    ]  # fmt: skip
    for call in code.calls_in(function):
        if fields and call.span.start > fields[0].span.end and fold(call.method) in SAVES:
            return call
        if call.span.start < bound.span.end or fold(call.method) not in WRITES:
            continue
        if any(WHOLE & set(words(name)) and not adds(value) for name, value in set_by(call)):
            return call
    return set_in_sql(code, function, bound)


def set_by(call: Call) -> Iterator[tuple[str, Expression]]:
    """The fields that a write names, with their new values; `SetProperty(row => row.Total, total)` names one as well."""
    for argument in call.arguments:
        if argument.name is not None:
            yield argument.name, argument.value
        for part in walk(argument.value):
            for entry in getattr(part, "entries", ()):
                if entry.name is not None:
                    yield entry.name, entry.value
            if isinstance(part, Call) and fold(part.method) == "setproperty" and len(part.arguments) == 2:
                yield name_of(part.arguments[0].value), part.arguments[1].value


def set_in_sql(code: Code, function: Scope, bound: Bound) -> Call | None:
    """`UPDATE … SET period_total = $1`, after the sum or around it."""
    for one in code.statements:
        if one.kind != "update" or one.call is None or enclosing(one.scope, Kind.FUNCTION) is not function:
            continue
        later = one.span.end >= bound.span.end
        if later and any(WHOLE & set(words(name)) and not mentions(value, name) for name, value in one.written.items()):
            return one.call
    return None


def mentions(value: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", value, re.I) is not None


def adds(value: Expression) -> bool:
    """An atomic addition, a template of SQL, or something that is no figure."""
    return isinstance(value, Object | Literal) or any(
        (isinstance(part, Binary) and part.operator == "+" and any(isinstance(one, Member) for one in (part.left, part.right)))
        or (isinstance(part, Call) and fold(part.method) in ("f", "sql", "raw", "expr", "increment"))
        for part in walk(value)
    )


def finding(code: Code, bound: Bound, window: Definition, written: Call) -> Finding:
    assert window.value is not None
    return Finding(
        span=window.value.span,
        cause=written.span,
        description=(
            f"The sum starts at `{bound.text}`, which may be hours before now instead of the period's start, "
            f"and `{written.name}` "
            "replaces the counter of the period with it: earlier usage disappears from the bill."
        ),
        remediation="Sum from the start of the period, or add what is new to the counter.",
        confidence=Confidence.LIKELY,
        trace=(Step(bound.span, "the sum starts here"), Step(written.span, "and replaces the counter here")),
    )


EXAMPLES = (
    Example(
        "python",
        """
def recompute_usage(session, counter, now):
    since = now - timedelta(hours=48)  # <- finding
    total = session.query(func.sum(UsageEvent.quantity)).filter(UsageEvent.timestamp >= since).scalar()
    session.query(UsageCounter).filter_by(id=counter.id).update({"period_total": total})
""",
    ),
    Example(
        "python",
        """
def recompute_usage(session, counter, period_start):
    total = session.query(func.sum(UsageEvent.quantity)).filter(UsageEvent.timestamp >= period_start).scalar() or 0
    session.query(UsageCounter).filter_by(id=counter.id).update({"period_total": total})

def add_recent_usage(session, counter, now):
    since = now - timedelta(hours=1)
    recent = session.query(func.sum(UsageEvent.quantity)).filter(UsageEvent.timestamp >= since).scalar() or 0
    session.query(UsageCounter).filter_by(id=counter.id).update({"period_total": UsageCounter.period_total + recent})
""",
    ),
    Example(
        "typescript",
        """
export async function recompute(db: Db, counter: UsageCounter, periodStart: Date, latenessHours: number) {
  let from = periodStart;
  if (counter.watermark) {
    from = new Date(counter.watermark.getTime() - latenessHours * 3600000);  // <- finding
  }
  const [row] = await db.select({ total: sum(events.quantity) }).from(events).where(gte(events.timestamp, from));
  await db.update(usageCounters).set({ periodTotal: row.total }).where(eq(usageCounters.id, counter.id));
}
""",
    ),
    Example(
        "typescript",
        """
export async function recompute(db: Db, counter: UsageCounter, periodStart: Date) {
  const [row] = await db.select({ total: sum(events.quantity) }).from(events).where(gte(events.timestamp, periodStart));
  await db.update(usageCounters).set({ periodTotal: row.total }).where(eq(usageCounters.id, counter.id));
}
""",
    ),
    Example(
        "go",
        """
package usage

func Recompute(ctx context.Context, db *gorm.DB, counter Counter, now time.Time, lookback time.Duration) error {
	from := now.Add(-lookback)  // <- finding
	var total int64
	db.Model(&UsageEvent{}).Select("SUM(quantity)").Where("ts >= ?", from).Scan(&total)
	return db.Model(&counter).Updates(map[string]any{"period_usage_total": total}).Error
}
""",
    ),
    Example(
        "go",
        """
package usage

func Recompute(ctx context.Context, db *gorm.DB, counter Counter, periodStart time.Time) error {
	var total int64
	db.Model(&UsageEvent{}).Select("SUM(quantity)").Where("ts >= ?", periodStart).Scan(&total)
	return db.Model(&counter).Updates(map[string]any{"period_usage_total": total}).Error
}
""",
    ),
)
