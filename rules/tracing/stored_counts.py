"""Counts that the database keeps itself: by a trigger on the counted rows, or by a procedure that a write stands in for."""

import re
from collections.abc import Iterator

from rules.code import Code, Elsewhere
from rules.facts import Call, Handler, chain
from rules.meaning.usage.counters import Change, Counter
from rules.tracing.graph import upwards
from rules.tracing.procedures import MOVED, bodies, called_in, procedures
from rules.tracing.standing import standing

HOPS = 4
"""Callers of callers among whose files the insert of the counted row is looked for."""
TRIGGER = re.compile(
    r"(\bcreate\s+(?:or\s+replace\s+)?trigger\s+[^;]*?\bafter\s+insert\b[^;]*?\bexecute\s+(?:function|procedure)\s+[\w.\"]+)",
    re.I | re.S,
)
ON_TABLE = re.compile(r"\bon\s+(?:\"?\w+\"?\.)?\"?(\w+)", re.I)
RUNS = re.compile(r"(\w+)\"?$")
ADDS = r"\b{0}\"?\s*=\s*[^,;]*\b{0}\b\"?[^,;]*\+"
INSERTS = r"\b(?:from|into|table)\(\s*[\"'`]{0}[\"'`]\s*\)\s*\.\s*(?:insert|upsert)\b|\binsert\s+into\s+(?:\w+\.)?\"?{0}\b"


def kept_in_store(code: Code, counted: list[Counter]) -> bool:
    """Whether no count is lost with these writes of one call."""
    return bool(counted) and (
        all(added_by_trigger(code, one) for one in counted) or all(second_to_procedure(code, one) for one in counted)
    )


def added_by_trigger(code: Code, one: Counter) -> bool:
    """Whether a row that is inserted on the way here has been added to the same column by then."""
    if one.change is not Change.ADD or one.call is None:
        return False
    adds = re.compile(ADDS.format(re.escape(one.name)), re.I)
    named = called_in(code.facts.text(one.call.span))
    return any(
        adds.search(body) and named & set(re.findall(r"\w+", body)) and inserted_on_the_way(code, one, table)
        for table, procedure in triggers(code.elsewhere)
        for body in bodies(code.elsewhere, procedure)
    )


def triggers(elsewhere: Elsewhere) -> Iterator[tuple[str, str]]:
    """Of each trigger after an insert: the table and the function that it runs."""
    for text in sorted(elsewhere.found(TRIGGER)):
        table, runs = ON_TABLE.search(text), RUNS.search(text)
        if table is not None and runs is not None:
            yield table[1], runs[1]


def inserted_on_the_way(code: Code, one: Counter, table: str) -> bool:
    found = standing(code, one.span.line)
    if found is None:
        return False
    graph, here = found
    inserts = re.compile(INSERTS.format(re.escape(table)), re.I)
    paths = {graph.path(reached.node) for reached in upwards(graph, here, HOPS)}
    there = (code.elsewhere.code_of(path) for path in sorted(paths))
    return any(other is not None and inserts.search(other.facts.source.decode(errors="replace")) for other in there)


def second_to_procedure(code: Code, one: Counter) -> bool:
    """`const { error } = await db.rpc("add_usage"); if (error) await db.from("usage").update(…)`: both have to fail, where the
    project's own SQL defines a procedure that moves the same column."""
    known = procedures(code.elsewhere)
    return any(
        moves(code.elsewhere, name, one.name) for call in failed_before(one) for name in called_in(code.facts.text(call.span))
        if name.lower() in known
    )  # fmt: skip


def failed_before(one: Counter) -> Iterator[Call]:
    """The calls whose failure leads to a write."""
    for scope in chain(one.scope):
        guards = scope.head.guards if isinstance(scope.head, Handler) else None
        if isinstance(guards, tuple):
            yield from guards


def moves(elsewhere: Elsewhere, procedure: str, column: str) -> bool:
    return any(column.lower() in {name.lower() for name in MOVED.findall(body)} for body in bodies(elsewhere, procedure))
