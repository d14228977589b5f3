"""What tells a delivery from its repeat: a word for it, the state of a stored row, a lookup or a row by what happened."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Compare,
    Expression,
    Index,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Span,
    fold,
    walk,
    within,
)
from rules.meaning.flow import exclusive
from rules.meaning.outcomes import logs
from rules.meaning.repeats.identity import identifies
from rules.meaning.repeats.presence import HAPPENINGS, LOOKS, WHOLE, is_delivered, is_own_id, leaves_if_there
from rules.meaning.repeats.redelivery import Delivery
from rules.meaning.usage.counters import texts
from rules.meaning.values import resolved, root_of
from rules.meaning.vocabulary import words

AWARE = re.compile(r"idempot|dedup|duplicate|exactly.?once|redeliver", re.I)
"""Words by which code, or a comment in it, says that it knows of repeats: what stands there may be the guard."""
GUARDED = re.compile(
    r"already|(?<!un)processed|\b_?seen|[a-z]_?seen\b|\bhandled|[a-z]_handled|on_?conflict|on conflict|orignore|insert ignore|"
    r"ignore_conflicts|skipduplicates|unique_?violation|integrityerror|uniqueconstraint|p2002|23505|e?11000\b|setnx|"
    r"set_?if_?not|\bnx\b|get_?or_?create|find_?or_?create|first_?or_?create|attribute_not_exists|is_?new\b|is_?first|"
    r"first_?time|claim|unique_by|record_?not_?unique",
    re.I,
)
"""The same, where code does it: outside comments and what is logged."""
STATES = frozenset(
    "status state paid credited fulfilled completed complete settled granted redeemed used consumed counted billed applied "
    "reported synced version revision".split()
)
SUBTRACTS = frozenset("except exceptby difference subtract symmetricdifference".split())
"""`pending.Except(sent)`: what was sent before is taken out."""


def tells_repeats(code: Code, delivery: Delivery, scope: Scope) -> bool:
    """Whether anything on the way to the work in `scope` tells a repeat: a word for it, or the state of a stored row."""
    for function, place in zip(delivery.path, (*(call.scope for call in delivery.calls), scope), strict=True):
        gone = elsewhere(code, function, place)
        if AWARE.search(text_without(code, function, gone)):
            return True
        if GUARDED.search(text_without(code, function, [*gone, *said_only(code, function)])):
            return True
    places = (*(call.scope for call in delivery.calls), scope)
    if any(leaves_if_there(code, one, place) for one, place in zip(delivery.path, places, strict=True)):
        return True
    if any(fold(call.method) in SUBTRACTS for one in delivery.path for call in code.calls_in(one)):
        return True
    return any(reads_state(code, one) or looks_up_happening(code, one) or conditional(code, one) for one in delivery.path)


def elsewhere(code: Code, function: Scope, place: Scope) -> list[Span]:
    """The arms of the function that another kind of message takes: they say nothing about this one."""
    return [
        one.span
        for one in code.facts.scopes
        if isinstance(one.head, Branch)
        and within(one, function)
        and not within(place, one)
        and (exclusive(one, place) or by_kind(one.head))
    ]


def by_kind(head: Branch) -> bool:
    """`case "invoice.paid":`, `if (event.type === "invoice.paid")`."""
    if head.arm == "case":
        return True
    return any(
        isinstance(part, Compare) and part.operator == "==" and last_word(part.left) in ("type", "kind", "name")
        for part in walk(head.test)
    )


def last_word(value: Expression) -> str:
    name = value.text if isinstance(value, Name) else value.name if isinstance(value, Member) else ""
    if isinstance(value, Index) and isinstance(value.key, Literal):
        name = str(value.key.value)
    return (words(name) or ("",))[-1]


def said_only(code: Code, scope: Scope) -> list[Span]:
    """Comments, and what is logged: "payment processed" there says nothing."""
    gone = [one.span for one in code.facts.comments if scope.span.holds(one.span)]
    return gone + [call.span for call in code.calls_in(scope) if logs(call)]


def text_without(code: Code, scope: Scope, gone: list[Span]) -> str:
    source = bytearray(code.facts.source)
    for span in gone:
        source[span.start : span.end] = b" " * (span.end - span.start)
    return source[scope.span.start : scope.span.end].decode(errors="replace")


def reads_state(code: Code, function: Scope) -> bool:
    """A test of the state of something that was loaded, which keeps a second delivery from going on."""
    for test in code.facts.tests:
        if not within(test.scope, function):
            continue
        for part in walk(test.value):
            if isinstance(part, Member) and STATES & set(words(part.name)) and is_loaded(code, part, test.scope):
                return True
    return False


def is_loaded(code: Code, part: Member, scope: Scope) -> bool:
    """Whether a field belongs to a row that was looked up, and not to the delivery itself."""
    root = root_of(part)
    if not isinstance(root, Name):
        return isinstance(root, Call) and fold(root.method).startswith(LOOKS)
    return any(
        isinstance(one.value, Call) and any(is_lookup(call) for call in chain_of(one.value))
        for one in code.values.definitions.get(root.text, ())
    )


def chain_of(call: Call) -> Iterator[Call]:
    inner: Expression | None = call
    while isinstance(inner, Call):
        yield inner
        yield from (one.value for one in inner.arguments if isinstance(one.value, Call))
        inner = inner.receiver


def is_lookup(call: Call) -> bool:
    """`findOrder(id)`, `db.query(Order)`; the provider's own client reads its side, not what was done here."""
    said = set(words(call.name))
    return fold(call.method).startswith(LOOKS) and not said & {"stripe", "paddle", "header", "headers", "env", "session"}


