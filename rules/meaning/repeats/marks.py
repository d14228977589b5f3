"""Where a unit of work is marked as done or seen: a processed id, a row of handled events, a status, a flag."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rules.code import Code
from rules.facts import Assign, Call, Expression, Index, Kind, Literal, Member, Name, Scope, Span, dotted, enclosing, fold, walk
from rules.meaning.usage.counters import texts, written_fields
from rules.meaning.usage.emissions import command
from rules.meaning.values import resolved, root_of
from rules.meaning.vocabulary import words

SEEN = frozenset("processed seen dedup dedupe deduplication idempotency idempotent idem handled reported".split())
"""Words of a store, key or table that remembers what was done."""
RECEIPTS = frozenset("webhook event events receipt delivery deliveries".split())
DONE = frozenset(
    "sent reported billed synced completed complete processed done success succeeded paid settled charged finalized exported "
    "pushed delivered published redeemed credited fulfilled used invoiced metered flushed".split()
)
STATES = frozenset("status state".split())
FINISHES = frozenset("settle complete finalize finish redeem fulfill".split())
"""What a call says first that brings its subject into its last state."""
STORE_SETS = frozenset("stringset set setex psetex setnx setifabsent hset hsetnx sadd putifabsent".split())
MEMORY_SETS = frozenset("add set append push store loadorstore containsoradd put".split())
ROW_INSERTS = frozenset(
    "create insert insertone add save put putitem upsert createmany firstorcreate values exec execute query run".split()
)
SQL_INSERT = re.compile(r"^\s*insert\s+into\s+[\"`]?(?:\w+\.)?[\"`]?(\w+)", re.I)
UPDATES = frozenset(
    "update updateone updatemany updates save saveasync commit set execute patch put findbyidandupdate findoneandupdate "
    "updatecolumn updatecolumns bulkupdate flush values hset merge".split()
)


class How(StrEnum):
    STORE = "store"
    """A key in Redis or its kind."""
    ROW = "row"
    """A row in a table of handled events."""
    MEMORY = "memory"
    """A set or map of this process."""
    STATUS = "status"
    """A field of the unit itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One write that says that a unit of work is done."""

    span: Span
    scope: Scope
    how: How
    name: str
    """The key, table, variable or field, as the code writes it."""
    call: Call | None
    """The writing call; for a field set on an object, the call that saves it."""
    value: str = ""
    """The state, in lower case, where it is written out."""

    @property
    def function(self) -> Scope | None:
        return enclosing(self.scope, Kind.FUNCTION)


def marks_of(code: Code) -> tuple[Mark, ...]:
    """In source order."""
    found = [mark for call in code.facts.calls for mark in by_call(code, call)]
    found += [mark for assign in code.facts.assigns for mark in by_assignment(code, assign)]
    return tuple(sorted(found, key=lambda mark: mark.span.start))


def by_call(code: Code, call: Call) -> Iterator[Mark]:
    last = fold(call.method)
    receiver = dotted(call.receiver) if call.receiver is not None else ""
    sets = last in STORE_SETS or adds_to_cache(call)
    if sets and is_store(receiver) and speaks(spoken_key(code, call)):
        yield Mark(call.span, call.scope, How.STORE, spoken_key(code, call), call, stored_value(call))
    elif last in MEMORY_SETS and outlives(code, call.receiver, call.scope, call) and speaks(receiver.rsplit(".", 1)[-1]):
        yield Mark(call.span, call.scope, How.MEMORY, receiver, call)
    elif last in ROW_INSERTS and (last != "values" or call.arguments) and (table := receipt_table(call)):
        yield Mark(call.span, call.scope, How.ROW, table, call)
    elif last in UPDATES and "." in call.name:
        yield from by_fields(code, call)
    else:
        yield from by_deed(code, call)


def by_deed(code: Code, call: Call) -> Iterator[Mark]:
    """`SettleService.call(order)`, `order.complete!`, after a test of that order's state: the call says that it is done."""
    said = words(command(call) or call.method)
    function = enclosing(call.scope, Kind.FUNCTION)
    if function is None or not (FINISHES & set(said[:1]) or (said[:1] == ("mark",) and DONE & set(said[1:]))):
        return
    for test in code.facts.tests:
        if test.span.end > call.span.start or enclosing(test.scope, Kind.FUNCTION) is not function:
            continue
        for part in walk(test.value):
            root = (
                root_of(part) if isinstance(part, Member) and words(part.name)[-1:] and words(part.name)[-1] in STATES else None
            )
            if isinstance(part, Member) and isinstance(root, Name) and takes(call, root.text):
                yield Mark(call.span, call.scope, How.STATUS, part.name, call)
                return


def adds_to_cache(call: Call) -> bool:
    """Laravel's `Cache::add($key, 1, $seconds)` sets what is not there yet."""
    return fold(call.method) == "add" and call.name.split(".")[-2:-1] == ["Cache"] and len(call.arguments) == 3


def is_store(receiver: str) -> bool:
    return bool({"redis", "cache", "kv", "client", "store", "rdb", "valkey", "pipeline", "pipe"} & set(words(receiver)))


def spoken_key(code: Code, call: Call) -> str:
    """The words of a call's key argument, its variable followed one step."""
    if not call.arguments:
        return ""
    key = call.arguments[0].value
    plain = list(texts(key))
    if plain and words(plain[0])[:1] == ("ctx",) and len(call.arguments) > 1:
        key = call.arguments[1].value
    whole = resolved(code.values, key, call.scope, call.span.start)
    return " ".join((*texts(key), *texts(whole)))


def speaks(text: str) -> bool:
    said = set(words(text))
    return bool(SEEN & said) and not said & {"lock", "mutex", "rate", "cache", "lease", "result", "response"}


