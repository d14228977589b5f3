"""Places of a limited number that a request occupies, and on which events of its answer they are freed."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Function, Kind, Scope, enclosing, fold
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words

TAKES = frozenset("incr increment acquire reserve take enter add claim".split())
FREES = frozenset("decr decrement release free return leave remove".split())
PLACES = frozenset(
    "concurrency concurrent slot slots active inflight parallel running reservation seat permit quota credits".split()
)
ENDINGS = frozenset("finish error end".split())
LISTENERS = frozenset("on once addlistener addeventlistener".split())
ANSWERS = frozenset("res response reply raw".split())


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A slot that is freed on some endings of an answer only. `release` is the call in the first listener."""

    taken: Call
    release: Call
    events: str


def half_released(code: Code) -> Iterator[Slot]:
    """`res.on("finish", free)` and `res.on("error", free)` without `close`, which alone tells that the client went away."""
    for function in code.facts.scopes:
        if function.kind is not Kind.FUNCTION or code.context(function) is Context.TEST:
            continue
        freed = list(listeners(code, function))
        events = {event for event, _ in freed}
        if not events or "close" in events or not events <= ENDINGS:
            continue
        first = freed[0][1]
        taken = next(
            (call for call in code.calls_in(function) if takes(call, first) and call.span.end <= first.span.start), None
        )
        if taken is not None:
            yield Slot(taken, first, " and ".join(f"`{event}`" for event in sorted(events)))


def listeners(code: Code, function: Scope) -> Iterator[tuple[str, Call]]:
    """The events of an answer on which this function has a slot freed, each with the call that frees it."""
    for scope in code.facts.scopes:
        head = scope.head
        if not isinstance(head, Function) or enclosing(scope.parent, Kind.FUNCTION) is not function:
            continue
        *before, last = fold(head.passed_to).split(".")
        if last not in LISTENERS or not before or before[-1] not in ANSWERS:
            continue
        for call in code.calls_in(scope):
            if frees(call):
                yield head.registered_as, call
                break


def frees(call: Call) -> bool:
    said = words(call.method)
    return bool(said) and said[0] in FREES and bool(set(said) & PLACES)


def takes(call: Call, release: Call) -> bool:
    """The counterpart of a release, by the words that both names share."""
    said = words(call.method)
    return bool(said) and said[0] in TAKES and bool(set(said[1:]) & set(words(release.method)[1:]) & PLACES)
