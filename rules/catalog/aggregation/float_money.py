"""Money, or a quantity that is billed, is computed or stored in binary floating point.

Most decimal fractions have no exact binary form: sums drift with every addition, comparisons with a limit come out wrong by
a cent, and cutting `19.99 * 100` to a whole number gives 1998. Count in integer minor units (cents, micro-dollars), or use a
decimal type from the database column to the invoice: NUMERIC, `Decimal(str(x))`, `decimal.Decimal`.

A float that is rounded, shown or only carried from place to place harms nobody: it is said where one is summed, cut or
compared.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain as every

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Expression,
    Function,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Template,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.floats import declared, is_float
from rules.meaning.money.charged import is_charged
from rules.meaning.money.columns import FloatColumn, float_columns
from rules.meaning.money.drift import goes_wrong, is_exact, number
from rules.meaning.money.names import MONEY, SHOWN, SUMS, UNITS, is_money, spoken
from rules.meaning.money.reckoning import COMPARED, CUT, Reckoning, reckonings_of
from rules.meaning.money.whole import is_whole
from rules.meaning.subjects import bills, name_around, only_shows
from rules.meaning.usage.fields import fields
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.schema.tables import key
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-304",
    title="Binary float arithmetic for billable amounts",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A4",),
    cwe=("CWE-1339", "CWE-681"),
    iso_25010="Functional suitability / functional correctness",
    unprompted=True,
)
TO_FLOAT = frozenset("parsefloat float".split())
TRUNCATES = frozenset("floor trunc parseint int int64 int32 uint64".split())
TOTALS = frozenset("sum total agg aggregate".split())
LEDGERS = frozenset("invoice payment charge ledger wallet transaction balance credit payout refund order subscription".split())
BINARY = re.compile(r"float|double|real")
"""A column's type, as any schema writes it."""
STATISTICS = frozenset("spent spend sales cost costs earned earnings".split())
COUNTERS = ("views", "conversions", "clicks", "impressions", "visits", "totalorders", "orderscount", "ordercount")
"""Columns beside which an amount tells how something did."""
COSTS = frozenset("cost costs spend spent".split())
CURRENCIES = frozenset("usd eur dollars".split())
SHORT = 35 * 24 * 3600
"""Seconds after which a sum is gone before it has drifted: those of a day, a week, a month."""
PASSING = frozenset(
    "minute minutely min hour hourly window rate ratelimit limiter rpm tpm throttle metric metrics stat stats latency".split()
)
"""Words of keys whose sums are gone before they have drifted."""
ANSWERED = frozenset("response resp res dto view proto pb metric metrics gauge json chart".split())
READ = frozenset("scan row rows query aggregate meter result usage".split())
ONE_OFF = re.compile(r"(^|/)(?:(?:data|db)[-_]?)?(?:migrations?|migrate|patches|backfills?|upgrades)/", re.I)
VERSIONED = re.compile(r"/v?\d[\d_.]*(?:[-_]\w+)?[/.]")
STARTS = frozenset("execute up upgrade forward forwards migrate change backfill".split())
"""What the function is called by which such a file is run."""
RATIOS = frozenset(
    "pct pcts percent percents percentage ratio ratios fraction fractions share utilization utilisation load capacity".split()
)
"""Of these seven digits are more than anybody needs."""
MONEY_ONLY = MONEY - {"amount", "amounts", "charge", "charges", "budget"}
SET_BY_SELLER = frozenset("setting settings config configs configuration conf env environ getenv constance".split())
"""Where the seller keeps what he chose himself, once, and saw charged."""
Found = tuple[Span, Scope, str, str, Confidence]


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    yield from columns(code)
    said: set[object] = set()
    found = every(
        redis_floats(code),
        decimals(code),
        sums(code),
        truncated(code),
        accumulated(code),
        given_up(code),
        singles(code),
        float_queries(code),
    )
    # The surest of a function speaks for it.
    for span, scope, description, remediation, confidence in sorted(found, key=lambda one: one[4].rank):
        place = enclosing(scope, Kind.FUNCTION, Kind.CLASS) or span
        aside = code.context(scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER)
        if place in said or aside or estimated(code, span):
            continue
        said.add(place)
        known = Confidence.POSSIBLE if ran_before(code) or not is_served(code, scope) else confidence
        yield Finding(span=span, description=description, remediation=remediation, confidence=known)


