"""Money, or a quantity that is billed, is computed or stored in binary floating point.

Most decimal fractions have no exact binary form: sums drift with every addition, comparisons with a limit come out wrong by
a cent, and cutting `19.99 * 100` to a whole number gives 1998. Count in integer minor units (cents, micro-dollars), or use a
decimal type from the database column to the invoice: NUMERIC, `Decimal(str(x))`, `decimal.Decimal`.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from rules.code import Code
from rules.facts import (
    Assign,
    Binary,
    Call,
    Class,
    Expression,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Span,
    Template,
    enclosing,
    fold,
    name_of,
    walk,
)
from rules.meaning.contexts import Context
from rules.meaning.floats import declared, is_float
from rules.meaning.sql import grammar
from rules.meaning.subjects import bills, name_around, only_shows
from rules.meaning.usage.fields import fields
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-304",
    title="Binary float arithmetic for billable amounts",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A4",),
    cwe=("CWE-1339", "CWE-681"),
    iso_25010="Functional suitability / functional correctness",
)
MONEY = frozenset(
    "price prices amount amounts cost costs fee fees balance balances charge charges usd eur dollars spend spent revenue "
    "subtotal budget credit credits money payout invoice".split()
)
SUMS = frozenset("sum total agg aggregate value quantity units consumed usage".split())
SHOWN = frozenset("estimate estimated display displayed format formatted label text approx percent percentage ratio rate rates "
                  "str string log average avg".split())  # fmt: skip
UNITS = frozenset("micro micros cents cent nano nanos minor millis ms seconds bytes count counts tokens".split())
"""Words of numbers that are whole."""
STORES = frozenset("set values update insert create save hset execute upsert updateone put commit add exec query".split())
FLOAT_TYPES = frozenset("float real double doubleprecision floatfield float8 float32 float64 double_precision".split())
TO_FLOAT = frozenset("parsefloat float".split())
TRUNCATES = frozenset("floor trunc parseint int int64 int32 uint64".split())
EXACT_COLUMN = re.compile(r"type:\s*\"?(decimal|numeric)", re.I)
MAPPED = frozenset({"Entity", "Table", "Document", "MappedEntity", "Embeddable"})
"""Annotations of a class whose fields are columns."""
"""A column that is exact, and sums over it are, whatever the program reads it into."""
Found = tuple[Span, Scope, str, str, Confidence]


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for span, scope, description, remediation, confidence in (
        *redis_floats(code), *columns(code), *ddl(code), *decimals(code), *sums(code), *truncated(code),
        *accumulated(code), *given_up(code), *singles(code), *float_queries(code),
    ):  # fmt: skip
        place = enclosing(scope, Kind.FUNCTION, Kind.CLASS) or span
        # A migration runs once and is no production code, but what it makes stays.
        once = code.context(scope) is Context.SCRIPT and "float column" not in description
        if place in said or once or estimated(code, span) or code.context(scope) in (Context.TEST, Context.BROWSER):
            continue
        said.add(place)
        yield Finding(span=span, description=description, remediation=remediation, confidence=confidence)


def estimated(code: Code, span: Span) -> bool:
    """A comment on the line, or right above, that it is an estimate: nobody is charged that amount."""
    return any(
        span.line - 1 <= one.span.end_line <= span.end_line and re.search(r"estimat|approximat", one.text, re.I)
        for one in code.facts.comments
    )


def spoken(expression: Expression | None) -> frozenset[str]:
    """The words of the names, fields and keys in an expression."""
    said: set[str] = set()
    for part in walk(expression):
        if isinstance(part, Name | Member):
            said.update(words(name_of(part)))
        elif isinstance(part, Index) and isinstance(part.key, Literal):
            said.update(words(str(part.key.value)))
    return frozenset(said)


def is_money(said: frozenset[str]) -> bool:
    return bool(said & MONEY) and not said & (UNITS | SHOWN)


def redis_floats(code: Code) -> Iterator[Found]:
    """`HINCRBYFLOAT key cost 0.0123`, said once for a file: what is kept there is added to in several places."""
    for call in code.facts.calls:
        if fold(call.method) not in ("incrbyfloat", "hincrbyfloat"):
            continue
        said = {word for argument in call.arguments for word in spoken(argument.value)} | set(words(name_around(call.scope)))
        said |= {word for argument in call.arguments for part in walk(argument.value) for word in text_words(part)}
        if said & MONEY:
            yield (
                call.span, call.scope,
                f"`{call.method}` adds money in binary floating point: the sum drifts a little with every "
                "addition, from the amounts on record and from the limits that it is held against.",
                "Add whole micro-units instead: `INCRBY` of the amount times 1,000,000, rounded once.",
                Confidence.LIKELY,
            )  # fmt: skip
            return


def text_words(part: Expression) -> tuple[str, ...]:
    return words(part.value) if isinstance(part, Literal) and isinstance(part.value, str) else ()


def columns(code: Code) -> Iterator[Found]:
    """`amount = Column(Float)`, `cost: real("cost")`, `Amount float64` with a column tag."""
    for assign in code.facts.assigns:
        for target in assign.targets:
            if is_money(frozenset(words(name_of(target)))) and float_column(code, assign):
                yield column(code, assign.span, assign.scope, name_of(target))
    yield from declared_by_calls(code)
    for call in code.facts.calls:
        if fold(call.method) in ("real", "doubleprecision") and call.arguments:
            first = call.arguments[0].value
            if isinstance(first, Literal) and is_money(frozenset(words(str(first.value)))) and is_schema(code):
                yield column(code, call.span, call.scope, str(first.value))


TABLES = frozenset("t table blueprint".split())


def declared_by_calls(code: Code) -> Iterator[Found]:
    """`t.float :amount`, `$table->double('cost')`, `add_column :invoices, :amount, :float`, and Eloquent's casts."""
    for call in code.facts.calls:
        given = [str(one.value.value) for one in call.arguments if isinstance(one.value, Literal) and one.name is None]
        on_table = isinstance(call.receiver, Name) and call.receiver.text in TABLES
        if on_table and fold(call.method) in ("float", "double") and given and is_money(frozenset(words(given[0]))):
            yield column(code, call.span, call.scope, given[0])
        added = fold(call.method) in ("addcolumn", "changecolumn") and given[2:3] == ["float"]
        if added and is_money(frozenset(words(given[1]))):
            yield column(code, call.span, call.scope, given[1])
    held = [(one.value, one.scope) for one in code.facts.assigns if one.targets and name_of(one.targets[0]) == "casts"]
    held += [(one.value, one.scope) for one in code.facts.returns if name_around(one.scope) == "casts"]
    for whole, scope in held:
        for entry in whole.entries if isinstance(whole, Object) else ():
            kind = entry.value.value if isinstance(entry.value, Literal) else ""
            if kind in ("float", "double", "real") and entry.name and is_money(frozenset(words(entry.name))):
                yield cast_to_float(entry.span, scope, entry.name)


