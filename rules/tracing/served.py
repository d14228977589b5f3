"""Whether a function is seen to run for a customer: something that is served, registered or run by a job leads to it.

`callers` asks for proof that nobody calls a function. This asks for proof that somebody does: a declaration of the same
name in an interface is no caller, nor is a function that itself is reached from nowhere.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from weakref import WeakKeyDictionary

from rules.code import Code, Elsewhere
from rules.facts import Call, Class, Function, Scope, chain, fold, name_of
from rules.meaning.contexts import SERVED, Context
from rules.meaning.vocabulary import words
from rules.mentions import Mention
from rules.tracing.callers import (
    BY_FOLDER,
    BY_NAME,
    FROM_OUTSIDE,
    GENERATED_CALLER,
    HOOKS,
    MANY,
    Asked,
    asked_of,
    defined_at,
    defines,
    in_unused_bundle,
    is_mark,
    is_program,
    is_published,
    only_hands_out,
    outermost,
)
from rules.tracing.graph import Graph, Node
from rules.tracing.places import INDEX
from rules.tracing.standing import scope_of

FAR = 8
"""Callers of callers that are followed."""
MOST = 200
KNOWN: WeakKeyDictionary[Graph, dict[Node, frozenset[str]]] = WeakKeyDictionary()
"""What was found out, by project; gone with it."""
DECLARES = r"^\s*(?:[\w<>\[\],.?*&]+\s+)*{}\s*[<(]"
"""A line in no function that says a name and its parameters: a method of an interface, or one without a body."""
ROUTERS = frozenset({"apirouter", "blueprint"})
"""Of these a file makes its own, and another hangs it into the application."""
LOADED_BY_NAME = re.compile(r"\b(import_module|iter_modules|walk_packages|__import__\(\s*[a-z_])")
BRINGS_IN = r"\bfrom\s+[\w.]*\b{0}\s+import\b|\bimport\s+[^\n(]*\b{0}\b|\bimport\s*\([^)]*\b{0}\b|[\"'][\w.]+\.{0}\b"
SERVES = re.compile(
    r"listen|serve|express|fastify|\bhono\b|cron|schedul|setInterval|while\s*\(?\s*(?:[Tt]rue|1)\b|uvicorn|fastapi|flask|django|"
    r"consum|subscri|run_forever|polling|worker|daemon|\bexport\b|module\.exports|router|Route|\bHandler\b|handler|"
    r"lambda_|\$_(?:POST|GET|REQUEST|SERVER|SESSION)\b|php://input",
)
"""In the text of a file whose top starts something that goes on, or hands out what does."""
BEFORE = r"(?:(?P<before>\w+)(?:\(\))?[!?]?(?:\.|->|::))?\b{}\b"
SENT_FROM_TABLE = re.compile(r"\b(django_celery_beat|DatabaseScheduler|redbeat)\b", re.I)
"""Who keeps in a table, out of view, which tasks are sent and when."""
REGISTERS = re.compile(r"\bname\s*=")
"""In the mark of a task: what it is registered by."""
ITSELF = frozenset("this self cls static".split())
OFF_STAGE = frozenset({Context.TEST, Context.SCRIPT, Context.BROWSER})


def is_served(code: Code, scope: Scope) -> bool:
    """Whether a handler, a consumer or a job leads to the function around; taken for granted where not all is at hand."""
    found = entered_by(code, scope)
    return found is None or bool(found)


def only_timed(code: Code, scope: Scope) -> bool:
    """Whether nothing but a clock leads to the function around: no two requests are in it at once."""
    return entered_by(code, scope) == frozenset({Context.SCHEDULE.value})


def entered_by(code: Code, scope: Scope) -> frozenset[str] | None:
    """The contexts from which the function around is entered; None where not all of a program is at hand."""
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    if trace is None or code.facts.traits.statements_only or not is_program(trace.graph):
        return None
    node = trace.graph.at(code.facts.path, scope.span.line)
    if node is None:
        return None
    node = outermost(trace.graph, node)
    known = KNOWN.setdefault(trace.graph, {})
    if node not in known:
        known[node] = frozenset(leading_to(code.elsewhere, trace.graph, node))
    return known[node]


def leading_to(elsewhere: Elsewhere, graph: Graph, start: Node) -> Iterator[str]:
    seen: set[Node | None] = {start}
    waiting = [(start, 0)]
    while waiting and len(seen) < MOST:
        node, hops = waiting.pop(0)
        if (entry := entry_of(elsewhere, graph, node)) is not None:
            yield entry
            continue
        for caller in callers(elsewhere, graph, node) if hops < FAR else ():
            if caller is None:
                yield Context.LIBRARY.value
            elif caller not in seen:
                seen.add(caller)
                waiting.append((caller, hops + 1))


def entry_of(elsewhere: Elsewhere, graph: Graph, node: Node) -> str | None:
    """How something outside of the program calls it: a client, a queue, a clock, or a framework that looks it up."""
    routine = graph.routine(node)
    if routine is None:
        return Context.LIBRARY.value if top_goes_on(elsewhere, graph.path(node)) else None
    if routine.context in OFF_STAGE:
        return None
    if is_sent_to(elsewhere, graph, node):
        return None
    if routine.context in SERVED:
        return routine.context if is_mounted(elsewhere, graph.path(node)) else None
    asked = asked_of(elsewhere, graph, node)
    found = asked is None or is_looked_up(asked) or is_published(elsewhere, asked, asked.routine.name)
    return Context.LIBRARY.value if found else None


def top_goes_on(elsewhere: Elsewhere, path: str) -> bool:
    """Whether the top of a file runs in the service: it serves, waits or goes round, or another file brings it in.

    What only does its work and ends is a script that somebody runs by hand, wherever it lies.
    """
    code = elsewhere.code_of(path)
    if code is None or not code.facts.calls or SERVES.search(code.facts.source.decode(errors="replace")):
        return True
    stem = PurePosixPath(path).stem
    return stem in INDEX or bool(elsewhere.naming(stem) - {path})


def is_mounted(elsewhere: Elsewhere, path: str) -> bool:
    """Whether the routes of a file are hung in anywhere: a router of its own that no other file brings in answers nobody."""
    code = elsewhere.code_of(path)
    stem = PurePosixPath(path).stem
    own = (one.value for all_of in code.values.definitions.values() for one in all_of) if code is not None else ()
    routers = any(isinstance(one, Call) and fold(one.method) in ROUTERS for one in own)
    if not routers or stem in INDEX or elsewhere.found(LOADED_BY_NAME):
        return True
    return bool(elsewhere.found(re.compile(f"({BRINGS_IN.format(re.escape(stem))})")))


def is_looked_up(asked: Asked) -> bool:
    """By its mark, its registration, its folder, or as the hook of a class that a framework knows."""
    holder = next((one.head for one in chain(asked.scope) if isinstance(one.head, Class)), None)
    if any(map(is_mark, asked.head.decorators)) or asked.head.registered_as or asked.head.passed_to:
        return True
    hook = words(asked.routine.name)[:1]
    if holder is not None and hook and hook[0] in HOOKS and (holder.bases or BY_NAME.search(holder.name)):
        return True
    if BY_FOLDER.search(asked.path):
        return True
    types = " ".join(parameter.type for parameter in asked.head.parameters)
    outside = asked.head.parameters[:1] and asked.head.parameters[0].name.lower() in FROM_OUTSIDE
    return bool(outside and asked.head.exported) or GENERATED_CALLER.search(types) is not None


def callers(elsewhere: Elsewhere, graph: Graph, node: Node) -> Iterator[Node | None]:
    """Those that call a function, and those that name it; None where it cannot be told."""
    for link in graph.callers.get(node, ()):
        yield outermost(graph, link.caller)
    yield from senders(elsewhere, graph, node)
    routine = graph.routine(node)
    asked = asked_of(elsewhere, graph, node)
    if routine is None or asked is None:
        return
    if len(elsewhere.naming(routine.name)) > MANY:
        yield None
        return
    for one in elsewhere.mentions(routine.name):
        if defined_at(asked, one) or only_hands_out(one, routine.name) or defines(one, routine.name):
            continue
        if of_another_class(asked, one):
            continue
        there = graph.at(one.path, one.line)
        if in_unused_bundle(elsewhere, one):
            continue
        if there is None or there[1] >= 0:
            yield outermost(graph, there) if there is not None else None
        elif not declares(one, routine.name):
            yield there


def is_sent_to(elsewhere: Elsewhere, graph: Graph, node: Node) -> bool:
    """Whether it is a task of Celery that runs where something sends it: no text says the name that it is registered by."""
    task = task_of(elsewhere, graph, node)
    if task is None or elsewhere.found(SENT_FROM_TABLE):
        return False
    marks = [one for one in task.decorators if isinstance(one, Call)]
    names = {str(getattr(one.value, "value", "")) for mark in marks for one in mark.arguments if one.name in (None, "name")}
    return not any(
        re.search(rf"""[\"'](?:[\w.]+\.)?{re.escape(name)}[\"']""", one.text) and not REGISTERS.search(one.text)
        for name in {task.name, *names} - {""}
        for one in elsewhere.mentions(name)
    )