def looks_up_happening(code: Code, function: Scope) -> bool:
    """A question for the row of this payment, invoice or event, whose answer is tested."""
    tested = [part for test in code.facts.tests if within(test.scope, function) for part in walk(test.value)]
    names = {part.text for part in tested if isinstance(part, Name)}
    for call in code.calls_in(function):
        if not is_lookup(call) or not asks_for_happening(call):
            continue
        bound = {part.text for target in call.targets for part in walk(target) if isinstance(part, Name)}
        if any(part is call for part in tested) or bound & names:
            return True
    return False


def asks_for_happening(call: Call) -> bool:
    for one in chain_of(call):
        if "." in one.name and HAPPENINGS & set(words(one.name.split(".")[-2])):
            return True
        for argument in one.arguments:
            if any(is_happening_id(text) for text in (*texts(argument.value), *entry_names(argument.value))):
                return True
    return False


def entry_names(value: Expression) -> Iterator[str]:
    """The names that a value sets; an `id` that is the delivery's own is called after it."""
    for part in walk(value):
        for entry in part.entries if isinstance(part, Object) else ():
            if entry.name == "id" and isinstance(entry.value, Member) and is_delivered(entry.value):
                yield "event_id"
            yield entry.name or ""


def is_happening_id(text: str) -> bool:
    said = set(words(text))
    return bool(said & HAPPENINGS) and bool(said & {"id", "number", "key", "no", "reference", "ref", "uuid"})


def stored_once(code: Code, delivery: Delivery) -> bool | None:
    """Whether a row of this payment or event is stored on the way under a unique index, which refuses a repeat.

    None where such a row is stored and its table is not known.
    """
    answers: list[bool | None] = []
    for scope in delivery.path:
        for call in code.calls_in(scope):
            columns = id_columns(call) if fold(call.method) in INSERTS else frozenset()
            answers += [refuses(code, call, columns)] if columns else []
    if any(answers):
        return True
    return None if None in answers else False


INSERTS = frozenset("create insert insertone add values save put execute exec query".split())