def cast_to_float(span: Span, scope: Scope, name: str) -> Found:
    return (
        span, scope,
        f"`{name}` is money, and this cast reads it as a binary float however exactly it is stored.",
        "Cast it to a decimal: `'decimal:6'`, or to an integer of minor units.",
        Confidence.LIKELY,
    )  # fmt: skip


def column(code: Code, span: Span, scope: Scope, name: str) -> Found:
    decimal = code.facts.idioms.exact_decimal
    return (
        span, scope,
        f"`{name}` is money in a binary float column: sums over it drift, and equal amounts do not compare equal.",
        f"Store it as NUMERIC ({decimal} in the program), or as an integer of minor units.",
        Confidence.POSSIBLE if frozenset(words(name)) & MONEY <= {"price", "prices"} else Confidence.CERTAIN,
    )  # fmt: skip


def float_column(code: Code, assign: Assign) -> bool:
    if floats := code.facts.traits.float_types:
        plain = re.sub(r"^[*]|^Option<|[>?]$", "", assign.type.rpartition(" ")[2])
        return plain in floats and is_stored(code, assign)
    if enclosing(assign.scope, Kind.FUNCTION) is not None:
        return False
    if not isinstance(assign.value, Call):
        return re.fullmatch(r"Mapped\[(Optional\[)?float.*\]", assign.type) is not None
    made = fold(assign.value.method)
    kinds = {fold(name_of(part)) for argument in assign.value.arguments for part in walk(argument.value)}
    kinds |= {
        fold(part.method) for argument in assign.value.arguments for part in walk(argument.value) if isinstance(part, Call)
    }
    numbered = any(isinstance(argument.value, Literal) and argument.name is None for argument in assign.value.arguments)
    return (made == "floatfield" and not numbered) or (made in ("column", "mappedcolumn") and bool(kinds & FLOAT_TYPES))


