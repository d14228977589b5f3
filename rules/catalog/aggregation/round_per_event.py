"""Each event or row is rounded before the sum is taken.

The errors add up instead of cancelling: a thousand calls that cost 0.4 cents each come to nothing when each is rounded, and
to ten dollars when each is rounded up. Sum exact values (decimals, micro-units), and round once, on the invoice line.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Binary,
    Call,
    Expression,
    Function,
    Kind,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Scope,
    Sequence,
    Span,
    enclosing,
    fold,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.sql import grammar
from rules.meaning.subjects import bills, name_around, only_shows
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Fix, Severity
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-305",
    title="Rounding applied per event or per row before the sum",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("A4", "E16"),
    cwe=("CWE-1339",),
    iso_25010="Functional suitability / functional correctness",
)
ROUNDS = frozenset("round ceil floor trunc tofixed roundup rounddown quantize setscale".split())
CUTS = frozenset("int int64 floor trunc parseint".split())
MONEY = frozenset(
    "price amount cost fee charge credits credit quota usage billable quantity units minutes hours spend total "
    "subtotal tokens".split()
)
MOST_LETTERS = 6
"""Of a token, by any rule of thumb."""
LENGTHS = frozenset("minutes hours total".split())
"""Of anything: they are billed where something else says so."""
CONTRACT = frozenset("started billed increment increments micro micros nano minimum block blocks step rounded roundup".split())
SHOWN = frozenset(
    "percent percentage display label estimate estimated format ratio progress average avg formatted stats mrr arr".split()
)
REPORTED = frozenset("reporting reporter reporters kpi mrr arr".split())
"""Words of files and functions whose sums are looked at."""
LINES = frozenset(
    "line lines item items plan plans product products tier tiers subscription subscriptions sub subs addon addons seat seats "
    "discount discounts tax taxes invoice invoices fee fees".split()
)
"""What is rounded one by one on purpose: each stands on the invoice with its own amount, and the total is their sum."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for span, scope, text, certain, fix in (*in_loops(code), *in_sums(code), *in_sql(code), *cut_charges(code)):
        key = enclosing(scope, Kind.FUNCTION) or span
        if key in said or not judged(code, scope):
            continue
        said.add(key)
        yield Finding(
            span=span,
            description=(
                f"`{text}` is rounded for each event before it is added up: the errors do not cancel, and the sum differs "
                "from what was used."
            ),
            remediation="Add the exact values, and round once, at the end.",
            confidence=Confidence.CERTAIN if certain and is_served(code, scope) else Confidence.POSSIBLE,
            fix=fix,
        )


Found = tuple[Span, Scope, str, bool, Fix | None]


def judged(code: Code, scope: Scope) -> bool:
    said = set(words(name_around(scope)))
    if code.context(scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER) or said & (CONTRACT | SHOWN):
        return False
    told = said | set(words("/".join(code.facts.path.split("/")[-2:])))
    return bills(code.facts, scope) and not only_shows(code.facts, scope) and not told & REPORTED


def spoken(expression: Expression | None) -> frozenset[str]:
    return frozenset(
        word for part in walk(expression)
        for word in words(getattr(part, "text", "") or (getattr(part, "name", "") if isinstance(part, Member) else ""))
    )  # fmt: skip


def rounding(expression: Expression | None) -> Call | None:
    """The outermost rounding of a product, quotient or field in an expression."""
    for part in walk(expression):
        if isinstance(part, Call) and fold(part.method) in ROUNDS and rounds_value(part):
            return part
    return None


def rounds_value(call: Call) -> bool:
    inside = (
        call.receiver
        if fold(call.method) in ("tofixed", "quantize", "setscale", "rounddp") or not call.arguments
        else call.arguments[0].value
    )
    computed = any(isinstance(part, Binary) and part.operator in ("*", "/") for part in walk(inside))
    minor = any(isinstance(part, Literal) and part.value in (1_000_000, 1e6, 1_000_000_000, 1e9) for part in walk(inside))
    # A price in quota units, hundreds of thousands to the dollar, is whole enough.
    units = any(
        isinstance(part, Name | Member) and {"per", "unit"} <= set(words(getattr(part, "name", getattr(part, "text", ""))))
        for part in walk(inside)
    )
    return computed and not minor and not units and not guesses(inside)


