"""Where a deduplication key is given, whoever it is given to: a provider, a queue, a header, the project's own table."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Span,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.usage.emissions import Emission
from rules.meaning.values import resolved
from rules.meaning.vocabulary import consumes, emits, words

NAMED = frozenset(
    "idempotencykey idempotencyid idempotencytoken xidempotencykey idempotentkey idemkey dedupkey dedupekey dedupid dedupeid "
    "deduplicationkey deduplicationid messagededuplicationid".split()
)
"""Names that say by themselves that a repeat is recognised by this value."""
IDS = frozenset("transactionid eventid uniqueid externalid identifier id".split())
"""Names that are a key only in something shaped like a usage event."""
EVENT_FIELDS = frozenset(
    "externalsubscriptionid externalcustomerid code properties eventtype eventname meter metername metric quantity usage "
    "customerid stripecustomerid payload subject tokens amount".split()
)
USAGE_FIELDS = frozenset("metric meter metername metriccode eventname quantity tokens units usage".split())
RECORD_FIELDS = frozenset("amount quantity tokens units usage credits cost value".split())
CLOUD_EVENT = frozenset("source type specversion subject data".split())
OWN_KEYS = ("idempotencykey", "transactionid", "identifier", "uniqueid", "eventid", "dedupkey", "deduplicationid")
"""How the project's own recorders call it."""
QUEUE_ADDS = frozenset("add addbulk enqueue addjob".split())
USAGE = frozenset(
    "usage usages meter meters metering metered consumption overage billable credit credits quota tokens ingest "
    "ingestion".split()
)
MONEY = frozenset("payment payments charge intent refund payout transfer checkout dunning mail email notification".split())
"""A second attempt of these is meant to be a second one, or is somebody else's matter."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One value by which a repeat is to be recognised."""

    value: Expression
    scope: Scope
    at: int
    """Byte offset at which the value is read."""
    title: str
    """How a message names what carries it."""
    cause: Span
    """The call that carries it, else the entry or assignment itself."""
    emission: Emission | None = None
    queued: bool = False
    """The id of a queue's job, which counts only as long as the queue keeps the job."""
    shaped: bool = False
    """Known for a key only by the shape of the literal around it: it may as well refer to something else."""
    holder: Object | None = None
    """The literal it is an entry of."""

    @property
    def function(self) -> Scope | None:
        return enclosing(self.scope, Kind.FUNCTION)


def keys_of(code: Code) -> tuple[Key, ...]:
    """Every key of a file, those of known emissions first; one value is listed once."""
    found: dict[int, Key] = {}
    for key in (*of_emissions(code), *of_parameters(code), *named(code)):
        found.setdefault(id(key.value), key)
    return tuple(found.values())


def of_emissions(code: Code) -> Iterator[Key]:
    """The key of each event and of the call, under the provider's names or, for own recorders, the usual ones."""
    for emission in code.emissions:
        key = emission.record.key if emission.record else None
        names = (*key.names, *key.option_names) if key else OWN_KEYS if emission.record is None else ()
        for given in (*emission.events, emission.given):
            if (value := given.first(names)) is not None:
                scope, at = emission.scope, emission.call.span.start
                inner = value.span.start if within_call(emission.call, value) else at
                yield Key(value, scope_at(code, scope, inner), inner, emission.title, emission.call.span, emission)


def within_call(call: Call, value: Expression) -> bool:
    return call.span.holds(value.span)


def scope_at(code: Code, scope: Scope, at: int) -> Scope:
    """The innermost function scope around an offset: an event made in a `map` callback has that callback's names."""
    inner = [one for one in code.facts.scopes if one.span.start <= at < one.span.end and within(one, scope)]
    return min(inner, key=lambda one: one.span.end - one.span.start, default=scope)


def of_parameters(code: Code) -> Iterator[Key]:
    """Arguments for a parameter of the file's own function that is named like a key."""
    for call in code.facts.calls:
        before = call.name.rpartition(".")[0]
        functions = code.values.functions.get(call.method, ()) if before in ("", "self", "this") else ()
        head = functions[0].head if len(functions) == 1 else None
        if not isinstance(head, Function) or not speaks_of_usage(code, call.scope, call.name):
            continue
        plain = [one for one in call.arguments if one.name is None]
        own = [one for one in head.parameters if one.name not in ("self", "cls")]
        for parameter, argument in zip(own, plain, strict=False):
            if fold(parameter.name) in NAMED:
                yield Key(argument.value, call.scope, call.span.start, f"`{call.name}`", call.span)


