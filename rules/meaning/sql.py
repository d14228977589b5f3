"""SQL statements in string literals and templates, parsed: tables, comparisons, aggregates, joins, what is written."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.facts import (
    Call,
    Expression,
    Facts,
    Lambda,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Template,
    dotted,
    walk,
)
from rules.meaning.times.periods import Held

LENGTH = 20_000
"""A longer statement is not parsed: the parser is recursive and slow, and nobody writes such a query by hand."""
STATEMENT = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(?:select\b|with\b\s+(?:recursive\s+)?\w+|update\s+\S+\s+(?:\w+\s+)?set\b|insert\s+into\b|"
    r"delete\s+from\b|create\s+(?:or\s+replace\s+)?(?:materialized\s+)?(?:table|view)\b|alter\s+table\b)",
    re.I,
)
CONDITIONS = frozenset("where andwhere orwhere having whereraw andwhereraw filter not wherefmt".split())
JINJA = re.compile(r"\{%.*?%\}", re.S)
JINJA_VALUE = re.compile(r"\{\{.*?\}\}", re.S)
VERB = re.compile(r"%(?:\((\w+)\))?[+#-]?[svdqfx]|%\[\d+\][svdq]")
TYPED = re.compile(r"\{(\w+)\s*:\s*[\w()]+\}")
HOLE = re.compile(r"__h(\d+)$")


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`column operator other`; BETWEEN is two of them."""

    column: str
    table: str
    operator: str
    other: str
    """The other side as SQL."""
    filled: Expression | None
    """What the program fills in there, where that can be told."""
    span: Span
    between: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """`sum(column) AS alias`."""

    function: str
    argument: str
    alias: str
    distinct: bool
    span: Span
    wrapped: bool = False
    """Inside COALESCE, IFNULL or the like."""


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement that parses, or one condition of a query builder (`kind` condition, no tables)."""

    kind: str
    text: str
    span: Span
    scope: Scope
    call: Call | None
    tree: Any
    """sqlglot's, for what the fields here do not tell."""
    tables: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    """Column to new value as SQL, for UPDATE and upserts."""


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A string that may be a statement, with its holes named and the arguments that fill its placeholders."""

    sql: str
    holes: tuple[Expression, ...]
    given: tuple[Expression, ...]
    named: Mapping[str, Expression]
    span: Span
    scope: Scope
    call: Call | None
    condition: bool


def statements_of(facts: Facts, held: Held) -> tuple[Statement, ...]:
    """Every statement that parses, in source order."""
    found = [made for text in texts(facts, held) if (made := statement(facts, text)) is not None]
    return tuple(sorted(found, key=lambda one: one.span.start))


def texts(facts: Facts, held: Held) -> Iterator[Text]:
    seen: set[int] = set()
    for call in facts.calls:
        builder = call.method.lower().replace("_", "") in CONDITIONS
        for place, argument in enumerate(call.arguments):
            holder = argument.value
            if not isinstance(holder, Literal | Template) or id(holder) in seen:
                continue
            sql, holes = written(holder)
            condition = builder and place == 0 and bool(re.search(r"[<>=]|\bbetween\b", sql, re.I)) and not STATEMENT.match(sql)
            if condition or STATEMENT.match(sql):
                seen.add(id(holder))
                rest = [one.value for one in call.arguments[place + 1 :]]
                yield Text(sql, holes, tuple(listed(rest)), named_in(rest), holder.span, call.scope, call, condition)
    for expression, scope in held:
        for part in walk(expression):
            if isinstance(part, Literal | Template) and id(part) not in seen:
                sql, holes = written(part)
                if STATEMENT.match(sql):
                    yield Text(sql, holes, (), {}, part.span, scope, None, False)


def listed(values: list[Expression]) -> Iterator[Expression]:
    """The arguments that fill positional placeholders, a list or tuple opened."""
    values = [value for value in values if not is_mapping(value)]
    if len(values) == 1 and isinstance(values[0], Sequence) and not values[0].each:
        yield from values[0].items
    else:
        yield from values


def is_mapping(value: Expression) -> bool:
    """`Long.class`, `Row::of`, `rs -> …`: into what a row is made, as Java's clients are told between statement and values."""
    if isinstance(value, Lambda):
        return True
    if not isinstance(value, Member):
        return False
    root = value.object.object if isinstance(value.object, Member) and value.object.name == "class" else value.object
    return isinstance(root, Name) and root.text[:1].isupper() and not value.name[:1].isupper()


