"""Which functions take from a limit only where there is room: under a row lock, by a conditional write, or a procedure."""

import re
from collections.abc import Iterator, Mapping

from rules.code import Code
from rules.facts import Call, Handler, Kind, Name, Scope, Start, Use, chain, walk
from rules.meaning.flow import same_function
from rules.meaning.outcomes import LOST, outcome
from rules.meaning.usage.takings import conditional, takings
from rules.tracing.graph import Node, Reached, downwards
from rules.tracing.routines import index_of
from rules.tracing.standing import graph_of, standing

HOPS = 3
TAKES = r"(?:deduct|debit|consume|charge|spend|reserve|decrement|take|use)"
ROW_LOCK = re.compile(
    r"for[ _]update\b|lockforupdate|selectforupdate|select_for_update|with_for_update|pessimistic_?write", re.I
)
PROCEDURE = re.compile(
    rf"[\"'](?:atomic_\w*{TAKES}|\w*{TAKES}\w*_(?:atomic|atomically|if_enough|if_available|safe))\w*[\"']", re.I
)
"""A procedure of the database that says by its name that it tests again: `rpc("atomic_deduct_credits")`."""


def firm_in(code: Code, known: Mapping[Scope, int]) -> Iterator[int]:
    for scope, position in known.items():
        text = code.facts.text(scope.span)
        if ROW_LOCK.search(text) or PROCEDURE.search(text):
            yield position
    for taking in takings(code) if code.billing else ():
        if conditional(code.facts, taking.call):
            yield index_of(taking.scope, known)


def takes_firmly(code: Code, call: Call) -> bool:
    """Whether a call leads to a function that tests again when it takes, and a refusal there comes back to this place.

    Where a name may mean one of several functions, one that tests is enough: unsure is quiet.
    """
    firm = firm_behind(code, call) if call.start is not Start.DETACHED else ()
    if not firm or refusal_dropped(code, call):
        return False
    # A handler around it keeps no refusal that is answered, and tested here.
    return not swallowed(code, call) or (is_tested(code, call) and not any(may_raise(code, one) for one in firm))


def is_tested(code: Code, call: Call) -> bool:
    """Whether the answer of a call stands in a condition: `if not await take(…)`, `taken = await take(…)`, `if not taken`."""
    names = {one.text for one in call.targets if isinstance(one, Name)}
    return call.use is Use.TESTED or any(
        isinstance(part, Name) and part.text in names
        for test in code.facts.tests
        if test.span.start > call.span.start and same_function(test.scope, call.scope)
        for part in walk(test.value)
    )


def refusal_dropped(code: Code, call: Call) -> bool:
    """Whether a call leads to a function that answers that there is no room, raises nothing, and the answer is thrown away."""
    firm = firm_behind(code, call) if call.use is Use.DISCARDED else ()
    return bool(firm) and not any(may_raise(code, reached) for reached in firm)


def firm_behind(code: Code, call: Call) -> tuple[Reached, ...]:
    """How a call comes to the functions that take only where there is room."""
    found = standing(code, call.span.line)
    if found is None:
        return ()
    graph, node = found
    return tuple(
        below
        for link in graph.callees.get(node, ())
        if (routine := graph.routine(link.callee)) is not None and routine.name == call.method
        for below in downwards(graph, link.callee, HOPS)
        if below.node[1] in graph.digests[below.node[0]].firm
    )


def may_raise(code: Code, reached: Reached) -> bool:
    """Whether any function on the way may raise, as far as it is at hand; one that is not may."""
    nodes = {reached.node, *(link.caller for link in reached.links), *(link.callee for link in reached.links)}
    return any(raises(code, node) for node in nodes)


def raises(code: Code, node: Node, lines: range | None = None) -> bool:
    """Whether a function, or some lines of it, have anything that raises. One that is not at hand may."""
    graph = graph_of(code)
    routine = graph.routine(node) if graph is not None else None
    there = code.elsewhere.code_of(routine.path) if routine is not None else None
    if routine is None or there is None:
        return True
    meant = lines or range(routine.line, routine.end_line + 1)
    return any(one.span.line in meant for one in there.facts.raises)


def swallowed(code: Code, call: Call) -> bool:
    """Whether a failure of the call ends in a handler here that lets the request go on."""
    tries = [scope for scope in chain(call.scope) if scope.kind is Kind.TRY]
    return any(
        isinstance(handler.head, Handler) and handler.head.guards in tries and outcome(code.facts, handler) in LOST
        for handler in code.facts.scopes
    )
