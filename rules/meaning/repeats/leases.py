"""Locks that code takes by name and gives back by hand: what a lock covers, and who may give it back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Call,
    Function,
    Kind,
    Literal,
    Name,
    Scope,
    Span,
    Start,
    Use,
    With,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.flow import LOCK_TEXT
from rules.meaning.repeats.marks import is_store
from rules.meaning.subjects import name_around
from rules.meaning.usage.counters import texts
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words

LOCKS = frozenset("lock locks mutex lease semaphore redlock locker".split())
DELETES = frozenset("del delete unlink remove forget".split())
TAKES = frozenset("lock acquire acquirelock obtain obtainlock takelock getlock createlock spinlock".split())
GIVES = frozenset("unlock release releaselock clearlock freelock drop".split())
ROUND = frozenset("withlock runexclusive using runlocked dolocked withmutex withredlock lockedsection executewithlock".split())
FORCED = frozenset("force forced forcibly cleanup orphan orphans orphaned stale admin purge steal".split())
"""Whoever takes away a lock that is not his says so."""
OWNER = re.compile(r"\beval(?:sha)?\b|defineCommand|register_script|NewScript|compareAndDelete|\bcad\b|WATCH|watch\(", re.I)
EXPIRES = re.compile(r"^(ex|px|ttl|exat|pxat|expiry|expiration|expire|timeout)\w*$", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A stretch of one function during which a lock is held."""

    taken: Call
    span: Span
    scope: Scope
    """The scope in which the lock is taken: the statement before it starts."""
    inside: Scope
    """What runs under it; together with `span`, where it does not fill a scope of its own."""

    def covers(self, span: Span, scope: Scope) -> bool:
        return self.span.holds(span) and within(scope, self.inside)


def speaks_of_lock(text: str) -> bool:
    return bool(LOCKS & set(words(text)))


def key_text(code: Code, call: Call) -> str:
    """The words of the key that a call on a store names, its variable followed to where it is made."""
    given = [argument.value for argument in call.arguments]
    if given and isinstance(given[0], Name) and fold(given[0].text) in ("ctx", "context"):
        given = given[1:]
    if not given:
        return ""
    return " ".join((*texts(given[0]), *texts(resolved(code.values, given[0], call.scope, call.span.start))))


def set_if_absent(code: Code, call: Call) -> bool:
    """`SET key value NX` in any client's words, and `cache.add` of Django and its kind."""
    last = fold(call.method)
    if last in ("setnx", "setifabsent", "setnxex"):
        return "." in call.name
    if last == "add" and re.search(r"(^|\.)cache$", call.name.rpartition(".")[0]):
        return True
    if last != "set" or "." not in call.name:
        return False
    for argument in call.arguments:
        if fold(argument.name or "") == "nx":
            return True
        for part in walk(argument.value):
            named = [fold(entry.name or "") for entry in getattr(part, "entries", ())]
            mode = any(fold(entry.name or "") == "mode" and is_nx(entry.value) for entry in getattr(part, "entries", ()))
            if "nx" in named or mode or is_nx(part):
                return True
    return False


def is_nx(part: object) -> bool:
    return isinstance(part, Literal) and isinstance(part.value, str) and part.value.upper() == "NX"


def expires(call: Call) -> bool:
    """Whether what is set ends by itself: then somebody else may hold the key when the first holder gives it back."""
    if fold(call.method) in ("setnx", "setifabsent", "add"):
        return len(call.arguments) > 2
    for argument in call.arguments:
        if argument.name is not None and EXPIRES.match(argument.name):
            return True
        for part in walk(argument.value):
            if isinstance(part, Literal) and isinstance(part.value, str) and part.value.upper() in ("EX", "PX"):
                return True
            if any(EXPIRES.match(entry.name or "") for entry in getattr(part, "entries", ())):
                return True
    return False


def leases(code: Code) -> Iterator[Call]:
    """Where a lock of a shared store is taken for a limited time."""
    for call in code.facts.calls:
        if set_if_absent(code, call) and expires(call) and (lock_key(code, call) or speaks_of_lock(name_around(call.scope))):
            yield call


def lock_key(code: Code, call: Call) -> bool:
    return speaks_of_lock(key_text(code, call))


def blind_releases(code: Code) -> Iterator[tuple[Call, Call]]:
    """Deletions of a lock's key by code that does not ask whether the lock is still its own, with where it is taken."""
    taken = list(leases(code))
    if not taken:
        return
    for call in code.facts.calls:
        if fold(call.method) not in DELETES or not is_store(call.name.rpartition(".")[0]) or not call.arguments:
            continue
        given_back = lock_key(code, call) or speaks_of_lock(name_around(call.scope))
        if FORCED & set(words(name_around(call.scope))):
            continue
        if not given_back or compares_owner(code, call):
            continue
        lease = next((one for one in taken if same_key(code, one, call)), None)
        if lease is not None:
            yield call, lease


