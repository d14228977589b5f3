"""Which functions nobody calls: what is wrong in them harms no one yet."""

import re
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import Class, Function, Scope, chain
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.tracing.graph import Graph, Node

EXPORTS = re.compile(r"\b(?:exports?|__all__|pub use)\b")
HOOKS = frozenset("on handle serve process perform run before after get test configure do main init setup register".split())
"""How functions begin that a framework finds by their name."""
FEW = 5
"""So few files that concern billing are no program: what calls them lies elsewhere."""
INDEX = frozenset({"index", "__init__", "mod"})
"""Files that are named by their folder."""
SERVED = frozenset({Context.REQUEST, Context.WEBHOOK, Context.WORKER, Context.SCHEDULE})


def uncalled(code: Code, scope: Scope) -> bool:
    """Whether all of a program is at hand and nothing in it calls, names or registers the function around.

    In doubt it is called: where a framework may find it by its class, its mark or its name, and in a library, whose callers
    are other programs.
    """
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    node = trace.graph.at(code.facts.path, scope.span.line) if trace is not None else None
    if trace is None or node is None or not is_program(trace.graph):
        return False
    node = outermost(trace.graph, node)
    routine = trace.graph.routine(node)
    said = words(routine.name) if routine is not None else ()
    if routine is None or routine.context != Context.LIBRARY or len(said) < 2 or said[0] in HOOKS:
        return False
    if found_otherwise(scope, routine.name) or trace.graph.callers.get(node):
        return False
    return not named_here(code, routine.name, routine.line) and not named_elsewhere(code, trace.graph, node)


def is_program(graph: Graph) -> bool:
    routines = (one for digest in graph.digests if not digest.test for one in digest.routines)
    return len(graph.digests) >= FEW and any(one.context in SERVED for one in routines)


def outermost(graph: Graph, node: Node) -> Node:
    routine = graph.routine(node)
    while routine is not None and routine.outer >= 0:
        node = (node[0], routine.outer)
        routine = graph.routine(node)
    return node


def found_otherwise(scope: Scope, name: str) -> bool:
    """Whether a decorator, an annotation, a registration or a class that it inherits from may lead to it."""
    heads = [one.head for one in chain(scope)]
    if any(isinstance(head, Class) and (head.bases or head.decorators) for head in heads):
        return True
    return any(
        isinstance(head, Function) and head.name == name and (head.decorators or head.registered_as or head.passed_to)
        for head in heads
    )


def named_here(code: Code, name: str, defined: int) -> bool:
    """Whether its own file names it anywhere but where it is defined, exported and spoken of."""
    spoken = {line for one in code.facts.comments for line in range(one.span.line, one.span.end_line + 1)}
    spelled = re.compile(rf"\b{re.escape(name)}\b")
    return any(
        spelled.search(line) and number != defined and number not in spoken and not EXPORTS.search(line)
        for number, line in enumerate(code.facts.source.decode(errors="replace").splitlines(), 1)
        if name in line
    )


def named_elsewhere(code: Code, graph: Graph, node: Node) -> bool:
    """Whether another file names it, and means it rather than another function of that name."""
    routine = graph.routine(node)
    name = routine.name if routine is not None else ""
    others = {graph.path(one) for one in graph.by_name.get(name, ()) if one != node}
    naming = code.elsewhere.naming(name) - {code.facts.path}
    if code.facts.path in others or (naming and not others):
        return True
    # Of two functions with one name, those who name the other's file mean that one.
    here = PurePosixPath(code.facts.path)
    own = code.elsewhere.naming(here.parent.name if here.stem in INDEX else here.stem)
    return bool((naming - others) & own)