def ran_before(code: Code) -> bool:
    """Whether a file of a standing project moved its data once: what that cut is cut, and no bill is made there any more."""
    if not code.elsewhere.whole or not ONE_OFF.search(code.facts.path):
        return False
    named = {fold(one.head.name) for one in code.facts.scopes if isinstance(one.head, Function)}
    return bool(named & STARTS or VERSIONED.search(code.facts.path))


def columns(code: Code) -> Iterator[Finding]:
    """One for a table: its first column that is known to be reckoned with speaks, else its first."""
    tables: dict[object, list[tuple[FloatColumn, Reckoning | None]]] = {}
    for one in float_columns(code):
        # A migration runs once and is no production code, but what it makes stays.
        aside = code.context(one.scope) in (Context.TEST, Context.BROWSER) or estimated(code, one.span)
        if not aside and (one.cast or (speaks(code, one) and not modelled(code, one))):
            tables.setdefault(key(one.table) or one.span, []).append((one, reckoning(code, one)))
    for them in tables.values():
        known = [pair for pair in them if pair[1] is not None]
        first, where = (known or them)[0]
        yield column(code, first, where, [one.name for one, _ in known[1:]])


def column(code: Code, one: FloatColumn, where: Reckoning | None, others: list[str]) -> Finding:
    decimal = code.facts.idioms.exact_decimal
    also = f" (and {', '.join(f'`{name}`' for name in others[:3])})" if others else ""
    harm = f", and {where.how}" if where is not None else ""
    end = ": fractions are not exact in it, so totals drift and equal amounts differ."
    made = f"`{one.name}`{also} is money in a binary float column{harm}{end}"
    cast = f"`{one.name}`{also} is money; this cast reads it as a binary float however exactly it is stored{harm}."
    only_prices = frozenset(words(one.name)) & MONEY <= {"price", "prices"}
    known = where is not None and (one.cast or where.path == code.facts.path or where.is_of(one.table))
    shown = not is_statistic(one) and ((known and not is_copied(code, one)) or (not code.elsewhere.whole and is_ledger(one)))
    return Finding(
        span=one.span,
        description=cast if one.cast else made,
        remediation=(
            "Cast it to a decimal: `'decimal:6'`, or to an integer of minor units."
            if one.cast
            else f"Store it as NUMERIC ({decimal} in the program), or as an integer of minor units."
        ),
        confidence=Confidence.LIKELY if one.cast and shown and not only_prices and harms(where) else Confidence.POSSIBLE,
        trace=(Step(where.span, f"{where.how} here", None if where.path == code.facts.path else where.path),) if where else (),
    )


def harms(where: Reckoning | None) -> bool:
    """Whether a fraction in the sixteenth digit can move a cent or a decision: where an amount is cut, or told from another.
    Adding amounts up is right to the cent for as long as sums are rounded when they are charged, which they mostly are."""
    return where is None or where.how in (COMPARED, CUT)


def reckoning(code: Code, one: FloatColumn) -> Reckoning | None:
    """Where the program adds the column up, compares or cuts it; what is only stored and shown again is exact enough."""
    found = code.elsewhere.reckonings.get(fold(one.name)) or reckonings_of(code)
    its = [each for each in found if each.field == fold(one.name) and each.concerns(one.table)]
    return next((each for each in its if harms(each)), its[0] if its else None)


def is_statistic(one: FloatColumn) -> bool:
    """`revenue` beside `conversions`, `total_spent` beside `total_orders`: what went by is looked at, and owed by nobody."""
    said = frozenset(words(one.name))
    counted = any(word in sibling for word in COUNTERS for sibling in one.siblings)
    return bool(said & {"revenue", "lifetime"}) or (bool(said & STATISTICS) and counted)


def is_copied(code: Code, one: FloatColumn) -> bool:
    """Whether several files of the project declare the table, apart from migrations: which of them lives is not known."""
    paths = {path for path, table in code.elsewhere.tables if key(table.name) == key(one.table)}
    return len([path for path in paths if not is_migration(path)]) > 1


