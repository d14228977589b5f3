"""Differences that are billed or granted, and that fall below zero where more was free, left or given than was used."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Branch,
    Call,
    Compare,
    Expression,
    Function,
    Index,
    Kind,
    Member,
    Name,
    Scope,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.limits.limits import said_by
from rules.meaning.vocabulary import words

BILLED = frozenset("billed billable chargeable charged overage excess payable paid topup purchased".split())
AMOUNTS = frozenset("units unit quantity amount credits credit usage tokens minutes calls seats count value".split())
TAKEN = frozenset("free included allowance granted quota limit balance prepaid covered threshold".split())
FLOORS = frozenset("max clamp abs positive".split())
THROUGH = frozenset("str int float decimal round string number tostring tofixed bigdecimal ceil floor".split())


def unfloored(code: Code) -> Iterator[tuple[Binary, Scope, str]]:
    """`billed_units = value - free_units`, and what `paid_credits` returns: the difference, its scope, and what it makes."""
    for assign in code.facts.assigns:
        name = said_by(assign.targets[0]) if assign.targets and assign.operator == "=" else ""
        found = difference(assign.value) if is_amount(name) else None
        if found is not None and open_below(code, found, assign.scope) and not bounded_later(code, name, assign.scope):
            yield found, assign.scope, name
    for one in code.facts.returns:
        function = enclosing(one.scope, Kind.FUNCTION)
        name = function.head.name if function is not None and isinstance(function.head, Function) else ""
        found = difference(one.value) if is_amount(name) else None
        if found is not None and open_below(code, found, one.scope) and not bounded_later(code, name, code.facts.root):
            yield found, one.scope, name


def is_amount(name: str) -> bool:
    said = set(words(name))
    return bool(said & BILLED and said & AMOUNTS)


def difference(value: Expression | None) -> Binary | None:
    """A subtraction of something that may be larger, through conversions."""
    while isinstance(value, Call) and fold(value.method) in THROUGH and len(value.arguments) == 1:
        value = value.arguments[0].value
    plain = isinstance(value, Binary) and value.operator == "-" and isinstance(value.right, Name | Member | Index | Call)
    return value if plain and isinstance(value, Binary) and TAKEN & set(words(said_by(value.right))) else None


def open_below(code: Code, found: Binary, scope: Scope) -> bool:
    """Whether nothing in the function asks which of the two is larger, or puts a floor under them."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None or not code.billing or called_above(code, found, function):
        return False
    mine = {said_by(found.left), said_by(found.right)} - {""}
    for test in code.facts.tests:
        if within(test.scope, function) and any(mine & {said_by(part)} for part in walk(test.value) if is_named(part)):
            return False
    compares = (part for one in code.facts.returns if within(one.scope, function) for part in walk(one.value))
    if any(isinstance(part, Compare) and mine & {said_by(part.left), said_by(part.right)} for part in compares):
        return False
    return not any(fold(call.method) in FLOORS for call in code.calls_in(function))


def called_above(code: Code, found: Binary, function: Scope) -> bool:
    """Whether each call of the function in its file stands behind a test of what is taken off: nobody else is to call it."""
    head = function.head
    name = head.name if isinstance(head, Function) else ""
    taken = said_by(found.right)
    calls = [call for call in code.facts.calls if name and call.method == name and not within(call.scope, function)]
    return bool(calls) and all(
        any(
            isinstance(one.head, Branch) and one.head.test is not None
            and any(is_named(part) and said_by(part) == taken for part in walk(one.head.test))
            for one in chain(call.scope)
        )
        for call in calls
    )  # fmt: skip


def is_named(part: Expression) -> bool:
    return isinstance(part, Name | Member | Index | Call)


def bounded_later(code: Code, name: str, scope: Scope) -> bool:
    """`return 0 if billed_units < 0` after it; of what a function returns, anywhere in the file."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    return function is not None and any(
        within(test.scope, function) and any(is_named(part) and said_by(part) == name for part in walk(test.value))
        for test in code.facts.tests
    )
