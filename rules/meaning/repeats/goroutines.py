"""Go code that runs several times at once, and the slices, maps and sums that its runs share."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Lambda,
    Loop,
    Member,
    Name,
    Scope,
    Start,
    enclosing,
    fold,
    within,
)
from rules.meaning.values import root_of

GROUPS = frozenset("go submit".split())


def shared_writes(code: Code) -> Iterator[tuple[Assign, Call]]:
    """Each append, map entry or addition that several goroutines make to one variable without a lock, with what starts them."""
    if not code.facts.traits.parallel:
        return
    for started, body in many_at_once(code):
        if locked(code, body):
            continue
        for assign in code.facts.assigns:
            if within(assign.scope, body) and any(is_shared(code, target, assign, body, started) for target in assign.targets):
                yield assign, started
                break


def many_at_once(code: Code) -> Iterator[tuple[Call, Scope]]:
    """Goroutines started in a loop: the function literal, or the file's own function or method."""
    for call in code.facts.calls:
        loop = enclosing(call.scope, Kind.LOOP, Kind.FUNCTION)
        if loop is None or not isinstance(loop.head, Loop):
            continue
        if call.start is Start.DETACHED:
            if isinstance(call.callee, Lambda):
                yield call, call.callee.scope
            elif len(found := code.values.functions.get(call.method, ())) == 1:
                yield call, found[0]
        elif fold(call.method) in GROUPS and "." in call.name:
            for argument in call.arguments:
                if isinstance(argument.value, Lambda):
                    yield call, argument.value.scope


def locked(code: Code, body: Scope) -> bool:
    """A mutex, an atomic or a `sync.Map` in what runs: unsure is quiet."""
    return any(
        fold(call.method) in ("lock", "rlock", "trylock", "loadorstore", "compareandswap") or call.folded.startswith("atomic.")
        for call in code.calls_in(body)
    )


def is_shared(code: Code, target: Expression, assign: Assign, body: Scope, started: Call) -> bool:
    if isinstance(target, Index):
        return is_map(code, target.object) and outside(code, target.object, body, started)
    grows = assign.operator == "+=" or appends(code, target, assign.value)
    return grows and isinstance(target, Name | Member) and outside(code, target, body, started)


def appends(code: Code, target: Expression, value: Expression | None) -> bool:
    return (
        isinstance(value, Call)
        and value.name == "append"
        and bool(value.arguments)
        and code.facts.text(value.arguments[0].value.span) == code.facts.text(target.span)
    )


def is_map(code: Code, value: Expression) -> bool:
    """Only where it is seen to be one: distinct places of a slice may be written at once."""
    if not isinstance(value, Name):
        return False
    return any(
        "map[" in code.facts.text(one.value.span)[:12] or "make(map[" in code.facts.text(one.value.span)
        for one in code.values.definitions.get(value.text, ())
        if one.value is not None
    )


def outside(code: Code, target: Expression, body: Scope, started: Call) -> bool:
    """Whether all runs write the same variable: it is declared before the loop, or a field of the method's receiver."""
    root = root_of(target)
    if not isinstance(root, Name):
        return False
    loop = enclosing(started.scope, Kind.LOOP)
    head = body.head
    if isinstance(target, Member) and head_receiver(body) == root.text:
        return True
    if isinstance(head, Function) and any(parameter.name == root.text for parameter in head.parameters):
        return False
    found = code.values.definitions.get(root.text, ())
    if any(
        within(one.scope, body) and one.how != "parameter" and one.value is not None and declared(code, one, root)
        for one in found
    ):
        return False
    if isinstance(started.callee, Lambda) or fold(started.method) in GROUPS:
        inside_loop = any(loop is not None and within(one.scope, loop) and declared(code, one, root) for one in found)
        return not inside_loop and bool(found)
    return False


def declared(code: Code, one: object, root: Name) -> bool:
    return any(
        assign.declares
        and assign.value is getattr(one, "value", None)
        and any(isinstance(target, Name) and target.text == root.text for target in assign.targets)
        for assign in code.facts.assigns
    )


def head_receiver(body: Scope) -> str:
    """The name of a method's receiver, which Go's front end gives as its first parameter."""
    head = body.head
    return head.parameters[0].name if isinstance(head, Function) and head.method and head.parameters else ""
