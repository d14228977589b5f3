"""Where usage is summed or counted: SQL, ORM aggregates, reads of a store's counters."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Literal, Member, Name, Object, Template, fold, walk
from rules.meaning.naming import Way
from rules.meaning.sql import Statement, grammar, plain
from rules.meaning.usage.emissions import shown
from rules.meaning.vocabulary import words
from rules.tracing.sights import Kind, Make, Sight
from rules.tracing.stores import SQL_TABLE, before, sql_text, table_of_call, written

SUMS = frozenset("sum count aggregate groupby annotate countdocuments sumby scalarsum sumasync countdistinct".split())
REPOSITORIES = frozenset("repository repo dao mapper".split())
"""What is asked for sums by methods whose query stands in an annotation or elsewhere."""
ONE = "1"
"""Marks a query that sums one thing of one table; the columns of its conditions follow."""
FUNCTIONS = frozenset("func f fn sql functions models expression db".split())


def sums_of(code: Code, sight: Make) -> Iterator[Sight]:
    seen: set[int] = set()
    for one in code.statements:
        if one.aggregates and one.tables:
            seen.add(one.span.line)
            single = len(one.aggregates) == 1 and len(one.tables) == 1
            # What a single sum filters by: two of them can be compared.
            via = (ONE, *sorted({fold(part.column) for part in one.comparisons})) if single else ()
            via += (f"{one.call.method}()",) if one.call is not None else ()
            for table, name, function in dict.fromkeys(summed_tables(one)):
                text = f"`{function}` over `{table}`"
                yield sight(Kind.AGGREGATE, name, table, one.span, one.scope, text, "certain", via)
    for call in code.facts.calls:
        if call.span.line not in seen and (found := summed(code, call)) is not None:
            table, name = found
            by = (f"{call.method}()",)
            yield sight(Kind.AGGREGATE, name, table, call.span, call.scope, f"`{shown(call)}`", "likely", by)
    for use in code.uses:
        if use.way is Way.READ:
            scope = next((call.scope for call in code.facts.calls if call.span is use.span), code.facts.root)
            yield sight(Kind.AGGREGATE, use.name, "redis", use.span, scope, "read of the key")


def summed_tables(one: Statement) -> Iterator[tuple[str, str, str]]:
    """Table, column and function of each aggregate: the tables of the query that it stands in, not those of its conditions."""
    g = grammar()
    for node in one.tree.find_all(g.Sum, g.Count, g.Max, g.Min, g.Avg):
        query = node.find_ancestor(g.Select)
        if query is None:
            continue
        sources = [query.args.get("from") or query.args.get("from_"), *(query.args.get("joins") or ())]
        inside = node.this.sql() if node.this is not None else "*"
        for source in sources[:1]:
            for table in source.find_all(g.Table) if source is not None else ():
                yield plain(table.name), column(plain(inside)), type(node).__name__.lower()


def column(argument: str) -> str:
    """`SUM(t.tokens)` -> `tokens`; nothing for `*` and for arithmetic."""
    name = argument.replace('"', "").replace("`", "").rsplit(".", 1)[-1]
    return name if name.isidentifier() else ""


def summed(code: Code, call: Call) -> tuple[str, str] | None:
    """`prisma.usage.aggregate({_sum: {tokens: true}})`, `func.sum(UsageLog.tokens)`, `.Select("sum(quota)")`."""
    last = fold(call.method)
    holder = words(call.name.rpartition(".")[0])[-1:]
    if words(call.method)[:1] in (("sum",), ("count",), ("total",)) and holder and holder[0] in REPOSITORIES:
        return before(call), ""
    if last in SUMS and (found := aggregate(code, call, last)) is not None:
        return found
    if last in ("select", "raw", "pluck", "selectraw", "addselect"):
        for argument in call.arguments[:3]:
            text = argument.value.value if isinstance(argument.value, Literal) else ""
            if isinstance(text, str) and "sum(" in text.lower():
                inner = text.lower().split("sum(", 1)[1].split(")")[0]
                return table_of_call(code, call), column(inner)
    if last == "select" and counts_rows(call):
        return table_of_call(code, call), ""
    if last == "select" and (found := fragment(call)) is not None:
        return found
    if (text := sql_text(call)) and "sum(" in text.lower() and (table := SQL_TABLE.search(text.split("FROM", 1)[-1] and text)):
        return table[1], column(text.lower().split("sum(", 1)[1].split(")")[0])
    return None


def counts_rows(call: Call) -> bool:
    """Supabase: `.select("id", { count: "exact", head: true })`."""
    named = {argument.name for argument in call.arguments}
    for argument in call.arguments:
        named |= {entry.name for entry in getattr(argument.value, "entries", ())}
    return "count" in named


def fragment(call: Call) -> tuple[str, str] | None:
    """A sum in a piece of a query: `` db.select({ total: sql`SUM(${events.quantity})` }) ``."""
    for argument in call.arguments[:1]:
        for part in walk(argument.value):
            if isinstance(part, Template) and "sum(" in written(part).lower():
                for inner in part.parts:
                    if isinstance(inner, Member) and isinstance(inner.object, Name):
                        return inner.object.text, inner.name
    return None


def aggregate(code: Code, call: Call, last: str) -> tuple[str, str] | None:
    for argument in call.arguments:
        for part in walk(argument.value):
            if isinstance(part, Object):
                for entry in part.entries:
                    if entry.name in ("_sum", "_count", "_max") and isinstance(entry.value, Object) and entry.value.entries:
                        return table_of_call(code, call), entry.value.entries[0].name or ""
                    if entry.name == "$sum":
                        field = entry.value.value if isinstance(entry.value, Literal) else ""
                        return table_of_call(code, call), str(field).lstrip("$")
    plain = [one.value for one in call.arguments if one.name is None]
    if last in ("sum", "count") and plain and isinstance(plain[0], Member) and isinstance(plain[0].object, Name):
        holder = plain[0].object.text
        if holder[:1].isupper() or call.name.split(".")[0] in FUNCTIONS or call.name == last:
            return holder, plain[0].name
    if last in ("sum", "count", "countdocuments") and "." in call.name and (table := table_of_call(code, call)):
        field = plain[0].value if plain and isinstance(plain[0], Literal) else ""
        return table, str(field) if isinstance(field, str) else ""
    return None