def named_in(values: list[Expression]) -> dict[str, Expression]:
    return {
        entry.name: entry.value
        for value in values
        if isinstance(value, Object)
        for entry in value.entries
        if entry.name is not None
    }


def written(holder: Expression) -> tuple[str, tuple[Expression, ...]]:
    """The text with each hole as an identifier that says what fills it: `total__h0`."""
    if isinstance(holder, Literal):
        return (holder.value, ()) if isinstance(holder.value, str) and 4 < len(holder.value) <= LENGTH else ("", ())
    if not isinstance(holder, Template) or holder.span.end - holder.span.start > LENGTH:
        return "", ()
    pieces: list[str] = []
    holes: list[Expression] = []
    for part in holder.parts:
        if isinstance(part, Literal) and isinstance(part.value, str):
            pieces.append(part.value)
        else:
            name = getattr(part, "name", "") or getattr(part, "text", "") or "value"
            pieces.append(f"{re.sub(r'[^A-Za-z0-9_]', '_', name.rsplit('.', 1)[-1])}__h{len(holes)}")
            holes.append(part)
    return "".join(pieces), tuple(holes)


def statement(facts: Facts, text: Text) -> Statement | None:
    tree = parsed(text)
    if tree is None:
        return None
    kind = "condition" if text.condition else type(tree).__name__.lower()
    tables = tuple(plain(table.name) for table in tree.find_all(grammar().Table)) if not text.condition else models(text.call)
    return Statement(
        kind="select" if kind in ("union", "with") else kind,
        text=text.sql,
        span=text.span,
        scope=text.scope,
        call=text.call,
        tree=tree,
        tables=tables,
        comparisons=tuple(comparisons(facts, text, tree)),
        aggregates=tuple(aggregates(facts, text, tree)),
        written=dict(assignments(tree)),
    )


def models(call: Call | None) -> tuple[str, ...]:
    """`UsageEvent.where("created_at >= ?", start)`: the model that the condition is put to."""
    first = dotted(call.callee).replace("()", "").split(".")[0] if call is not None else ""
    return (first,) if first[:1].isupper() else ()


def grammar() -> Any:
    """sqlglot's expressions, imported when the first statement is parsed: the import takes longer than most files."""
    from sqlglot import expressions as grammar

    return grammar


