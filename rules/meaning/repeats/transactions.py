"""Which statements share one database transaction, and through which handle they must run."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Kind, Member, Name, Scope, Span, With, chain, dotted, enclosing, fold, walk
from rules.meaning.flow import TRANSACTIONS

OPENS = TRANSACTIONS | frozenset("begin begintx starttransaction begintransaction begin_nested unitofwork".split())
OPENED_BY_HAND = frozenset("begin begintx starttransaction begintransaction beginx begintxx".split())


def transaction_of(code: Code, scope: Scope) -> Scope | None:
    """The innermost scope around this one that is one transaction: a callback, a `with` block, or a function that opens one."""
    for outer in chain(scope):
        head = outer.head
        if isinstance(head, With) and any(opens(name) for item in head.items for name in called(item)):
            return outer
        if isinstance(head, Function):
            marked = any(opens(name) for mark in head.decorators for name in called(mark))
            if marked or opens(head.passed_to) or begun(code, outer):
                return outer
    return None


def shared(code: Code, one: Scope, other: Scope) -> bool:
    """Whether two statements are kept or undone together."""
    around = transaction_of(code, one)
    return around is not None and around is transaction_of(code, other)


def listed_together(code: Code, one: Span, other: Span) -> bool:
    """Whether two statements are items of one list that is a transaction: `prisma.$transaction([…, …])`."""
    return any(call.span.holds(one) and call.span.holds(other) and opens(call.name) for call in code.facts.calls)


def begun(code: Code, function: Scope) -> bool:
    return any(
        fold(call.method) in OPENED_BY_HAND and enclosing(call.scope, Kind.FUNCTION) is function and "." in call.name
        for call in code.calls_in(function)
    )


def opens(name: str) -> bool:
    *before, last = fold(name).split(".")
    return last.lstrip("$") in OPENS or (bool(before) and f"{before[-1]}.{last}" in OPENS)


def called(item: Expression) -> Iterator[str]:
    for part in walk(item):
        if isinstance(part, Call):
            yield part.name
        elif isinstance(part, Name | Member):
            yield dotted(part)