def guesses(inside: Expression | None) -> bool:
    """`text.length / 4`, `len(text) / 4`: how many tokens a text may have. Nothing was measured that rounding falsifies."""
    return any(
        isinstance(part, Binary)
        and part.operator == "/"
        and isinstance(part.right, Literal)
        and isinstance(part.right.value, int | float)
        and 2 <= part.right.value <= MOST_LETTERS
        and counts_letters(part.left)
        for part in walk(inside)
    )


def counts_letters(part: Expression) -> bool:
    last = part.method if isinstance(part, Call) else part.name if isinstance(part, Member) else ""
    return fold(last) in ("len", "length", "strlen", "mbstrlen", "count", "runecountinstring")


def in_loops(code: Code) -> Iterator[Found]:
    """`total += Math.round(event.units * price)` in a loop."""
    for assign in code.facts.assigns:
        if assign.operator != "+=" or assign.value is None:
            continue
        inner = enclosing(assign.scope, Kind.LOOP, Kind.FUNCTION)
        each = inner is not None and (inner.kind is Kind.LOOP or passed_each(inner))
        made = rounding(assign.value)
        said = spoken(assign.value) | frozenset(word for target in assign.targets for word in spoken(target))
        known = said & (MONEY - LENGTHS) or set(words(name_around(assign.scope))) & MONEY
        if each and made is not None and known and not said & (CONTRACT | SHOWN) and not of_lines(made, inner):
            yield assign.span, assign.scope, code.facts.text(made.span), True, None


def of_lines(made: Call, each: Scope | None) -> bool:
    """Whether what is rounded is a line of an invoice, by the names of what is gone through and of what is rounded."""
    head = each.head if each is not None else None
    over = spoken(head.iterates) if isinstance(head, Loop) and head.iterates is not None else frozenset()
    return bool((over | spoken(made)) & LINES)


def passed_each(function: Scope) -> bool:
    head = function.head
    return isinstance(head, Function) and fold(head.passed_to).rsplit(".", 1)[-1] == "foreach"


def in_sums(code: Code) -> Iterator[Found]:
    """`sum(round(x * price, 2) for x in rows)`, `rows.Sum(row => Math.Round(…))`, `rows.reduce(…)`."""
    for call in code.facts.calls:
        if (
            fold(call.method) == "sum"
            and call.arguments
            and isinstance(call.arguments[0].value, Sequence)
            and call.arguments[0].value.each
        ) or (fold(call.method) == "sum" and isinstance(call.callee, Member) and len(call.arguments) == 1):
            made = rounding(call.arguments[0].value)
            if made is not None and spoken(made) & MONEY and not spoken(made) & (CONTRACT | SHOWN | LINES):
                yield made.span, call.scope, code.facts.text(made.span), True, None
        elif fold(call.method) == "reduce" and call.arguments and isinstance(call.arguments[0].value, Lambda):
            body = call.arguments[0].value.scope
            for one in code.facts.returns:
                made = (
                    rounding(one.value)
                    if enclosing(one.scope, Kind.FUNCTION) is body and isinstance(one.value, Binary)
                    else None
                )
                if made is not None and spoken(made) & MONEY and not spoken(made) & (CONTRACT | SHOWN | LINES):
                    yield made.span, call.scope, code.facts.text(made.span), True, None


def in_sql(code: Code) -> Iterator[Found]:
    """`SUM(ROUND(quantity * price, 2))`."""
    g = None
    for one in code.statements:
        g = g or grammar()
        for total in one.tree.find_all(g.Sum):
            made = next(total.this.find_all(g.Round, g.Ceil, g.Floor), None) if total.this is not None else None
            if made is not None and any(set(words(column.name)) & MONEY for column in made.find_all(g.Column)):
                place = next((each.span for each in one.aggregates if each.function == "sum"), one.span)
                yield place, one.scope, total.sql()[:60], True, None


def cut_charges(code: Code) -> Iterator[Found]:
    """Go: `quota := int(cost)` of a float that was computed: each request loses up to a unit."""
    if not any("decimal" in package for package in code.facts.packages):
        return
    for assign in code.facts.assigns:
        value = assign.value
        if not isinstance(value, Call) or fold(value.name) not in CUTS or len(value.arguments) != 1:
            continue
        inner = value.arguments[0].value
        said = frozenset(word for target in assign.targets for word in spoken(target))
        if isinstance(inner, Name) and said & {"quota", "cost", "amount", "price", "credits"} and is_float(code, inner, assign):
            yield assign.span, assign.scope, code.facts.text(value.span), False, None


