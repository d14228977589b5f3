"""The second half of a meter's way: what sums it, what limits it and what charges it."""

from collections.abc import Iterable

from rules.facts import fold
from rules.schema.tables import key
from rules.tracing.graph import Graph, Node, upwards
from rules.tracing.seen import Seen
from rules.tracing.sights import Kind, Sight, Sure, least
from rules.tracing.trails import Trail
from rules.tracing.ways import carried

NEAR = 2
"""How many calls lie between what sums usage and what charges it."""
DEEP = 3
"""How many calls lie between a limit and the reading that it compares."""


def aggregated(graph: Graph, trail: Trail, seen: Seen) -> None:
    for sight, _ in seen.of(Kind.AGGREGATE):
        sure = sums(graph, trail, sight)
        if sure is not None:
            trail.add("aggregated", sight.path, sight.line, least(sure, sight.sure), sight.text)
    if trail.sort == "event":
        for sight, _ in seen.of(Kind.DEFINE):
            if sight.name and graph.said(sight.name) == trail.name:
                trail.add("aggregated", sight.path, sight.line, "certain", f"the meter `{trail.name}` is defined")
            beside = any(sent.path == sight.path and not sent.name for sent, _ in trail.sinks)
            if not sight.name and sight.owner == trail.owner and beside:
                # Both names are given from outside, in one file: the meter that is made is the one that is sent to.
                trail.add("aggregated", sight.path, sight.line, "likely", "a meter is defined")


def worked_on(graph: Graph, trail: Trail, seen: Seen) -> None:
    """The queues behind a stored row, on which what sums it is told to."""
    for node in trail.way:
        for link in graph.callees.get(node, ()):
            if link.over is not None and any(reads(graph, trail, one.node, seen) for one in seen.reaches(link.callee, DEEP)):
                carried(graph, trail, link)


def sums(graph: Graph, trail: Trail, sight: Sight) -> Sure | None:
    """Whether an aggregate is one of this meter."""
    if trail.sort == "event":
        return "certain" if sight.owner == trail.owner and sight.name and graph.said(sight.name) == trail.name else None
    if trail.owner == "redis":
        return "certain" if sight.owner == "redis" and same_key(sight.name, trail.columns) else None
    if key(sight.owner) != key(trail.owner):
        return None
    if trail.sort == "table":
        return "certain"
    return "certain" if fold(sight.name) in map(fold, trail.columns) else None


def same_key(name: str, keys: Iterable[str]) -> bool:
    return any(fold(name) == fold(one) or fold(one).startswith(fold(name) + ".") for one in keys)


def limited(graph: Graph, trail: Trail, seen: Seen) -> None:
    for sight, node in seen.of(Kind.LIMIT):
        sure = limits(graph, trail, sight, node, seen)
        if sure is not None:
            trail.add("limited", sight.path, sight.line, least(sure, sight.sure), sight.text)
    drop_outer(graph, trail, seen)


def limits(graph: Graph, trail: Trail, sight: Sight, node: Node, seen: Seen) -> Sure | None:
    """Whether what is compared is a reading of this meter: its own field, or the result of a function that reads it."""
    if trail.sort == "event":
        return "certain" if sight.owner == trail.owner and sight.name and graph.said(sight.name) == trail.name else None
    fields = {fold(one) for one in (sight.name, *sight.via) if one and not one.endswith("()")}
    wanted = {fold(one) for one in trail.columns}
    if trail.owner != "redis" and fields & wanted:
        shared = fields & wanted <= seen.shared
        return "possible" if shared else "certain" if sight.name and fold(sight.name) in wanted else "likely"
    made_here = {name for one in seen.sums(node) if sums(graph, trail, one) for name in one.via if name.endswith("()")}
    best: Sure | None = "likely" if made_here & {*sight.via} else None
    for name in sight.via:
        if name.endswith("()") and (sure := through(graph, trail, name[:-2], node, seen)) is not None:
            best = sure
    return best


