"""The first half of a meter's way: the actions that set it off, the calls that record it, queues and storage."""

from collections.abc import Iterator
from dataclasses import replace

from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.schema.tables import key
from rules.tracing.actions import entries, made, surest
from rules.tracing.graph import Graph, Link, Node, Reached
from rules.tracing.rows import books, is_usage_table
from rules.tracing.seen import Seen
from rules.tracing.sights import Kind, Sight, least
from rules.tracing.trails import Trail

SETTLING = frozenset({Context.SCHEDULE.value, Context.WEBHOOK.value})
"""Where use is settled that happened before."""
LINES = 40
"""So far before an event is sent can its quantity be summed."""


def entered(graph: Graph, trail: Trail, seen: Seen) -> None:
    """The actions, the calls that hand usage to what records it, and the queues between."""
    inside = recorders(graph, trail)
    for sight, node in trail.sinks:
        if trail.sort != "event":
            trail.add("stored", sight.path, sight.line, sight.sure, sight.text)
        if node[1] < 0:
            continue
        trail.way.add(node)
        # What is summed first was used before: the job that reports it is no action, those that wrote the rows are.
        settles = trail.sort == "event" and bool(summed_before(graph, seen, sight.line, node))
        for entry, way in entries(graph, node):
            routine = graph.routine(entry)
            request = routine is not None and routine.context == Context.REQUEST
            if routine is not None and routine.context not in SETTLING and (request or not settles):
                set_off(graph, trail, entry, way, sight)
                trail.way.update(link.caller for link in way.links)
                transported(graph, trail, way)
                if trail.sort != "event" and (entry in inside or not named(graph, node)):
                    trail.add("emitted", sight.path, sight.line, sight.sure, sight.text)
    if trail.sort != "event":
        handed_over(graph, trail, inside)


def set_off(graph: Graph, trail: Trail, entry: Node, way: Reached, sight: Sight) -> None:
    action = made(graph, entry, way, sight)
    trail.add("actions", action.path, action.line, way.sure, action.title)
    trail.entries[entry] = surest(action, trail.entries.get(entry))


def recorders(graph: Graph, trail: Trail) -> set[Node]:
    """The functions that write the meter, and those around them that say by their name that they do."""
    inside = {node for _, node in trail.sinks if node[1] >= 0}
    waiting = list(inside)
    while waiting:
        for link in graph.callers.get(waiting.pop(), ()):
            routine = graph.routine(link.caller)
            if routine is not None and link.caller not in inside and link.sure != "possible" and books(routine.name):
                inside.add(link.caller)
                waiting.append(link.caller)
    return inside


def named(graph: Graph, node: Node) -> bool:
    """Whether a function says by its name that it records usage; one that does not is where usage is recorded by the way."""
    routine = graph.routine(node)
    return routine is not None and books(routine.name)


def handed_over(graph: Graph, trail: Trail, inside: set[Node]) -> None:
    """Where code that is on the way from an action calls a recorder."""
    for node in inside:
        for link in graph.callers.get(node, ()):
            if link.caller in inside or link.over is not None or link.back or link.sure == "possible" or not named(graph, node):
                continue
            if any(True for _ in entries(graph, link.caller)):
                callee = graph.routine(link.callee)
                assert callee is not None
                trail.way.add(link.caller)
                trail.add("emitted", graph.path(link.caller), link.line, link.sure, f"`{callee.name}`")


def transported(graph: Graph, trail: Trail, way: Reached) -> None:
    """The queues on the way."""
    for link in way.links:
        carried(graph, trail, link)


def carried(graph: Graph, trail: Trail, link: Link) -> None:
    """Both ends of a queue, where a link goes over one."""
    if link.over is not None:
        name = graph.said(link.over.name).lstrip("$")
        trail.add("transported", link.over.path, link.over.line, link.sure, f"{link.over.text} to `{name}`")
        taker = graph.routine(link.callee)
        if taker is not None:
            trail.add("transported", taker.path, taker.line, link.sure, f"`{name}` taken by `{taker.title}`")


def stored(graph: Graph, trail: Trail, seen: Seen) -> None:
    """For an event: what is written down on the way to it, and the rows that are counted for it."""
    if trail.sort != "event":
        return
    for node in trail.way:
        for sight in seen.by_node.get(node, ()):
            if sight.kind is Kind.COUNT or (sight.kind is Kind.INSERT and is_usage_table(sight.owner)):
                trail.add("stored", sight.path, sight.line, "likely", sight.text)
    for table in dict.fromkeys(counted_rows(graph, trail, seen)):
        for sight, node in (*seen.of(Kind.ROW), *seen.of(Kind.INSERT)):
            if key(sight.owner) == table and node[1] >= 0:
                trail.add("stored", sight.path, sight.line, "likely", sight.text)
                for entry, way in entries(graph, node):
                    set_off(graph, trail, entry, replace(way, sure=least("likely", way.sure)), sight)
                    transported(graph, trail, way)


def counted_rows(graph: Graph, trail: Trail, seen: Seen) -> Iterator[str]:
    """The tables that are summed for an event before it is sent, in its function or in the one that calls it."""
    for sent, node in trail.sinks:
        if any(graph.context(entry) == Context.REQUEST for entry, _ in entries(graph, node)):
            # A handler that sums and then sends has looked at a limit.
            continue
        for sight in of_name(trail, summed_before(graph, seen, sent.line, node)):
            trail.add("aggregated", sight.path, sight.line, "likely", sight.text)
            yield key(sight.owner)


def of_name(trail: Trail, sums: list[Sight]) -> list[Sight]:
    """Of several tables that are summed, those that the event is called after: `tracing_observations` and `observations`."""
    said = frozenset(words(trail.name))
    return [one for one in sums if frozenset(words(one.owner)) <= said] or sums


def summed_before(graph: Graph, seen: Seen, line: int, node: Node) -> list[Sight]:
    """The sums that a function makes before this line: itself, nearest first, or by a call, or by its caller's."""
    if node[1] < 0:
        return []
    own = [sight for sight in seen.sums(node) if line - LINES < sight.line < line]
    if own:
        nearest = max(sight.line for sight in own)
        return [sight for sight in own if sight.line == nearest]
    found = summed_by_calls(graph, seen, line, node)
    for link in () if found else graph.callers.get(node, ()):
        if link.sure != "possible":
            found += [sight for sight in seen.sums(link.caller) if link.line - LINES < sight.line < link.line]
            found += summed_by_calls(graph, seen, link.line, link.caller)
    return found


def summed_by_calls(graph: Graph, seen: Seen, line: int, node: Node) -> list[Sight]:
    return [
        sight
        for link in graph.callees.get(node, ())
        if link.line < line and link.sure != "possible" and link.over is None
        for sight in seen.sums(link.callee)
    ]
