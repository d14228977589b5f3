"""Rows of one operation that the function at hand has itself put into the store, or had put there for it.

What is assumed: such a row is written by the operation that it stands for, as long as that runs. A row of a user or an
account is found by the next request of theirs as soon as it is committed, whoever made it.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Name, Object, Scope, Unary, enclosing, fold
from rules.meaning.flow import exclusive, same_function
from rules.meaning.repeats.claims import INSERTS
from rules.meaning.usage.counters import Counter
from rules.meaning.values import definitions_at, root_of
from rules.meaning.vocabulary import words
from rules.tracing.spared import functions_meant

STORING = INSERTS | {"persist"}
OPERATIONS = frozenset("hold task job reservation run operation execution attempt".split())
"""How the class of a row ends that stands for one piece of work: no other request asks for it."""
HOPS = 2
"""Through so many helpers the making of a row is followed."""


def of_new_row(code: Code, counter: Counter) -> bool:
    """`task = Task(charged=cost); db.add(task)`, and later `task.charged -= refunded`; not so of a `Wallet(user_id=…)`."""
    root = root_of(counter.read) if counter.read is not None else None
    return isinstance(root, Name) and is_new(code, root, counter.scope, counter.span.start, HOPS)


def is_new(code: Code, row: Name, scope: Scope, at: int, hops: int) -> bool:
    """Whether all that a variable may hold at byte `at` was made and stored on the way there; nothing at all is no row."""
    known = [
        one for one in definitions_at(code.values, row.text, scope, at)
        if not answers_none(one.value) and not exclusive(one.scope, scope)
    ]  # fmt: skip
    return bool(known) and all(
        one.how == "assign"
        and (
            (is_operation(one.value) and stored_between(code, row.text, scope, one.end, at))
            or (isinstance(one.value, Call) and hops > 0 and answers_new(code, one.value, hops - 1))
        )
        for one in known
    )


def answers_none(value: Expression | None) -> bool:
    return isinstance(value, Literal) and value.value is None


def is_operation(value: Expression | None) -> bool:
    """Whether a value is a new row of one operation: `CreditHold(user_id=…)`."""
    return bool(OPERATIONS & set(words(made(value))[-1:]))


def made(value: Expression | None) -> str:
    """The class of `new Task(…)`, `Task(charged=cost)`, `&Task{…}`; elsewhere a call with a capital may be any function."""
    match value:
        case Call(constructs=True, method=kind):
            return kind
        case Call(callee=Name(text=kind), arguments=given):
            named = bool(given) and all(one.name is not None for one in given)
            return kind if kind[:1].isupper() and named else ""
        case Object(type=kind) | Unary(value=Object(type=kind)):
            return kind.rpartition(".")[2]
        case _:
            return ""


def stored_between(code: Code, row: str, scope: Scope, start: int, end: int) -> bool:
    """Whether a store is handed the row as it was made: `db.add(row)`, `row.save()`."""
    return any(
        fold(call.method).removesuffix("async") in STORING and start <= call.span.start < end and row in handed_names(call)
        for call in code.facts.calls
        if same_function(call.scope, scope) and not exclusive(call.scope, scope)
    )


def handed_names(call: Call) -> Iterator[str]:
    """The names of what a call is made on and given, `&row` by `row`."""
    for part in (call.receiver, *(one.value for one in call.arguments)):
        inner = part.value if isinstance(part, Unary) else part
        if isinstance(inner, Name):
            yield inner.text


def answers_new(code: Code, call: Call, hops: int) -> bool:
    """Whether every function that a call may mean answers with a row that it has just stored, or with nothing."""
    found = functions_meant(code, call)
    return bool(found) and all(stores_and_answers(other, function, hops) for other, function in found)


def stores_and_answers(code: Code, function: Scope, hops: int) -> bool:
    given = [
        one for one in code.facts.returns
        if enclosing(one.scope, Kind.FUNCTION) is function and one.value is not None and not answers_none(one.value)
    ]  # fmt: skip
    return bool(given) and all(
        isinstance(one.value, Name) and is_new(code, one.value, one.scope, one.span.start, hops) for one in given
    )
