"""What hangs on usage that is gathered in memory: nothing, where it is only looked at or still lies in the store."""

from rules.code import Code
from rules.facts import Call, Class, Function, chain
from rules.meaning.usage.buffers import Emptying
from rules.meaning.vocabulary import words
from rules.tracing.stakes import Stake, stake

STATISTICS = frozenset("stats stat statistics statistical analytics telemetry dashboard".split())
REMOVES = frozenset("delete remove invalidate ack acknowledge".split())
STORES = frozenset(
    "dao repository repositories repo db database store storage sql redis queue session table collection".split()
)


def only_looked_at(code: Code, one: Emptying, after: Call | None = None) -> bool:
    """Whether a buffer by its own account gathers statistics, or is sent to where nobody charges or limits by it."""
    if not code.elsewhere.whole:
        return False
    said = {*words(one.buffer), *words(code.facts.path.rpartition("/")[2])}
    for scope in chain(one.scope):
        if isinstance(scope.head, Class | Function):
            said |= set(words(scope.head.name))
    if said & STATISTICS:
        return True
    return after is not None and stake(code.elsewhere.trace, code.facts.path, after) is Stake.NOTHING


def still_stored(code: Code, one: Emptying) -> bool:
    """Whether the flush also removes from a store what the buffer was filled from: what is lost is read again.

    `dao.insertChunks(pending); dao.deleteChunks(ids); pending.clear()`.
    """
    return any(
        REMOVES & set(words(call.method)[:1]) and STORES & set(words(call.name.rpartition(".")[0]))
        for call in code.calls_in(one.function)
        if call.arguments
    )