def is_stored(code: Code, assign: Assign) -> bool:
    """Whether a declared field is a column: its own tag says so, or its class is a table's row."""
    tag = str(assign.value.value) if isinstance(assign.value, Literal) else ""
    if assign.operator == ":" and re.search(r"\b(gorm|db|bun|bson|pg|xorm):\"", tag):
        return not EXACT_COLUMN.search(tag)
    marks = {name_of(mark) or getattr(mark, "method", "") for mark in getattr(assign.scope.head, "decorators", ())}
    return bool(marks & MAPPED) or is_entity(code, assign) or (assign.operator == ":" and is_row(assign.scope.head))


def is_entity(code: Code, assign: Assign) -> bool:
    """A property of a class that Entity Framework is told to keep: `[Table]`, or a `[Key]` in it."""
    holder = assign.scope.head
    if assign.operator not in (":", "=") or not isinstance(holder, Class) or assign.scope.kind is not Kind.CLASS:
        return False
    marked = any(fold(name_of(mark)) in ("table", "owned") for mark in holder.decorators)
    return marked or "[Key]" in code.facts.text(assign.scope.span)


def is_row(holder: object) -> bool:
    """`#[derive(Insertable)]`, `#[derive(DeriveEntityModel)]`: what Diesel and SeaORM write; what is only read may be shown."""
    marks = holder.decorators if isinstance(holder, Class) else ()
    derived = {name_of(part) for mark in marks if isinstance(mark, Call) for one in mark.arguments for part in walk(one.value)}
    return bool(derived & {"Insertable", "AsChangeset", "DeriveEntityModel"})


def is_schema(code: Code) -> bool:
    return any(package.startswith("drizzle-orm") for package in code.facts.packages)


def ddl(code: Code) -> Iterator[Found]:
    """`amount DOUBLE PRECISION` in CREATE TABLE."""
    for one in code.statements:
        if one.kind != "create":
            continue
        for made in one.tree.find_all(grammar().ColumnDef):
            kind = str(made.args.get("kind") or "").upper()
            if kind.startswith(("FLOAT", "DOUBLE", "REAL")) and is_money(frozenset(words(made.name))):
                yield column(code, one.span, one.scope, made.name)
                break


def decimals(code: Code) -> Iterator[Found]:
    """`Decimal(0.1)`, `Decimal(float(x))`, `Decimal(x)` of what is annotated as a float."""
    for call in code.facts.calls:
        if fold(call.method) not in code.facts.traits.binary_decimals or len(call.arguments) != 1:
            continue
        value = call.arguments[0].value
        if is_float(code, value, call.scope, call.span.start) and not is_exact(value):
            text = code.facts.text(value.span)
            sure = isinstance(value, Literal)
            yield (
                call.span, call.scope,
                f"`Decimal({text})` keeps the binary error of the float it is made of, as if it were exact.",
                f"Keep the value decimal from the start; where it must be a float, `Decimal(str({text}))`.",
                Confidence.CERTAIN if sure else Confidence.LIKELY,
            )  # fmt: skip


def is_exact(value: Expression) -> bool:
    """`2.5` and `0.25` are the same in binary."""
    return isinstance(value, Literal) and isinstance(value.value, float) and Decimal(str(value.value)) == Decimal(value.value)


