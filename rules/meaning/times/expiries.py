"""Redis counters whose expiry is a command of its own."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Branch, Call, Compare, Kind, Literal, Span, enclosing, fold, walk
from rules.meaning.flow import follows
from rules.meaning.origins import Kinds
from rules.meaning.vocabulary import words


def lone_expiries(code: Code) -> Iterator[tuple[Call, Call]]:
    """The increment of a key that a limit is held against, and the later command that alone gives the key an end."""
    for added in code.facts.calls:
        if fold(added.method) not in ("incr", "incrby") or "." not in added.name:
            continue
        for call in code.facts.calls:
            if fold(call.method) in ("expire", "pexpire") and expires(code, added, call) and limits_something(code, added):
                yield added, call
                break


def expires(code: Code, added: Call, call: Call) -> bool:
    """Whether a call sets the expiry of the key that another adds to, where that one made the key, and not in one script."""
    if fold(receiver(added)) != fold(receiver(call)) or not added.arguments or not call.arguments or in_pipeline(code, added):
        return False
    same = code.facts.text(key_of(added)) == code.facts.text(key_of(call)) and not has_window(code, added)
    return same and follows(code, added.span, added.scope, call.span, call.scope) and first_only(code, added, call)


def has_window(code: Code, call: Call) -> bool:
    """A key that holds its period ends with it; without an expiry it only stays in memory."""
    return any(
        origin.kind is Kinds.CLOCK
        or {"window", "period", "day", "date", "month", "bucket"} & set(words(code.facts.text(origin.expression.span)))
        for argument in call.arguments[:2]
        for origin in code.origins(argument.value, call.scope, call.span.start)
    )


def first_only(code: Code, added: Call, call: Call) -> bool:
    """Set again with each increment, the expiry heals itself; set after the first alone, nothing does."""
    names = {getattr(target, "text", "") for target in added.targets}
    branch = enclosing(call.scope, Kind.BRANCH)
    test = branch.head.test if branch is not None and isinstance(branch.head, Branch) else None
    return any(
        isinstance(part, Compare)
        and isinstance(part.right, Literal)
        and part.right.value == 1
        and any(part_of is added or getattr(part_of, "text", None) in names for part_of in walk(part.left))
        for part in walk(test)
    )


def limits_something(code: Code, added: Call) -> bool:
    """Whether the count is held against what a plan allows: a statistic may live on, and a throttle is nobody's bill."""
    function = enclosing(added.scope, Kind.FUNCTION)
    said = f"{code.facts.path} {code.function_name(added.scope)} {code.facts.text(added.span)}"
    if re.search(r"rate.?limit|throttl|\bip\b|\brl\b|login|otp", said, re.I):
        return False
    return function is not None and bool(
        {"limit", "quota", "max", "allowed", "remaining"} & set(words(code.facts.text(function.span)))
    )


def key_of(call: Call) -> Span:
    plain = [argument for argument in call.arguments if fold(getattr(argument.value, "text", "")) not in ("ctx", "context")]
    return (plain or list(call.arguments))[0].span


def receiver(call: Call) -> str:
    return call.name.rpartition(".")[0]


def in_pipeline(code: Code, call: Call) -> bool:
    """`pipe.incr(…)`, `tx.Incr(…)`, and what runs in a callback of one."""
    names = [receiver(call), *(origin.name for origin in pipelines(code, call))]
    return any(word in fold(name) for name in names for word in ("pipe", "multi", "tx", "batch", "transaction"))


def pipelines(code: Code, call: Call) -> Iterator[Call]:
    if call.receiver is not None:
        for origin in code.origins(call.receiver, call.scope, call.span.start):
            if isinstance(origin.expression, Call):
                yield origin.expression
