"""Whether the outcome of a call is only known later, and whether anybody waits for it."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Argument,
    Call,
    Expression,
    Function,
    Kind,
    Lambda,
    Loop,
    Member,
    Name,
    Scope,
    Start,
    Use,
    chain,
    enclosing,
    fold,
    within,
)
from rules.meaning.vocabulary import words

LAZY = frozenset("prisma supabase knex".split())
"""Clients whose call does nothing at all until somebody waits for it."""
BUILDERS = frozenset("pipeline pipe multi batch tx trx transaction chain".split())
"""Receivers that only collect commands; a later `exec` sends them."""
LATER = frozenset("settimeout setimmediate nexttick queuemicrotask foreach".split())
"""Who is handed a function and does not wait for its promise."""
STARTERS = frozenset("createtask ensurefuture thread submit runinexecutor addtask startsoon spawn".split())
"""Python's and others' ways to run something beside the caller."""
POOLS = frozenset("gopool.go ants.submit pool.submit workerpool.submit routine.go".split())


def is_void(code: Code, call: Call) -> bool:
    return code.facts.source[: call.span.start].rstrip().endswith(b"void")


def promises(code: Code, call: Call) -> bool:
    """Whether a JavaScript call of the project's own surely returns a promise: it says so somewhere in the file."""
    if is_void(code, call):
        return True
    local = code.values.functions.get(call.method, ())
    if local:
        return any(isinstance(one.head, Function) and is_async(one.head) for one in local)
    return any(
        other.name == call.name and (other.start is Start.AWAITED or other.use is Use.CHAINED) for other in code.facts.calls
    )


def is_async(head: Function) -> bool:
    return head.asynchronous or head.returns.startswith("Promise")


def in_async(scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and isinstance(function.head, Function) and function.head.asynchronous


def left_alone(scope: Scope) -> Function | None:
    """The function around a scope that is handed to something that does not wait: `rows.forEach(async (row) => …)`."""
    for outer in chain(scope):
        if outer.kind is Kind.FUNCTION and isinstance(outer.head, Function):
            return outer.head if fold(outer.head.passed_to).rsplit(".", 1)[-1] in LATER else None
    return None


def goroutine(code: Code, scope: Scope) -> Call | None:
    """The `go func() {…}()` or pool call that runs a scope, where nobody waits for it and it does one thing only."""
    function = enclosing(scope, Kind.FUNCTION)
    for outer in chain(scope):
        if isinstance(outer.head, Loop) and function is not None and within(outer, function):
            return None
    if function is None or joins(code, function):
        return None
    for call in code.facts.calls:
        started = call.start is Start.DETACHED and isinstance(call.callee, Lambda) and call.callee.scope is function
        pooled = ".".join(call.folded.split(".")[-2:]) in POOLS and any(
            isinstance(argument.value, Lambda) and argument.value.scope is function for argument in call.arguments
        )
        if started or pooled:
            return call
    return None


def joins(code: Code, function: Scope) -> bool:
    """`defer wg.Done()`, `results <- …`: somebody waits for the goroutine."""
    text = code.facts.text(function.span)
    return ".Done()" in text.replace("ctx.Done()", "") or "<-" in text.replace("<-ctx", "")


def started_beside(call: Call) -> Iterator[Expression]:
    """What `create_task(f())`, `Thread(target=f)`, `executor.submit(f, …)` run: the function or its call."""
    if fold(call.method) not in STARTERS:
        return
    for argument in call.arguments[:2]:
        if isinstance(argument.value, Call) or is_reference(argument):
            yield argument.value


def is_reference(argument: Argument) -> bool:
    return argument.name in (None, "target") and isinstance(argument.value, Name | Member)


def is_lazy(call: Call) -> bool:
    return bool(LAZY & set(words(call.name.split(".")[0]))) or any(
        bool(LAZY & set(words(segment))) for segment in call.name.split(".")[:2]
    )


def only_collects(call: Call) -> bool:
    """`pipeline.incr(key)`: sent by a later `exec`."""
    return any(BUILDERS & set(words(segment)) for segment in call.name.split(".")[:-1])
