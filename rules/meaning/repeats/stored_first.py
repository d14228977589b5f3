"""Work that only the first of several runs comes to: the row stored before it is refused to all others."""

from rules.code import Code
from rules.facts import (
    Branch,
    Compare,
    Expression,
    Handler,
    Kind,
    Literal,
    Raise,
    Return,
    Scope,
    Unary,
    enclosing,
    name_of,
    walk,
    within,
)
from rules.meaning.flow import exclusive
from rules.meaning.limits.limits import leaves, operands
from rules.meaning.outcomes import DUPLICATE, Outcome, outcome
from rules.meaning.repeats.claims import INSERTS
from rules.meaning.vocabulary import words


def stored_first(code: Code, scope: Scope, at: int) -> bool:
    """Whether an insert before a place leaves the function where the row is there already.

    `try { await db.insert(row) } catch (e) { if (e.code === "23505") return; throw e }`.
    """
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and any(
        one.kind is Kind.HANDLER
        and enclosing(one, Kind.FUNCTION) is function
        and one.span.end <= at
        and not exclusive(one, scope)
        and inserts(code, one)
        and ends_for_duplicate(code, one)
        for one in code.facts.scopes
    )


def inserts(code: Code, handler: Scope) -> bool:
    tried = handler.head.guards if isinstance(handler.head, Handler) else None
    return isinstance(tried, Scope) and any(call.method.lower() in INSERTS for call in code.calls_in(tried))


def ends_for_duplicate(code: Code, handler: Scope) -> bool:
    """Whether the store's answer that a row is there ends the function, and every other failure leaves it as an error."""
    if outcome(code.facts, handler) is not Outcome.DUPLICATE_ONLY:
        return False
    return never_passed(code, handler) or any(
        isinstance(one.head, Branch) and within(one, handler) and takes_duplicate(one.head) and leaves(code.facts, one)
        for one in code.facts.scopes
    )


def never_passed(code: Code, handler: Scope) -> bool:
    """Whether no path goes on after the handler: its own last words leave, whatever was tested before them."""
    around = (Kind.BRANCH, Kind.LOOP, Kind.TRY, Kind.HANDLER, Kind.FUNCTION)
    ends: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    return any(enclosing(one.scope, *around) is handler for one in ends)


def takes_duplicate(head: Branch) -> bool:
    """`if (error.code === "23505")`, `if (isUniqueViolation(error))`, and the `else` of their opposites."""
    tested = operands(head.test) if head.test is not None else ()
    return any(says_duplicate(one) and denies(one) is (head.arm == "else") for one in tested)


def says_duplicate(operand: Expression) -> bool:
    said = (str(part.value) if isinstance(part, Literal) else name_of(part) for part in walk(operand))
    return any(DUPLICATE & {text.lower(), *words(text)} for text in said)


def denies(operand: Expression) -> bool:
    """`error.code !== "23505"`, `not is_duplicate(error)`: what holds for every failure but the duplicate."""
    return isinstance(operand, Unary | Compare) and operand.operator in ("not", "!=", "not in")
