"""Calls of C#: how they are started and waited for, and what they set."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Call,
    Expression,
    Literal,
    Name,
    Scope,
    Start,
    Use,
    dotted,
)
from rules.languages.csharp_syntax import (
    ASYNC,
    FUNCTIONS,
    expression,
    listed,
    made_call,
    only,
    said,
)
from rules.languages.lowering import (
    CHAINED,
    DISCARDED,
    How,
    Lowering,
    span,
)

WAITS = frozenset({"Wait", "WaitAsync", "ConfigureAwait", "AsTask", "GetAwaiter", "GetResult"})
"""What is asked of a task without changing whose outcome it is."""
BLOCKS = frozenset({"Wait", "GetResult"})
FORGETS = frozenset({"Forget", "SafeFireAndForget", "FireAndForget"})
STARTERS = frozenset(
    {"Task.Run", "Task.Factory.StartNew", "ThreadPool.QueueUserWorkItem", "ThreadPool.UnsafeQueueUserWorkItem"}
)

FACTORIES = frozenset({"JsonContent.Create"})
"""What makes a thing as `new` does, and only wraps what it is given."""


def invocation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    function = node.child_by_field_name("function")
    if (waited := through(low, node, function, scope, how)) is not None:
        return waited
    listing = node.child_by_field_name("arguments")
    callee = expression(low, function, scope, CHAINED)
    if isinstance(callee, Name) and callee.text == "nameof":
        return Literal(span(node), low.text(listing).strip("()").rpartition(".")[2] if listing is not None else "")
    name = dotted(callee)
    if name in STARTERS and how.use is Use.DISCARDED and how.start is not Start.AWAITED:
        return started(low, node, listing, name, scope)
    if ASYNC.search(name[-6:]) and how.use is Use.DISCARDED and how.start is Start.PLAIN:
        how = how._replace(start=Start.DETACHED)
    arguments = listed(low, listing, scope, callee)
    made = made_call(low, node, callee, arguments, scope, how, constructs=name in FACTORIES)
    take_out(low, listing, arguments, made, scope)
    return made


def through(low: Lowering, node: Node, function: Node | None, scope: Scope, how: How) -> Expression | None:
    """`f().ConfigureAwait(false)`, `f().Wait()`, `f().Forget()`: what is asked of the task that `f()` gives back."""
    if function is None or function.type != "member_access_expression":
        return None
    name = low.text(function.child_by_field_name("name") or function)
    inside = function.child_by_field_name("expression")
    while inside is not None and inside.type == "parenthesized_expression":
        inside = only(low, inside)
    if inside is None or inside.type not in ("invocation_expression", "await_expression"):
        return None
    if name in FORGETS:
        return expression(low, inside, scope, DISCARDED._replace(start=Start.DETACHED))
    if name not in WAITS or (name == "Wait" and inside.type == "await_expression"):
        return None
    return expression(low, inside, scope, how._replace(start=Start.AWAITED) if name in BLOCKS else how)


def started(low: Lowering, node: Node, listing: Node | None, name: str, scope: Scope) -> Expression:
    """`_ = Task.Run(async () => …)`: the function runs beside the caller, as Go's `go func() {…}()` does."""
    given = said(low, listing)
    first = only(low, given[0]) if given else None
    beside = DISCARDED._replace(start=Start.DETACHED, passed_to=name)
    if first is None or first.type not in FUNCTIONS:
        callee = expression(low, first, scope, CHAINED)
        return made_call(low, node, callee, (), scope, beside)
    callee = expression(low, first, scope, CHAINED._replace(passed_to=name))
    return made_call(low, node, callee, (), scope, beside)


def take_out(low: Lowering, listing: Node | None, arguments: tuple[Argument, ...], made: Call, scope: Scope) -> None:
    """`out var used`: the call sets the variable."""
    for child, argument in zip(said(low, listing), arguments, strict=True):
        if any(one.type == "out" for one in child.children) and isinstance(argument.value, Name):
            low.assigns.append(Assign(span(child), (argument.value,), made, "=", scope, declares=True))
