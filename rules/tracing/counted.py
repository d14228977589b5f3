"""Whether what a limit helper looks at is what a call after it writes: a limit is passed only by what it counts."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Span, fold
from rules.schema.tables import key
from rules.tracing.graph import Node
from rules.tracing.sights import Kind, Sight
from rules.tracing.standing import meant
from rules.tracing.whole import Trace

HOPS = 3
WRITES = frozenset({Kind.COUNT, Kind.INSERT, Kind.ROW})


@dataclass(frozen=True, slots=True)
class Looked:
    """What a helper reads, as far as it is seen."""

    counters: frozenset[str]
    """Folded names."""
    tables: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.counters or self.tables)


def looked_at(code: Code, call: Call) -> Looked:
    """The counters and the tables that the function behind a call reads, and those that it calls in turn."""
    trace = code.elsewhere.trace
    nodes = tuple(behind(trace, code.facts.path, call)) if trace is not None else ()
    counters = (one.reads for node in nodes if trace is not None and (one := trace.graph.routine(node)) is not None)
    tables = (sight.owner for node in nodes if trace is not None for sight in trace.seen.sums(node))
    return Looked(frozenset(name for each in counters for name in each), frozenset(map(key, tables)))


def moves(code: Code, call: Call, looked: Looked) -> bool | None:
    """Whether a call writes what was looked at, itself or in the functions behind it; None where no write is seen."""
    trace = code.elsewhere.trace
    if trace is None:
        return None
    here = [one for one in at(trace, code.facts.path, call.span) if one.kind in WRITES]
    there = [
        one for node in behind(trace, code.facts.path, call) for one in trace.seen.by_node.get(node, ()) if one.kind in WRITES
    ]
    written = (*here, *there)
    return any(is_counted(one, looked) for one in written) if written else None


def is_counted(sight: Sight, looked: Looked) -> bool:
    if sight.kind is Kind.COUNT:
        return fold(sight.name) in looked.counters
    return bool(sight.owner) and key(sight.owner) in looked.tables


def at(trace: Trace, path: str, span: Span) -> Iterator[Sight]:
    node = trace.graph.at(path, span.line)
    for one in trace.seen.by_node.get(node, ()) if node is not None else ():
        if span.line <= one.line <= span.end_line:
            yield one


def behind(trace: Trace, path: str, call: Call) -> Iterator[Node]:
    node = trace.graph.at(path, call.span.line)
    for callee in meant(trace.graph, node, (call.method,)) if node is not None else ():
        yield from (below.node for below in trace.seen.reaches(callee, HOPS) if below.sure != "possible")