def parsed(text: Text) -> Any:
    """The tree, or None for what is no SQL in any of the dialects met in metering code."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    # A statement that it half understands is logged with its text; reviewed code is never logged.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    sql = JINJA_VALUE.sub("filled", JINJA.sub(" ", text.sql))
    sql = VERB.sub(verb, TYPED.sub(r":\1", sql))
    if text.condition:
        sql = "SELECT 1 FROM t WHERE " + sql  # noqa: S608  parsed, never run
    for dialect in dialects(sql):
        try:
            tree = sqlglot.parse_one(sql, dialect=dialect)
        except (SqlglotError, RecursionError, LookupError, ValueError, TypeError, AttributeError):
            # Its builders of functions trust their arguments, which a template may have left out.
            continue
        if tree is not None and type(tree).__name__ != "Command":
            return tree
    return None


def verb(found: "re.Match[str]") -> str:
    """`%s` and `%(name)s` as placeholders, which are names where a name must stand."""
    return f":{found.group(1)}" if found.group(1) else "verb__p"


def dialects(sql: str) -> tuple[str, ...]:
    low = sql.lower()
    if "`" in sql:
        return ("mysql", "clickhouse")
    if "engine" in low or " final" in low or "prewhere" in low or "tostartof" in low or "todatetime" in low:
        return ("clickhouse", "postgres")
    return ("postgres", "clickhouse", "mysql")


def plain(name: str) -> str:
    """An identifier without the mark of the hole it came from."""
    return HOLE.sub("", name)


SIGNS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "="}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def comparisons(facts: Facts, text: Text, tree: Any) -> Iterator[Comparison]:
    g = grammar()
    for node in tree.find_all(g.LT, g.LTE, g.GT, g.GTE, g.EQ, g.Between):
        if isinstance(node, g.Between):
            if (column := column_of(node.this)) is not None:
                yield compared(facts, text, column, ">=", node.args["low"], True)
                yield compared(facts, text, column, "<=", node.args["high"], True)
            continue
        sign = SIGNS[type(node).__name__]
        left, right = column_of(node.this), column_of(node.expression)
        if left is not None and (right is None or is_hole(right)):
            yield compared(facts, text, left, sign, node.expression, False)
        elif right is not None and not is_hole(right):
            yield compared(facts, text, right, TURNED[sign], node.this, False)


def column_of(node: Any) -> Any:
    """The column of a side, casts and parentheses peeled."""
    g = grammar()
    while isinstance(node, g.Paren | g.Cast | g.Date | g.TsOrDsToDate):
        node = node.this
    return node if isinstance(node, g.Column) and node.name != "verb__p" else None


def is_hole(column: Any) -> bool:
    return bool(HOLE.search(column.name)) or column.name in ("verb__p", "filled")


def compared(facts: Facts, text: Text, column: Any, sign: str, other: Any, between: bool) -> Comparison:
    name = plain(column.name)
    return Comparison(
        name, plain(column.table), sign, other.sql(), filled(text, other), place(facts, text, name, sign, between), between
    )


def filled(text: Text, other: Any) -> Expression | None:
    """What the program puts there: a template's hole, or the argument of a placeholder."""
    g = grammar()
    for node in other.find_all(g.Column):
        if (hole := HOLE.search(node.name)) and int(hole.group(1)) < len(text.holes):
            return text.holes[int(hole.group(1))]
    marks = list(placeholders(other.root()))
    for node in other.find_all(g.Placeholder, g.Parameter, g.Column):
        if node.name in text.named:
            return text.named[node.name]
        if isinstance(node, g.Parameter) and node.name.isdigit() and 0 < int(node.name) <= len(text.given):
            return text.given[int(node.name) - 1]
        position = next((place for place, mark in enumerate(marks) if mark is node), None)
        if position is not None and len(text.given) == len(marks):
            return text.given[position]
    return None


def placeholders(tree: Any) -> Iterator[Any]:
    g = grammar()
    for node in tree.dfs():
        if (isinstance(node, g.Placeholder) and not node.args.get("this")) or (
            isinstance(node, g.Column) and node.name == "verb__p"
        ):
            yield node


def place(facts: Facts, text: Text, column: str, sign: str, between: bool) -> Span:
    """The line on which a comparison stands; the whole string where it cannot be found in it."""
    word = r"between" if between else re.escape(sign)
    source = facts.text(text.span)
    found = re.search(rf"\b{re.escape(column)}\b[^\n=<>]*(?<![<>=]){word}", source, re.I)
    return lines_from(text.span, source, found.start(), found.end()) if found else text.span


def lines_from(span: Span, source: str, start: int, end: int) -> Span:
    line = span.line + source.count("\n", 0, start)
    return Span(
        line,
        line + source.count("\n", start, end),
        span.start + len(source[:start].encode()),
        span.start + len(source[:end].encode()),
    )


AGGREGATES = {"Sum": "sum", "Count": "count", "Max": "max", "Min": "min", "Avg": "avg"}


def aggregates(facts: Facts, text: Text, tree: Any) -> Iterator[Aggregate]:
    g = grammar()
    source = facts.text(text.span)
    for node in tree.find_all(g.Sum, g.Count, g.Max, g.Min, g.Avg):
        inside = node.this
        function = AGGREGATES[type(node).__name__]
        alias = node.find_ancestor(g.Alias)
        found = re.search(rf"\b{function}\s*\(", source, re.I)
        yield Aggregate(
            function,
            plain(inside.sql()) if inside is not None else "*",
            alias.alias if alias is not None else "",
            isinstance(inside, g.Distinct),
            lines_from(text.span, source, found.start(), found.end()) if found else text.span,
            node.find_ancestor(g.Coalesce) is not None or node.find_ancestor(g.Case) is not None,
        )


def assignments(tree: Any) -> Iterator[tuple[str, str]]:
    g = grammar()
    if isinstance(tree, g.Update | g.Insert):
        holders = [tree] if isinstance(tree, g.Update) else list(tree.find_all(g.OnConflict))
        for holder in holders:
            for one in holder.args.get("expressions") or ():
                if isinstance(one, g.EQ) and column_of(one.this) is not None:
                    yield plain(column_of(one.this).name), one.expression.sql()
