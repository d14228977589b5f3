"""The error of one call, and the test that follows it and looks at another one."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Expression, Kind, Literal, Name, Object, Test, enclosing, walk, within
from rules.meaning.vocabulary import words

ERRORS = frozenset("err error errors".split())


def stale_tests(code: Code) -> Iterator[tuple[Call, Test, str, str]]:
    """`quota, apiErr := reserve(…)` and then `if err != nil`: the call, the test, the error it gave, the one that is tested."""
    for call in code.facts.calls:
        given = [name for target in call.targets for name in error_names(target)]
        if len(given) != 1:
            continue
        test = next_test(code, call)
        if test is None:
            continue
        asked = {part.text for part in walk(test.value) if isinstance(part, Name) and is_error(part.text)}
        if not asked or given[0] in asked or not plain(test.value) or read_between(code, call, test, given[0]):
            continue
        other = min(asked)
        if not assigned_between(code, call, test, other) and defined_before(code, call, other):
            yield call, test, given[0], other


def error_names(target: Expression) -> Iterator[str]:
    """The variables that an answer's error goes into."""
    match target:
        case Name(text=text) if is_error(text):
            yield text
        case Object(entries=entries):
            for entry in entries:
                if entry.name == "error" and isinstance(entry.value, Name):
                    yield entry.value.text
        case _:
            for part in getattr(target, "items", ()):
                yield from error_names(part)


def is_error(name: str) -> bool:
    return bool(words(name)) and (words(name)[-1] in ERRORS or words(name)[0] in ERRORS)


def next_test(code: Code, call: Call) -> Test | None:
    """The test that stands right behind the call, in the same scope."""
    later = [one for one in code.facts.tests if one.span.start > call.span.end and one.scope is call.scope]
    test = min(later, key=lambda one: one.span.start, default=None)
    return test if test is not None and test.span.line - call.span.end_line <= 2 else None


def plain(value: Expression) -> bool:
    """`err != nil`, `if (error)`: nothing but the error is asked."""
    if isinstance(value, Compare):
        return isinstance(value.left, Name) and (isinstance(value.right, Literal) or getattr(value.right, "text", "") == "nil")
    return isinstance(value, Name)


def read_between(code: Code, call: Call, test: Test, name: str) -> bool:
    """Whether the call's own error is used before the test."""
    return any(
        isinstance(part, Name) and part.text == name and call.span.end < part.span.start < test.span.start
        for whole, _ in code.expressions
        for part in walk(whole)
    )


def assigned_between(code: Code, call: Call, test: Test, name: str) -> bool:
    return any(
        call.span.end <= one.span.start < test.span.start
        and any(isinstance(part, Name) and part.text == name for target in one.targets for part in walk(target))
        for one in code.facts.assigns
    )


def defined_before(code: Code, call: Call, name: str) -> bool:
    """The other error is one of this function's, from an earlier call."""
    function = enclosing(call.scope, Kind.FUNCTION)
    return function is not None and any(
        within(one.scope, function) and one.end <= call.span.start for one in code.values.definitions.get(name, ())
    )