def is_migration(path: str) -> bool:
    return path.endswith(".sql") or "migrat" in path


def modelled(code: Code, one: FloatColumn) -> bool:
    """Whether this is a migration and the column stands in a model that the program works with: that is what must change."""
    return is_migration(code.facts.path) and any(
        (not table.columns or fold(one.name) in table.columns) and not is_migration(path) and names_same(table.name, one.table)
        for path, table in code.elsewhere.tables
    )


def names_same(one: str, other: str) -> bool:
    """`__new_customers` is how a tool calls the copy that takes the place of `customers`."""
    return key(one) == key(re.sub(r"^_*(new|tmp|temp)_", "", other))


def is_ledger(one: FloatColumn) -> bool:
    """Whether a table is made for sums: where the rest of the project is not at hand, that says that they are."""
    return "currency" in one.siblings or bool({key(word) for word in words(one.table)} & LEDGERS)


def speaks(code: Code, one: FloatColumn) -> bool:
    """Whether this file is the one to say it: the column is still a float at the end, and no better file describes it."""
    described = [
        (path, table.columns.get(fold(one.name), "")) for path, table in code.elsewhere.tables
        if key(table.name) == key(one.table)
    ]  # fmt: skip
    # Prisma's model is what the program works with, and it has every column.
    models = [kind for path, kind in described if path.endswith(".prisma")]
    if models and not any(map(BINARY.search, models)):
        return False
    described = [(path, kind) for path, kind in described if kind]
    if not described or not one.table:
        return True
    if not BINARY.search(described[-1][1]):
        return False
    paths = [path for path, kind in described if BINARY.search(kind) and not path.endswith(".prisma")]
    if not code.elsewhere.whole or code.facts.path not in paths:
        return True
    return code.facts.path == min(paths, key=lambda path: (path.endswith(".sql"), "migrat" not in path, path))


def estimated(code: Code, span: Span) -> bool:
    """A comment on the line, or right above, that it is an estimate: nobody is charged that amount."""
    return any(
        span.line - 1 <= one.span.end_line <= span.end_line and re.search(r"estimat|approximat", one.text, re.I)
        for one in code.facts.comments
    )


def redis_floats(code: Code) -> Iterator[Found]:
    """`HINCRBYFLOAT key cost 0.0123`, said once for a file: what is kept there is added to in several places."""
    for call in code.facts.calls:
        if fold(call.method) not in ("incrbyfloat", "hincrbyfloat") or len(call.arguments) < 2:
            continue
        said = {word for argument in call.arguments for word in told(code, argument.value, call)}
        if not (said | set(words(name_around(call.scope)))) & (MONEY - {"amount", "amounts", "charge", "charges"}):
            continue
        if said & PASSING or expires(code, call):
            continue
        yield (
            call.span, call.scope,
            f"`{call.method}` adds money in binary floating point: the sum drifts a little with every "
            "addition, from the amounts on record and from the limits that it is held against.",
            "Add whole micro-units instead: `INCRBY` of the amount times 1,000,000, rounded once.",
            # Redis adds with 17 digits: whether it ever matters depends on who reads the sum.
            Confidence.POSSIBLE,
        )  # fmt: skip
        return


def told(code: Code, value: Expression, call: Call) -> Iterator[str]:
    """The words of an argument, and of the text that a name stands for."""
    for whole in (value, resolved(code.values, value, call.scope, call.span.start)):
        yield from spoken(whole)
        for part in walk(whole):
            if isinstance(part, Literal) and isinstance(part.value, str):
                yield from words(part.value)


def expires(code: Code, call: Call) -> bool:
    """Whether the key is given a month or less in the same function: it is gone before its sum has drifted."""
    written_key = code.facts.text(call.arguments[0].span)
    for one in code.calls_in(enclosing(call.scope, Kind.FUNCTION)):
        given = [argument.value for argument in one.arguments]
        if fold(one.method) not in ("expire", "pexpire") or len(given) < 2 or code.facts.text(given[0].span) != written_key:
            continue
        time = number(resolved(code.values, given[1], one.scope, one.span.start))
        if time is not None and time <= SHORT * (1000 if fold(one.method) == "pexpire" else 1):
            return True
    return False


