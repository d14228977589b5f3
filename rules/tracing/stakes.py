"""What hangs on a record of usage: whether anything that bills or limits reads what it writes."""

from collections.abc import Iterator
from enum import StrEnum

from rules.code import Code
from rules.facts import Call, Class, Function, Kind, Name, Scope, Use, chain, enclosing, walk, within
from rules.meaning.usage.emissions import named_function
from rules.meaning.vocabulary import consumes, words
from rules.tracing.graph import Node
from rules.tracing.standing import meant
from rules.tracing.trails import Trail
from rules.tracing.whole import Trace

NEAR = 2
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
    SENT = "sent"
    """It is put on a queue or stream: somebody means to work on every one."""
    TOLD = "told"
    """It is told to whoever listens in the same program: whether that can fail, and what it does, is not seen."""


BUSES = frozenset("bus eventbus events emitter mediator dispatcher".split())
TELLS = frozenset("publish emit dispatch notify fire raise".split())
BROKERS = frozenset(
    "kafka rabbit amqp sqs sns pubsub nats jetstream queue producer kinesis firehose stream outbox topic eventbridge".split()
)
SENDS = frozenset("send publish produce convert enqueue add xadd put write push lpush rpush insert".split())
BILLED = frozenset("billing bill billed ledger charge charges credit credits quota meter metering invoice balance".split())
EVENTS = frozenset("event events record records".split())


def stake(trace: Trace | None, path: str, call: Call, name: str = "") -> Stake:
    """What hangs on what a call writes, itself or through the functions and queues behind it."""
    trails = () if trace is None else tuple(trails_of(trace, path, call, name))
    if any(one.sort == "event" or one.prepaid or surely(one, "charged") for one in trails):
        return Stake.BILL
    if any(surely(one, "limited") for one in trails):
        return Stake.LIMIT
    if trails:
        return Stake.NOTHING
    names = (name or call.name, *(() if trace is None else calls_behind(trace, path, call, name)))
    if any(goes(name, SENDS, BROKERS) for name in names):
        return Stake.SENT
    return Stake.TOLD if any(goes(name, TELLS, BUSES) for name in names) else Stake.UNSEEN


def only_shown_beside(code: Code, call: Call) -> bool:
    """Whether nothing at hand limits or charges by what a recorder writes, its name does not speak of money, and the work is
    limited and paid by another balance: then what is recorded is a figure for people to look at."""
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    if trace is None or says_billed(call) or stake(trace, code.facts.path, call) not in (Stake.NOTHING, Stake.UNSEEN):
        return False
    return any(one.prepaid and one.has("charged") and one.has("limited") for one in trace.meters)


def surely(trail: Trail, stage: str) -> bool:
    return any(step.sure != "possible" for step in trail.steps[stage].values())


def goes(name: str, verbs: frozenset[str], holders: frozenset[str]) -> bool:
    """`bus.publish(event)`, `this.events.emit("usage", event)`, `rabbitTemplate.convertAndSend(…)`."""
    before, _, last = name.rpartition(".")
    return bool(verbs & set(words(last)[:1])) and bool(holders & set(words(before.rpartition(".")[2])))


def calls_behind(trace: Trace, path: str, call: Call, name: str) -> Iterator[str]:
    """The dotted names of what the functions call that a call leads to."""
    for node in behind(trace, path, call, name or call.method, NEAR):
        routine = trace.graph.routine(node)
        for inner in routine.calls if routine is not None else ():
            yield f"{inner.before}.{inner.method}"


def matters(code: Code, call: Call, name: str = "") -> bool:
    """Whether it is seen, or said by names, that money or a limit hangs on the project's own record of usage.

    `name` is that of the function, where the call only starts it.
    """
    seen = stake(code.elsewhere.trace, code.facts.path, call, name)
    named = consumes(name) or bool(BILLED & set(words(name))) if name else says_billed(call)
    return seen in (Stake.BILL, Stake.LIMIT, Stake.SENT) or named or of_billing(code, call.scope) or priced(code, call)


PRICES = frozenset("cost costs price prices pricing".split())
TAKES = frozenset("pop lpop rpop spop drain dequeue getdel getset".split())


def priced(code: Code, call: Call) -> bool:
    """Whether the function around a record prices what is used, tells a provider of it, or took it from where it was kept."""
    function = named_function(call.scope) or enclosing(call.scope, Kind.FUNCTION)
    if function is None:
        return False
    if any(one.direct and within(one.scope, function) for one in code.emissions):
        return True
    inside = [one for one in code.calls_in(function) if one is not call]
    taken = (one for one in inside if TAKES & set(words(one.method)[:1]) and one.use is not Use.DISCARDED)
    return any(PRICES & set(words(one.name)) for one in inside) or any(one.span.end <= call.span.start for one in taken)


def says_billed(call: Call) -> bool:
    """Whether a call says by its name that money hangs on it: `deductCredits`, `billing.recordUsage`, `saveUsageEvent`.

    The verb says nothing: much that is recorded as usage is only looked at.
    """
    before, _, last = call.name.rpartition(".")
    said = {*words(before), *words(last)[1:]} | {
        word for part in walk(call.receiver) if isinstance(part, Name) for word in words(part.text)
    }
    return consumes(call.method) or bool(said & BILLED) or ("usage" in said and bool(said & EVENTS))


def of_billing(code: Code, scope: Scope) -> bool:
    """Whether the file lies among code of billing, or the class or function around says that it does."""
    said = set(words(code.facts.path))
    for outer in chain(scope):
        if isinstance(outer.head, Function | Class):
            said |= set(words(outer.head.name))
    return bool(said & BILLED)


def trails_of(trace: Trace, path: str, call: Call, name: str) -> Iterator[Trail]:
    """The meters whose writes the call is, or leads to."""
    reached = behind(trace, path, call, name or call.method, DEEP)
    for trail in trace.meters:
        here = any(
            (sight.path == path and call.span.line <= sight.line <= call.span.end_line) or written in reached
            for sight, written in trail.sinks
        )
        if here:
            yield trail


def behind(trace: Trace, path: str, call: Call, name: str, hops: int) -> frozenset[Node]:
    """The functions that a call leads to."""
    graph = trace.graph
    node = graph.at(path, call.span.line)
    return frozenset(
        below.node
        for callee in (meant(graph, node, (name,)) if node is not None else ())
        for below in trace.seen.reaches(callee, hops)
    )
