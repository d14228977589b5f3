"""Where the failure of a usage write is lost: the handlers that end it, and what excuses them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rules.code import Code
from rules.facts import (
    Call,
    Class,
    Expression,
    Function,
    Handler,
    Index,
    Kind,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Start,
    Unary,
    Use,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.flow import exclusive
from rules.meaning.handlers import handlers_of
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import LOST, Outcome, is_nothing, logs, outcome, stores
from rules.meaning.promises import is_void
from rules.meaning.subjects import STRICT
from rules.meaning.usage.counters import REDIS_ADDS
from rules.meaning.usage.emissions import is_local, named_function, sent, shown
from rules.meaning.usage.unserved import served_after, without_payer
from rules.meaning.usage.writes import UsageWrite, chained, failing_writes, inserts_usage
from rules.meaning.vocabulary import ABOUT_USAGE, consumes, emits, words

WRITE_VERBS = frozenset(
    "insert create upsert update save add set put post send publish produce xadd lpush rpush enqueue execute exec query "
    "incr incrby hincrby increment write rpc fetch request invoke".split()
)
RECORDING = frozenset("record report track log meter increment deduct consume charge bill add ingest".split())
READING_ERRORS = frozenset(
    "jsondecodeerror valueerror typeerror keyerror attributeerror indexerror syntaxerror doesnotexist objectdoesnotexist "
    "validationerror unicodedecodeerror".split()
)
GONE = frozenset("websocketdisconnect clientdisconnect clientdisconnected clientdisconnectederror".split())
"""What the sending of an answer raises when the customer has hung up."""
SWITCHED_OFF = re.compile(
    r"^(?:billing|payments?|stripe|metering|integrations?)(?:is)?(?:disabled|notenabled|notconfigured|unconfigured)(?:error|exception)?$"
)
"""What is raised where an installation bills nobody."""
CARRYING = STRICT | frozenset("event events meter charge charges plan subscription buffer sink batch flush ledger".split())
HOLDERS = frozenset("usage metering meter".split())
"""Words of a class whose bare `track` and `record` write usage: `UsageTracker.track`."""
HOPS = 2
"""Through how many of the project's functions it is followed whether a failure can leave them."""
CARRIED_LINES = 90
"""A longer function does more than carry the usage it writes."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A usage write whose failure ends in a handler that tells nobody."""

    write: UsageWrite
    handler: Scope
    ended: Outcome


def losses(code: Code) -> Iterator[Loss]:
    """One per handler, the first write it takes."""
    reported: set[Scope] = set()
    for write in (*failing_writes(code), *carried(code)):
        if write.call is None or gives_back(write.call) or moves_nothing(write.call) or cannot_fail(code, write.call):
            continue
        if each_for_itself(code, write.call) or without_payer(code, write.call):
            continue
        taken = handlers_of(code, write.call, write.sent or write.call)
        handler = next((one for one in taken if not only_of_reading(one)), None)
        if handler is None or handler in reported or excused(code, write, handler):
            continue
        if is_catch(handler) and answers_errors(code, write.call):
            continue
        ended = outcome(code.facts, handler)
        if ended in LOST or (ended is Outcome.NOTHING and records(handler)):
            reported.add(handler)
            yield Loss(write, handler, ended)
    yield from whole_recorders(code, reported)
    yield from given_up(code, reported)
    yield from zeroed(code, reported)


def is_catch(handler: Scope) -> bool:
    return isinstance(handler.head, Handler) and isinstance(handler.head.guards, Scope)


def answers_errors(code: Code, call: Call) -> bool:
    """Supabase's JavaScript client never raises, so no `catch` has its failure: what is wrong is the unread `error`.

    Not where the code raises later on, which may be what it makes of that error.
    """
    end = chained(call, code.outer)
    before = call.folded.rpartition(".")[0]
    builds = "supabase" in call.folded and (fold(call.method) == "rpc" or ".from()" in f".{before}")
    if not code.facts.traits.promises or not builds or end.start is not Start.AWAITED or "throwonerror" in end.folded:
        return False
    function = enclosing(call.scope, Kind.FUNCTION)
    return end.use is Use.DISCARDED or not any(
        one.span.start >= end.span.end and enclosing(one.scope, Kind.FUNCTION) is function for one in code.facts.raises
    )