def decimals(code: Code) -> Iterator[Found]:
    """`Decimal(0.1)`, `Decimal(float(x))`, `Decimal(x)` of what is annotated as a float."""
    for call in code.facts.calls:
        if fold(call.method) not in code.facts.traits.binary_decimals or len(call.arguments) != 1:
            continue
        value = call.arguments[0].value
        if is_float(code, value, call.scope, call.span.start) and not is_short(value):
            text = code.facts.text(value.span)
            kept = any(
                isinstance(target, Member) or (isinstance(target, Name) and goes_wrong(code, target.text, call.scope))
                for target in call.targets
            )
            yield (
                call.span, call.scope,
                f"`Decimal({text})` keeps the binary error of the float it is made of, as if it were exact.",
                f"Keep the value decimal from the start; where it must be a float, `Decimal(str({text}))`.",
                Confidence.LIKELY if kept else Confidence.POSSIBLE,
            )  # fmt: skip


def is_short(value: Expression) -> bool:
    """`2.5` and `0.25` are the same in binary."""
    return isinstance(value, Literal) and isinstance(value.value, float) and Decimal(str(value.value)) == Decimal(value.value)


def sums(code: Code) -> Iterator[Found]:
    """`total += float(row.amount)` of many rows, and `parseFloat(row.sum) + parseFloat(adjustment.total)` of two sums.

    One sum of two amounts is right but for the last of sixteen digits, and with the next rounding it is exact again.
    """
    for assign in code.facts.assigns:
        if assign.value is None or not assign.targets or not judged(code, assign.scope):
            continue
        target = frozenset(word for one in assign.targets for word in spoken(one))
        parsed = [part for part in walk(assign.value) if isinstance(part, Call) and to_float(part)]
        if target & (SHOWN | UNITS) or not parsed:
            continue
        added = [
            part for part in walk(assign.value) if isinstance(part, Binary) and part.operator in ("+", "-")
            and any(map(to_float, (part.left, part.right)))
        ]  # fmt: skip
        many = assign.operator in ("+=", "-=") and in_loop(assign.scope)
        totals = any(to_float(one.left) and to_float(one.right) and all(map(is_total, (one.left, one.right))) for one in added)
        said = target | spoken(parsed[0])
        billed = is_money(said) or (bool(said & SUMS) and not said & (SHOWN | UNITS))
        if billed and (many or totals):
            held = assign.targets[0]
            priced = totals or is_money(said) or bool(said & {"usage", "quantity", "units", "consumed"})
            wrong = priced and isinstance(held, Name) and goes_wrong(code, held.text, assign.scope)
            yield (
                assign.span, assign.scope,
                f"`{code.facts.text(parsed[0].span)}` turns a decimal into a binary float, and the sum is no longer exact: "
                "what is made of it is not what was counted.",
                f"Add in the database on NUMERIC columns, or with {code.facts.idioms.exact_decimal}; convert to a "
                "binary float only for display.",
                # One column added up row by row is right to the last of sixteen digits; two sums of any size are not.
                Confidence.LIKELY if wrong and totals and many_texts(assign.value) else Confidence.POSSIBLE,
            )  # fmt: skip


def many_texts(value: Expression) -> bool:
    """`parseFloat(a.sum || "0") + parseFloat(b.total || "0")`: the default shows that exact text comes in."""
    parsed = [part for part in walk(value) if isinstance(part, Call) and to_float(part)]
    return len(parsed) > 1 and all(
        any(isinstance(part, Literal) and isinstance(part.value, str) for part in walk(one.arguments[0].value))
        for one in parsed
    )


def in_loop(scope: Scope) -> bool:
    inner = enclosing(scope, Kind.LOOP, Kind.FUNCTION)
    if inner is None or inner.kind is Kind.LOOP:
        return inner is not None
    head = inner.head
    return isinstance(head, Function) and fold(head.passed_to).rsplit(".", 1)[-1] in ("foreach", "each")


def to_float(part: Expression) -> bool:
    """A conversion of a value, `parseFloat(x)`, `float(x)`; also behind `|| 0`."""
    return isinstance(part, Call) and fold(part.method) in TO_FLOAT and len(part.arguments) == 1 and not part.constructs


