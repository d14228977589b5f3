"""What was in a buffer after it is emptied, and whether it is sent somewhere."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Lambda, Start, Use, enclosing, fold, within
from rules.meaning.flow import precedes
from rules.meaning.outcomes import logs
from rules.meaning.usage.buffers import Emptying, emptyings
from rules.meaning.usage.emissions import is_local
from rules.meaning.vocabulary import words

SENDS = frozenset(
    "send post put publish produce ingest insert insertmany create createmany bulk save write flush upload update increase "
    "increment record report emit execute query exec fetch request push add store batch submit track".split()
)

TALLIES = frozenset(
    "addandget incrementandget decrementandget getandadd getandincrement getanddecrement accumulateandget updateandget "
    "fetchadd fetchsub compareandset compareexchange".split()
)
"""Numbers of the process that are counted up in one step: they cannot fail, and take no event anywhere."""
EMITTERS = frozenset("event events emitter eventemitter bus eventbus".split())
GATHERS = frozenset({"addall", "putall", "addrange"})
"""What fills one list of the process from another."""


def first_send(code: Code, one: Emptying) -> Call | None:
    """The first call after an emptying that takes the events elsewhere and may fail."""
    return next((call for call in code.facts.calls if sends(code, call) and follows(code, one, call)), None)


def sends(code: Code, call: Call) -> bool:
    """A call that may fail and takes the events elsewhere: awaited in JavaScript, named as a write elsewhere."""
    said = words(call.method)
    if logs(call) or not said or call.start is Start.DEFERRED or makes(call) or tallies(call) or tells_listeners(call):
        return False
    if code.facts.traits.promises:
        return call.start is Start.AWAITED or call.use is Use.RETURNED or is_floating_send(call, said)
    return bool(SENDS & set(said)) and bool(call.arguments)


def tallies(call: Call) -> bool:
    """`written.addAndGet(n)`, `atomic.AddInt64(&written, n)`, `Interlocked.Increment(ref written)`."""
    holder = call.name.rpartition(".")[0].rpartition(".")[2].lower()
    return fold(call.method) in TALLIES | GATHERS or holder in ("atomic", "interlocked", "atomics")


def tells_listeners(call: Call) -> bool:
    """`this.events.emit("flushed", batch)`: listeners of the same process are called at once, and nothing is sent."""
    holder = words(call.name.rpartition(".")[0].rpartition(".")[2])
    return fold(call.method) == "emit" and call.start is not Start.AWAITED and bool(EMITTERS & set(holder))


def makes(call: Call) -> bool:
    """`UsageRow.create_from_response(event)` makes an object of another one."""
    return call.constructs or (words(call.method)[:2] == ("create", "from") and call.start is not Start.AWAITED)


def is_floating_send(call: Call, said: tuple[str, ...]) -> bool:
    return said[0] in SENDS - {"add", "push", "update", "put", "store"} and bool(call.arguments) and "." in call.name


def follows(code: Code, one: Emptying, call: Call) -> bool:
    """After the emptying on one path, and with what was in the buffer: some local variable still holds it."""
    if not precedes(code, one.span, one.scope, call.span, call.scope) or call.span.start < one.span.end:
        return False
    return not isinstance(call.callee, Lambda) and takes_events(code, one, call)


def takes_events(code: Code, one: Emptying, call: Call) -> bool:
    """Whether an argument, or the loop around the call, uses a variable that was set from the buffer."""
    function = one.function
    assert function is not None
    text = code.facts.text(call.span)
    loop = enclosing(call.scope, Kind.LOOP)
    if loop is not None and within(loop, function):
        text = code.facts.text(loop.span)
    return any(contains(text, name) for name in snapshots(code, one))


def snapshots(code: Code, one: Emptying) -> frozenset[str]:
    """Names that hold what was in the buffer: set from it, or from a name that was."""
    known: set[str] = set()
    buffer = one.buffer.rsplit(".", 1)[-1]
    for assign in code.facts.assigns:
        if assign.value is None or enclosing(assign.scope, Kind.FUNCTION) is not one.function:
            continue
        value = code.facts.text(assign.value.span)
        if contains(value, buffer) or any(contains(value, name) for name in known):
            known |= {text for target in assign.targets for text in targeted(code, target.span.start, target.span.end)}
    return frozenset(known - {"", "self", "this", buffer})


def targeted(code: Code, start: int, end: int) -> Iterator[str]:
    for name in (
        code.facts.source[start:end].decode(errors="replace").replace(",", " ").replace("{", " ").replace("}", " ").split()
    ):
        if name.lstrip("$").isidentifier():
            yield name.lstrip("$")


def contains(text: str, name: str) -> bool:
    """Whether an identifier stands in a text."""
    at = text.find(name)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before == "_") and not (after.isalnum() or after == "_"):
            return True
        at = text.find(name, at + 1)
    return False


def sent_before(code: Code, one: Emptying) -> bool:
    """The send came first: `await this.send(this.buffer); this.buffer = []`."""
    buffer = one.buffer.rsplit(".", 1)[-1]
    return any(
        sends(code, call)
        and fold(call.method) not in ("push", "append", "add")
        and precedes(code, call.span, call.scope, one.span, one.scope)
        and contains(" ".join(code.facts.text(argument.span) for argument in call.arguments), buffer)
        and fold(call.method) not in ("splice", "shift", "map", "list", "array", "from", "copy")
        for call in code.facts.calls
    )


def drains(code: Code) -> Iterator[Call]:
    """Calls of the file's own asynchronous functions that empty a buffer of usage, themselves or one call further in."""
    names = {code.function_name(one.scope) for one in emptyings(code) if first_send(code, one) or sent_before(code, one)} - {""}
    for _ in range(2):
        names |= {
            code.function_name(call.scope)
            for call in code.facts.calls
            if call.method in names and is_local(call, code.values) and waits_for(code, call)
        } - {""}
    for call in code.facts.calls:
        if (
            call.method in names
            and is_local(call, code.values)
            and any(
                isinstance(one.head, Function) and (one.head.asynchronous or one.head.returns.startswith("Promise"))
                for one in code.values.functions.get(call.method, ())
            )
        ):
            yield call


def waits_for(code: Code, call: Call) -> bool:
    """Only a function that hands the promise on is itself a flush; one that merely starts it is not."""
    return call.use.value in ("returned", "assigned", "chained", "argument") or call.start.value == "awaited"
