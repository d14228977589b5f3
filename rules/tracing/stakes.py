"""What hangs on a record of usage: whether anything that bills or limits reads what it writes."""

from collections.abc import Iterator
from enum import StrEnum

from rules.facts import Call
from rules.meaning.vocabulary import words
from rules.tracing.graph import Node
from rules.tracing.trails import Trail
from rules.tracing.whole import Trace

DEEP = 4
"""Through how many calls and queues a record is followed to where it is written."""


class Stake(StrEnum):
    BILL = "bill"
    """It is charged, or taken from what was paid before."""
    LIMIT = "limit"
    """It is compared with what is allowed."""
    NOTHING = "nothing"
    """It is written, and nothing at hand bills or limits by it."""
    UNSEEN = "unseen"
    """Where it is written is not at hand."""
    TOLD = "told"
    """It is told to whoever listens in the same program: whether that can fail, and what it does, is not seen."""


BUSES = frozenset("bus eventbus events emitter mediator dispatcher".split())
TELLS = frozenset("publish emit dispatch notify fire raise".split())


def stake(trace: Trace | None, path: str, call: Call) -> Stake:
    """What hangs on what a call writes, itself or through the functions and queues behind it."""
    trails = () if trace is None else tuple(trails_of(trace, path, call))
    if any(one.sort == "event" or one.prepaid or surely(one, "charged") for one in trails):
        return Stake.BILL
    if any(surely(one, "limited") for one in trails):
        return Stake.LIMIT
    if trails:
        return Stake.NOTHING
    return Stake.TOLD if tells(call.name) or (trace is not None and told_behind(trace, path, call)) else Stake.UNSEEN


def tells(name: str) -> bool:
    """`bus.publish(event)`, `this.events.emit("usage", event)`."""
    before, _, last = name.rpartition(".")
    return words(last)[:1] != () and words(last)[0] in TELLS and bool(BUSES & set(words(before.rpartition(".")[2])))


def told_behind(trace: Trace, path: str, call: Call) -> bool:
    return any(
        tells(f"{inner.before}.{inner.method}")
        for node in behind(trace, path, call, 1)
        if (routine := trace.graph.routine(node)) is not None
        for inner in routine.calls
    )


def surely(trail: Trail, stage: str) -> bool:
    return any(step.sure != "possible" for step in trail.steps[stage].values())


def trails_of(trace: Trace, path: str, call: Call) -> Iterator[Trail]:
    """The meters whose writes the call is, or leads to."""
    reached = behind(trace, path, call, DEEP)
    for trail in trace.meters:
        here = any(
            (sight.path == path and call.span.line <= sight.line <= call.span.end_line) or written in reached
            for sight, written in trail.sinks
        )
        if here:
            yield trail


def behind(trace: Trace, path: str, call: Call, hops: int) -> frozenset[Node]:
    """The functions that a call leads to."""
    graph = trace.graph
    node = graph.at(path, call.span.line)
    return frozenset(
        below.node
        for link in (graph.callees.get(node, ()) if node is not None else ())
        if (routine := graph.routine(link.callee)) is not None and routine.name == call.method and link.sure != "possible"
        for below in trace.seen.reaches(link.callee, hops)
    )
