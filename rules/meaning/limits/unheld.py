"""Locks that say in their answer that they were not got, where nobody reads it."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Literal, Scope, Start, Use, With, fold
from rules.meaning.vocabulary import words

WAITS = frozenset("timeout timeoutseconds blockingtimeout blocking wait waittime".split())
HOLDERS = frozenset("lock mutex semaphore locker redlock".split())


def skipped_blocks(code: Code) -> Iterator[tuple[Call, Scope]]:
    """`row.with_advisory_lock("…", timeout_seconds: 5) do … end`: after five seconds it answers false and runs nothing.

    With a `!` it raises, and `with_advisory_lock_result` is made to be asked.
    """
    for scope in code.facts.scopes:
        made = scope.head.items[0] if isinstance(scope.head, With) and scope.head.items else None
        if not isinstance(made, Call) or made.method != "with_advisory_lock" or made.use is not Use.DISCARDED:
            continue
        if waits_a_while(made):
            yield made, scope


def waits_a_while(call: Call) -> bool:
    named = {fold(one.name): one.value for one in call.arguments if one.name is not None}
    for argument in call.arguments:
        named |= {fold(entry.name): entry.value for entry in getattr(argument.value, "entries", ()) if entry.name}
    given = next((value for name, value in named.items() if name in WAITS), None)
    return given is not None and not (isinstance(given, Literal) and given.value is None)


def goes_on_unheld(code: Code) -> Iterator[Call]:
    """`lock.acquire(timeout=5)`, `lock.acquire(blocking=False)`: the work that follows runs without the lock."""
    for call in code.facts.calls:
        holder = call.name.rpartition(".")[0]
        asks = fold(call.method) in ("acquire", "trylock") and bool(HOLDERS & set(words(holder)))
        if asks and call.use is Use.DISCARDED and call.start is not Start.DETACHED and waits_a_while(call):
            yield call