def heard_elsewhere(code: Code, call: Call) -> bool:
    return answers_errors(code, call) or cannot_fail(code, call)


def each_for_itself(code: Code, call: Call) -> bool:
    """`for user in due: if err := process(user); err != nil { log }`: the row of one that failed is still due the next time."""
    if emits(call.method) or consumes(call.method) or not is_local(call, code.values):
        return False
    around = enclosing(call.scope, Kind.LOOP, Kind.FUNCTION)
    head = around.head if around is not None else None
    return (
        isinstance(head, Loop)
        and isinstance(head.iterates, Name)  # A queue that is drained gives each item once.
        and words(call.method)[:1] in (("process",), ("handle",), ("run",), ("bill",), ("close",), ("renew",), ("sync",))
    )


def only_of_reading(handler: Scope) -> bool:
    """`except (JSONDecodeError, KeyError)`, `except WebSocketDisconnect`, `except BillingDisabledError`: what was read is at
    fault, or who asked has gone, or nobody is billed, and no write fails so."""
    caught = handler.head.catches if isinstance(handler.head, Handler) else ()
    kinds = [fold(kind).rsplit(".", 1)[-1] for kind in caught]
    return bool(kinds) and all(kind in READING_ERRORS or kind in GONE or SWITCHED_OFF.search(kind) for kind in kinds)


def cannot_fail(code: Code, call: Call, hops: int = HOPS) -> bool:
    """Whether the project's own function of this name keeps every failure to itself, so that none reaches its callers.

    Then what is lost is lost there, and there it is said.
    """
    functions = code.values.functions.get(call.method, ())
    if functions:
        return len(functions) == 1 and is_local(call, code.values) and keeps_failures(code, functions[0], hops)
    recorders = code.recorders(call)
    return bool(recorders) and all(one.swallows for one in recorders)


def keeps_failures(code: Code, function: Scope, hops: int = HOPS) -> bool:
    """Whether the writes of usage in a function, or all that it does, can fail without its caller hearing of it."""
    handlers = [one for one in code.facts.scopes if one.kind is Kind.HANDLER and enclosing(one, Kind.FUNCTION) is function]
    kept = {one for one in handlers if outcome(code.facts, one) not in (Outcome.RETHROWN, Outcome.DUPLICATE_ONLY)}
    guards = (one.head.guards for one in kept if isinstance(one.head, Handler))
    if any(isinstance(tried, Scope) and is_whole(tried) for tried in guards):
        return True
    known = [one for one in failing_writes(code) if one.function is function and one.call is not None]
    writes = [(one.call, one.sent or one.call) for one in known if one.call is not None] or [
        (call, sent(call, code.outer))
        for call in code.calls_in(function)
        if enclosing(call.scope, Kind.FUNCTION) is function and stores_count(call)
    ]
    return bool(writes) and all(
        ((taken := handlers_of(code, call, end)) and taken[0] in kept)
        or floats(code, function, end)
        or (hops > 0 and cannot_fail(code, call, hops - 1))
        for call, end in writes
    )


def floats(code: Code, function: Scope, end: Call) -> bool:
    """A promise that is dropped: what becomes of it, no caller can hear."""
    if not code.facts.traits.promises:
        return False
    dropped = end.use is Use.DISCARDED and end.start is Start.PLAIN
    head = function.head
    return dropped and (is_void(code, end) or (isinstance(head, Function) and head.returns == "void" and "." in end.name))


def stores_count(call: Call) -> bool:
    """`redis.incrby(key, tokens)`, whatever the key is called."""
    return fold(call.method) in REDIS_ADDS and "." in call.name


