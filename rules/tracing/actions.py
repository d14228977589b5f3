"""Which request handlers and jobs do what is billed, and whether each leaves a record of it."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.tracing.graph import Graph, Node, Reached, downwards, upwards
from rules.tracing.sights import SURE, Kind, MeteredAction, Routine, Sight, Sure, least

HOPS = 7
RECORDS = frozenset({Kind.EMIT, Kind.COUNT, Kind.INSERT})
ENTERED = frozenset(one.value for one in (Context.REQUEST, Context.WEBHOOK, Context.WORKER, Context.SCHEDULE))
WORKS = frozenset(one.value for one in (Context.REQUEST, Context.WORKER))
"""What a customer sets off. A webhook and a schedule mostly settle what was used before."""
EXCUSED = frozenset(
    "admin internal health webhook webhooks test debug preview seed migrate migration backfill cron reset sync "
    "cleanup ping healthcheck validate verify settings config topup refund grant purchase checkout".split()
)
"""Handlers that nobody is billed for although they reach such work."""


def metered(graph: Graph, recorded: Mapping[Node, MeteredAction]) -> tuple[MeteredAction, ...]:
    """Every metered action by path and line: those that leave a record, and those that do the same and leave none."""
    found = dict(recorded)
    if recorded:
        found |= dict(unrecorded(graph, recorded))
    return tuple(sorted(found.values(), key=lambda one: (one.path, one.line)))


def surest(one: MeteredAction, other: MeteredAction | None) -> MeteredAction:
    return one if other is None or SURE.index(one.sure) < SURE.index(other.sure) else other


@lru_cache(maxsize=20_000)
def entries(graph: Graph, node: Node) -> tuple[tuple[Node, Reached], ...]:
    """The outermost handlers and jobs from which a routine is reached."""
    return tuple(entered_from(graph, node))


def entered_from(graph: Graph, node: Node) -> Iterator[tuple[Node, Reached]]:
    reached = {one.node: one for one in upwards(graph, node, HOPS)}
    for there, way in reached.items():
        routine = graph.routine(there)
        if routine is None or routine.context not in ENTERED or excused(graph, there):
            continue
        if is_outermost(graph, there, reached):
            yield there, way


def is_outermost(graph: Graph, node: Node, reached: Mapping[Node, Reached]) -> bool:
    """Whether no other handler stands before this one; through a queue, the handler that sends is the action."""
    if node in registered(graph):
        return True
    return not any(
        (caller := graph.routine(link.caller)) is not None and caller.context in ENTERED and link.caller in reached
        and link.caller != node
        for link in graph.callers.get(node, ())
    )  # fmt: skip


@lru_cache(maxsize=4)
def registered(graph: Graph) -> Mapping[Node, str]:
    """Handlers that are registered by name somewhere, with their first route."""
    found: dict[Node, str] = {}
    for digest in graph.digests:
        for name, route, _ in digest.routes:
            before, _, last = name.rpartition(".")
            nodes = graph.by_name.get(last, ())
            met = [node for node in nodes if not before or graph.meets(before, node)] or list(nodes)
            if len(met) == 1:
                found.setdefault(met[0], route)
    return found


def title(graph: Graph, node: Node) -> str:
    routine = graph.routine(node)
    assert routine is not None
    return registered(graph).get(node) or routine.title


def excused(graph: Graph, node: Node) -> bool:
    routine = graph.routine(node)
    assert routine is not None
    said = {*words(routine.name), *words(title(graph, node)), *words(routine.path.rsplit("/", 1)[-1])}
    return bool(said & EXCUSED) or "admin" in routine.path.split("/")


def made(graph: Graph, entry: Node, way: Reached, sight: Sight) -> MeteredAction:
    routine = graph.routine(entry)
    assert routine is not None
    line = way.line or sight.line
    sure = least(way.sure, sight.sure)
    return MeteredAction(
        routine.path,
        routine.line,
        title(graph, entry),
        True,
        (routine.path, line),
        (sight.path, sight.line),
        sure,
        routine.context,
    )


def unrecorded(graph: Graph, recorded: Mapping[Node, MeteredAction]) -> Iterator[tuple[Node, MeteredAction]]:
    """Handlers that use a priced resource and reach no record, where others that use it do record."""
    using = uses(graph)
    siblings: dict[str, list[tuple[str, int]]] = {}
    for entry, action in recorded.items():
        for name in {name for name, _, _ in using.get(entry, ())}:
            siblings.setdefault(name, []).append((action.path, action.line))
    for entry, used in using.items():
        routine = graph.routine(entry)
        match = next((one for one in used if one[0] in siblings), None)
        if entry in recorded or routine is None or routine.context not in WORKS or match is None:
            continue
        if not records_somehow(graph, entry):
            name, line, sure = match
            yield (
                entry,
                MeteredAction(
                    routine.path,
                    routine.line,
                    title(graph, entry),
                    False,
                    (routine.path, line),
                    None,
                    least("likely", sure),
                    routine.context,
                    tuple(sorted(siblings[name])),
                    name,
                ),
            )


def uses(graph: Graph) -> dict[Node, list[tuple[str, int, Sure]]]:
    """The priced resources that each handler uses: name, the line in the handler, and how sure that is."""
    found: dict[Node, list[tuple[str, int, Sure]]] = {}
    for position, digest in enumerate(graph.digests):
        for sight in () if digest.test else digest.sights:
            if sight.kind is not Kind.WORK or sight.routine < 0:
                continue
            for entry, way in entries(graph, (position, sight.routine)):
                if "possible" not in (way.sure, sight.sure):
                    found.setdefault(entry, []).append((sight.name, way.line or sight.line, least(way.sure, sight.sure)))
    return found


def records_somehow(graph: Graph, entry: Node) -> bool:
    """Whether anything on the way is a recorder by its name although its body is not at hand: unsure is quiet."""
    from rules.meaning.vocabulary import consumes, emits

    for one in downwards(graph, entry, HOPS):
        routine: Routine | None = graph.routine(one.node)
        if routine is not None and any(emits(call.method) or consumes(call.method) for call in routine.calls):
            return True
        if any(sight.kind in RECORDS for sight in graph.digests[one.node[0]].sights if sight.routine == one.node[1]):
            return True
    return False
