"""The sum of no rows is NULL, and it is used as a number.

For a customer without usage in the period the query fails, or the missing value turns into NaN, a crash or a free pass at the
next comparison; just the new and the idle customers are hit. Ask the database for zero, `COALESCE(SUM(x), 0)`, or give a
default where the result is read.
"""

import re
from collections.abc import Iterator

from sqlglot.expressions import Column

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Compare,
    Conditional,
    Expression,
    Function,
    Kind,
    Logical,
    Member,
    Name,
    Scope,
    Span,
    Unary,
    Use,
    enclosing,
    fold,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.sql import Statement
from rules.meaning.subjects import bills, only_shows
from rules.meaning.values import resolved
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-316",
    title="Empty, null or grouped aggregate read as a number, or only its first row read",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("A10", "A5"),
    cwe=("CWE-476",),
    iso_25010="Functional suitability / functional correctness",
)
NUMBERS = re.compile(r"^(u?int\d*|float\d+)$")
ONE_VALUE = frozenset("selectvalue fetchval getfirstvalue querysinglevalue".split())
"""They give the first column of the first row as it is."""
NULLS = frozenset("sum max min avg".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for found in (*scanned(code), *unboxed(code), *unguarded_sums(code), *called_sums(code), *counted_nothing(code)):
        if code.context(found[1]) is not Context.TEST:
            yield found[0]


def counted_nothing(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """`SELECT c.id, COUNT(*) FROM customers c LEFT JOIN events e … GROUP BY c.id`: a customer without events counts 1."""
    for one in code.statements:
        star = next((part for part in one.aggregates if part.function == "count" and part.argument in ("*", "")), None)
        joins = [join for join in one.tree.args.get("joins") or () if join.args.get("side") == "LEFT"]
        if star is None or one.kind != "select" or len(joins) != 1 or one.tree.args.get("group") is None:
            continue
        inner = joins[0].this.alias_or_name
        where = one.tree.args.get("where")
        grouped = one.tree.args["group"]
        named = [column.table for part in (where, grouped) if part is not None for column in part.find_all(Column)]
        if inner and inner not in named and bills(code.facts, one.scope) and not only_shows(code.facts, one.scope):
            yield (
                Finding(
                    span=star.span,
                    description=f"`COUNT(*)` counts the row that the outer join makes for a customer without any `{inner}`: "
                    "whoever used nothing is counted, and billed, with 1.",
                    remediation=f"Count a column of the joined table: `COUNT({inner}.id)`.",
                    confidence=Confidence.POSSIBLE,
                ),
                one.scope,
            )


def null_sum(one: Statement) -> str:
    """The aggregate of a query without groups that is NULL where no row matches, else empty."""
    if one.kind != "select" or one.tree.args.get("group") is not None or len(one.aggregates) != 1:
        return ""
    aggregate = one.aggregates[0]
    return (
        f"{aggregate.function.upper()}({aggregate.argument})" if aggregate.function in NULLS and not aggregate.wrapped else ""
    )


def scanned(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """`QueryRow("SELECT SUM(quantity) …").Scan(&total)` into a plain number fails on NULL."""
    for one in code.statements:
        name = null_sum(one)
        if not name or one.call is None or fold(one.call.method) not in ("queryrow", "queryrowcontext", "get", "getcontext"):
            continue
        if (target := scan_target(code, one.call)) is not None and NUMBERS.match(declared(code, target)):
            span = one.aggregates[0].span
            fails = f"`{target.text}` is a plain number, so that reading fails"
            yield reported(span, name, fails, Confidence.LIKELY), one.scope


def unboxed(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """`queryForObject("SELECT SUM(…)", Long.class)` taken as Java's `long`, or with Kotlin's `!!`: neither can be null."""
    for one in code.statements:
        name = null_sum(one)
        if not name or one.call is None or fold(one.call.method) not in ("queryforobject", "getsingleresult", "fetchone"):
            continue
        function = enclosing(one.scope, Kind.FUNCTION)
        head = function.head if function is not None else None
        returned = one.call.use is Use.RETURNED and isinstance(head, Function) and head.returns in code.facts.traits.never_null
        insists = code.facts.source[one.call.span.end : one.call.span.end + 2] == b"!!"
        held = any(assign.value is one.call and assign.type in code.facts.traits.never_null for assign in code.facts.assigns)
        if returned or held or insists:
            yield reported(one.aggregates[0].span, name, "here that cannot be held, so reading it fails"), one.scope


def scan_target(code: Code, query: Call) -> Name | None:
    """The variable that the one column is read into."""
    for call in code.facts.calls:
        given = [argument.value for argument in call.arguments]
        if fold(call.method) == "scan" and call.receiver is query and len(given) == 1:
            value = given[0].value if isinstance(given[0], Unary) else given[0]
            return value if isinstance(value, Name) else None
    return None


def declared(code: Code, name: Name) -> str:
    """The declared type of a variable or named result; a pointer or a `sql.Null…` can hold NULL."""
    for assign in code.facts.assigns:
        named = any(isinstance(target, Name) and target.text == name.text for target in assign.targets)
        if assign.type and named and assign.scope.span.holds(name.span):
            return assign.type
    return ""


def unguarded_sums(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """SQLAlchemy: `.scalar() + n` of a bare `func.sum`. In JavaScript a null counts as 0 in a sum."""
    for whole, scope in code.expressions:
        guarded = [part.left.span for part in walk(whole) if isinstance(part, Logical)]
        for part in walk(whole):
            if not isinstance(part, Binary | Compare) or part.operator not in ("+", "-", "*", ">", "<", ">=", "<="):
                continue
            for side in (part.left, part.right):
                if any(span.holds(side.span) for span in guarded):
                    continue
                if (text := null_operand(code, side, scope)) is not None:
                    yield reported(side.span, text, "it is used as a number here"), scope


def called_sums(code: Code) -> Iterator[tuple[Finding, Scope]]:
    """Prisma: `result._sum.amount!.toNumber()`: a sum over no rows is null, and has no methods."""
    for call in code.facts.calls:
        holder = call.receiver
        if not isinstance(holder, Member) or not isinstance(holder.object, Member) or holder.object.name != "_sum":
            continue
        written = code.facts.text(holder.span)
        optional = code.facts.source[holder.span.end : holder.span.end + 2] == b"?."
        if not optional and not asked_for(code, written, call.scope):
            yield reported(holder.span, written, f"`{call.method}` is called on it"), call.scope


def asked_for(code: Code, text: str, scope: Scope) -> bool:
    """Whether the function asks somewhere whether this is there: as a condition, or before `&&` and `? :`."""
    function = enclosing(scope, Kind.FUNCTION)
    conditions = [(one.value, one.scope) for one in code.facts.tests]
    conditions += [
        (part.left if isinstance(part, Logical) else part.test, place)
        for whole, place in code.expressions for part in walk(whole) if isinstance(part, Logical | Conditional)
    ]  # fmt: skip
    return any(enclosing(place, Kind.FUNCTION) is function and text in code.facts.text(one.span) for one, place in conditions)


def null_operand(code: Code, side: Expression, scope: Scope) -> str | None:
    value = resolved(code.values, side, scope, side.span.start)
    if isinstance(value, Call) and fold(value.method) in ("scalar", "scalarone"):
        text = code.facts.text(value.span)
        if re.search(r"\bfunc\.sum\(", text) and "coalesce" not in text.lower() and not tested(code, side, scope):
            return "func.sum(…)"
    if isinstance(value, Call) and fold(value.method) in ONE_VALUE and not tested(code, side, scope):
        return next((name for one in code.statements if one.call is value and (name := null_sum(one))), None)
    return None


def tested(code: Code, side: Expression, scope: Scope) -> bool:
    """Whether the name is asked for None somewhere in the function."""
    if not isinstance(side, Name):
        return False
    function = enclosing(scope, Kind.FUNCTION)
    return any(
        isinstance(part, Name) and part.text == side.text
        for test in code.facts.tests
        if enclosing(test.scope, Kind.FUNCTION) is function
        for one in walk(test.value)
        if isinstance(one, Unary) or (isinstance(one, Compare) and one.operator in ("is", "is not")) or one is test.value
        for part in ([one] if isinstance(one, Name) else [getattr(one, "left", None), getattr(one, "value", None)])
    )


def reported(span: Span, name: str, use: str, confidence: Confidence = Confidence.POSSIBLE) -> Finding:
    return Finding(
        span=span,
        description=f"`{name}` is NULL for a customer without usage, and {use}: just the idle and the new customers fail.",
        remediation="`COALESCE(…, 0)` in the query, or a default where it is read.",
        confidence=confidence,
    )


EXAMPLES = (
    Example(
        "python",
        """
def remaining_credits(session, customer):
    used = session.query(func.sum(UsageEvent.quantity)).filter_by(customer_id=customer.id).scalar()
    return customer.credits - used  # <- finding
""",
    ),
    Example(
        "python",
        """
def remaining_credits(session, customer):
    used = session.query(func.coalesce(func.sum(UsageEvent.quantity), 0)).filter_by(customer_id=customer.id).scalar()
    return customer.credits - used

def remaining_quota(session, customer):
    used = session.query(func.sum(UsageEvent.quantity)).filter_by(customer_id=customer.id).scalar() or 0
    return customer.quota - used

def quota_left(session, customer):
    used = session.query(func.sum(UsageEvent.quantity)).filter_by(customer_id=customer.id).scalar()
    if used is None:
        return customer.quota
    return customer.quota - used
""",
    ),
    Example(
        "typescript",
        """
export async function remainingCredits(prisma: PrismaClient, customer: Customer) {
  const used = await prisma.usageEvent.aggregate({ where: { customerId: customer.id }, _sum: { quantity: true } });
  const total = used._sum.quantity!.toNumber();  // <- finding
  return customer.credits - total;
}
""",
    ),
    Example(
        "typescript",
        """
export async function remainingCredits(prisma: PrismaClient, customer: Customer) {
  const used = await prisma.usageEvent.aggregate({ where: { customerId: customer.id }, _sum: { quantity: true } });
  return customer.credits - (used._sum.quantity ?? 0);
}

export async function overage(prisma: PrismaClient, customer: Customer, limit: number) {
  const used = await prisma.usageEvent.aggregate({ where: { customerId: customer.id }, _sum: { quantity: true } });
  if (used._sum.quantity && used._sum.quantity.toNumber() > limit) {
    return used._sum.quantity.toNumber() - limit;
  }
  return 0;
}
""",
    ),
    Example(
        "go",
        """
package billing

func Used(ctx context.Context, db *sql.DB, customer string) (int64, error) {
	var total int64
	err := db.QueryRowContext(ctx, "SELECT SUM(quantity) FROM usage WHERE customer = $1", customer).Scan(&total)  // <- finding
	return total, err
}
""",
    ),
    Example(
        "go",
        """
package billing

func Used(ctx context.Context, db *sql.DB, customer string) (int64, error) {
	var total int64
	err := db.QueryRowContext(ctx, "SELECT COALESCE(SUM(quantity), 0) FROM usage WHERE customer = $1", customer).Scan(&total)
	return total, err
}

func UsedOrNull(ctx context.Context, db *sql.DB, customer string) (sql.NullInt64, error) {
	var total sql.NullInt64
	err := db.QueryRowContext(ctx, "SELECT SUM(quantity) FROM usage WHERE customer = $1", customer).Scan(&total)
	return total, err
}
""",
    ),
    Example(
        "python",
        """
async def check_billing(session, threshold):
    last_order_at = await session.scalar(select(func.max(Order.created_at)))
    if last_order_at is None or last_order_at < utc_now() - threshold:
        raise NoRecentOrders()
""",
    ),
    Example(
        "python",
        """
def monthly_usage(cursor, since):
    cursor.execute(
        "SELECT c.id, COUNT(*) FROM customers c "  # <- finding
        "LEFT JOIN usage_events e ON e.customer_id = c.id AND e.at >= %s GROUP BY c.id",
        (since,),
    )
    return dict(cursor.fetchall())
""",
    ),
    Example(
        "python",
        """
def monthly_usage(cursor, since):
    cursor.execute(
        "SELECT c.id, COUNT(e.id) FROM customers c "
        "LEFT JOIN usage_events e ON e.customer_id = c.id AND e.at >= %s GROUP BY c.id",
        (since,),
    )
    return dict(cursor.fetchall())
""",
    ),
)
