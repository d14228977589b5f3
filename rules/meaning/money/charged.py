"""Whether an amount goes to somebody's charge, balance or bill, and not to a statistic or a check."""

import re

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Member,
    Object,
    Scope,
    Span,
    dotted,
    enclosing,
    name_of,
    outermost_function,
    walk,
    within,
)
from rules.meaning.money.drift import charges
from rules.meaning.money.names import MONEY
from rules.meaning.subjects import name_around
from rules.meaning.times.fates import uses_of
from rules.meaning.vocabulary import words

TAKEN = MONEY | frozenset("cents unit total subtotal credits tokens quota due paid refunded minor payment payout limit".split())
"""Words of what somebody is charged, owes, has or may spend."""
SPENDS = frozenset("transfer credit debit deduct charge refund payout pay bill invoice withdraw topup deposit money".split())
COUNTS = frozenset(
    "stat stats statistic statistics metric metrics gauge counter incr increment analytics track log logger debug info warn "
    "error dashboard report summary histogram observe print printf format json expected verify check".split()
)
"""Words of what only counts or tells."""


ANSWER = frozenset("response responses dto view views serializer resource presenter schema out preview listing".split())
"""Words of what is made to be looked at."""
ASKED = re.compile(r"(^|\.)(get|head|getmapping|httpget)$", re.I)


def is_charged(code: Code, call: Call) -> bool:
    """Whether the value that a call gives is put into a field of money, or handed to what charges somebody."""
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    names = {name_of(target) for target in call.targets} - {""}
    return any(taken(code, use, function, names) for use in (call.span, *uses_of(code, set(), call.span, function)))


def taken(code: Code, use: Span, function: Scope, names: set[str]) -> bool:
    around = [one for one in code.facts.calls if one.span != use and given(one, use) and within(one.scope, function)]
    if any(COUNTS & said_by(one) for one in around):
        return False
    if any(pays(one) for one in around) or (in_field(code, use, function) and not only_answers(code, around, function)):
        return True
    return kept(code, use, function) or handed_back(code, use, function, names)


def only_answers(code: Code, around: list[Call], function: Scope) -> bool:
    """Whether a field is that of an answer: of what is called one, or in a route that is only asked for something."""
    if any(ANSWER & set(words(one.method)) for one in around):
        return True
    head = outermost(function).head
    if not isinstance(head, Function):
        return False
    marks = [*head.decorators, head.passed_to, head.name if head.name == "GET" else ""]
    return any(ASKED.search(mark if isinstance(mark, str) else mark_name(mark)) for mark in marks)


def mark_name(mark: Expression) -> str:
    return mark.name if isinstance(mark, Call) else dotted(mark)


def outermost(function: Scope) -> Scope:
    return outermost_function(function) or function


def given(call: Call, use: Span) -> bool:
    return any(one.span.holds(use) for one in call.arguments)


def said_by(call: Call) -> frozenset[str]:
    """Of the method and of what stands right before it; of a chain, the rest says what came earlier."""
    return frozenset(word for part in call.name.split(".")[-2:] for word in words(part))


def pays(call: Call) -> bool:
    """`wallet.debit(cents)`, `charge_customer(cents)`, `Transfer.create(cents)`, `Money.setAmount(cents)`."""
    return charges(call.method) or bool(SPENDS & said_by(call)) or (set(words(call.method)[:1]) == {"set"} and bool(
        MONEY & set(words(call.method))
    ))  # fmt: skip


def in_field(code: Code, use: Span, function: Scope) -> bool:
    """`{ unit_amount: cents }`, `amount=cents`: the nearest name that it stands under is one of money."""
    named = [
        (one.span, one.name) for call in code.facts.calls if within(call.scope, function)
        for one in call.arguments if one.name and one.span.holds(use)
    ]  # fmt: skip
    named += [
        (entry.value.span, entry.name)
        for whole, scope in code.expressions if whole.span.holds(use) and within(scope, function)
        for part in walk(whole) if isinstance(part, Object)
        for entry in part.entries if entry.name and entry.value.span.holds(use)
    ]  # fmt: skip
    nearest = min(named, key=lambda one: one[0].end - one[0].start, default=None)
    return nearest is not None and bool(set(words(nearest[1])) & TAKEN)


def kept(code: Code, use: Span, function: Scope) -> bool:
    """`order.total_amount = cents`, `account["balance"] -= cents`."""
    return any(
        one.value is not None and one.value.span.holds(use) and within(one.scope, function)
        and any(isinstance(target, Member | Index) and spoken_by(target) & TAKEN for target in one.targets)
        for one in code.facts.assigns
    )  # fmt: skip


def spoken_by(target: Expression) -> frozenset[str]:
    texts = [name_of(part) or str(getattr(part, "value", "")) for part in walk(target)]
    return frozenset(word for text in texts for word in words(text))


def handed_back(code: Code, use: Span, function: Scope, names: set[str]) -> bool:
    """Whether a function whose name speaks of money answers with it, where not all of the program is at hand to ask whom."""
    said = set(words(name_around(function))) | {word for name in names for word in words(name)}
    back = any(
        one.value is not None and one.value.span.holds(use) and within(one.scope, function) for one in code.facts.returns
    )
    return back and bool(said & TAKEN) and not code.elsewhere.whole
