"""Which identifier of the unit of work is in scope, so that a fix can name it and a finding can say that it was ignored."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, Function, Kind, Loop, Member, Name, Object, Scope, chain, dotted, enclosing, walk
from rules.meaning.vocabulary import words

WORK = frozenset(
    "request event message job task run usage call invocation delivery record generation transaction completion response "
    "execution trace row msg evt entry".split()
)
"""Things that happen once each: their id identifies one use. A customer's, plan's or meter's does not."""


def natural_id(code: Code, scope: Scope, at: int) -> str | None:
    """An expression in scope that identifies this one use: `request_id`, `job.id`, `message.messageId`."""
    return next(iter(candidates(code, scope, at)), None)


def candidates(code: Code, scope: Scope, at: int) -> Iterator[str]:
    function = enclosing(scope, Kind.FUNCTION)
    if function is None:
        return
    looped = looped_names(scope)
    for found in (*parameter_ids(scope), *variable_ids(code, function, at), *member_ids(code, function, at)):
        # Inside a loop over things, only what belongs to the loop's item tells one event from the next.
        if not looped or found.split(".")[0] in looped:
            yield found


def parameter_ids(scope: Scope) -> Iterator[str]:
    for outer in chain(scope):
        if isinstance(outer.head, Function):
            yield from (one.name for one in outer.head.parameters if identifies(one.name))
            for one in outer.head.parameters:
                if isinstance(one.pattern, Object):
                    bound = (entry.value.text for entry in one.pattern.entries if isinstance(entry.value, Name))
                    yield from (name for name in bound if identifies(name))


def variable_ids(code: Code, function: Scope, at: int) -> Iterator[str]:
    """Variables that were given an id earlier in the function; one made at random identifies nothing."""
    for assign in code.facts.assigns:
        if assign.span.end > at or enclosing(assign.scope, Kind.FUNCTION) is not function or assign.value is None:
            continue
        for target in assign.targets:
            if isinstance(target, Name) and identifies(target.text) and is_given(code, assign.value, assign.scope):
                yield target.text


def is_given(code: Code, value: Expression, scope: Scope) -> bool:
    kinds = {origin.kind for origin in code.origins(value, scope)}
    return bool(kinds & {"stored", "parameter", "request", "call"}) and not kinds & {"clock", "random"}


def member_ids(code: Code, function: Scope, at: int) -> Iterator[str]:
    """`job.id` and its kind, where the code itself reads them earlier in the function."""
    for call in code.facts.calls:
        if enclosing(call.scope, Kind.FUNCTION) is not function or call.span.start > at:
            continue
        for argument in call.arguments:
            for part in walk(argument.value):
                if isinstance(part, Member) and names_id(part.name) and is_work(part.object):
                    yield dotted(part)


def looped_names(scope: Scope) -> frozenset[str]:
    """The names bound by loops over things around a scope, up to its function."""
    found: set[str] = set()
    for outer in chain(scope):
        if outer.kind is Kind.FUNCTION:
            break
        if isinstance(outer.head, Loop) and outer.head.iterates is not None:
            found |= {part.text for target in outer.head.targets for part in walk(target) if isinstance(part, Name)}
    return frozenset(found)


def is_work(thing: Expression) -> bool:
    return isinstance(thing, Name) and bool(WORK & set(words(thing.text)))


def identifies(name: str) -> bool:
    """`request_id`, `eventId`, `idempotency_key`: an id of something that happens once."""
    said = words(name)
    if len(said) < 2:
        return False
    return (said[-1] in ("id", "uuid", "guid") and bool(WORK & set(said[:-1]))) or said[-2:] == ("idempotency", "key")


def names_id(name: str) -> bool:
    return name in ("id", "uuid", "ID") or identifies(name)