def is_total(part: Expression) -> bool:
    return bool(spoken(part) & TOTALS)


def judged(code: Code, scope: Scope) -> bool:
    said = frozenset(words(name_around(scope)))
    return bills(code.facts, scope) and not only_shows(code.facts, scope) and not said & SHOWN


def truncated(code: Code) -> Iterator[Found]:
    """`Math.floor(price * 100)`, `int(amount * 100)`: cut to cents, and one cent short."""
    for call in code.facts.calls:
        if fold(call.method) not in TRUNCATES or not call.arguments or only_shows(code.facts, call.scope):
            continue
        product = call.arguments[0].value
        if not isinstance(product, Binary) or product.operator != "*":
            continue
        factor, other = (product.right, product.left) if isinstance(product.right, Literal) else (product.left, product.right)
        if not isinstance(factor, Literal) or factor.value not in (100, 100.0) or not is_money(spoken(other)):
            continue
        if (
            is_share(other)
            or is_exact(code, other, call.scope)
            or is_whole(code, other, call.scope)
            or only_compared(code, call)
        ):
            continue
        sure = code.facts.traits.inexact_products or any(
            is_float(code, part, call.scope, call.span.start) for part in walk(other) if isinstance(part, Name | Call | Literal)
        )
        if sure or not code.facts.traits.exact_products:
            yield (
                call.span, call.scope,
                f"`{code.facts.text(call.span)}` cuts a binary fraction: {short(code, other, call)}, one cent short.",
                "Round instead of cutting, or keep the amount in whole cents or a decimal type throughout.",
                Confidence.LIKELY
                if exact_price(other) and (sure or b"ecimal" not in code.facts.source) and is_charged(code, call)
                and not (code.elsewhere.whole and chosen_by_seller(code, other, call))
                and (sure or not kept_exact(code, other))
                else Confidence.POSSIBLE,
            )  # fmt: skip


def chosen_by_seller(code: Code, amount: Expression, call: Call) -> bool:
    """`db.get_single_value("Billing Settings", "trial_charge")`: one amount for everybody, mostly a round one."""
    whole = resolved(code.values, amount, call.scope, call.span.start)
    said = {word for part in walk(whole) if isinstance(part, Call) for word in words(part.name)}
    texts = {
        word for part in walk(whole) if isinstance(part, Call) for one in part.arguments[:1]
        if isinstance(one.value, Literal) and isinstance(one.value.value, str) for word in words(one.value.value)
    }  # fmt: skip
    return bool((said | texts | spoken(whole)) & SET_BY_SELLER)


def kept_exact(code: Code, amount: Expression) -> bool:
    """Whether every column of the name is a decimal: then an argument of that name most likely is one, too."""
    name = fold(amount.text) if isinstance(amount, Name) else ""
    kinds = [table.columns[name] for _, table in code.elsewhere.tables if name and table.columns.get(name)]
    return bool(kinds) and all(re.search(r"numeric|decimal", kind) for kind in kinds)


def short(code: Code, amount: Expression, call: Call) -> str:
    """An example that holds for floats of this width."""
    kinds = {declared(code, part, call.scope, call.span.start) for part in walk(amount) if isinstance(part, Name)}
    return "4.99 becomes 498" if kinds & {"float32", "f32"} else "19.99 becomes 1998"


def exact_price(value: Expression) -> bool:
    """Whether the amount is one that somebody set or asked for, to the cent. What something cost is a fraction of cents anyway,
    and so is a sum of such: to lose the last of it loses less than a cent."""
    said = spoken(value)
    return not said & COSTS or bool(said & MONEY - COSTS - CURRENCIES)


def is_share(value: Expression) -> bool:
    """`spent / budget * 100` is a percentage."""
    return any(
        isinstance(part, Binary) and part.operator == "/" and not isinstance(part.right, Literal) for part in walk(value)
    )