def gives_back(call: Call) -> bool:
    """`PostConsumeQuota(token, -reserved)`, `trackDeletedUsage(file)`: a refund that fails loses the customer's money, not
    usage."""
    if {"deleted", "removed", "freed", "released", "refunded"} & set(words(call.method)):
        return True
    return any(isinstance(part, Unary) and part.operator == "-" for argument in call.arguments for part in walk(argument.value))


def moves_nothing(call: Call) -> bool:
    """`recordUsage(accountId, 0)` only touches the account; `settle({ submitUsage: false })` is told to submit none."""
    entries = [entry for one in call.arguments for entry in getattr(one.value, "entries", ())]
    if any(isinstance(one.value, Literal) and one.value.value is False and emits(one.name or "") for one in entries):
        return True
    values = [argument.value for argument in call.arguments]
    zeros = [one for one in values if isinstance(one, Literal) and one.value == 0 and not isinstance(one.value, bool)]
    ids = [one for one in values if isinstance(one, Name) and one.text.lower().endswith("id")]
    return bool(zeros) and len(zeros) + len(ids) == len(values)


def excused(code: Code, write: UsageWrite, handler: Scope) -> bool:
    return (
        served_after(code, write, handler)
        or stored_elsewhere(code, write, handler)
        or delivered_before(code, write, handler)
        or fails_anyway(code, handler)
        or kept_for_next(code, write, handler)
        or written_there(code, handler)
    )