def sums(code: Code) -> Iterator[Found]:
    """`parseFloat(row.sum) + parseFloat(adjustment.total)`, `total += float(row.amount)`."""
    for assign in code.facts.assigns:
        if assign.value is None or not judged(code, assign.scope):
            continue
        target = frozenset(word for one in assign.targets for word in spoken(one))
        if target & (SHOWN | UNITS):
            continue
        added = assign.operator in ("+=", "-=") or any(
            isinstance(part, Binary) and part.operator in ("+", "-") and any(map(to_float, (part.left, part.right)))
            for part in walk(assign.value)
        )
        parsed = next((part for part in walk(assign.value) if to_float(part)), None)
        decimal = code.facts.idioms.exact_decimal
        if not added or parsed is None or not isinstance(parsed, Call):
            continue
        said = target | spoken(parsed)
        if is_money(said) or (said & SUMS and not said & (SHOWN | UNITS) and stores(code, assign.scope)):
            yield (
                assign.span, assign.scope,
                f"`{code.facts.text(parsed.span)}` turns a decimal into a binary float, and the sum is no "
                "longer exact: what is "
                "stored drifts from what was counted.",
                f"Add in the database on NUMERIC columns, or with {decimal}; convert to a binary float only for display.",
                Confidence.LIKELY,
            )  # fmt: skip


def to_float(part: Expression) -> bool:
    """A conversion of a value, `parseFloat(x)`, `float(x)`; also behind `|| 0`."""
    return isinstance(part, Call) and fold(part.method) in TO_FLOAT and len(part.arguments) == 1 and not part.constructs


