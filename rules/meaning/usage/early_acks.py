"""Messages that are acknowledged once their event lies in a buffer in memory, before the buffer is written anywhere."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Call, Kind, Name, Scope, Span, Start, Use, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes
from rules.meaning.outcomes import logs
from rules.meaning.usage.buffers import Emptying, about_usage, emptyings, root
from rules.meaning.usage.emissions import is_local
from rules.meaning.vocabulary import words

ACKS = frozenset(
    "ack basicack acknowledge deletemessage commitoffsets commitoffset markmessage markoffset storeoffset storeoffsets "
    "storemessage commitmessages commitmessage completemessage xack resolveoffset commitsync commitasync".split()
)
ADDS = frozenset("add append push put enqueue set unshift appendleft".split())
HELD = frozenset("buffer buffers buf batch batches pending backlog accumulator aggregator".split())
COMMITS = frozenset("commit".split())
CONSUMERS = frozenset("consumer reader session subscription message msg delivery".split())
WRITES = frozenset("flush write persist insert save store send publish produce bulk upload upsert create record".split())

Added = tuple[Span, Scope, str]


def acknowledged_in_buffer(code: Code) -> Iterator[tuple[Call, Added]]:
    """The acknowledgement and the addition before it, one for each function."""
    seen: set[Scope | None] = set()
    if not any(WRITES & set(words(call.method)) for call in code.facts.calls):
        return
    for call in code.facts.calls:
        function = enclosing(call.scope, Kind.FUNCTION)
        if not acknowledges(call) or function in seen or code.context(call.scope) is Context.TEST:
            continue
        if of_database(code, call):
            continue
        if enclosing(call.scope, Kind.HANDLER, Kind.FUNCTION) is not function and handles_failure(call.scope, function):
            continue
        added = next((one for one in additions(code, function) if precedes(code, one[0], one[1], call.span, call.scope)), None)
        if added is not None and not written_between(code, added, call):
            seen.add(function)
            yield call, added


def acknowledges(call: Call) -> bool:
    if "." not in call.name or call.start in (Start.DEFERRED, Start.DETACHED):
        return False
    last = fold(call.method)
    holder = set(words(call.name.split(".")[-2]))
    return last in ACKS or (last in COMMITS and bool(holder & CONSUMERS))


def of_database(code: Code, call: Call) -> bool:
    """`session.Commit()` commits the offsets of sarama's consumers; elsewhere it ends a database transaction."""
    sarama = any("sarama" in package for package in code.facts.packages)
    return fold(call.method) in COMMITS and "session" in words(call.name.split(".")[-2]) and not sarama


def handles_failure(scope: Scope, function: Scope | None) -> bool:
    """In a handler of another failure: a message that cannot be read is rightly put aside."""
    return enclosing(scope, Kind.HANDLER) is not None and within(scope, function) if function is not None else False


def additions(code: Code, function: Scope | None) -> Iterator[Added]:
    """Where a message or event goes into a buffer that outlives this one message."""
    for call in code.facts.calls:
        if fold(call.method) not in ADDS or call.receiver is None or call.start is Start.AWAITED or not call.arguments:
            continue
        if enclosing(call.scope, Kind.FUNCTION) is function and is_buffer(code, call.scope, root(call.receiver)):
            yield call.span, call.scope, root(call.receiver)
    for assign in code.facts.assigns:
        if enclosing(assign.scope, Kind.FUNCTION) is function and appends(assign):
            name = root(assign.targets[0])
            if is_buffer(code, assign.scope, name):
                yield assign.span, assign.scope, name


def appends(assign: Assign) -> bool:
    return isinstance(assign.value, Call) and assign.value.folded == "append" and len(assign.targets) == 1


def is_buffer(code: Code, scope: Scope, name: str) -> bool:
    """By its name, or because the file empties it as a whole; and what goes in is usage."""
    held = bool(HELD & set(words(name.rsplit(".", 1)[-1]))) or any(one.buffer == name for one in emptyings(code))
    return held and bool(name) and about_usage(code, Emptying(scope.span, scope, name))


def written_between(code: Code, added: Added, ack: Call) -> bool:
    """Whether what was added is surely written when the acknowledgement runs: a write or flush on its only way there."""
    span, _, buffer = added
    for call in code.facts.calls:
        if not span.end <= call.span.start < ack.span.start or logs(call) or call.use is Use.CHAINED:
            continue
        if not WRITES & set(words(call.method)) or fold(call.method) in ACKS or not within(ack.scope, call.scope):
            continue
        last = buffer.rsplit(".", 1)[-1]
        given = any(
            getattr(part, "text", getattr(part, "name", "")) == last for one in call.arguments for part in walk(one.value)
        )
        if given or is_local(call, code.values) or "flush" in fold(call.method) or isinstance(call.receiver, Name):
            return True
    return False
