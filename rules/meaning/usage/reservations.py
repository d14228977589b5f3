"""Usage that is taken in advance: who takes it, who gives it back or settles it, and which ways out do neither."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Handler,
    Kind,
    Lambda,
    Literal,
    Name,
    Raise,
    Return,
    Scope,
    Sequence,
    Start,
    chain,
    enclosing,
    walk,
    within,
)
from rules.meaning.flow import exclusive
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import reports
from rules.meaning.usage.losses import gives_back
from rules.meaning.vocabulary import BILLING_NOUNS, consumes, words

RESERVES = frozenset("reserve hold acquire preconsume consume deduct decrement charge prededuct".split())
CHALLENGES = frozenset("captcha recaptcha hcaptcha turnstile csrf nonce otp invite invitation verification password".split())
"""What is consumed once to let somebody in is no usage, and neither is one token."""
ADVANCE = frozenset("reserve hold preconsume prededuct precharge".split())
"""Of these, the ones that by their name are to be settled later."""
GIVES_BACK = frozenset("refund release restore return rollback revert unreserve compensate giveback".split())
SETTLES = frozenset("settle finalize commit capture postconsume".split())
UNDOES = frozenset(
    "refund refunded rollback release revert restore reconcile compensate unreserve undo cancel void settle abort cleanup "
    "safety".split()
)
"""Words of functions that clear up after a failure, whatever they are called."""
RESERVED = BILLING_NOUNS | {"reservation", "consumed", "reserved", "hold"}
HOPS = 3
FAILED = re.compile(
    r"status(code|_code)?\b(\(\))?\s*\)?\s*(!=|!==|>=?|not in)|!\s*\(?[\w.?]+\.(ok|is_?success(ful)?)\b|"
    r"\bnot\s+[\w.]+\.ok\b|\bis_?error\b",
    re.I,
)
"""Tests by which code finds out that an answer is a refusal: `resp.StatusCode != 200`, `!response.ok`."""

Exit = Return | Raise


def reserves(call: Call) -> bool:
    first, said = leading(call)
    if CHALLENGES & set(words(call.name)) or said & BILLING_NOUNS == {"token"}:
        return False
    return first in RESERVES and (consumes(call.method) or bool(said & BILLING_NOUNS)) and not gives_back(call)


def in_advance(call: Call) -> bool:
    """Whether the name says that the amount is only an estimate for now: `preConsumeQuota`, `reserveCredits`."""
    said = words(call.method)
    return bool(said) and (said[0] == "pre" or said[0] in ADVANCE)


def leading(call: Call) -> tuple[str, frozenset[str]]:
    """The verb of a name behind `pre`, and all its words."""
    said = words(call.method)
    first = said[1] if said[:1] == ("pre",) and len(said) > 1 else said[0] if said else ""
    return first, frozenset(said)


def gives_usage_back(call: Call) -> bool:
    """`ReturnPreConsumedQuota`, `refundCredits`, `reservation.release()`, `consume(-n)`."""
    said = words(call.method)
    if not said:
        return False
    named = said[0] in GIVES_BACK and (bool(set(said) & RESERVED) or on_reservation(call))
    return named or (gives_back(call) and consumes(call.method))


def compensates(call: Call) -> bool:
    """Whether a call's name says in whatever way that something is undone: `goAudioRollbackPreConsumed`, `reconcileFailure`."""
    return bool(UNDOES & set(words(call.method))) or gives_usage_back(call) or settles(call)


def on_reservation(call: Call) -> bool:
    return any({"reservation", "hold", "credits", "quota"} & set(words(segment)) for segment in call.name.split(".")[:-1])


def settles(call: Call) -> bool:
    """`PostConsumeQuota`, `settleReservation`, `reservation.commit()`: the true amount takes the place of the estimate."""
    said = words(call.method)
    if not said or gives_back(call):
        return False
    first = "postconsume" if said[:2] == ("post", "consume") else said[0]
    return first in SETTLES and (bool(set(said) & RESERVED) or on_reservation(call))


def may_give_back(call: Call, amounts: frozenset[str]) -> bool:
    """Whether a call of unknown effect may settle the reservation: it says so somewhere in its name, or is given the amount.

    `scheduleConservativeRefund(c, preConsumed)`, `reconcileFailedBilling(…)`, `defer billingSafetyNet(c)`.
    """
    if reports(call):
        return False
    if (GIVES_BACK | SETTLES | UNDOES) & set(words(call.method)):
        return True
    return any(isinstance(part, Name) and part.text in amounts for one in call.arguments for part in walk(one.value))


def amounts_of(taken: Call) -> frozenset[str]:
    """The variables that hold what was taken: what the call is given or answers, where their names speak of it."""
    named = [*taken.targets, *(argument.value for argument in taken.arguments)]
    names = {part.text for one in named for part in walk(one) if isinstance(part, Name)}
    return frozenset(name for name in names if RESERVED & set(words(name)) and words(name)[-1] not in ("id", "err", "error"))


