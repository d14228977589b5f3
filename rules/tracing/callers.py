"""Which functions nobody calls: what is wrong in them harms no one yet."""

import re

from rules.code import Code
from rules.facts import Function, Scope, chain, fold
from rules.meaning.contexts import TEST_PATH, Context
from rules.meaning.vocabulary import words
from rules.tracing.graph import Graph, Node

EXPORTS = re.compile(r"\b(?:exports?|__all__|pub use)\b")
HOOKS = frozenset("on handle serve process perform run before after get test configure do".split())
"""How functions begin that a framework finds by their name."""
NOTES = ("*", "//", "#", "--")


def uncalled(code: Code, scope: Scope | None) -> bool:
    """Whether all of a program is at hand and nothing in it calls, names or registers the function around.

    A library is called from elsewhere: only where requests are answered is a function that nobody calls a dead one.
    """
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    node = trace.graph.at(code.facts.path, scope.span.line) if trace is not None and scope is not None else None
    if trace is None or node is None or not answers_requests(trace.graph):
        return False
    node = outermost(trace.graph, node)
    routine = trace.graph.routine(node)
    said = words(routine.name) if routine is not None else ()
    if routine is None or routine.context != Context.LIBRARY or len(said) < 2 or said[0] in HOOKS:
        return False
    if marked(scope, routine.name):
        return False
    return not trace.graph.callers.get(node) and not named_elsewhere(code, trace.graph, node)


def answers_requests(graph: Graph) -> bool:
    return any(one.context == Context.REQUEST for digest in graph.digests if not digest.test for one in digest.routines)


def outermost(graph: Graph, node: Node) -> Node:
    routine = graph.routine(node)
    while routine is not None and routine.outer >= 0:
        node = (node[0], routine.outer)
        routine = graph.routine(node)
    return node


def marked(scope: Scope | None, name: str) -> bool:
    """A decorator or annotation may register it."""
    heads = [one.head for one in chain(scope) if isinstance(one.head, Function)]
    return any(head.name == name and head.decorators for head in heads)


def named_elsewhere(code: Code, graph: Graph, node: Node) -> bool:
    """Whether its name stands anywhere but where it is defined and exported, or where another function has it."""
    routine = graph.routine(node)
    assert routine is not None
    others = {graph.path(one) for one in graph.by_name.get(routine.name, ()) if one != node}
    spelled = re.compile(rf"\b{re.escape(routine.name)}\b")
    for number, line in enumerate(code.facts.source.decode(errors="replace").splitlines(), 1):
        told = number == routine.line or EXPORTS.search(line) or line.lstrip().startswith(NOTES)
        if spelled.search(line) and not told:
            return True
    files = code.elsewhere.only_in(routine.name)
    found = {path for path in files or () if path != code.facts.path and not TEST_PATH.search(path)}
    if files is None or code.facts.path in others or (found and not others):
        return True
    # Of two functions with one name, those who import the file of the other mean that one.
    stem = fold(graph.places[node[0]].stem)
    return any(stem in said for path in found - others for said in (text_of(code, path) or stem,))


def text_of(code: Code, path: str) -> str:
    """The folded text of a file that was read; one that was not may say anything."""
    other = code.elsewhere.code_of(path)
    return fold(other.facts.source.decode(errors="replace")) if other is not None else ""
