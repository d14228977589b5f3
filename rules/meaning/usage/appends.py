"""Additions to a buffer whose answer is mistaken for the buffer: `buffer = buffer.push(x)`, `d[k] = d.get(k, []).append(x)`."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Call, Expression, Member, Name, Use, fold, walk
from rules.meaning.usage.buffers import Emptying, about_usage, root

ANSWERS_NOTHING = frozenset("append extend insert add update appendleft".split())
"""Python's, which change the list, set or dict and answer None."""
ANSWERS_LENGTH = frozenset("push unshift".split())
ANSWERS_COPY = frozenset("concat".split())
"""These change nothing: what they answer is the longer list."""


def misread(code: Code) -> Iterator[tuple[Assign, Call, str]]:
    """Assignments that replace a container of usage by what adding to it answers: with the call and its container."""
    wrong = ANSWERS_NOTHING if code.facts.language == "python" else ANSWERS_LENGTH
    if code.facts.language not in ("python", "typescript", "javascript"):
        return
    for assign in code.facts.assigns:
        call = assign.value
        if not isinstance(call, Call) or fold(call.method) not in wrong or call.receiver is None or assign.operator != "=":
            continue
        name = next((root(target) for target in assign.targets), "")
        if name and mentions(call.receiver, name) and about_usage(code, Emptying(assign.span, assign.scope, name)):
            yield assign, call, name


def dropped(code: Code) -> Iterator[tuple[Call, str]]:
    """`this.events.concat(batch);` as a statement: the longer list is thrown away."""
    if code.facts.language not in ("typescript", "javascript"):
        return
    for call in code.facts.calls:
        if (
            fold(call.method) not in ANSWERS_COPY
            or call.use is not Use.DISCARDED
            or call.receiver is None
            or not call.arguments
        ):
            continue
        name = root(call.receiver)
        if name and about_usage(code, Emptying(call.span, call.scope, name)):
            yield call, name


def mentions(receiver: Expression, name: str) -> bool:
    """Whether the receiver is the container or one of its items."""
    return any(root(part) == name for part in walk(receiver) if isinstance(part, Name | Member))
