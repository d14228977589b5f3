"""Values that a function is handed only to put them into a text: a line of the log, the words of an error."""

from rules.code import Code
from rules.facts import Call, Function, Name, Scope, fold, walk, within
from rules.meaning.outcomes import logs
from rules.meaning.usage.emissions import own_functions

HOPS = 3
"""Through how many of the file's own functions a value is followed."""
CHECKS = frozenset("checkstate checkargument invariant require".split())
"""Calls that fail unless their first argument holds, with the words that follow it."""


def told_only(code: Code, value: Call, hops: int = HOPS) -> bool:
    """Whether a value is an argument of the file's own function, which only tells it."""
    handed = ((call, at) for call in code.facts.calls for at, one in enumerate(call.arguments) if one.value is value)
    found = next(handed, None)
    return found is not None and tells(code, found[0], found[1], hops)


def tells(code: Code, call: Call, at: int, hops: int) -> bool:
    own = own_functions(call, code.values)
    head = own[0].head if len(own) == 1 else None
    if not isinstance(head, Function) or at >= len(head.parameters) or call.arguments[at].name is not None or hops == 0:
        return False
    return all_in_texts(code, own[0], head.parameters[at].name, hops)


def all_in_texts(code: Code, function: Scope, name: str, hops: int) -> bool:
    """Whether every use of a name stands in words that somebody reads, or is handed on to a function that only tells it."""
    used = {
        id(part): part
        for whole, scope in code.expressions
        if within(scope, function)
        for part in walk(whole)
        if isinstance(part, Name) and part.text == name
    }
    inside = [call for call in code.facts.calls if within(call.scope, function)]
    spoken = [call.span for call in inside if logs(call)]
    spoken += [one.span for one in code.facts.raises if within(one.scope, function)]
    spoken += [one.span for call in inside if fold(call.method) in CHECKS for one in call.arguments[1:]]
    handed = {
        id(one.value)
        for call in inside
        for at, one in enumerate(call.arguments)
        if id(one.value) in used and tells(code, call, at, hops - 1)
    }
    return bool(used) and all(key in handed or any(span.holds(one.span) for span in spoken) for key, one in used.items())
