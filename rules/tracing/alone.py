"""Which functions run one at a time, because of those that call them; and which counters are set right again afterwards."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import Call, Kind, Scope, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone
from rules.meaning.usage.counters import Change, Counter, sql_of
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.tracing.firm import ROW_LOCK
from rules.tracing.graph import Graph, Node, downwards
from rules.tracing.routines import index_of
from rules.tracing.sights import SURE
from rules.tracing.standing import meant, standing

HOPS = 4
NEAR = 2
MADE_UP = frozenset("fake dummy seed seeds seeder demo fixture fixtures".split())
ADDED_UP = ("sum", "count", "aggregate")


LOCKS_BY_NAME = re.compile(
    r"\b(?:get|load|find|fetch|read|select|acquire)\w*(?:_for_\w{0,24}update|ForUpdate|_locked|Locked)(?:Async|_async)?\s*\(|"
    r"\bfunc (?:\([^)]*\) )?\w+Locked\(|\bdef \w+_locked\("
)
"""`load_for_quota_update(id)` says by its name that it locks the row, and `addLocked` that whoever calls it holds the lock."""


def alone_in(code: Code, known: Mapping[Scope, int]) -> Iterator[int]:
    """The routines of a file that take a lock, or run under one."""
    for scope, position in known.items():
        text = code.facts.text(scope.span)
        if runs_alone(code, scope, transactions=False) or ROW_LOCK.search(text) or LOCKS_BY_NAME.search(text):
            yield position


def called_alone(code: Code, scope: Scope) -> bool:
    """Whether everybody who calls the function around holds a lock, or is called only by such as do."""
    found = standing(code, scope.span.line)
    return found is not None and all_locked(*found, HOPS, frozenset({found[1]}))


def all_locked(graph: Graph, node: Node, hops: int, seen: frozenset[Node]) -> bool:
    links = [one for one in graph.callers.get(node, ()) if hops and not made_up(graph, one.caller)]
    # Where a name may mean one of several functions, those who surely mean this one decide.
    surest = min((SURE.index(one.sure) for one in links), default=0)
    callers = {one.caller for one in links if SURE.index(one.sure) == surest} - seen
    return bool(callers) and all(
        holds(graph, caller) or all_locked(graph, caller, hops - 1, seen | {caller}) for caller in callers
    )


def made_up(graph: Graph, node: Node) -> bool:
    """Whether a caller only fills a database to try things out: no customer comes that way."""
    routine = graph.routine(node)
    said = {*words(PurePosixPath(graph.path(node)).stem), *words(routine.name if routine is not None else "")}
    return bool(MADE_UP & said) or graph.context(node) in (Context.TEST, Context.SCRIPT)


def holds(graph: Graph, node: Node) -> bool:
    return node[1] in graph.digests[node[0]].alone


def recounted_in(code: Code, known: Mapping[Scope, int]) -> Iterator[tuple[str, int]]:
    """The counters that a file sets to what their rows add up to, each with the routine that does so."""
    for counter in code.counters:
        if adds_up(code, counter):
            yield fold(counter.name), index_of(counter.scope, known)


def adds_up(code: Code, counter: Counter) -> bool:
    """`used = (SELECT SUM(…) …)`, `balance: rows.sum("amount")`, `SetProperty(p => p.Balance, v => log.Sum(…))`."""
    if counter.call is not None and (text := sql_of(counter.call)):
        written = text.lower().partition(counter.name.lower())[2].partition("where")[0]
        return "select" in written and any(f"{one}(" in text.lower() for one in ADDED_UP)
    if counter.change is not Change.SET or counter.value is None:
        return False
    whole = resolved(code.values, counter.value, counter.scope, counter.span.start)
    return any(isinstance(part, Call) and fold(part.method).removesuffix("async") in ADDED_UP for part in walk(whole))


def set_right(code: Code, name: str, scope: Scope, at: int) -> bool:
    """Whether a function called after byte `at` sets the counter to what its rows add up to: what was lost comes back."""
    found = standing(code, scope.span.line)
    if found is None:
        return False
    graph, node = found
    function = enclosing(scope, Kind.FUNCTION)
    later = {call.method for call in code.calls_in(function) if call.span.start >= at} if function is not None else set()
    return any(
        (fold(name), below.node[1]) in graph.digests[below.node[0]].recounted
        for callee in meant(graph, node, later)
        for below in downwards(graph, callee, NEAR)
    )
