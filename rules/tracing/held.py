"""Locks and atomic scripts that a function does not show itself: those of its callers, and of what it reads and takes by."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Scope, Start, Use, enclosing, walk
from rules.meaning.flow import runs_alone
from rules.meaning.usage.takings import text_of
from rules.tracing.counted import behind
from rules.tracing.firm import ROW_LOCK, swallowed
from rules.tracing.graph import Node
from rules.tracing.procedures import takes_in_one_step
from rules.tracing.standing import source_of, standing

CALLERS = 6
"""More than these are not all under one lock."""
SCRIPT = re.compile(
    r"\bevalsha\b|\.eval\(\s*[A-Za-z_\"'`]|redis\.call\(|\bscript\w*\.(?:run|exec\w*|eval\w*|load)\b|execute(?:lua)?script|"
    r"\.execute\(\s*\w*script",
    re.I,
)
"""A script that a store runs in one step."""
NAME = re.compile(r"[A-Za-z_]\w+")
COMPARES = re.compile(r"\bupdate\s+[\w.\"`]+\s+set\b[^;]{1,400}?\bwhere\b[^;]{0,400}?(?:(?<![-=])>=?|<=?(?!>))", re.I)


def read_under_lock(code: Code, values: tuple[Expression, ...]) -> bool:
    """Whether a reading comes from a function that locks the row it reads: `account = await load_locked(session, id)`."""
    calls = (part for value in values for part in walk(value) if isinstance(part, Call))
    return any(ROW_LOCK.search(text) for call in calls for text in texts(code, call))


def in_one_step(code: Code, call: Call) -> bool:
    """Whether a call leads to a script that a store runs as a whole, or to a statement that compares as it writes."""
    return any(SCRIPT.search(text) or COMPARES.search(text) for text in texts(code, call))


RAISES = re.compile(r"\b(?:throw|raise|panic)\b|\breturn\b[^\n]{0,60}\berr", re.I)


def in_procedure(code: Code, call: Call) -> bool:
    """Whether a call leads to a procedure of the database that refuses where there is no room, and the refusal is heard."""
    if call.start is Start.DETACHED or swallowed(code, call):
        return False
    if takes_in_one_step(code.elsewhere, code.facts.text(call.span)):
        return call.use is not Use.DISCARDED
    taking = [text for text in texts(code, call) if takes_in_one_step(code.elsewhere, text)]
    # `rpc()` answers with the error, which somebody has to look at; other clients raise it.
    return any(call.use is not Use.DISCARDED or "rpc" not in text or RAISES.search(text) for text in taking)


def texts(code: Code, call: Call) -> Iterator[str]:
    """The source of the functions that a call leads to, as far as it is at hand, with the texts that they name."""
    trace = code.elsewhere.trace
    for node in behind(trace, code.facts.path, call) if trace is not None else ():
        routine = trace.graph.routine(node) if trace is not None else None
        there = code.elsewhere.code_of(routine.path) if routine is not None else None
        body = source_of(code.elsewhere, routine) if routine is not None else None
        if there is not None and body is not None:
            yield "\n".join((body, *constants(there, frozenset(NAME.findall(body)))))


def constants(code: Code, names: frozenset[str]) -> Iterator[str]:
    """Statements that stand at the top of a file under a name."""
    for name in names & code.values.definitions.keys():
        for one in code.values.definitions[name]:
            if one.scope.kind is Kind.MODULE and one.value is not None:
                yield text_of(one.value)


def callers_hold(code: Code, scope: Scope) -> bool:
    """Whether every call of the function around stands under a lock. A transaction alone keeps nobody from reading."""
    found = standing(code, scope.span.line) if enclosing(scope, Kind.FUNCTION) is not None else None
    if found is None:
        return False
    graph, node = found
    links = graph.callers.get(node, ())
    if not links or len(links) > CALLERS:
        return False
    return all(link.sure != "possible" and held_at(code, link.caller, link.line, node) for link in links)


def held_at(code: Code, caller: Node, line: int, callee: Node) -> bool:
    trace = code.elsewhere.trace
    routine = trace.graph.routine(callee) if trace is not None else None
    there = code.elsewhere.code_of(trace.graph.path(caller)) if trace is not None else None
    if routine is None or there is None:
        return False
    calls = [one for one in there.facts.calls if one.span.line == line and one.method == routine.name]
    return bool(calls) and all(runs_alone(there, one.scope, transactions=False) for one in calls)
