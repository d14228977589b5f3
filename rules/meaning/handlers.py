"""Who takes the failure of a call: the try around it, the test of its error, the end of its promise."""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from rules.code import Code
from rules.facts import (
    Call,
    Handler,
    Kind,
    Lambda,
    Scope,
    Start,
    Use,
    enclosing,
    fold,
    within,
)

HOPS = 3
"""Through how many callbacks a failure is followed outwards: a retry helper inside a transaction inside a batch."""
OF_OTHERS = frozenset(
    "interruptedexception executionexception cancellationexception timeoutexception jsonprocessingexception parseexception "
    "jsonmappingexception numberformatexception datetimeparseexception urisyntaxexception unsupportedencodingexception".split()
)
"""Exceptions that only waiting or parsing raises: a try that takes no others takes no write's failure."""
CARRIERS: WeakKeyDictionary[Code, Mapping[Scope, Call]] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""


def handlers_of(code: Code, call: Call, sent: Call) -> tuple[Scope, ...]:
    """The handlers that take a call's failure, innermost first. `sent` is the end of its promise chain."""
    if code not in CARRIERS:
        CARRIERS[code] = carriers_of(code)
    carriers = CARRIERS[code]
    found: list[Scope] = []
    for _ in range(HOPS):
        taken = [scope for scope in code.facts.scopes if isinstance(scope.head, Handler) and takes(scope.head, call, sent)]
        found.extend(sorted(taken, key=nearness))
        function = enclosing(call.scope, Kind.FUNCTION)
        carrier = carriers.get(function) if function is not None else None
        if found or carrier is None:
            break
        call = sent = carrier
    return tuple(found)


def nearness(handler: Scope) -> tuple[bool, int]:
    """Tests of the call's own error before the try around it; of tests the first, of tries the innermost."""
    guards = handler.head.guards if isinstance(handler.head, Handler) else None
    if isinstance(guards, Scope):
        return True, guards.span.end - guards.span.start
    return False, handler.span.start


CANCELLED = ("operationcanceledexception", "taskcanceledexception", "cancellederror", "cancellationexception")


def only_cancelled(head: Handler) -> bool:
    """Whether a handler only takes that the work was called off, which is no failure of it."""
    kinds = [kind for kind in head.catches if not kind.startswith("when")]
    return bool(kinds) and all(fold(kind).rsplit(".", 1)[-1] in CANCELLED for kind in kinds)


def takes(head: Handler, call: Call, sent: Call) -> bool:
    if only_cancelled(head):
        return False
    if isinstance(head.guards, Scope):
        if (
            head.catches
            and {fold(kind).rsplit(".", 1)[-1] for kind in head.catches} <= OF_OTHERS
            and call.start is not Start.AWAITED
        ):
            return False
        inside = enclosing(call.scope, Kind.FUNCTION) is enclosing(head.guards, Kind.FUNCTION)
        return inside and within(call.scope, head.guards)
    return head.guards is not None and any(one is call or one is sent or one.span.holds(call.span) for one in head.guards)


def carriers_of(code: Code) -> Mapping[Scope, Call]:
    """For each function that is an argument of an awaited call: that call. What fails inside fails there."""
    found: dict[Scope, Call] = {}
    for call in code.facts.calls:
        for argument in call.arguments:
            waited = call if code.facts.traits.synchronous else awaited(call, code.outer)
            if isinstance(argument.value, Lambda) and waited is not None:
                found[argument.value.scope] = waited
    return found


def awaited(call: Call, outer: Mapping[int, Call]) -> Call | None:
    """The call itself or the one around it that is awaited: `await Promise.all(rows.map(async (row) => …))`."""
    for _ in range(HOPS):
        if call.start is Start.AWAITED:
            return call
        if id(call) not in outer or call.use not in (Use.ARGUMENT, Use.CHAINED):
            return None
        call = outer[id(call)]
    return None
