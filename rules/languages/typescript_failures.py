"""Failure as a value in TypeScript: `{ data, error }`, `(err, data) =>`, `.catch(…)`, and the tests that ask for it."""

import re

from tree_sitter import Node

from rules.facts import (
    Branch,
    Call,
    Compare,
    Expression,
    Handler,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Unary,
    chain,
)
from rules.languages.lowering import Lowering, Origin

FAILURE = re.compile(r"(?!on[A-Z]|handle|set|clear|throw)(?:.*[a-z0-9](?:Err|Error)|.*_err|.*_error|err|error)s?\d*")
"""Names that tell whether something failed: `err`, `error2`, `insertError`, `isError`; never `onError`."""
LINKS = ("then", "catch", "finally")


def tells_failure(name: str | None) -> bool:
    return name is not None and FAILURE.fullmatch(name) is not None


def remember(low: Lowering, target: Expression, value: Expression | None, scope: Scope, declares: bool) -> None:
    """Notes which call a variable comes from, and whether it tells of that call's failure."""
    call = source(low, value, scope)
    if isinstance(target, Name):
        put(low, target.text, Origin(call, tells_failure(target.text)), scope, declares)
    elif isinstance(target, Object):
        for entry in target.entries:
            if isinstance(entry.value, Name):
                fails = tells_failure(entry.name) or tells_failure(entry.value.text)
                put(low, entry.value.text, Origin(call if fails else None, fails), scope, declares)
    elif isinstance(target, Sequence):
        for item in target.items:
            if isinstance(item, Name):
                fails = tells_failure(item.text)
                put(low, item.text, Origin(call if fails else None, fails), scope, declares)


def put(low: Lowering, name: str, origin: Origin, scope: Scope, declares: bool) -> None:
    if not declares:
        scope = next((outer for outer in chain(scope) if (outer, name) in low.origins), scope)
    low.origins[scope, name] = origin


def source(low: Lowering, value: Expression | None, scope: Scope) -> Call | None:
    """The call a value is the result of, directly or by way of a variable."""
    if isinstance(value, Call):
        return value
    if isinstance(value, Member):
        value = value.object
    if not isinstance(value, Name):
        return None
    origin = lookup(low, value.text, scope)
    return origin.call if origin is not None else None


def lookup(low: Lowering, name: str, scope: Scope) -> Origin | None:
    return next((low.origins[outer, name] for outer in chain(scope) if (outer, name) in low.origins), None)


def asked(low: Lowering, test: Expression, scope: Scope) -> tuple[Handler | None, bool]:
    """What handles the failure this test asks for, and whether the test holds on failure."""
    match test:
        case Name(text=name):
            origin = lookup(low, name, scope)
            if origin is not None and origin.call is not None and origin.fails:
                return Handler((), name, (origin.call,)), True
        case Member(object=Name() as result, name=name) if tells_failure(name):
            call = source(low, result, scope)
            if call is not None:
                return Handler((), "", (call,)), True
        case Unary(operator="not", value=value):
            handler, holds = asked(low, value, scope)
            return handler, not holds
        case Compare(operator="==" | "!=" as operator, left=left, right=Literal(value=None)):
            handler, holds = asked(low, left, scope)
            return handler, holds if operator == "!=" else not holds
        case Logical(left=left, right=right):
            return joined(asked(low, left, scope), asked(low, right, scope))
    return None, True


def joined(left: tuple[Handler | None, bool], right: tuple[Handler | None, bool]) -> tuple[Handler | None, bool]:
    """`a || b` and `a && b` ask for both failures; where the two disagree, the first decides."""
    one, other = left[0], right[0]
    if one is None:
        return right
    if other is None or left[1] is not right[1]:
        return left
    assert isinstance(one.guards, tuple)
    assert isinstance(other.guards, tuple)
    return Handler((), one.binds or other.binds, one.guards + other.guards), left[1]


def arm(low: Lowering, node: Node, scope: Scope, test: Expression, word: str, handler: Handler | None) -> Scope:
    """One arm of an `if`: a handler where failure arrives there, a branch elsewhere."""
    if handler is not None:
        return low.scope(Kind.HANDLER, node, scope, handler)
    return low.scope(Kind.BRANCH, node, scope, Branch(test, word))


def rejection(low: Lowering, callee: Expression, place: int, function: Node, scope: Scope) -> Scope:
    """The scope a function argument lies in: a handler for `.catch(f)` and the second argument of `.then(a, f)`."""
    if not isinstance(callee, Member) or (callee.name, place) not in (("catch", 0), ("then", 1)):
        return scope
    return low.scope(Kind.HANDLER, function, scope, Handler((), first_parameter(low, function), promised(low, callee, scope)))


def promised(low: Lowering, link: Member, scope: Scope) -> tuple[Call, ...]:
    """The calls whose failure arrives at this link of a promise chain, the first one first."""
    found: list[Call] = []
    receiver = link.object
    while isinstance(receiver, Call):
        found.append(receiver)
        callee = receiver.callee
        takes = len(receiver.arguments) > 1 or receiver.method == "catch"
        if not isinstance(callee, Member) or callee.name not in LINKS or takes:
            break
        receiver = callee.object
    if isinstance(receiver, Name):
        call = source(low, receiver, scope)
        found.extend([call] if call is not None else [])
    return tuple(reversed(found))


def first_parameter(low: Lowering, function: Node) -> str:
    """The name of a function's first parameter, empty where it has none or takes it apart."""
    one = function.child_by_field_name("parameter")
    if one is None:
        listing = function.child_by_field_name("parameters")
        one = next((child for child in listing.named_children if child.type != "comment"), None) if listing else None
        one = one.child_by_field_name("pattern") or one if one is not None else None
    return low.text(one) if one is not None and one.type == "identifier" else ""