def through(graph: Graph, trail: Trail, name: str, node: Node, seen: Seen) -> Sure | None:
    """Whether the function of this name, as called here, reads the meter."""
    routine = graph.routine(node)
    called = [call for call in routine.calls if call.method == name] if routine is not None else []
    for call in called[:2]:
        assert routine is not None
        for target, sure in graph.targets(node[0], routine, call):
            for one in seen.reaches(target, DEEP):
                if reads(graph, trail, one.node, seen):
                    return least("likely", sure, one.sure)
    return None


def reads(graph: Graph, trail: Trail, node: Node, seen: Seen) -> bool:
    """Whether a routine reads the meter without being one that writes it."""
    routine = graph.routine(node)
    if routine is None or node in {sink for _, sink in trail.sinks}:
        return False
    if any(sight.kind is Kind.AGGREGATE and sums(graph, trail, sight) for sight in seen.by_node.get(node, ())):
        return True
    return (
        trail.sort == "counter"
        and (graph.schema.table(trail.owner) is not None or node[0] in {sink[0] for _, sink in trail.sinks})
        and trail.owner != "redis"
        and bool(({fold(one) for one in trail.columns} - seen.shared) & routine.reads)
    )


def drop_outer(graph: Graph, trail: Trail, seen: Seen) -> None:
    """A call of a limit helper says nothing beside the comparison inside the helper."""
    inner = set(trail.steps["limited"])
    for sight, node in seen.of(Kind.LIMIT):
        routine = graph.routine(node)
        if (sight.path, sight.line) not in inner or sight.name or routine is None:
            continue
        for name in sight.via:
            for call in (one for one in routine.calls if f"{one.method}()" == name and one.line == sight.line):
                for target, _ in graph.targets(node[0], routine, call):
                    if any(
                        (other.path, other.line) in inner and (other.path, other.line) != (sight.path, sight.line)
                        for one in seen.reaches(target, DEEP)
                        for other in seen.by_node.get(one.node, ())
                        if other.kind is Kind.LIMIT
                    ):
                        trail.steps["limited"].pop((sight.path, sight.line), None)


def charged(graph: Graph, trail: Trail, seen: Seen) -> None:
    """Where a reading of the meter leads to an invoice, a payment or an event at a provider."""
    if trail.sort == "event":
        return
    if trail.prepaid:
        for sight, _ in trail.sinks:
            trail.add("charged", sight.path, sight.line, "likely", f"{sight.text} takes it from what was paid before")
        return
    for sight, node in (*seen.of(Kind.CHARGE), *seen.of(Kind.EMIT)):
        if node[1] < 0 or (sight.kind is Kind.CHARGE and is_outer(graph, sight, node, seen)):
            continue
        best: Sure | None = None
        for one in upwards(graph, node, NEAR, 40):
            for below in seen.reaches(one.node, NEAR):
                if reads(graph, trail, below.node, seen):
                    best = least("likely", one.sure, below.sure)
                    break
            if best is not None:
                break
        if best is not None:
            trail.add("charged", sight.path, sight.line, best, sight.text)


def is_outer(graph: Graph, sight: Sight, node: Node, seen: Seen) -> bool:
    """A call of the project's own charging function, whose inside is seen, too."""
    routine = graph.routine(node)
    for call in routine.calls if routine is not None else ():
        if call.line == sight.line and routine is not None:
            for target, _ in graph.targets(node[0], routine, call):
                if any(seen.charges(one.node) for one in seen.reaches(target, DEEP)):
                    return True
    return False


def fed(found: list[Trail], seen: Seen) -> None:
    """An event that is made from a table or a counter has their actions, storage and sums as its own."""
    sent = {place: trail for trail in found if trail.sort == "event" for place in trail.steps["emitted"]}
    for source in found:
        if source.sort == "event":
            continue
        for place in list(source.steps["charged"]):
            event = sent.get(place)
            if event is None:
                continue
            # What sums a counter is shown to somebody; the event is made of what was counted.
            summed = () if source.sort == "counter" else ("aggregated",)
            for stage in ("actions", "transported", "stored", "limited", *summed):
                for step in source.places(stage):
                    event.add(stage, step.path, step.line, least(step.sure, "likely"), step.text)