def stores(code: Code, scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and any(fold(call.method) in STORES and "." in call.name for call in code.calls_in(function))


def judged(code: Code, scope: Scope) -> bool:
    said = frozenset(words(name_around(scope)))
    return bills(code.facts, scope) and not only_shows(code.facts, scope) and not said & SHOWN


def truncated(code: Code) -> Iterator[Found]:
    """`Math.floor(price * 100)`, `int(amount * 100)`: cut to cents, and one cent short."""
    for call in code.facts.calls:
        if fold(call.method) not in TRUNCATES or not call.arguments:
            continue
        product = call.arguments[0].value
        if not isinstance(product, Binary) or product.operator != "*":
            continue
        factor, other = (product.right, product.left) if isinstance(product.right, Literal) else (product.left, product.right)
        if not isinstance(factor, Literal) or factor.value not in (100, 100.0) or not is_money(spoken(other)):
            continue
        if not code.facts.traits.exact_products or is_float(code, other, call.scope, call.span.start):
            yield (
                call.span, call.scope,
                f"`{code.facts.text(call.span)}` cuts a binary fraction: 19.99 becomes 1998, one "
                "cent short.",
                "Round instead of cutting, or keep the amount in whole cents or a decimal type throughout.",
                Confidence.LIKELY,
            )  # fmt: skip


def accumulated(code: Code) -> Iterator[Found]:
    """Declared types: money added up as a binary float, in a loop or in a file that has a decimal type for the same."""
    if not code.facts.traits.float_types:
        return
    has_decimal = any("decimal" in package.lower() for package in code.facts.packages)
    decimal = code.facts.idioms.exact_decimal
    for assign in code.facts.assigns:
        target = assign.targets[0]
        if assign.operator != "+=" or assign.value is None or not isinstance(target, Name) or not judged(code, assign.scope):
            continue
        said = frozenset(words(target.text))
        money = is_money(said) or (has_decimal and "quota" in said)
        looped = enclosing(assign.scope, Kind.LOOP, Kind.FUNCTION)
        adds_up = has_decimal or (looped is not None and looped.kind is Kind.LOOP)
        kind = declared(code, target, assign.scope, assign.span.start)
        shown = kind if kind in code.facts.traits.float_types else code.facts.idioms.float
        if money and adds_up and kind in ("float64", "float32", *code.facts.traits.float_types):
            also = " while this file has a decimal type for it" if has_decimal else ""
            yield (
                    assign.span, assign.scope,
                    f"`{target.text}` is added up as `{shown}`{also}: each addition rounds, and the amount "
                    "drifts from the exact one.",
                    f"Add with {decimal}, or integers of a minor unit, and convert once at the end.",
                    Confidence.LIKELY,
                )  # fmt: skip


def given_up(code: Code) -> Iterator[Found]:
    """`row.Value = v.InexactFloat64()`: an exact amount leaves as an inexact one."""
    for assign in code.facts.assigns:
        value, target = assign.value, assign.targets[0]
        if (
            not isinstance(value, Call)
            or fold(value.method) not in ("inexactfloat64", "doublevalue")
            or not isinstance(target, Member)
        ):
            continue
        said = frozenset(words(target.name))
        if (said & (SUMS | MONEY)) and not said & SHOWN and not only_shows(code.facts, assign.scope):
            yield (
                assign.span, assign.scope,
                f"`{target.name}` was an exact decimal and leaves here as a float: whatever is billed from it "
                "has lost the precision.",
                f"Make `{target.name}` a decimal too, and convert where it is shown.",
                Confidence.LIKELY,
            )  # fmt: skip


def singles(code: Code) -> Iterator[Found]:
    """`Quantity = (float)row["quantity"]`: an amount that is billed passes through a float of 32 bits."""
    for field in fields(code):
        said = frozenset(words(field.name))
        cut = field.value if isinstance(field.value, Call) and is_single(code, field.value) else None
        counted = is_money(said) or bool(said & {"quantity", "units", "consumed", "usage"} and not said & (SHOWN | UNITS))
        if cut is None or not counted or not judged(code, field.scope):
            continue
        yield (
            cut.span, field.scope,
            f"`{field.name}` is cut to a float of 32 bits, which holds seven digits: above 16,777,216 whole units are lost, "
            "and every fraction is off.",
            f"Read and keep it as {code.facts.idioms.exact_decimal}.",
            Confidence.LIKELY,
        )  # fmt: skip


def is_single(code: Code, call: Call) -> bool:
    if call.folded in ("float32", "convert.tosingle", "float.parse", "single.parse", "float.parsefloat"):
        return True
    named = call.folded if call.arguments else fold(call.method)
    return named in code.facts.traits.single_floats


def float_queries(code: Code) -> Iterator[Found]:
    """A query that adds up floats where its sibling in the same function adds decimals."""
    texts = [(part, scope) for whole, scope in code.expressions for part in walk(whole) if isinstance(part, Literal | Template)]
    exact = [scope for part, scope in texts if re.search(r"toDecimal\d+", written(part))]
    for part, scope in texts:
        text = written(part)
        function = enclosing(scope, Kind.FUNCTION)
        twin = any(enclosing(one, Kind.FUNCTION) is function for one in exact)
        # An aggregate of two arguments picks one value; nothing is added up.
        picks = re.search(r"arg(Max|Min)|toDecimal|, ?%s\) AS", text)
        if twin and "toFloat64" in text and not picks and " as value" in text.lower():
            yield (
                    part.span, scope,
                    "Metered values are added up as `Float64` here and as decimals next to it: large sums of "
                    "fractions drift, and "
                    "the two paths disagree.",
                    "Add decimals on both paths.",
                    Confidence.LIKELY,
                )  # fmt: skip


def written(part: Expression) -> str:
    if isinstance(part, Template):
        return "".join(str(one.value) for one in part.parts if isinstance(one, Literal))
    return part.value if isinstance(part, Literal) and isinstance(part.value, str) else ""


EXAMPLES = (
    Example(
        "python",
        """
class InvoiceItem(Base):
    __tablename__ = "invoice_items"
    amount = Column(Float, nullable=False)  # <- finding

def invoice_total(rows):
    total_amount = 0
    for row in rows:
        total_amount += float(row.amount)  # <- finding
    return total_amount

def usage_charge(usage: float, price):
    return Decimal(usage) * price  # <- finding

def charge_in_cents(price):
    return int(price * 100)  # <- finding
""",
    ),
    Example(
        "python",
        """
class InvoiceItem(Base):
    __tablename__ = "invoice_items"
    amount = Column(Numeric(20, 6), nullable=False)
    tax_rate = Column(Float)

def invoice_total(rows):
    return sum((row.amount for row in rows), Decimal(0))

def usage_charge(usage: float, price):
    return Decimal(str(usage)) * price

def charge_in_cents(price):
    return int((price * 100).to_integral_value())

def estimated_cost(rows):
    estimate = 0.0
    for row in rows:
        estimate += float(row.cost)
    return estimate
""",
    ),
    Example(
        "typescript",
        """
import { doublePrecision, pgTable } from "drizzle-orm/pg-core";

export const charges = pgTable("charges", {
  amount: doublePrecision("amount").notNull(),  // <- finding
});

export async function addUsageCost(redis: Redis, customerId: string, cost: number) {
  await redis.incrbyfloat(`usage:cost:${customerId}`, cost);  // <- finding
}

export async function closePeriod(db: Db, usage: Row, adjustment: Row) {
  const billed = parseFloat(usage.amount) + parseFloat(adjustment.amount);  // <- finding
  await db.update(invoices).set({ billed: billed.toString() });
}
""",
    ),
    Example(
        "typescript",
        """
import Decimal from "decimal.js";

export async function addUsageCost(redis: Redis, customerId: string, cost: number) {
  await redis.incrby(`usage:cost:${customerId}`, Math.round(cost * 1_000_000));
}

export async function closePeriod(db: Db, usage: Row, adjustment: Row) {
  const billed = new Decimal(usage.amount).plus(adjustment.amount);
  await db.update(invoices).set({ billed: billed.toFixed(6) });
}

export function totalCentsEstimate(tiers: Tier[], units: number) {
  let centsEstimate = 0;
  for (const tier of tiers) centsEstimate += units * Number.parseFloat(tier.centsPerUnit);
  return centsEstimate;
}

export function toCents(price: number) {
  return Math.round(price * 100);
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/shopspring/decimal"

type Charge struct {
	ID     string  `gorm:"primaryKey"`
	Amount float64 `gorm:"column:amount"`  // <- finding
}

func usageCost(lines []Line) float64 {
	cost := 0.0
	for _, line := range lines {
		cost += float64(line.Quantity) * line.UnitPrice  // <- finding
	}
	return cost
}

func row(v decimal.Decimal) Row {
	var row Row
	row.Value = v.InexactFloat64()  // <- finding
	return row
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/shopspring/decimal"

type Charge struct {
	ID     string          `gorm:"primaryKey"`
	Amount decimal.Decimal `gorm:"column:amount;type:numeric"`
	Weight float64         `gorm:"column:weight"`
}

func usageCost(lines []Line) decimal.Decimal {
	cost := decimal.Zero
	for _, line := range lines {
		cost = cost.Add(line.UnitPrice.Mul(decimal.NewFromInt(line.Quantity)))
	}
	return cost
}

func byteMilliseconds(samples []Sample) float64 {
	total := 0.0
	for _, sample := range samples {
		total += sample.Bytes * sample.Milliseconds
	}
	return total
}
""",
    ),
    Example(
        "python",
        """
def tokens_for(credits):
    return credits * Decimal(1000) / Decimal(2.5)
""",
    ),
    Example(
        "go",
        """
type usageLog struct {
	ID        int64   `gorm:"primaryKey"`
	TotalCost float64 `gorm:"type:decimal(20,10);not null"`
}
""",
    ),
    Example(
        "sql",
        """
CREATE TABLE invoice_lines (  -- <- finding
    id BIGINT PRIMARY KEY,
    usage_quantity BIGINT NOT NULL,
    amount DOUBLE PRECISION NOT NULL
);
""",
    ),
    Example(
        "sql",
        """
-- Money of the billing period in minor units; a semicolon in a comment; ends nothing.
CREATE TABLE invoice_lines (
    id BIGINT PRIMARY KEY,
    usage_quantity DOUBLE PRECISION NOT NULL,
    amount NUMERIC(20, 6) NOT NULL DEFAULT '0;0'
);
""",
    ),
)
