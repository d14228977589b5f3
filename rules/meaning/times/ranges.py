"""Bounds that a query puts on a column, whatever writes them: SQL, an ORM's operators, a query builder's methods."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.facts import (
    Call,
    Compare,
    Expression,
    Facts,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    dotted,
    fold,
    walk,
)
from rules.meaning.sql import Statement
from rules.meaning.times.periods import Held
from rules.meaning.vocabulary import words


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """`column operator value`."""

    column: str
    operator: str
    value: Expression | None
    text: str
    """The value as written."""
    span: Span
    scope: Scope
    style: str
    """sql, fields (Prisma, Mongo), or code."""
    query: int
    """The same for all bounds of one query."""
    statement: Statement | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """A column with a lower and an upper bound in one query."""

    lower: Bound
    upper: Bound


OPERATORS = {
    "gte": ">=",
    "gt": ">",
    "lte": "<=",
    "lt": "<",
    "ge": ">=",
    "le": "<=",
    "greaterthanorequal": ">=",
    "morethanorequal": ">=",
    "greaterequalthan": ">=",
    "greaterthan": ">",
    "morethan": ">",
    "lessthanorequal": "<=",
    "lessequalthan": "<=",
    "lessthan": "<",
    "gtoreq": ">=",
    "ltoreq": "<=",
}
ENT = re.compile(r"^(\w+?)(GTE|LTE|GT|LT)$")
LOOKUP = re.compile(r"^(\w+)__(gte|lte|gt|lt|range)$")
QUERIES = frozenset("filter where and_ and exclude having filterby andwhere with_entities".split())


def bounds_of(facts: Facts, statements: tuple[Statement, ...], held: Held) -> tuple[Bound, ...]:
    found = [bound for one in statements for bound in in_sql(facts, one)]
    for number, (expression, scope) in enumerate(held):
        for part in walk(expression):
            found.extend(in_expression(facts, part, scope, number))
    for number, call in enumerate(facts.calls):
        found.extend(in_chain(facts, call, -number))
    return tuple(sorted({(one.span, one.column, one.operator): one for one in found}.values(), key=lambda one: one.span.start))


def ranges_of(bounds: tuple[Bound, ...]) -> Iterator[Range]:
    """Every upper bound with the lower bound on the same column of the same query."""
    lowers: dict[tuple[int, str], Bound] = {}
    for one in bounds:
        if one.operator in (">", ">="):
            lowers.setdefault((one.query, fold(one.column)), one)
    for one in bounds:
        if one.operator in ("<", "<=") and (lower := lowers.get((one.query, fold(one.column)))) is not None:
            yield Range(lower, one)


def in_sql(facts: Facts, statement: Statement) -> Iterator[Bound]:
    for one in statement.comparisons:
        if one.operator != "=":
            text = facts.text(one.filled.span) if one.filled is not None else one.other
            yield Bound(one.column, one.operator, one.filled, text, one.span, statement.scope, "sql", id(statement), statement)


def made(
    facts: Facts, column: str, sign: str, value: Expression, part: Expression, scope: Scope, style: str, query: int
) -> Bound:
    return Bound(column, sign, value, facts.text(value.span), part.span, scope, style, query)


def in_expression(facts: Facts, part: Expression, scope: Scope, query: int) -> Iterator[Bound]:
    match part:
        case Object(entries=entries, type=kind):
            for entry in entries:
                sign = OPERATORS.get(fold(kind).rsplit(".", 1)[-1])
                if entry.name is not None and sign:
                    yield made(facts, entry.name, sign, entry.value, entry.value, scope, "code", query)
                elif entry.name is not None and isinstance(entry.value, Object):
                    yield from in_fields(facts, entry.name, entry.value, scope, query)
                elif entry.name is not None and isinstance(entry.value, Call):
                    yield from in_operator(facts, entry.name, entry.value, scope, query)
        case Call(arguments=arguments):
            yield from in_call(facts, part, scope, query)
            if fold(part.method) in QUERIES:
                for argument in arguments:
                    yield from in_compares(facts, argument.value, scope, query)


def in_fields(facts: Facts, column: str, whole: Object, scope: Scope, query: int) -> Iterator[Bound]:
    """`timestamp: { gte: start, lte: end }`."""
    for entry in whole.entries:
        sign = OPERATORS.get(fold(entry.name or "").lstrip("$"))
        if sign is not None:
            yield Bound(column, sign, entry.value, facts.text(entry.value.span), entry.span, scope, "fields", query)


def in_operator(facts: Facts, column: str, call: Call, scope: Scope, query: int) -> Iterator[Bound]:
    """TypeORM: `timestamp: Between(start, end)`, `LessThanOrEqual(end)`."""
    last, given = fold(call.method), [argument.value for argument in call.arguments]
    if last == "between" and len(given) == 2:
        yield made(facts, column, ">=", given[0], call, scope, "fields", query)
        yield made(facts, column, "<=", given[1], call, scope, "fields", query)
    elif last in OPERATORS and len(given) == 1:
        yield made(facts, column, OPERATORS[last], given[0], call, scope, "fields", query)


def in_compares(facts: Facts, whole: Expression, scope: Scope, query: int) -> Iterator[Bound]:
    """`filter(Usage.ts >= start, Usage.ts <= end)`."""
    for part in walk(whole):
        if isinstance(part, Compare) and part.operator in ("<", "<=", ">", ">=") and isinstance(part.left, Member):
            yield Bound(part.left.name, part.operator, part.right, facts.text(part.right.span), part.span, scope, "code", query)


def in_call(facts: Facts, call: Call, scope: Scope, query: int) -> Iterator[Bound]:
    given = [argument.value for argument in call.arguments if argument.name is None]
    last = fold(call.method)
    for argument in call.arguments:
        if argument.name is not None and (found := LOOKUP.match(argument.name)):
            yield from in_lookup(facts, found.group(1), found.group(2), argument.value, scope, query)
        elif argument.name is not None and isinstance(argument.value, Object) and argument.value.type == "Range":
            yield from in_fields(facts, argument.name, argument.value, scope, query)
    if last in OPERATORS and len(given) == 2 and not isinstance(call.receiver, Call) and is_column(given[0]):
        yield made(facts, column_name(given[0]), OPERATORS[last], given[1], call, scope, "code", query)
    elif last == "between" and len(given) == 3 and is_column(given[0]):
        yield made(facts, column_name(given[0]), ">=", given[1], call, scope, "code", query)
        yield made(facts, column_name(given[0]), "<=", given[2], call, scope, "code", query)
    elif last == "between" and len(given) == 2 and isinstance(call.receiver, Member):
        yield made(facts, call.receiver.name, ">=", given[0], call, scope, "code", query)
        yield made(facts, call.receiver.name, "<=", given[1], call, scope, "code", query)
    elif (ent := ENT.match(call.method)) and len(given) == 1 and isinstance(call.callee, Member):
        yield made(facts, ent.group(1), OPERATORS[ent.group(2).lower()], given[0], call, scope, "code", query)


def in_lookup(facts: Facts, column: str, lookup: str, value: Expression, scope: Scope, query: int) -> Iterator[Bound]:
    if lookup != "range":
        yield made(facts, column, OPERATORS[lookup], value, value, scope, "code", query)
    elif isinstance(value, Sequence) and len(value.items) == 2:
        yield made(facts, column, ">=", value.items[0], value, scope, "code", query)
        yield made(facts, column, "<=", value.items[1], value, scope, "code", query)


def in_chain(facts: Facts, call: Call, query: int) -> Iterator[Bound]:
    """Builder methods along one chain: `.gte("at", start).lte("at", end)`, `.where("at", "<=", end)`, `.whereBetween`."""
    if not isinstance(call.receiver, Call) and not isinstance(call.receiver, Name):
        return
    step: Expression | None = call
    while isinstance(step, Call):
        yield from in_step(facts, step, call.scope, query)
        step = step.receiver


def in_step(facts: Facts, call: Call, scope: Scope, query: int) -> Iterator[Bound]:
    given = [argument.value for argument in call.arguments]
    last = fold(call.method)
    if len(given) < 2 or not isinstance(given[0], Literal) or not isinstance(given[0].value, str):
        return
    column = given[0].value.rsplit(".", 1)[-1]
    first, last_given = given[0].span, given[-1].span
    # A chain over several lines begins far from this condition.
    here = Sequence(Span(first.line, last_given.end_line, first.start, last_given.end), tuple(given))
    if last in OPERATORS and len(given) == 2:
        yield made(facts, column, OPERATORS[last], given[1], here, scope, "code", query)
    elif last in ("where", "andwhere", "filter") and len(given) == 3 and isinstance(given[1], Literal):
        if given[1].value in ("<", "<=", ">", ">="):
            yield made(facts, column, str(given[1].value), given[2], here, scope, "code", query)
    elif last in ("wherebetween", "andwherebetween") and isinstance(given[1], Sequence) and len(given[1].items) == 2:
        yield made(facts, column, ">=", given[1].items[0], here, scope, "code", query)
        yield made(facts, column, "<=", given[1].items[1], here, scope, "code", query)


def is_column(value: Expression) -> bool:
    return isinstance(value, Member | Call) or (isinstance(value, Literal) and isinstance(value.value, str))


def column_name(value: Expression) -> str:
    if isinstance(value, Literal):
        return str(value.value).rsplit(".", 1)[-1]
    if isinstance(value, Call) and value.arguments:
        return column_name(value.arguments[0].value)
    return dotted(value).rsplit(".", 1)[-1]


INSTANTS = frozenset(
    "at ts time timestamp datetime created occurred recorded ingested received sent started ended when".split()
)


def is_instant(column: str) -> bool:
    """Whether a column holds moments, not whole days: `created_at`, `ts`, `eventTime`; `usage_date` and `day` do not."""
    said = words(column)
    return bool(INSTANTS & set(said)) and said[-1] not in ("date", "day", "month", "period", "year")