def stored_value(call: Call) -> str:
    return (
        str(call.arguments[1].value.value).lower()
        if len(call.arguments) > 1 and isinstance(call.arguments[1].value, Literal)
        else ""
    )


def outlives(code: Code, holder: Expression | None, scope: Scope, call: Call | None = None) -> bool:
    """Whether a set or map is kept from one call to the next: a module's variable or a field, not one of this function.

    `session.add(row)` and `prisma.processedEvent.create` are the database's.
    """
    root = root_of(holder) if holder is not None else None
    if not isinstance(root, Name) or (call is not None and root.text.lower() in ("session", "db", "prisma", "tx", "database")):
        return False
    if isinstance(holder, Member) and root.text in ("self", "this"):
        return True
    found = code.values.definitions.get(root.text, ())
    if isinstance(holder, Member):
        return all(one.how == "parameter" for one in found)
    return bool(found) and all(one.scope.kind is Kind.MODULE for one in found)


def receipt_table(call: Call) -> str:
    """The table of an insert that remembers handled events: `processedEvent`, `webhook_events`, `IdempotencyKey`."""
    names: list[str] = []
    for argument in call.arguments[:1]:
        made = (part.name for part in walk(argument.value) if isinstance(part, Call) and part.name[:1].isupper())
        names += [name.rsplit(".", 1)[-1] for name in made]
        names += SQL_INSERT.findall(next(texts(argument.value), ""))
    if fold(call.method) not in ("add", "save", "put", "exec", "execute", "query", "run"):
        names += call.name.split(".")[:-1]
        if isinstance(call.receiver, Call):
            names += [text for argument in call.receiver.arguments for text in texts(argument.value)]
    return next((name for name in names if remembers(name.removesuffix("()"))), "")


def remembers(table: str) -> bool:
    said = set(words(table))
    if said & {"log", "logs", "queue", "outbox", "pending", "usage", "meter", "endpoint", "delivery"}:
        return False
    return bool(SEEN & said) or ({"webhook", "stripe"} <= said and bool(RECEIPTS & said)) or said >= {"webhook", "event"}


def by_fields(code: Code, call: Call) -> Iterator[Mark]:
    for name, value in written_fields(code.values, call):
        if state := done(name, value):
            yield Mark(call.span, call.scope, How.STATUS, name, call, state)
            return


def done(name: str, value: Expression) -> str:
    """The finished state that a field is set to: `status = "sent"`, `reported = true`, `billedAt = now`. Else empty."""
    said = words(name)
    if not said:
        return ""
    if said[-1] in STATES:
        state = state_of(value)
        return state if DONE & set(words(state)) and not {"not", "partially"} & set(words(state)) else ""
    plain = [word for word in said if word not in ("is", "was", "has", "stripe", "provider")]
    if isinstance(value, Literal) and value.value is True and plain and plain[-1] in DONE:
        return name.lower()
    if (
        said[-1] == "at"
        and len(said) > 1
        and said[-2] in DONE
        and "last" not in said
        and not (isinstance(value, Literal) and value.value is None)
    ):
        return name.lower()
    return ""


def state_of(value: Expression) -> str:
    match value:
        case Literal(value=str(text)):
            return text
        case Member(name=name):
            return name
        case Name(text=text) if text[:1].isupper():
            return text
        case _:
            return ""


def by_assignment(code: Code, assign: Assign) -> Iterator[Mark]:
    """A field of an object that a later call saves, or an item of a process's own map."""
    if assign.value is None or assign.operator != "=":
        return
    for target in assign.targets:
        held = isinstance(target, Index) and outlives(code, target.object, assign.scope)
        if isinstance(target, Index) and held and speaks(dotted(target.object).rsplit(".", 1)[-1]):
            yield Mark(assign.span, assign.scope, How.MEMORY, dotted(target.object), None)
        elif isinstance(target, Member) and (state := done(target.name, assign.value)):
            saved = saving(code, assign, root_of(target))
            if saved is not None:
                yield Mark(assign.span, assign.scope, How.STATUS, target.name, saved, state)


def saving(code: Code, assign: Assign, root: Expression) -> Call | None:
    """The first later call in the function that writes the object back."""
    function = enclosing(assign.scope, Kind.FUNCTION)
    if not isinstance(root, Name) or function is None:
        return None
    for call in code.calls_in(function):
        if call.span.start < assign.span.end or fold(call.method) not in UPDATES:
            continue
        if fold(call.method) in ("commit", "flush") or takes(call, root.text):
            return call
    return None


def takes(call: Call, name: str) -> bool:
    parts = [call.receiver, *(argument.value for argument in call.arguments)]
    return any(isinstance(one, Name) and one.text == name for part in parts if part is not None for one in walk(part))


def lifetime(code: Code, mark: Mark) -> float | None:
    """How long a key lives, in seconds, where that is a number in this file."""
    assert mark.call is not None
    plain = [argument.value for argument in mark.call.arguments]
    for argument in mark.call.arguments:
        if argument.name is not None and fold(argument.name) in ("ex", "ttl", "px"):
            plain += [Literal(argument.span, fold(argument.name)), argument.value]
        for entry in getattr(argument.value, "entries", ()):
            if fold(entry.name or "") in ("ex", "ttl", "px"):
                plain += [Literal(entry.span, fold(entry.name)), entry.value]
    for unit, number in pairwise(plain):
        word = str(unit.value).lower() if isinstance(unit, Literal) else ""
        whole = resolved(code.values, number, mark.scope, mark.span.start)
        if word in ("ex", "px", "ttl") and isinstance(whole, Literal) and isinstance(whole.value, int):
            return whole.value / (1000 if word == "px" else 1)
    return None
