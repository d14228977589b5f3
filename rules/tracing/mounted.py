"""Whether what runs in a browser gets there: a hook or component that no page leads to is drawn for nobody."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rules.code import Code, Elsewhere
from rules.facts import Scope
from rules.meaning.vocabulary import words
from rules.tracing.callers import is_program, only_hands_out, outermost
from rules.tracing.graph import Graph, Node
from rules.tracing.sights import Routine
from rules.tracing.standing import standing

FAR = 6
MOST = 60
DRAWS = re.compile(r"^(?:use[A-Z]|[A-Z][a-z])")
"""How a hook or a component is called; others may be found by their folder, and are believed to run."""
PAGES = re.compile(
    r"(^|/)(pages|routes|views|screens)/|(^|/)(page|layout|route|template|app|main|index|_app|entry\.client)\.\w+$", re.I
)
"""Files that a framework or a bundler begins with."""
DEFAULT = r"\bexport\s+default\s+(?:async\s+)?(?:function\s+|class\s+)?(?:\w+\(\s*)*{0}\b|\bmodule\.exports\s*="


def is_mounted(code: Code, scope: Scope) -> bool:
    """In doubt it is: only where all of a program is at hand, and every function on the way is named by none that runs."""
    found = standing(code, scope.span.line) if code.elsewhere.whole else None
    if found is None or not is_program(found[0]):
        return True
    graph, here = found
    start = outermost(graph, here)
    seen, waiting = {start}, [(start, 0)]
    while waiting:
        node, hops = waiting.pop(0)
        routine = graph.routine(node)
        if routine is None or hops >= FAR or len(seen) > MOST or begins(code.elsewhere, graph, node, routine, start):
            return True
        for caller in naming(code.elsewhere, graph, routine):
            if caller is None:
                return True
            if caller not in seen:
                seen.add(caller)
                waiting.append((caller, hops + 1))
    return False


def begins(elsewhere: Elsewhere, graph: Graph, node: Node, routine: Routine, start: Node) -> bool:
    """Whether something outside of the program's own code may start a function."""
    said = words(routine.name)
    if len(said) < 2 or PAGES.search(routine.path) or (node != start and not DRAWS.match(routine.name)):
        return True
    if len(graph.by_name.get(routine.name, ())) > 1:
        return True
    there = elsewhere.code_of(routine.path)
    if there is None:
        return True
    # What is handed out by default is brought in under any name, or by its file's alone.
    default = re.search(DEFAULT.format(re.escape(routine.name)), there.facts.source.decode(errors="replace"))
    return default is not None and bool(elsewhere.naming(PurePosixPath(routine.path).stem) - {routine.path})


def naming(elsewhere: Elsewhere, graph: Graph, routine: Routine) -> Iterator[Node | None]:
    """The functions in which a line means it; None for a line that stands in none, or in a file that is not at hand."""
    for one in elsewhere.mentions(routine.name):
        if (one.path, one.line) == (routine.path, routine.line) or only_hands_out(one, routine.name):
            continue
        there = graph.at(one.path, one.line)
        yield outermost(graph, there) if there is not None and there[1] >= 0 else None
