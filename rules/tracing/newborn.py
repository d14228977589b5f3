"""Rows that the function at hand has itself put into the store, or had put there for it: nobody else writes to them yet."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Name, Object, Scope, Unary, enclosing, fold
from rules.meaning.flow import exclusive, same_function
from rules.meaning.usage.counters import Counter
from rules.meaning.usage.emissions import is_local
from rules.meaning.values import definitions_at, root_of
from rules.tracing.spared import functions_behind

ADDS = frozenset("add addasync insert insertone create createasync save saveasync persist".split())
HOPS = 2
"""Through so many helpers the making of a row is followed."""


def of_new_row(code: Code, counter: Counter) -> bool:
    """`task = Task(charged=cost); db.add(task)`, and later `task.charged -= refunded`: no other request has that row."""
    root = root_of(counter.read) if counter.read is not None else None
    return isinstance(root, Name) and is_new(code, root, counter.scope, counter.span.start, HOPS)


def is_new(code: Code, row: Name, scope: Scope, at: int, hops: int) -> bool:
    """Whether all that a variable may hold at byte `at` was made and stored on the way there; nothing at all is no row."""
    known = [
        one for one in definitions_at(code.values, row.text, scope, at)
        if not is_nothing(one.value) and not exclusive(one.scope, scope)
    ]  # fmt: skip
    return bool(known) and all(
        one.how == "assign"
        and (
            (makes(one.value) and stored_between(code, row.text, scope, one.end, at))
            or (isinstance(one.value, Call) and hops > 0 and answers_new(code, one.value, hops - 1))
        )
        for one in known
    )


def is_nothing(value: Expression | None) -> bool:
    return isinstance(value, Literal) and value.value is None


def makes(value: Expression | None) -> bool:
    """`new Task(…)`, `Task(charged=cost)`, `&Task{…}`; elsewhere a call with a capital letter may be any function."""
    match value:
        case Call(constructs=True):
            return True
        case Call(callee=Name(text=text), arguments=given):
            return text[:1].isupper() and bool(given) and all(one.name is not None for one in given)
        case Object(type=kind) | Unary(value=Object(type=kind)):
            return bool(kind)
        case _:
            return False


def stored_between(code: Code, row: str, scope: Scope, start: int, end: int) -> bool:
    """Whether a store is handed the row as it was made: `db.add(row)`, `row.save()`."""
    return any(
        fold(call.method) in ADDS and start <= call.span.start < end and row in handed_names(call)
        for call in code.facts.calls
        if same_function(call.scope, scope) and not exclusive(call.scope, scope)
    )


def handed_names(call: Call) -> Iterator[str]:
    parts = (call.receiver, *(getattr(one.value, "value", one.value) for one in call.arguments))
    return (one.text for one in parts if isinstance(one, Name))


def answers_new(code: Code, call: Call, hops: int) -> bool:
    """Whether every function that a call may mean answers with a row that it has just stored, or with nothing."""
    own = code.values.functions.get(call.method, ()) if is_local(call, code.values) else ()
    found = tuple((code, one) for one in own) or tuple(functions_behind(code, call))
    return bool(found) and all(stores_and_answers(other, function, hops) for other, function in found)


def stores_and_answers(code: Code, function: Scope, hops: int) -> bool:
    given = [
        one for one in code.facts.returns
        if enclosing(one.scope, Kind.FUNCTION) is function and one.value is not None and not is_nothing(one.value)
    ]  # fmt: skip
    return bool(given) and all(
        isinstance(one.value, Name) and is_new(code, one.value, one.scope, one.span.start, hops) for one in given
    )
