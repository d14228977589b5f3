"""Writes of usage whose failure bills nobody too little: the work is left undone with them, or nobody is there to pay."""

from rules.code import Code
from rules.facts import Branch, Call, Handler, Kind, Literal, Name, Scope, Start, Use, chain, dotted, enclosing, within
from rules.meaning.limits.gates import refuses, test_of
from rules.meaning.limits.limits import leaves, said_by
from rules.meaning.outcomes import answers, logs
from rules.meaning.usage.quantities import is_quantity
from rules.meaning.usage.work import is_work
from rules.meaning.usage.writes import UsageWrite
from rules.meaning.vocabulary import CONSUME_VERBS, consumes, emits, words


def served_after(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """Whether what is charged for comes after the charge in the same try, only where the charge says yes: if it fails, nothing
    is served.

    `try { if (!(await deductCredit(user))) return refuse(); return await draw(prompt) } catch (e) { log(e) }`.
    """
    tried = handler.head.guards if isinstance(handler.head, Handler) else None
    call = write.call
    if call is None or not isinstance(tried, Scope) or not consumes(call.method):
        return False
    test = test_of(code, call)
    if test is None or not within(test.scope, tried) or test.then is None:
        return False
    if not refuses(test) or not leaves(code.facts, test.then):
        return False
    later = (one for one in code.calls_in(tried) if one.span.start >= test.then.span.end)
    served = [one for one in later if serves(code, one)]
    function = enclosing(handler, Kind.FUNCTION, Kind.MODULE)
    done = any(is_work(one) for one in code.calls_in(function) if one.span.end <= call.span.start)
    return bool(served) and not done and not goes_on(code, handler, served)


def serves(code: Code, call: Call) -> bool:
    """Whether a call does something whose end is waited for or handed back: `await draw(prompt)`, `return draw(prompt)`."""
    ends = call.start is Start.AWAITED or call.use is Use.RETURNED or not code.facts.traits.promises
    return ends and not logs(call) and not answers(call)


def goes_on(code: Code, handler: Scope, served: list[Call]) -> bool:
    """Whether the function serves in the handler or after it what the failed charge was for."""
    if any(is_work(one) or any(repeats(one, other) for other in served) for one in code.calls_in(handler)):
        return True
    if leaves(code.facts, handler):
        return False
    function = enclosing(handler, Kind.FUNCTION, Kind.MODULE)
    return any(
        one.span.start >= handler.span.end and serves(code, one) and enclosing(one.scope, Kind.HANDLER, Kind.FINALLY) is None
        for one in code.calls_in(function)
    )


def repeats(call: Call, other: Call) -> bool:
    """Whether the same is made of the same once more: `return draw(prompt)`; a `send` on the same socket only tells of it."""
    made = call.method == other.method and call.use in (Use.RETURNED, Use.ASSIGNED)
    return made and bool(names_given(call) & names_given(other))


def without_payer(code: Code, call: Call) -> bool:
    """Whether a write is what is left to count where the payer is not known: `if (key) book(key, account) else count(account)`.

    All that it counts for is noted beside the payer where there is one, so it is not what is billed. What charges somebody
    has found its payer.
    """
    if CONSUME_VERBS & set(words(call.method)):
        return False
    for scope in chain(call.scope):
        if scope.kind is Kind.FUNCTION:
            return False
        head = scope.head
        if isinstance(head, Branch) and head.arm == "else" and isinstance(head.test, Name):
            payer, mine = head.test.text, counted_for(call)
            if not mine or payer in mine:
                return False
            return any({payer} | mine <= names_given(one) for one in booked_for(code, head.test))
    return False


def booked_for(code: Code, payer: Name) -> list[Call]:
    """The bookings of the arm that is taken where the payer is known."""
    arms = [test.then for test in code.facts.tests if test.value is payer and test.then is not None]
    return [one for arm in arms for one in code.calls_in(arm) if emits(one.method) or consumes(one.method)]


def counted_for(call: Call) -> frozenset[str]:
    """What a call is given that is no amount: whom or what it counts for. What has no name is nobody that is known."""
    given = (one.value for one in call.arguments if not isinstance(one.value, Literal))
    return frozenset(dotted(one) for one in given if not is_quantity(said_by(one)))


def names_given(call: Call) -> frozenset[str]:
    return frozenset(dotted(one.value) for one in call.arguments) - {""}