def id_columns(call: Call) -> frozenset[str]:
    """The columns of an inserted row that hold the id of what happened."""
    named = [name for argument in call.arguments for name in entry_names(argument.value)]
    for argument in call.arguments:
        made = argument.value if isinstance(argument.value, Call) else None
        named += [one.name for one in made.arguments if one.name is not None] if made is not None else []
        named += [argument.name] if argument.name is not None else []
    found = {name for name in named if is_happening_id(name) or words(name)[-2:] == ("subscription", "id")}
    found |= {
        entry.name
        for argument in call.arguments for part in walk(argument.value) if isinstance(part, Object)
        for entry in part.entries if entry.name and words(entry.name)[-1:] == ("id",) and is_own_id(entry.value)
    }  # fmt: skip
    return frozenset(found | {"id"} if "event_id" in found else found)


def refuses(code: Code, call: Call, columns: frozenset[str]) -> bool | None:
    names = call.name.replace("()", "").split(".")[:-1]
    for one in chain_of(call):
        names += [text for argument in one.arguments[:1] for text in texts(argument.value) if " " not in text]
        names += [argument.value.method for argument in one.arguments[:1] if isinstance(argument.value, Call)]
    answers = [code.elsewhere.schema.is_unique(name, columns) for name in names]
    known = [answer for answer in answers if answer is not None]
    return any(known) if known else None


def conditional(code: Code, function: Scope) -> bool:
    """A write that the store carries out only while the row is in its old state."""
    for call in code.calls_in(function):
        if not fold(call.method).startswith(
            ("update", "findoneandupdate", "where", "filter", "exec", "query", "eq", "is", "set")
        ):
            continue
        for argument in call.arguments:
            for part in walk(argument.value):
                if isinstance(part, Object) and any(
                    fold(entry.name or "") in ("where", "filter") and STATES & spoken(entry.value) for entry in part.entries
                ):
                    return True
                text = part.value if isinstance(part, Literal) else ""
                if isinstance(text, str) and re.search(
                    r"\bwhere\b.*\b(status|state|paid|credited|version)\b", text, re.I | re.S
                ):
                    return True
        if fold(call.method) in ("where", "filter", "eq", "is") and STATES & {
            word for argument in call.arguments for text in texts(argument.value) for word in words(text)
        }:
            return True
    return False


def spoken(value: Expression) -> set[str]:
    return {word for name in entry_names(value) for word in words(name)}


def carries_identity(code: Code, call: Call) -> bool:
    """Whether a call is given what tells this delivery from another: its id, a key, or all of it."""
    for argument in call.arguments:
        if argument.name is not None and names_identity(argument.name):
            return True
        whole = resolved(code.values, argument.value, call.scope, call.span.start)
        if is_whole(argument.value):
            return True
        for part in (*walk(argument.value), *walk(whole)):
            if isinstance(part, Object) and any(entry.name and names_identity(entry.name) for entry in part.entries):
                return True
            name = part.name if isinstance(part, Member) else part.text if isinstance(part, Name) else ""
            if name and (names_identity(name) or (fold(name) in ("id", "uuid") and is_delivered(part))):
                return True
            if isinstance(part, Index) and isinstance(part.key, Literal) and names_identity(str(part.key.value)):
                return True
    return False


def is_whole(value: Expression) -> bool:
    """The delivery itself, or a part of it that may hold its id, is handed on."""
    name = value.text if isinstance(value, Name) else value.name if isinstance(value, Member) else ""
    said = words(name)
    return bool(said) and said[-1] in WHOLE


def names_identity(name: str) -> bool:
    said = set(words(name))
    if said & {"customer", "subscription", "user", "price", "product", "plan", "org", "team", "account"} and not said & {
        "event"
    }:
        return False
    return (
        identifies(name)
        or is_happening_id(name)
        or bool(said & {"idempotency", "dedup", "dedupe", "identifier", "reference", "nonce", "offset", "sequence"})
        or {"external", "id"} <= said
        or {"payment", "intent"} <= said
        or {"source", "id"} <= said
    )
