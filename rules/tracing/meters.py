"""The meters of a project and the way of each: from what sets it off to what is charged."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rules.facts import fold
from rules.meaning.contexts import Context
from rules.meaning.naming import HOLE
from rules.meaning.vocabulary import names_counter, names_left, names_used
from rules.schema.tables import key
from rules.tracing.actions import entries, made, surest
from rules.tracing.graph import Graph, Link, Node, Reached, books, downwards, is_usage_table, upwards
from rules.tracing.sights import Kind, Sight, Sure, least
from rules.tracing.trails import Trail

SETTLING = frozenset({Context.SCHEDULE.value, Context.WEBHOOK.value})
"""Where use is settled that happened before."""
NEAR = 2
"""How many calls lie between what sums usage and what charges it."""
DEEP = 3
"""How many calls lie between a limit and the reading that it compares."""
LINES = 40
"""So far before an event is sent can its quantity be summed."""
TOGETHER = 3
"""So many columns that are written together are named; the rest are only counted."""


def trails_of(seen: "Seen") -> tuple[Trail, ...]:
    """Every meter with its way, the fullest first. One of which only the write is seen is no meter."""
    graph = seen.graph
    found = [*events(graph), *counters(graph), *tables(graph)]
    for trail in found:
        entered(graph, trail, seen)
    for trail in found:
        stored(graph, trail, seen)
        aggregated(graph, trail, seen)
    columns = Counter(name for trail in found if trail.owner != "redis" for name in {*map(fold, trail.columns)})
    seen.shared = frozenset(name for name, count in columns.items() if count > 1)
    for trail in found:
        limited(graph, trail, seen)
        charged(graph, trail, seen)
        worked_on(graph, trail, seen)
    fed(found, seen)
    kept = [one for one in found if one.sort == "event" or any(map(one.has, ("actions", "limited", "charged", "aggregated")))]
    return tuple(sorted(kept, key=lambda one: (one.sort != "event", -filled(one), one.title)))


def filled(trail: Trail) -> int:
    return sum(map(trail.has, trail.steps))


class Seen:
    """What all files show, by kind: gathered once for all meters."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.by_kind: dict[Kind, list[tuple[Sight, Node]]] = {}
        self.by_node: dict[Node, list[Sight]] = {}
        for position, digest in enumerate(graph.digests):
            for sight in () if digest.test else digest.sights:
                node = (position, sight.routine)
                self.by_kind.setdefault(sight.kind, []).append((sight, node))
                self.by_node.setdefault(node, []).append(sight)
        self.shared: frozenset[str] = frozenset()
        """Folded columns that several meters have: reading one does not say which meter is read."""
        self.below: dict[tuple[Node, int], tuple[Reached, ...]] = {}

    def of(self, kind: Kind) -> list[tuple[Sight, Node]]:
        return self.by_kind.get(kind, [])

    def reaches(self, node: Node, hops: int) -> tuple[Reached, ...]:
        if (node, hops) not in self.below:
            self.below[node, hops] = tuple(downwards(self.graph, node, hops)) if node[1] >= 0 else ()
        return self.below[node, hops]

    def sums(self, node: Node) -> list[Sight]:
        """The sums over tables in a function."""
        return [one for one in self.by_node.get(node, ()) if one.kind is Kind.AGGREGATE and one.owner and one.owner != "redis"]

    def charges(self, node: Node) -> bool:
        return any(sight.kind is Kind.CHARGE for sight in self.by_node.get(node, ()))


def sinks(graph: Graph, kind: Kind) -> Iterator[tuple[Sight, Node]]:
    for position, digest in enumerate(graph.digests):
        for sight in () if digest.test else digest.sights:
            if sight.kind is kind:
                yield sight, (position, sight.routine)


def events(graph: Graph) -> Iterator[Trail]:
    """Events that are sent to a provider, by name; those whose name is not visible are one for each provider."""
    found: dict[tuple[str, str], Trail] = {}
    for sight, node in sinks(graph, Kind.EMIT):
        name = graph.said(sight.name)
        shown = name.lstrip("$").rsplit(".", 1)[-1] if name.strip(HOLE) else "".join(sight.via) or f"{sight.owner} event"
        trail = found.setdefault((sight.owner, shown), Trail("event", shown, sight.owner, []))
        trail.sinks.append((sight, node))
        trail.add("emitted", sight.path, sight.line, sight.sure, sight.text)
    yield from found.values()


def counters(graph: Graph) -> Iterator[Trail]:
    """Columns and keys that use is counted in; those of a table that the same functions write are one meter."""
    columns: dict[tuple[str, str], list[tuple[Sight, Node]]] = {}
    for sight, node in sinks(graph, Kind.COUNT):
        plain = sight.name.replace(HOLE, "")
        if names_counter(plain) or names_left(plain) or sight.owner == "redis":
            columns.setdefault((key(sight.owner), fold(sight.name)), []).append((sight, node))
    merged: dict[tuple[str, frozenset[Node], bool], list[tuple[Sight, Node]]] = {}
    for (owner, name), written in columns.items():
        left = names_left(written[0][0].name) and not names_used(written[0][0].name)
        # Keys of a store differ by their template; columns of one row written together say one thing.
        apart = name if owner == "redis" else ""
        merged.setdefault((owner + "\0" + apart, frozenset(node for _, node in written), left), []).extend(written)
    for (_, _, left), written in merged.items():
        names = tuple(dict.fromkeys(sight.name for sight, _ in written))
        shown = ", ".join(names[:TOGETHER]) + (f" and {len(names) - TOGETHER} more" if len(names) > TOGETHER else "")
        yield Trail("counter", shown, written[0][0].owner, written, names, prepaid=left)


def tables(graph: Graph) -> Iterator[Trail]:
    """Tables that rows of usage are put into; a row beside an event that is sent is not the event's own call."""
    sent = {(sight.path, sight.line) for sight, _ in sinks(graph, Kind.EMIT)}
    found: dict[str, list[tuple[Sight, Node]]] = {}
    for sight, node in sinks(graph, Kind.INSERT):
        # `this.reported.add(id)` fills a set in memory; a session's `add` is given a row.
        listed = sight.text.endswith(".add`") and not sight.owner[:1].isupper() and graph.schema.table(sight.owner) is None
        if (sight.path, sight.line) not in sent and is_usage_table(sight.owner) and not listed:
            found.setdefault(key(sight.owner), []).append((sight, node))
    for written in found.values():
        yield Trail("table", written[0][0].owner, written[0][0].owner, written)


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
            if sight.kind in (Kind.COUNT, Kind.INSERT):
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
        for sight in summed_before(graph, seen, sent.line, node):
            trail.add("aggregated", sight.path, sight.line, "likely", sight.text)
            yield key(sight.owner)


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


def missing(trail: Trail, paid: frozenset[tuple[str, int]]) -> tuple[str, ...]:
    """The stages that one expects and that are not there. `paid` are the actions of which some meter is charged."""
    lacking = [] if trail.has("actions") else ["actions"]
    if trail.sort == "event":
        return tuple(lacking)
    charged = trail.has("charged") or any(place in paid for place in trail.steps["actions"])
    if trail.sort == "table" and not trail.has("aggregated"):
        lacking.append("aggregated")
    if trail.sort == "counter" and not trail.has("limited") and (trail.prepaid or not charged):
        lacking.append("limited")
    if not charged and not trail.has("limited"):
        lacking.append("charged")
    return tuple(lacking)
