"""Additions to a buffer whose answer is mistaken for the buffer: `buffer = buffer.push(x)`, `d[k] = d.get(k, []).append(x)`."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Call, Expression, Member, Name, Use, fold, walk
from rules.meaning.usage.buffers import Emptying, about_usage, root


def misread(code: Code) -> Iterator[tuple[Assign, Call, str]]:
    """Assignments that replace a container of usage by what adding to it answers: with the call and its container."""
    wrong = code.facts.traits.appending
    for assign in code.facts.assigns:
        call = assign.value
        if not isinstance(call, Call) or fold(call.method) not in wrong or call.receiver is None or assign.operator != "=":
            continue
        name = next((root(target) for target in assign.targets), "")
        if name and mentions(call.receiver, name) and about_usage(code, Emptying(assign.span, assign.scope, name)):
            yield assign, call, name


def dropped(code: Code) -> Iterator[tuple[Call, str]]:
    """`this.events.concat(batch);` as a statement: the longer list is thrown away."""
    for call in code.facts.calls:
        if (
            fold(call.method) not in code.facts.traits.copying
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
