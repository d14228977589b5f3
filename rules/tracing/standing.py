"""Where a place of a judged file stands in the graph of its program, and what the graph says from there."""

from collections.abc import Collection, Iterator

from rules.code import Code, Elsewhere
from rules.facts import Function, Scope
from rules.tracing.graph import Graph, Node, upwards
from rules.tracing.sights import Routine


def graph_of(code: Code) -> Graph | None:
    return code.elsewhere.trace.graph if code.elsewhere.trace is not None else None


def standing(code: Code, line: int) -> tuple[Graph, Node] | None:
    """The graph, and the innermost routine around a line of the file; None where there is none or the file is not in it."""
    graph = graph_of(code)
    node = graph.at(code.facts.path, line) if graph is not None else None
    return (graph, node) if graph is not None and node is not None else None


def meant(graph: Graph, node: Node, names: Collection[str]) -> Iterator[Node]:
    """The functions of these names that a routine calls, as far as a name tells which one."""
    for link in graph.callees.get(node, ()):
        routine = graph.routine(link.callee)
        if routine is not None and routine.name in names and link.sure != "possible":
            yield link.callee


def started_in(graph: Graph, node: Node, contexts: Collection[str], hops: int) -> bool:
    """Whether something that runs in one of these contexts surely leads to a routine."""
    return any(graph.context(one.node) in contexts and one.sure != "possible" for one in upwards(graph, node, hops))


def source_of(elsewhere: Elsewhere, routine: Routine) -> str | None:
    """The lines of a routine, None where its file is not at hand."""
    there = elsewhere.code_of(routine.path)
    if there is None:
        return None
    return "\n".join(there.facts.source.decode(errors="replace").split("\n")[routine.line - 1 : routine.end_line])


def scope_of(code: Code, routine: Routine) -> tuple[Scope, Function] | None:
    """The function of a file that a routine of the graph is made of, and its head."""
    for scope in code.facts.scopes:
        if isinstance(scope.head, Function) and scope.head.name == routine.name and scope.span.line == routine.line:
            return scope, scope.head
    return None
