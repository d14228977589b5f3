"""Failures that never come back from what was called, or whose row the next run of a clock finds again."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Function,
    Handler,
    Kind,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Start,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words
from rules.tracing.spared import STORES, functions_behind, functions_meant, runs_by_itself
from rules.tracing.standing import graph_of, scope_of

NAMED_RESULT = re.compile(r"\w\s+error\b")
PICKS = frozenset("find findmany findall select filter where query all list fetch scan get due pending".split())
DUE = frozenset(
    "due status state next retry retries until before pending processed attempts scheduled expires renewed billed".split()
)
"""Words of the fields by which a run picks what is to be done."""
WRITES = frozenset("set setex put incr incrby increment hincrby hset incrbyfloat add save update".split())
OWNERLESS = frozenset("cache redis kv store storage memcached".split())
OF_FAULTS = frozenset("retry retries failure failures failed error errors attempts".split())
"""In the name of a count: how often something went wrong is on nobody's bill."""


def absorbed(code: Code, call: Call) -> bool:
    """Whether the function of another file that a call leads to falls back where its store fails, and says nothing of it."""
    found = tuple(functions_behind(code, call)) or tuple(methods_of_field(code, call))
    return bool(found) and all(absorbs(other, function) or never_errs(other, function) for other, function in found)


def never_errs(code: Code, function: Scope) -> bool:
    """Whether a function of Go that may answer an error never does: each of its returns ends in `nil`.

    Not where the result has a name: what is deferred may still set it.
    """
    head = function.head
    if not code.facts.traits.errors_returned or not isinstance(head, Function) or "error" not in head.returns:
        return False
    if NAMED_RESULT.search(head.returns):
        return False
    given = [one.value for one in code.facts.returns if enclosing(one.scope, Kind.FUNCTION) is function]
    last = [one.items[-1] if isinstance(one, Sequence) and one.items else one for one in given]
    return bool(last) and all(isinstance(one, Literal) and one.value is None for one in last)


def methods_of_field(code: Code, call: Call) -> Iterator[tuple[Code, Scope]]:
    """`this.cacheService.set(…)` means the `set` of a `CacheService`, a name too common to be followed otherwise."""
    graph = graph_of(code)
    field = fold(call.name.rpartition(".")[0].rpartition(".")[2])
    for node in graph.by_name.get(call.method, ()) if graph is not None and field else ():
        routine = graph.routine(node) if graph is not None else None
        if routine is None or fold(routine.holder) != field:
            continue
        other = code.elsewhere.code_of(routine.path)
        found = scope_of(other, routine) if other is not None else None
        if other is not None and found is not None:
            yield other, found[0]


def absorbs(code: Code, function: Scope) -> bool:
    """Whether all that leaves the process in a function stands in a `try` whose handler raises nothing."""
    handlers = [one for one in code.facts.scopes if one.kind is Kind.HANDLER and enclosing(one, Kind.FUNCTION) is function]
    kept = [one for one in handlers if outcome(code.facts, one) not in (Outcome.RETHROWN, Outcome.DUPLICATE_ONLY)]
    tried = [one.head.guards for one in kept if isinstance(one.head, Handler) and isinstance(one.head.guards, Scope)]
    leaving = [one for one in code.calls_in(function) if leaves_process(code, one)]
    return bool(leaving) and all(
        any(within(one.scope, guarded) for guarded in tried) and (one.start is Start.AWAITED or not code.facts.traits.promises)
        for one in leaving
    )


def leaves_process(code: Code, call: Call) -> bool:
    """What is awaited, or asked of a store; of a chain its end, which does it."""
    outer = code.outer.get(id(call))
    if outer is not None and outer.receiver is call:
        return False
    before = call.name.rpartition(".")[0].rpartition(".")[2]
    return call.start is Start.AWAITED or bool(STORES & set(words(before)))


def picked_again(code: Code, call: Call) -> bool:
    """Whether the write sets what a clock's run picks its rows by: a row that it failed on is picked again the next time.

    `for row in find(next_retry_at <= now): … update(row, next_retry_at=tomorrow)`.
    """
    loop = enclosing(call.scope, Kind.LOOP)
    head = loop.head if loop is not None else None
    if not isinstance(head, Loop) or not isinstance(head.iterates, Name) or not runs_by_itself(code, call.scope):
        return False
    asked = [one.value for one in definitions_at(code.values, head.iterates.text, call.scope, call.span.start)]
    texts = " ".join(code.facts.text(one.span) for one in asked if isinstance(one, Call) and PICKS & set(words(one.name)))
    return any(fold(name) in fold(texts) and DUE & set(words(name)) for name in written_names(call)) if texts else False


def written_names(call: Call) -> frozenset[str]:
    """The fields that a call is handed values for, `billing.nextRetryAt` by its last part."""
    entries = [
        entry.name for one in call.arguments for part in walk(one.value) if isinstance(part, Object) for entry in part.entries
    ]
    return frozenset(name.rpartition(".")[2] for name in (*entries, *(one.name for one in call.arguments)) if name)


def of_faults(names: list[str]) -> bool:
    return bool(names) and all(OF_FAULTS & set(words(name)) for name in names)


def of_nobody(code: Code, call: Call) -> bool:
    """Whether a count is kept under one text for all: it limits the seller's own account with a supplier, and no customer."""
    holder = call.name.rpartition(".")[0].rpartition(".")[2]
    if fold(call.method) not in WRITES or not OWNERLESS & set(words(holder)) or not call.arguments:
        return False
    key = call.arguments[0].value
    if isinstance(key, Literal):
        return isinstance(key.value, str)
    if not isinstance(key, Name | Member):
        return False
    name = key.name if isinstance(key, Member) else key.text
    given = [
        one.value for one in code.facts.assigns
        for target in one.targets if getattr(target, "name", "") == name or getattr(target, "text", "") == name
    ]  # fmt: skip
    return bool(given) and all(isinstance(one, Literal) and isinstance(one.value, str) for one in given)


def declares_no_error(code: Code, call: Call) -> bool:
    """Whether the functions that a call may mean say what they answer, and none of it is an error: `bool`."""
    heads = [one.head for _, one in functions_meant(code, call) if isinstance(one.head, Function)]
    return bool(heads) and not any("err" in fold(one.returns) for one in heads)
