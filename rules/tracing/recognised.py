"""Whether the function that a consumer calls tells a repeat itself, or writes only what is not there yet."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Branch, Call, Compare, Expression, Kind, Logical, Name, Scope, Unary, enclosing, fold, walk, within
from rules.meaning.limits.limits import leaves
from rules.meaning.repeats.presence import LOOKS
from rules.meaning.repeats.recognition import tells_repeats
from rules.meaning.repeats.redelivery import Delivery
from rules.meaning.usage.emissions import own_functions
from rules.meaning.values import root_of
from rules.tracing.standing import meant, scope_of, standing

MEMBERSHIP = frozenset("has includes contains containskey some any exists include member".split())
FETCHES = (*LOOKS, "retrieve", "list", "read")
HOPS = 3
"""Names between what is asked and what was fetched: `new Set(subscription.items.map(…))`."""


def recognised_inside(code: Code, delivery: Delivery, call: Call) -> bool:
    """One call deep: what the callee asks before it writes holds for each delivery."""
    for there, function in callees(code, call):
        inner = Delivery(function, (function,), (), delivery.sure, delivery.webhook)
        if tells_repeats(there, inner, function) or adds_missing(there, function):
            return True
    return False


def callees(code: Code, call: Call) -> Iterator[tuple[Code, Scope]]:
    """The functions that a call means, in this file or where another one that is at hand has them."""
    functions = own_functions(call, code.values)
    if functions:
        yield from ((code, one) for one in functions[:1] if len(functions) == 1)
        return
    found = standing(code, call.span.line)
    if found is None:
        return
    graph, node = found
    for callee in meant(graph, node, (call.method,)):
        routine = graph.routine(callee)
        there = code.elsewhere.code_of(routine.path) if routine is not None else None
        if routine is not None and there is not None and (place := scope_of(there, routine)) is not None:
            yield there, place[0]


def adds_missing(code: Code, function: Scope) -> bool:
    """`if (existing.has(key)) return` or `if (!existing.has(key)) items.push(…)`, asked of what was just fetched."""
    for branch in code.facts.scopes:
        if not isinstance(branch.head, Branch) or branch.head.test is None or branch.head.arm == "else":
            continue
        if not within(branch, function) or enclosing(branch, Kind.FUNCTION) is not function:
            continue
        left = leaves(code.facts, branch)
        for holder, present in asked_of(branch.head.test, True):
            if present is left and is_fetched(code, holder, HOPS):
                return True
    return False


def asked_of(test: Expression, holds: bool) -> Iterator[tuple[Expression, bool]]:
    """What a test asks for a member, and whether it holds where there is one."""
    if isinstance(test, Unary) and test.operator == "not":
        yield from asked_of(test.value, not holds)
    elif isinstance(test, Logical):
        yield from asked_of(test.left, holds)
        yield from asked_of(test.right, holds)
    elif isinstance(test, Call) and fold(test.method) in MEMBERSHIP and test.receiver is not None:
        yield test.receiver, holds
    elif isinstance(test, Compare) and test.operator in ("in", "not in"):
        yield test.right, holds is (test.operator == "in")


def is_fetched(code: Code, value: Expression, hops: int) -> bool:
    """Whether a value is made of something that was looked up."""
    root = root_of(value)
    if hops == 0 or not isinstance(root, Name):
        return False
    return any(
        (isinstance(part, Call) and "." in part.name and fold(part.method).startswith(FETCHES))
        or (isinstance(part, Name) and part.text != root.text and is_fetched(code, part, hops - 1))
        for one in code.values.definitions.get(root.text, ())
        for part in walk(one.value)
    )