def named(code: Code) -> Iterator[Key]:
    """Entries, keywords, headers and variables whose name says that they are a key, where usage is spoken of."""
    for call in code.facts.calls:
        for argument in call.arguments:
            if argument.name is not None and fold(argument.name) in NAMED and speaks_of_usage(code, call.scope, call.name):
                yield Key(argument.value, call.scope, call.span.start, f"`{call.name}`", call.span)
            yield from in_objects(code, argument.value, call.scope, call)
    for assign in code.facts.assigns:
        if assign.value is None:
            continue
        if any(fold(target_name(one)) in NAMED for one in assign.targets) and speaks_of_usage(
            code, assign.scope, "", assign.value
        ):
            yield Key(assign.value, assign.scope, assign.span.end, "the usage", assign.span)
        yield from in_objects(code, assign.value, assign.scope, None)
    for returned in code.facts.returns:
        if returned.value is not None:
            yield from in_objects(code, returned.value, returned.scope, None)


def records_of(code: Code) -> Iterator[Key]:
    """Ids of usage records that the code makes up: `{ id: …, userId, amount }` in a function that records usage."""
    for call in code.facts.calls:
        for argument in call.arguments:
            for part in walk(argument.value):
                if not isinstance(part, Object) or not speaks_of_usage(code, call.scope, call.name, part):
                    continue
                names = {fold(entry.name) for entry in part.entries if entry.name is not None}
                for entry in part.entries:
                    if fold(entry.name or "") in ("id", "eventid", "usageid", "recordid") and names & RECORD_FIELDS:
                        yield Key(entry.value, call.scope, entry.span.start, "the usage record", entry.span, holder=part)


def in_objects(code: Code, whole: Expression, scope: Scope, call: Call | None) -> Iterator[Key]:
    for part in walk(whole):
        if not isinstance(part, Object):
            continue
        for entry in part.entries:
            name = fold(entry.name) if entry.name is not None else ""
            queued = name == "jobid" and is_job(part, call)
            if not queued and name not in NAMED and not (name in IDS and is_event(part, name)):
                continue
            if speaks_of_usage(code, scope, call.name if call else "", part):
                title = f"`{call.name}`" if call else "the job" if queued else "the event"
                cause = call.span if call else entry.span
                yield Key(entry.value, scope, entry.span.start, title, cause, None, queued, name in IDS, part)


def is_job(holder: Object, call: Call | None) -> bool:
    """Whether `jobId` is given to a queue: in the options of `add`, or beside the options that jobs have."""
    names = {fold(entry.name) for entry in holder.entries if entry.name is not None}
    return bool(names & {"removeoncomplete", "removeonfail", "attempts", "delay", "backoff"}) or (
        call is not None and fold(call.method) in QUEUE_ADDS and "." in call.name
    )


def is_event(holder: Object, name: str) -> bool:
    """Whether a literal is shaped like a usage event, so that its `transaction_id` or `id` is what a repeat is known by."""
    names = {fold(entry.name) for entry in holder.entries if entry.name is not None}
    if name == "id":
        return len(names & CLOUD_EVENT) > 2
    return len(names & EVENT_FIELDS) > 1


def target_name(target: Expression) -> str:
    match target:
        case Name(text=text):
            return text
        case Member(name=name):
            return name
        case Index(key=Literal(value=str(key))):
            return key
        case _:
            return ""


def speaks_of_usage(code: Code, scope: Scope, called: str = "", near: Expression | None = None) -> bool:
    """Whether a key stands where usage is reported: by the call, the functions around it, or the literal it is given with."""
    around = [one.head.name for one in chain(scope) if isinstance(one.head, Function)]
    if any(MONEY & set(words(name)) for name in (called, *around)):
        return False
    if any(emits(name) for name in around):
        return True
    if not code.billing:
        return False
    if any(USAGE & set(words(name)) or emits(name) or consumes(name) for name in (called, *around)):
        return True
    if near is not None and any(mentions_usage(part) for part in walk(near)):
        return True
    if USAGE & set(words(PurePosixPath(code.facts.path).stem)):
        return True
    function = enclosing(scope, Kind.FUNCTION)
    return any(emission.certain and emission.function is function for emission in code.emissions)


def mentions_usage(part: Expression) -> bool:
    if isinstance(part, Object):
        names = {fold(entry.name) for entry in part.entries if entry.name is not None}
        return bool(names & USAGE_FIELDS) or any(USAGE & set(words(name)) for name in names)
    name = part.name if isinstance(part, Member) else part.text if isinstance(part, Name) else ""
    return bool((USAGE | {"metric"}) & set(words(name)))


def written(code: Code, key: Key) -> Expression:
    """The expression that makes a key, behind variables and wrappers such as `str(…)` and `stripe.String(…)`."""
    whole = resolved(code.values, key.value, key.scope, key.at)
    while isinstance(whole, Call) and len(whole.arguments) == 1 and fold(whole.method) in ("string", "str", "ptr", "to"):
        whole = resolved(code.values, whole.arguments[0].value, key.scope, key.at)
    return whole
