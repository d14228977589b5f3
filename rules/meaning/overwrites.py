"""Whether a value is set again before anything reads it: Go's `err`, one variable for many calls."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Name, Return, Scope, Test, enclosing, walk, within
from rules.meaning.flow import exclusive


def overwritten(code: Code, call: Call) -> bool:
    """`err = DecreaseUserQuota(…)` and later `err = …` again, with no mention of `err` between them on that path."""
    error = call.targets[-1] if call.targets else None
    function = enclosing(call.scope, Kind.FUNCTION)
    if not isinstance(error, Name) or error.text == "_" or function is None:
        return False
    later = [place for place in mentions(code, function, error.text) if place[0] >= call.span.end]
    for start, scope, assigned in sorted(later, key=lambda place: place[0]):
        if exclusive(call.scope, scope):
            continue
        return assigned and start > call.span.end
    return False


def mentions(code: Code, function: Scope, name: str) -> Iterator[tuple[int, Scope, bool]]:
    """Where a variable is used in a function: byte, scope, and whether it is set there without being read."""
    for assign in code.facts.assigns:
        if within(assign.scope, function):
            for target in assign.targets:
                if any(isinstance(part, Name) and part.text == name for part in walk(target)):
                    read = any(isinstance(part, Name) and part.text == name for part in walk(assign.value))
                    yield assign.span.start, assign.scope, not read
                    break
            else:
                yield from used(assign.value, assign.scope, name)
    asked: tuple[Return | Test, ...] = (*code.facts.returns, *code.facts.tests)
    for one in asked:
        if within(one.scope, function):
            bare = isinstance(one, Return) and one.value is None
            if bare:
                yield one.span.start, one.scope, False
            yield from used(one.value, one.scope, name)
    for call in code.calls_in(function):
        for argument in call.arguments:
            yield from used(argument.value, call.scope, name)


def used(value: Expression | None, scope: Scope, name: str) -> Iterator[tuple[int, Scope, bool]]:
    for part in walk(value):
        if isinstance(part, Name) and part.text == name:
            yield part.span.start, scope, False
