"""The meters of a project and the way of each: from what sets it off to what is charged."""

from collections import Counter
from collections.abc import Iterator

from rules.facts import fold
from rules.meaning.naming import HOLE
from rules.meaning.vocabulary import names_counter, names_left, names_used
from rules.schema.tables import key
from rules.tracing.graph import Graph, Node
from rules.tracing.rows import is_usage_table
from rules.tracing.seen import Seen, sinks
from rules.tracing.sights import Kind, Sight
from rules.tracing.trails import Trail
from rules.tracing.uses import aggregated, charged, fed, limited, worked_on
from rules.tracing.ways import entered, stored

TOGETHER = 3
"""So many columns that are written together are named; the rest are only counted."""


def trails_of(seen: Seen) -> tuple[Trail, ...]:
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