def same_key(code: Code, lease: Call, release: Call) -> bool:
    """One function takes and gives it back under the same words, or helpers are told the key."""
    if enclosing(lease.scope, Kind.FUNCTION) is enclosing(release.scope, Kind.FUNCTION):
        return bool(set(words(key_text(code, lease))) & set(words(key_text(code, release))) - LOCKS) or lock_key(code, release)
    shared = set(words(key_text(code, lease))) & set(words(key_text(code, release)))
    return bool(shared)


def compares_owner(code: Code, call: Call) -> bool:
    """A script, or a test of the stored value before: unsure is quiet."""
    functions = [one for one in chain(call.scope) if one.kind is Kind.FUNCTION]
    if not functions:
        return OWNER.search(code.facts.text(code.facts.root.span)) is not None
    if any(OWNER.search(code.facts.text(one.span)) for one in functions):
        return True
    outermost = functions[-1]
    for other in code.calls_in(outermost):
        read = fold(other.method) in ("get", "hget") and is_store(other.name.rpartition(".")[0])
        if read and other.span.end <= call.span.start and other.use in (Use.TESTED, Use.ASSIGNED, Use.CHAINED):
            return True
    return False


def stretches(code: Code) -> Iterator[Held]:
    """Every stretch under a lock: a `with` block, a callback, or from taking it to giving it back."""
    for scope in code.facts.scopes:
        head = scope.head
        if isinstance(head, With) and scope.parent is not None:
            for item in head.items:
                taken = next((part for part in walk(item) if isinstance(part, Call) and takes(part)), None)
                if taken is not None:
                    yield Held(taken, scope.span, scope.parent, scope)
        elif isinstance(head, Function) and goes_round(head.passed_to) and scope.parent is not None:
            outer = next((one for one in code.facts.calls if one.span.holds(scope.span) and one.scope is scope.parent), None)
            if outer is not None and goes_round(outer.name):
                yield Held(outer, scope.span, scope.parent, scope)
    yield from by_hand(code)


def goes_round(name: str) -> bool:
    """Whether a call holds a lock round the function that it is handed; Laravel's `lock(key)->block(5, f)` does."""
    *before, last = fold(name).split(".")
    return last in ROUND or (last in ("block", "get") and before[-1:] == ["lock()"])


def takes(call: Call) -> bool:
    """`redis.lock(key)`, `locker.lock(key)`, `redlock.acquire([key])`, `mu.Lock()`; not the database's own row lock."""
    if any(text in str(getattr(one.value, "value", "")).lower() for one in call.arguments for text in LOCK_TEXT):
        return False
    if {"advisory", "xact", "row", "update", "for"} & set(words(call.name)):
        return False
    last = fold(call.method)
    return "." in call.name and (last in TAKES or last.endswith("lock")) and (last != "acquire" or speaks_of_lock(call.name))


def by_hand(code: Code) -> Iterator[Held]:
    for taken in code.facts.calls:
        function = enclosing(taken.scope, Kind.FUNCTION)
        if function is None or not takes(taken) or fold(taken.method) in GIVES or inside_head(code, taken):
            continue
        names = {getattr(target, "text", "") for target in taken.targets} - {""} | {taken.name.rpartition(".")[0]}
        for given in code.calls_in(function):
            same = given.name.rpartition(".")[0] in names or any(
                getattr(one.value, "text", "") in names for one in given.arguments
            )
            if fold(given.method) in GIVES and same and given.span.start > taken.span.end:
                end = function.span.end if given.start is Start.DEFERRED else given.span.start
                yield Held(taken, Span(taken.span.line, given.span.line, taken.span.end, end), taken.scope, function)
                break
        else:
            if code.facts.traits.locks_by_guard and taken.use is Use.ASSIGNED and taken.targets:
                rest = Span(taken.span.line, taken.scope.span.end_line, taken.span.end, taken.scope.span.end)
                yield Held(taken, rest, taken.scope, taken.scope)


def inside_head(code: Code, taken: Call) -> bool:
    """Whether a call is what a `with` statement or a callback's caller names; those are their own stretches."""
    if fold(taken.method) in ROUND:
        return True
    return any(
        isinstance(scope.head, With) and any(part is taken for item in scope.head.items for part in walk(item))
        for scope in code.facts.scopes
    )
