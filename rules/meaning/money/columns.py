"""Columns of money that are stored as binary floats, in whatever form a schema is written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Class,
    Kind,
    Literal,
    Object,
    Scope,
    Span,
    enclosing,
    fold,
    name_of,
    walk,
)
from rules.meaning.money.names import AMOUNTS, MONEY, money_name
from rules.meaning.sql import Statement, grammar, lines_from
from rules.meaning.subjects import name_around
from rules.meaning.vocabulary import words

FLOAT_TYPES = frozenset("float real double doubleprecision floatfield float8 float32 float64 double_precision".split())
EXACT_COLUMN = re.compile(r"type:\s*\"?(decimal|numeric)", re.I)
"""A column that is exact, and sums over it are, whatever the program reads it into."""
MAPPED = frozenset({"Entity", "Table", "Document", "MappedEntity", "Embeddable"})
"""Annotations of a class whose fields are columns."""
TABLES = frozenset("t table blueprint".split())
MEASURED = frozenset("unit units metric metrics uom measure".split())
CURRENCIES = frozenset("currency price prices cost usd eur".split())
WHOLE = re.compile(r"(in)?(cents?|minor|minorunits?|micros?|nanos?)$")


@dataclass(frozen=True, slots=True, eq=False)
class FloatColumn:
    """One column, at its own line."""

    span: Span
    scope: Scope
    table: str
    name: str
    siblings: frozenset[str]
    """The folded columns beside it, as far as they stand with it."""
    cast: bool = False
    """The column may be exact; what reads it is told to make a float of it."""

    @property
    def counts(self) -> bool:
        """Whether it holds a quantity of `unit` or `metric`, or a copy of an amount that is kept in whole cents beside it."""
        said = frozenset(words(self.name)) & MONEY
        beside = {word for one in self.siblings for word in (one, *words(one))}
        quantity = (
            said <= AMOUNTS and bool(beside & MEASURED) and not any(word in one for word in CURRENCIES for one in self.siblings)
        )
        twin = any(WHOLE.sub("", one) == fold(self.name) and one != fold(self.name) for one in self.siblings)
        return quantity or twin


def float_columns(code: Code) -> Iterator[FloatColumn]:
    for one in (*in_classes(code), *in_builders(code), *in_casts(code), *in_drizzle(code), *in_statements(code)):
        known = code.elsewhere.schema.table(one.table) if one.table else None
        whole = replace(one, siblings=one.siblings | frozenset(known.columns if known is not None else ()))
        if money_name(one.name) and not whole.counts:
            yield whole


def in_classes(code: Code) -> Iterator[FloatColumn]:
    """`amount = Column(Float)`, `Amount float64` with a column tag."""
    for assign in code.facts.assigns:
        head = assign.scope.head
        table = head.name if isinstance(head, Class) else ""
        for target in assign.targets:
            if money_name(name_of(target)) and float_column(code, assign):
                beside = frozenset(
                    fold(name_of(other)) for one in code.facts.assigns if one.scope is assign.scope for other in one.targets
                )
                yield FloatColumn(assign.span, assign.scope, table, name_of(target), beside)


def in_builders(code: Code) -> Iterator[FloatColumn]:
    """`t.float :amount`, `$table->double('cost')`, `add_column :invoices, :amount, :float`."""
    for call in code.facts.calls:
        given = texts(call)
        if name_of(call.receiver) in TABLES and fold(call.method) in ("float", "double") and given:
            function = enclosing(call.scope, Kind.FUNCTION)
            head = function.head if function is not None else None
            beside = frozenset(
                fold(named[0]) for one in code.facts.calls
                if one.scope is call.scope and name_of(one.receiver) in TABLES and (named := texts(one))
            )  # fmt: skip
            yield FloatColumn(call.span, call.scope, getattr(head, "registered_as", ""), given[0], beside)
        if fold(call.method) in ("addcolumn", "changecolumn") and given[2:3] == ["float"]:
            yield FloatColumn(call.span, call.scope, given[0], given[1], frozenset())


def texts(call: Call) -> list[str]:
    return [str(one.value.value) for one in call.arguments if isinstance(one.value, Literal) and one.name is None]


def in_casts(code: Code) -> Iterator[FloatColumn]:
    """Eloquent: `protected $casts = ['amount' => 'float']`."""
    held = [(one.value, one.scope) for one in code.facts.assigns if one.targets and name_of(one.targets[0]) == "casts"]
    held += [(one.value, one.scope) for one in code.facts.returns if name_around(one.scope) == "casts"]
    for whole, scope in held:
        holder = enclosing(scope, Kind.CLASS)
        table = holder.head.name if holder is not None and isinstance(holder.head, Class) else ""
        entries = whole.entries if isinstance(whole, Object) else ()
        for entry in entries:
            kind = entry.value.value if isinstance(entry.value, Literal) else ""
            if kind in ("float", "double", "real") and entry.name:
                beside = frozenset(fold(one.name) for one in entries if one.name)
                yield FloatColumn(entry.span, scope, table, entry.name, beside, cast=True)


def in_drizzle(code: Code) -> Iterator[FloatColumn]:
    """`cost: real("cost")`."""
    if not any(package.startswith("drizzle-orm") for package in code.facts.packages):
        return
    for call in code.facts.calls:
        if fold(call.method) in ("real", "doubleprecision") and texts(call):
            made = table_call(code, call)
            beside = frozenset(
                fold(entry.name) for one in (made.arguments if made is not None else ()) if isinstance(one.value, Object)
                for entry in one.value.entries if entry.name
            )  # fmt: skip
            yield FloatColumn(
                call.span, call.scope, (texts(made) or [""])[0] if made is not None else "", texts(call)[0], beside
            )


def table_call(code: Code, call: Call) -> Call | None:
    """`pgTable("charges", …)` around a column."""
    around: Call | None = call
    while around is not None and not fold(around.method).endswith("table"):
        around = code.outer.get(id(around))
    return around


def in_statements(code: Code) -> Iterator[FloatColumn]:
    """`amount DOUBLE PRECISION` in CREATE TABLE and in ALTER TABLE … ADD."""
    g = None
    for one in code.statements:
        if one.kind not in ("create", "alter"):
            continue
        g = g or grammar()
        made = list(one.tree.find_all(g.ColumnDef))
        beside = frozenset(fold(column.name) for column in made)
        for column in made:
            kind = str(column.args.get("kind") or "").upper()
            if kind.startswith(("FLOAT", "DOUBLE", "REAL")):
                yield FloatColumn(
                    line_of(code, one, column.name), one.scope, one.tables[0] if one.tables else "", column.name, beside
                )


def line_of(code: Code, statement: Statement, column: str) -> Span:
    """The column's own line in the statement."""
    source = code.facts.text(statement.span)
    found = re.search(rf"(?<![\w.]){re.escape(column)}[\"`\]]?\s+(?:float|double|real)\w*(?:[ \t]+precision)?", source, re.I)
    return lines_from(statement.span, source, found.start(), found.end()) if found else statement.span


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