def task_of(elsewhere: Elsewhere, graph: Graph, node: Node) -> Function | None:
    routine = graph.routine(node)
    there = elsewhere.code_of(routine.path) if routine is not None else None
    if routine is None or there is None or b"celery" not in there.facts.source:
        return None
    place = scope_of(there, routine)
    marks = place[1].decorators if place is not None else ()
    named = {(one.method if isinstance(one, Call) else name_of(one)) for one in marks}
    return place[1] if place is not None and named & {"task", "shared_task"} else None


def senders(elsewhere: Elsewhere, graph: Graph, node: Node) -> Iterator[Node | None]:
    """`count_usage.delay(…)`: those that name a task, apart from itself."""
    task = task_of(elsewhere, graph, node)
    if task is None:
        return
    for one in elsewhere.mentions(task.name):
        there = graph.at(one.path, one.line)
        if there != node and not defines(one, task.name) and not REGISTERS.search(one.text):
            yield outermost(graph, there) if there is not None else None


def of_another_class(asked: Asked, one: Mention) -> bool:
    """Whether a line calls the method of that name that another class has: `invoices.renew(id)`, and not `plans.renew(id)`;
    `this.renew(id)` where the file has one of its own."""
    name, graph = asked.routine.name, asked.graph
    others = [node for node in graph.by_name.get(name, ()) if node != asked.node]
    before = [found["before"] for found in re.finditer(BEFORE.format(re.escape(name)), one.text)]
    if not asked.routine.holder or not others or not all(before) or not before:
        return False
    return all(
        one.path != asked.path and any(graph.path(node) == one.path for node in others) if each in ITSELF
        else not graph.meets(each, asked.node) and any(graph.holder(node) and graph.meets(each, node) for node in others)
        for each in before
    )  # fmt: skip


def declares(one: Mention, name: str) -> bool:
    """Indented or with a type before it: a call at the top of a file has neither."""
    before = one.text.partition(name)[0]
    return bool(before) and re.search(DECLARES.format(re.escape(name)), one.text) is not None