def kept_for_next(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """`await store.add(pending); pending = 0` in one try: what failed is still there when the next flush comes."""
    tried = handler.head.guards if isinstance(handler.head, Handler) else None
    if not isinstance(tried, Scope):
        return leaves(code.facts, handler) and any(
            words(call.method)[:1] in (("reset",), ("clear",), ("delete",), ("del",), ("ack",), ("commit",), ("mark",))
            and call.span.start >= handler.span.end
            and call.scope is not handler
            for call in code.calls_in(enclosing(handler, Kind.LOOP))
            if enclosing(handler, Kind.LOOP, Kind.FUNCTION) is enclosing(handler, Kind.LOOP)
        )
    after = [one for one in code.facts.assigns if one.span.start >= write.span.end and within(one.scope, tried)]
    emptied = any(
        isinstance(target, Member | Index) and is_empty(one.value)
        for one in after
        for target in one.targets
        if one.operator == "=" and not one.declares
    )
    return emptied or any(
        fold(call.method) in ("clear", "popleft", "splice") and call.span.start >= write.span.end
        for call in code.calls_in(tried)
        if "." in call.name
    )


def is_empty(value: Expression | None) -> bool:
    match value:
        case Literal():
            return is_nothing(value)
        case Sequence(items=items):
            return not items
        case Object(entries=entries):
            return not entries
        case _:
            return False


def written_there(code: Code, handler: Scope) -> bool:
    """The handler writes usage itself: an estimate, or what is known by then."""
    return any(within(one.scope, handler) for one in failing_writes(code))


def fails_anyway(code: Code, handler: Scope) -> bool:
    """The function raises further down whatever happened here."""
    return any(
        one.span.start >= handler.span.end and one.scope.kind is Kind.FUNCTION and within(handler, one.scope)
        for one in code.facts.raises
    )


def delivered_before(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """The provider has the usage already, or its failure left the function: what is lost here is a copy."""
    for emission in code.emissions:
        if (
            emission.direct
            and emission.call.span.end <= write.span.start
            and emission.function is enclosing(handler, Kind.FUNCTION)
        ):
            taken = handlers_of(code, emission.call, emission.sent)
            if handler not in taken and not any(outcome(code.facts, one) in (*LOST, Outcome.NOTHING) for one in taken):
                return True
    return False


def records(handler: Scope) -> bool:
    """Whether the function that answers with nothing is a recorder, whose result callers rarely look at."""
    function = enclosing(handler, Kind.FUNCTION)
    name = function.head.name if function is not None and isinstance(function.head, Function) else ""
    return emits(name) or consumes(name) or (function is not None and records_by_class(function))


def records_by_class(function: Scope) -> bool:
    """`UsageTracker.track`: the noun is the class's."""
    name = function.head.name if isinstance(function.head, Function) else ""
    return name in RECORDING and bool(HOLDERS & set(words(holder_of(function))))


def holder_of(scope: Scope) -> str:
    holder = enclosing(scope, Kind.CLASS)
    return holder.head.name if holder is not None and isinstance(holder.head, Class) else ""


def carried(code: Code) -> Iterator[UsageWrite]:
    """Calls of the file's own functions that write usage and pass on its failure, whatever they are called."""
    known = {id(write.call) for write in failing_writes(code)}
    carriers = {function: write for write in failing_writes(code) if (function := carries(code, write)) is not None}
    for function in carriers:
        assert isinstance(function.head, Function)
        if len(code.values.functions.get(function.head.name, ())) != 1:
            continue
        for call in code.facts.calls:
            # What the clock starts is started again, and finds what was not carried the last time.
            if code.context(call.scope) is Context.SCHEDULE:
                continue
            if call.method == function.head.name and id(call) not in known and is_local(call, code.values):
                yield UsageWrite(call.span, call.scope, f"`{shown(call)}`", call, False, sent(call, code.outer))


def carries(code: Code, write: UsageWrite) -> Scope | None:
    function = named_function(write.scope)
    if function is None or not isinstance(function.head, Function) or write.call is None or function.head.name == "main":
        return None
    if ABOUT_USAGE & set(words(function.head.name)):
        return None
    # Packages write their names as one word: `usagelimiter`.
    about = f"{function.head.name}/{'/'.join(code.facts.path.split('/')[-2:])}".lower()
    if write.call is not None and not write.certain and not any(word in about for word in CARRYING):
        return None
    if function.span.end_line - function.span.line > CARRIED_LINES or code.context(function) in REDELIVERED:
        return None
    taken = handlers_of(code, write.call, write.sent or write.call)
    escapes = all(outcome(code.facts, handler) is Outcome.RETHROWN for handler in taken)
    heard = (
        not code.facts.traits.errors_returned or bool(taken) or (write.sent or write.call).use in (Use.RETURNED, Use.ARGUMENT)
    )
    return function if escapes and heard else None


def whole_recorders(code: Code, reported: set[Scope]) -> Iterator[Loss]:
    """A function named for recording usage whose own handler swallows whatever it writes with."""
    for handler in code.facts.scopes:
        head = handler.head
        if not isinstance(head, Handler) or not isinstance(head.guards, Scope) or handler in reported:
            continue
        if not records(handler) or not is_whole(head.guards) or keeps_newest(code, head.guards) or only_of_reading(handler):
            continue
        inside = [call for call in code.calls_in(head.guards) if writes_somewhere(call)]
        writing = next((call for call in inside if not heard_elsewhere(code, call) and not without_payer(code, call)), None)
        ended = outcome(code.facts, handler)
        if writing is not None and ended in (*LOST, Outcome.NOTHING):
            title = f"the write in `{code.function_name(handler)}`"
            write = UsageWrite(writing.span, writing.scope, title, writing, False, writing)
            if not excused(code, write, handler):
                yield Loss(write, handler, ended)


def keeps_newest(code: Code, tried: Scope) -> bool:
    """A list that is cut to its newest entries is a history for people."""
    return any(fold(call.method) == "ltrim" for call in code.calls_in(tried))


def is_whole(tried: Scope) -> bool:
    """Whether a try holds most of its function, and not one step of it."""
    function = enclosing(tried, Kind.FUNCTION)
    if function is None or enclosing(tried.parent, Kind.LOOP, Kind.TRY, Kind.FUNCTION) is not function:
        return False
    return 2 * (tried.span.end - tried.span.start) > function.span.end - function.span.start


def writes_somewhere(call: Call) -> bool:
    said = words(call.method)
    return bool(said) and said[0] in WRITE_VERBS and "." in call.name and not logs(call) and call.use is not Use.CHAINED


def stored_elsewhere(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """A row of the same usage, written earlier in the function or after the handler, is what a later attempt starts from."""
    function = enclosing(handler, Kind.FUNCTION)
    reported = {id(one.call) for one in code.emissions if one.direct}
    return function is not None and any(
        stores_row(call)
        and id(call) not in reported
        and call is not write.call
        and (call.span.end <= write.span.start or (call.span.start >= handler.span.end and not within(call.scope, handler)))
        for call in code.calls_in(function)
    )


def stores_row(call: Call) -> bool:
    if "outbox" in call.folded:
        return True
    said = any(word in call.folded for word in ("usageevent", "usagelog", "usagerecord", "meterevent", "ledger"))
    return fold(call.method) != "xadd" and (inserts_usage(call) or (stores(call) and said))


def given_up(code: Code, reported: set[Scope]) -> Iterator[Loss]:
    """A recorder that returns when a lookup before its write fails: `if (error) { console.error(error); return; }`."""
    for write in failing_writes(code):
        function = write.function
        head = function.head if function is not None else None
        if not isinstance(head, Function) or not (words(head.name) and words(head.name)[0] in RECORDING):
            continue
        for handler in code.facts.scopes:
            guards = handler.head.guards if isinstance(handler.head, Handler) else None
            if handler in reported or not isinstance(guards, tuple) or enclosing(handler, Kind.FUNCTION) is not function:
                continue
            before = handler.span.end <= write.span.start and leaves(code.facts, handler)
            if before and not exclusive(handler, write.scope) and outcome(code.facts, handler) in LOST:
                reported.add(handler)
                yield Loss(replace(write, title=f"`{shown(guards[-1])}`", certain=False), handler, Outcome.LOGGED)


def zeroed(code: Code, reported: set[Scope]) -> Iterator[Loss]:
    """`catch { cost = 0 }` around the price, where the cost is written down afterwards: a failure makes the use free."""
    for assign in code.facts.assigns:
        handler = enclosing(assign.scope, Kind.HANDLER)
        name = assign.targets[0] if len(assign.targets) == 1 else None
        if handler is None or handler in reported or not isinstance(name, Name) or not names_price(name.text):
            continue
        if not isinstance(assign.value, Literal) or not is_nothing(assign.value) or assign.operator != "=":
            continue
        guards = handler.head.guards if isinstance(handler.head, Handler) else None
        priced = next((call for call in guarded(code, guards) if prices(call)), None)
        if priced is None or not written_later(code, handler, name.text) or outcome(code.facts, handler) not in LOST:
            continue
        reported.add(handler)
        write = UsageWrite(priced.span, priced.scope, f"`{shown(priced)}`", priced, False, priced)
        yield Loss(write, handler, Outcome.NOTHING)


def guarded(code: Code, guards: Scope | tuple[Call, ...] | None) -> Iterator[Call]:
    if isinstance(guards, Scope):
        yield from code.calls_in(guards)
    elif guards is not None:
        yield from guards


def names_price(name: str) -> bool:
    return bool(set(words(name)) & {"cost", "costs", "price", "credits", "charge", "amount", "quantity", "units", "fee"})


def prices(call: Call) -> bool:
    said = set(words(call.method))
    return bool(said & {"calculate", "compute", "get", "estimate", "calc", "price", "rate", "quote"}) and bool(
        said & {"cost", "costs", "price", "prices", "pricing", "credits", "charge", "usage", "tokens", "quota", "fee"}
    )


def written_later(code: Code, handler: Scope, name: str) -> bool:
    function = enclosing(handler, Kind.FUNCTION)
    return function is not None and any(
        call.span.start >= handler.span.end
        and (fold(call.method) in REDIS_ADDS or any(call is write.call for write in failing_writes(code)))
        and any(isinstance(part, Name) and part.text == name for argument in call.arguments for part in walk(argument.value))
        for call in code.calls_in(function)
    )