def is_float(code: Code, name: Name, assign: Assign) -> bool:
    return any(
        (isinstance(one.value, Literal) and isinstance(one.value.value, float))
        or any(isinstance(part, Call) and fold(part.name) == "float64" for part in walk(one.value))
        for one in code.values.definitions.get(name.text, ())
        if one.value is not None and enclosing(one.scope, Kind.FUNCTION) is enclosing(assign.scope, Kind.FUNCTION)
    )


EXAMPLES = (
    Example(
        "python",
        """
def invoice_amount(events, unit_price):
    total = 0
    for event in events:
        total += round(event.quantity * unit_price, 2)  # <- finding
    return total

def usage_cost(rows):
    return sum(round(row.units * row.price, 2) for row in rows)  # <- finding

def billable(cursor):
    cursor.execute("SELECT SUM(ROUND(quantity * price, 2)) FROM usage_events")  # <- finding
""",
    ),
    Example(
        "python",
        """
def invoice_amount(events, unit_price):
    return round(sum(event.quantity * unit_price for event in events), 2)

def billed_minutes(calls):
    return sum(math.ceil(call.seconds / 60) for call in calls)

def invoice_total(invoice):
    total = 0
    for line in invoice.lines:
        total += round(line.quantity * line.unit_price, 2)
    return total

def monthly_usage_mrr(plans):
    mrr = 0
    for each in plans:
        mrr += round(each.amount * each.per_year / 12)
    return mrr

def usage_percent(rows):
    total_percent = 0
    for row in rows:
        total_percent += round(row.usage / row.limit * 100)
    return total_percent
""",
    ),
    Example(
        "typescript",
        """
export function invoiceTotal(events: UsageEvent[], unitPrice: number): number {
  let total = 0;
  for (const event of events) {
    total += Math.round(event.quantity * unitPrice);  // <- finding
  }
  return total;
}

export const usageUnits = (rows: Row[]) => rows.reduce((sum, row) => sum + Math.ceil(row.units / 1000), 0);  // <- finding
""",
    ),
    Example(
        "typescript",
        """
export function invoiceTotal(events: UsageEvent[], unitPrice: number): number {
  let total = 0;
  for (const event of events) total += event.quantity * unitPrice;
  return Math.round(total);
}

export async function addCost(redis: Redis, customerId: string, cost: number) {
  await redis.hincrby(`usage:${customerId}`, "costMicro", Math.round(cost * 1_000_000));
}
""",
    ),
    Example(
        "go",
        """
package billing

func invoiceTotal(events []UsageEvent, unitPrice float64) float64 {
	var total float64
	for _, event := range events {
		total += math.Round(event.Quantity*unitPrice) / 100  // <- finding
	}
	return total
}
""",
    ),
    Example(
        "go",
        """
package billing

func invoiceTotal(events []UsageEvent, unitPrice decimal.Decimal) decimal.Decimal {
	total := decimal.Zero
	for _, event := range events {
		total = total.Add(unitPrice.Mul(event.Quantity))
	}
	return total.Round(2)
}
""",
    ),
    Example(
        "typescript",
        """
export function dueAfterOutages(invoice: Invoice, tickets: Ticket[]) {
  let downMinutes = 0;
  for (const ticket of tickets) downMinutes += Math.floor((+ticket.resolvedAt - +ticket.reportedAt) / 60000);
  return downMinutes > 60 ? invoice.amount * 0.1 : 0;
}
""",
    ),
    Example(
        "typescript",
        """
export function expectedUsage(prompts: Prompt[]) {
  let inputTokens = 0;
  for (const prompt of prompts) inputTokens += Math.ceil(prompt.text.length / 4);
  return { usage: { inputTokens } };
}
""",
    ),
    Example(
        "python",
        """
def usage_of_stream(chunks):
    tokens = 0
    for chunk in chunks:
        tokens += math.ceil(len(chunk.text) / 4)
    return {"usage": tokens}
""",
    ),
)