def only_compared(code: Code, call: Call) -> bool:
    """Whether what was cut is only held against another amount with room for a difference: `abs(paid - expected) < 50`."""
    function = enclosing(call.scope, Kind.FUNCTION)
    names = {one.text for one in call.targets if isinstance(one, Name)}
    return any(
        fold(one.method) == "abs" and within(one.scope, function) and any(
            isinstance(part, Name) and part.text in names for argument in one.arguments for part in walk(argument.value)
        )
        for one in code.facts.calls if function is not None
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
        adds_up = has_decimal or in_loop(assign.scope)
        kind = declared(code, target, assign.scope, assign.span.start)
        shown = kind if kind in code.facts.traits.float_types else code.facts.idioms.float
        if money and adds_up and kind in ("float64", "float32", *code.facts.traits.float_types):
            also = " while this file has a decimal type for it" if has_decimal else ""
            yield (
                assign.span, assign.scope,
                f"`{target.text}` is added up as `{shown}`{also}: each addition rounds, and the amount "
                "drifts from the exact one.",
                f"Add with {decimal}, or integers of a minor unit, and convert once at the end.",
                Confidence.LIKELY if has_decimal and goes_wrong(code, target.text, assign.scope) else Confidence.POSSIBLE,
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
            around = spoken(target.object) | frozenset(words(name_around(assign.scope)))
            yield (
                assign.span, assign.scope,
                f"`{target.name}` was an exact decimal and leaves here as a float: whatever is billed from it "
                "has lost the precision.",
                f"Make `{target.name}` a decimal too, and convert where it is shown.",
                Confidence.LIKELY if around & READ and not around & ANSWERED else Confidence.POSSIBLE,
            )  # fmt: skip


def singles(code: Code) -> Iterator[Found]:
    """`Quantity = (float)row["quantity"]`: an amount that is billed passes through a float of 32 bits."""
    for field in fields(code):
        said = frozenset(words(field.name))
        cut = field.value if isinstance(field.value, Call) and is_single(code, field.value) else None
        counted = is_money(said) or bool(said & {"quantity", "units", "consumed", "usage"} and not said & (SHOWN | UNITS))
        if cut is None or not counted or said & RATIOS or is_share(cut) or not judged(code, field.scope):
            continue
        yield (
            cut.span, field.scope,
            f"`{field.name}` is cut to a float of 32 bits, which holds seven digits: above 16,777,216 whole units are lost, "
            "and every fraction is off.",
            f"Read and keep it as {code.facts.idioms.exact_decimal}.",
            # A measurement is often carried so; of money nobody has seven digits to spare.
            Confidence.LIKELY if said & MONEY_ONLY or not code.elsewhere.whole else Confidence.POSSIBLE,
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

def close_invoice(session, invoice, rows):
    total_amount = 0
    for row in rows:
        total_amount += float(row.amount)  # <- finding
    session.execute(update(Invoice).where(Invoice.id == invoice.id), {"total": total_amount})

def usage_charge(line, usage: float, price):
    line.units = Decimal(usage)  # <- finding
    line.charge = line.units * price

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
    weight_cost = Column(Float, default=0.4)

def invoice_total(rows):
    return sum((row.amount for row in rows), Decimal(0))

def usage_charge(usage: float, price):
    return Decimal(str(usage)) * price

def charge_in_cents(price):
    return int((price * 100).to_integral_value())

def invoice_cents(amount: Decimal):
    return int(amount * 100)

def looks_paid(invoice, paid_cents):
    expected = int(float(invoice.price) * 100)
    return abs(paid_cents - expected) < 50

def credit_percent(spend, budget):
    return int(spend / budget * 100)

def spendable_balance(account):
    balance = float(account.allowance) + float(account.purchased_credits)
    return {"balance": balance}

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
  const billed = parseFloat(usage.sum) + parseFloat(adjustment.total);  // <- finding
  await db.update(invoices).set({ billed: billed.toString() });
}
""",
    ),
    Example(
        "typescript",
        """
import Decimal from "decimal.js";

export async function throttleSpend(redis: Redis, customerId: string, cost: number, minute: number) {
  const key = `spend:${customerId}:${minute}`;
  await redis.incrbyfloat(key, cost);
  await redis.expire(key, 180);
}

export async function addCalls(redis: Redis, customerId: string, usageAmount: number) {
  await redis.incrbyfloat(`usage:${customerId}`, usageAmount);
}

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

func bookUsage(store Store, lines []Line) error {
	cost := 0.0
	for _, line := range lines {
		cost += float64(line.Quantity) * line.UnitPrice  // <- finding
	}
	return store.Insert(Charge{Amount: cost})
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
CREATE TABLE invoice_lines (
    id BIGINT PRIMARY KEY,
    usage_quantity BIGINT NOT NULL,
    amount DOUBLE PRECISION NOT NULL  -- <- finding
);
""",
        context={
            "billing/close.ts": """
export async function chargeCustomer(stripe: Stripe, customer: string, invoiceLines: InvoiceLine[]) {
  let owed = 0;
  for (const line of invoiceLines) owed += line.amount;
  await stripe.charges.create({ customer, amount: Math.round(owed * 100), currency: "usd" });
}
"""
        },
    ),
    Example(
        "sql",
        """
CREATE TABLE quota_snapshots (
    id BIGINT PRIMARY KEY,
    metric TEXT NOT NULL,
    amount DOUBLE PRECISION NOT NULL,
    unit TEXT NOT NULL
);
CREATE TABLE wallets (
    id BIGINT PRIMARY KEY,
    balance DOUBLE PRECISION NOT NULL,  -- kept for old readers of the billing export
    balance_in_cents BIGINT NOT NULL
);
""",
    ),
    Example(
        "sql",
        """
CREATE TABLE billing_charges (
    id BIGINT PRIMARY KEY,
    amount REAL NOT NULL
);
""",
        path="db/migrations/001_charges.sql",
        context={
            "db/migrations/002_exact.sql": "ALTER TABLE billing_charges ALTER COLUMN amount SET DATA TYPE NUMERIC(20, 6);\n"
        },
    ),
    Example(
        "sql",
        """
CREATE TABLE "Charge" ("id" TEXT NOT NULL, "amount" DOUBLE PRECISION NOT NULL, "usage" BIGINT NOT NULL);
""",
        path="prisma/migrations/1_billing/migration.sql",
        context={"prisma/schema.prisma": "model Charge {\n  id     String @id\n  amount Decimal\n  usage  BigInt\n}\n"},
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
    Example(
        "typescript",
        """
import { integer, pgTable, real, text } from "drizzle-orm/pg-core";

export const offers = pgTable("offers", {
  id: text("id").primaryKey(),
  views: integer("views"),
  revenue: real("revenue"),
});

export const vouchers = pgTable("vouchers", { id: text("id").primaryKey(), minAmount: real("min_amount") });
""",
        path="src/db/schema.ts",
        context={
            "src/checkout.ts": """
import { offers, vouchers } from "./db/schema";

export async function chargeOrder(db: Db, order: Order) {
  let voucher = null;
  if (order.code === "TEN") voucher = { id: 1, minAmount: 10 };
  if (voucher && order.subtotal >= voucher.minAmount) order.discount = 1;
  await db.execute("UPDATE offers SET revenue = revenue + $1 WHERE id = $2", [order.total, order.offerId]);
  await db.insert(invoices).values({ order: order.id, amount: order.total });
}
"""
        },
    ),
    Example(
        "sql",
        """
CREATE TABLE __new_wallets (
    id BIGINT PRIMARY KEY,
    balance REAL NOT NULL
);
""",
        path="db/migrations/0007_wallets.sql",
        context={
            "src/db/schema.ts": """
import { pgTable, real, text } from "drizzle-orm/pg-core";
export const wallets = pgTable("wallets", { id: text("id").primaryKey(), balance: real("balance").notNull() });
""",
            "src/charge.ts": """
export async function chargeUsage(db: Db, wallet: Wallet, cost: number) {
  if (wallet.balance < cost) throw new Error("balance too low");
  await db.execute("UPDATE wallets SET balance = balance - $1 WHERE id = $2", [cost, wallet.id]);
}
""",
        },
    ),
    Example(
        "typescript",
        """
export async function addSpend(redis: Redis, user: string, week: string, cost: number) {
  const key = `usage:cost:${user}:${week}`;
  await redis.hincrbyfloat(key, "cost", cost);
  await redis.expire(key, 7 * 24 * 60 * 60);
}
""",
    ),
)