def passes_amount(one: Exit) -> bool:
    """`return nil, charged, err`: the caller is told how much was taken, and can give it back."""
    told = {"charged", "reserved", "consumed", "reservation", "hold", "deducted"}
    return any(isinstance(part, Name) and told & set(words(part.text)) for part in walk(one.value))


def caught_and_undone(code: Code, one: Exit) -> bool:
    """A `throw` inside a `try` whose own handler gives back."""
    if not isinstance(one, Raise):
        return False
    function = enclosing(one.scope, Kind.FUNCTION)
    for handler in code.facts.scopes:
        guards = handler.head.guards if isinstance(handler.head, Handler) else None
        caught = isinstance(guards, Scope) and within(one.scope, guards) and enclosing(guards, Kind.FUNCTION) is function
        if caught and any(compensates(call) for call in code.calls_in(handler)):
            return True
    return False


def covers_all(code: Code, call: Call, function: Scope) -> bool:
    """A release in `finally`, or in a `defer` that stands in no branch, is on every way out."""
    if enclosing(call.scope, Kind.FINALLY, Kind.FUNCTION) is not enclosing(call.scope, Kind.FUNCTION):
        return True
    deferred = placed(code, call, function)
    return deferred is not None and deferred.start is Start.DEFERRED and deferred.scope is function


def placed(code: Code, call: Call, function: Scope) -> Call | None:
    """The statement of the function that a call belongs to: itself, or the one whose closure it lies in."""
    for _ in range(HOPS):
        inner = enclosing(call.scope, Kind.FUNCTION)
        if inner is function:
            return call
        outer = next((one for one in code.facts.calls if carries(one, inner)), None)
        if outer is None:
            return None
        call = outer
    return None


def carries(call: Call, inner: Scope | None) -> bool:
    values = (call.callee, *(argument.value for argument in call.arguments))
    return any(isinstance(value, Lambda) and value.scope is inner for value in values)


def leaving(code: Code, function: Scope) -> Iterator[Exit]:
    exits: tuple[Exit, ...] = (*code.facts.returns, *code.facts.raises)
    for one in exits:
        if enclosing(one.scope, Kind.FUNCTION) is function and one.scope is not function:
            yield one


def failing_exits(code: Code, taken: Call, function: Scope) -> Iterator[Exit]:
    """In source order: what leaves the function past the reservation because something failed."""
    own = handlers_of(code, taken, taken)
    for one in sorted(leaving(code, function), key=lambda exit: exit.span.start):
        handler = enclosing(one.scope, Kind.HANDLER, Kind.FUNCTION)
        handled = handler is not None and isinstance(handler.head, Handler)
        if one.span.start <= taken.span.end or exclusive(taken.scope, one.scope) or not (handled or refused(code, one)):
            continue
        if left_behind(code, taken, one):
            continue
        guards = handler.head.guards if handler is not None and isinstance(handler.head, Handler) else None
        guarded = isinstance(guards, Scope) and within(taken.scope, guards)
        if handler not in own and not guarded:
            yield one


def left_behind(code: Code, taken: Call, one: Exit) -> bool:
    """Whether what takes lies in a branch that always leaves the function before it gets to this exit."""
    return any(
        scope.kind is Kind.BRANCH
        and scope.span.end <= one.span.start
        and not within(one.scope, scope)
        and ends(code, scope, taken.span.end)
        for scope in chain(taken.scope)
    )


def ends(code: Code, block: Scope, start: int) -> bool:
    """Whether every way through a block leaves the function behind byte `start`."""
    exits: tuple[Exit, ...] = (*code.facts.returns, *code.facts.raises)
    if any(one.scope is block and one.span.start >= start for one in exits):
        return True
    return any(
        tried.kind is Kind.TRY
        and tried.parent is block
        and ends(code, tried, start)
        and all(ends(code, handler, start) for handler in code.facts.scopes if guards(handler, tried))
        for tried in code.facts.scopes
    )


def guards(handler: Scope, tried: Scope) -> bool:
    return isinstance(handler.head, Handler) and handler.head.guards is tried


def refused(code: Code, one: Exit) -> bool:
    """A way out in the branch of an answer that is no success."""
    head = one.scope.head
    if not isinstance(head, Branch) or head.arm != "then" or head.test is None or succeeds(one):
        return False
    return FAILED.search(code.facts.text(head.test.span)) is not None


def succeeds(one: Exit) -> bool:
    """Go's `return nil` and `return x, nil`."""
    if isinstance(one, Raise):
        return False
    last = one.value.items[-1] if isinstance(one.value, Sequence) and one.value.items else one.value
    return last is None or (isinstance(last, Literal) and last.value is None)


def on_way(call: Call, one: Exit) -> bool:
    """Whether a release runs before this exit: earlier in the same branch, or in its value."""
    branches = (scope for scope in chain(call.scope) if scope.kind in (Kind.BRANCH, Kind.HANDLER))
    inside = call.span.end <= one.span.start and any(within(one.scope, branch) for branch in branches)
    return inside or any(part is call for part in walk(one.value))
