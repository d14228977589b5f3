"""Usage that a module holds in a list or map of its own: who adds to it, and whether its entries are usage."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Expression, Index, Kind, Literal, Member, Name, Object, Scope, enclosing, walk
from rules.meaning.vocabulary import names_used, words


def additions(code: Code, name: str) -> Iterator[Scope]:
    """The functions that add to a container."""
    for call in code.facts.calls:
        if isinstance(call.receiver, Name) and call.receiver.text == name and enclosing(call.scope, Kind.FUNCTION):
            yield call.scope
    for assign in code.facts.assigns:
        added = any(root_name(target) == name and isinstance(target, Index | Member) for target in assign.targets)
        if added and enclosing(assign.scope, Kind.FUNCTION):
            yield assign.scope


def root_name(expression: Expression) -> str:
    while isinstance(expression, Index | Member):
        expression = expression.object
    return expression.text if isinstance(expression, Name) else ""


def holds_usage(code: Code, name: str) -> bool:
    """By the container's name, or because its entries are counted up: `tokens[id]["used"] += n`."""
    if {"usage", "usages"} & set(words(name)) and {"event", "events", "store", "records", "log", "ledger"} & set(words(name)):
        return True
    return code.billing and any(counts_up(code, assign, name) for assign in code.facts.assigns)


def key_of(target: Index | Member) -> str:
    if isinstance(target, Member):
        return target.name
    return str(target.key.value) if isinstance(target.key, Literal) else ""


def counts_up(code: Code, assign: Assign, name: str) -> bool:
    target = assign.targets[0]
    if root_name(target) != name or not isinstance(target, Index | Member):
        return False
    if assign.operator in ("+=", "-="):
        return names_used(key_of(target)) or bool({"usage", "credits", "quota"} & set(words(name)))
    return any(
        entry.name is not None and entry.name == "used"
        for part in walk(assign.value)
        if isinstance(part, Object)
        for entry in part.entries
    ) and bool({"usage", "credits", "quota"} & set(words(name)))
