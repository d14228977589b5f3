"""Work that only the first of several runs comes to: the row stored before it is refused to all others."""

from rules.code import Code
from rules.facts import Branch, Handler, Kind, Literal, Scope, enclosing, name_of, walk, within
from rules.meaning.flow import exclusive
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import DUPLICATE, Outcome, catches_duplicate, outcome
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
    if catches_duplicate(handler):
        return leaves(code.facts, handler)
    return any(
        isinstance(one.head, Branch) and within(one, handler) and says_duplicate(one.head) and leaves(code.facts, one)
        for one in code.facts.scopes
    )


def says_duplicate(head: Branch) -> bool:
    """`error.code === "23505"`, `isUniqueViolation(error)`; not its `else`."""
    said = (str(part.value) if isinstance(part, Literal) else name_of(part) for part in walk(head.test))
    return head.arm != "else" and any(DUPLICATE & {text.lower(), *words(text)} for text in said)
