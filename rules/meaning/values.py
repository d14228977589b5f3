"""Which value a name has at a place of one file: its definitions, and what they resolve to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.facts import (
    Assign,
    Expression,
    Facts,
    Function,
    Index,
    Kind,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Return,
    Scope,
    Sequence,
    Spread,
    chain,
    dotted,
    enclosing,
    within,
)

HOPS = 8
"""How many names and local functions a value is followed through. Beyond that it is unknown, and unsure is quiet."""


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One place that gives a name its value."""

    name: str
    value: Expression | None
    """None for a parameter without a default and where only the place is known."""
    scope: Scope
    end: int
    """Byte offset after which the definition holds."""
    how: str
    """assign, change (`+=`), part (of a destructured value), parameter, loop."""
    part: str | None = None
    """The property that was taken, for a destructured object."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """All definitions of one file by name, and its functions by name."""

    facts: Facts
    definitions: Mapping[str, tuple[Definition, ...]]
    functions: Mapping[str, tuple[Scope, ...]]
    changes: Mapping[str, tuple[Assign, ...]]
    """Assignments to a member or an item of a name: `params.identifier = x`."""


def values_of(facts: Facts) -> Values:
    definitions: dict[str, list[Definition]] = {}
    functions: dict[str, list[Scope]] = {}
    changes: dict[str, list[Assign]] = {}
    for assign in facts.assigns:
        for target in assign.targets:
            for made in targeted(assign, target):
                definitions.setdefault(made.name, []).append(made)
            if isinstance(target, Member | Index) and (root := dotted(target.object)):
                changes.setdefault(root, []).append(assign)
    for scope in facts.scopes:
        if isinstance(scope.head, Function):
            if scope.head.name:
                functions.setdefault(scope.head.name, []).append(scope)
            for made in parameters(scope, scope.head):
                definitions.setdefault(made.name, []).append(made)
        elif isinstance(scope.head, Loop):
            for target in scope.head.targets:
                for name in bindings(target):
                    made = Definition(name[0], scope.head.iterates, scope, scope.span.start, "loop", name[1])
                    definitions.setdefault(made.name, []).append(made)
    ordered = {name: tuple(sorted(them, key=lambda one: one.end)) for name, them in definitions.items()}
    return Values(
        facts,
        ordered,
        {name: tuple(them) for name, them in functions.items()},
        {name: tuple(them) for name, them in changes.items()},
    )


def targeted(assign: Assign, target: Expression) -> Iterator[Definition]:
    if isinstance(target, Name):
        how = "assign" if assign.operator in ("=", ":=", "??=", "||=") else "change"
        yield Definition(target.text, assign.value, assign.scope, assign.span.end, how)
    elif isinstance(target, Sequence) and isinstance(assign.value, Sequence) and len(target.items) == len(assign.value.items):
        for item, value in zip(target.items, assign.value.items, strict=True):
            if isinstance(item, Name):
                yield Definition(item.text, value, assign.scope, assign.span.end, "assign")
    elif isinstance(target, Object | Sequence):
        for name, part in bindings(target):
            yield Definition(name, assign.value, assign.scope, assign.span.end, "part", part)


def bindings(pattern: Expression, part: str | None = None) -> Iterator[tuple[str, str | None]]:
    """The names that a target or pattern binds, each with the property it takes."""
    match pattern:
        case Name(text=text):
            yield text, part
        case Object(entries=entries):
            for entry in entries:
                yield from bindings(entry.value, entry.name)
        case Sequence(items=items):
            for item in items:
                yield from bindings(item, part)
        case Spread(value=value) | Member(object=value):
            yield from bindings(value) if isinstance(pattern, Spread) else ()
        case _:
            return


def parameters(scope: Scope, head: Function) -> Iterator[Definition]:
    for parameter in head.parameters:
        if parameter.pattern is None:
            yield Definition(parameter.name, parameter.default, scope, scope.span.start, "parameter")
        else:
            for name, part in bindings(parameter.pattern):
                yield Definition(name, None, scope, scope.span.start, "parameter", part)


def definitions_at(values: Values, name: str, scope: Scope, at: int) -> tuple[Definition, ...]:
    """The definitions that may reach a use of `name`, latest first.

    In the use's own function: those before it, back to one that always runs. Else those of the nearest enclosing
    function or module that has any, in whatever order, since a closure may run at any time.
    """
    known = values.definitions.get(name, ())
    if not known:
        return ()
    for outer in chain(scope):
        if outer.kind not in (Kind.FUNCTION, Kind.MODULE):
            continue
        here = [one for one in known if home(one) is outer]
        if not here:
            continue
        if outer is not enclosing(scope, Kind.FUNCTION, Kind.MODULE):
            return tuple(reversed(here))
        reaching: list[Definition] = []
        for one in reversed([one for one in here if one.end <= at]):
            reaching.append(one)
            if within(scope, one.scope) and one.how != "change":
                break
        return tuple(reaching)
    return ()


def home(definition: Definition) -> Scope | None:
    return enclosing(definition.scope, Kind.FUNCTION, Kind.MODULE)


def resolved(values: Values, expression: Expression, scope: Scope, at: int) -> Expression:
    """The expression that a name stands for, where there is just one; anything else stays as it is."""
    for _ in range(HOPS):
        if not isinstance(expression, Name):
            return expression
        found = definitions_at(values, expression.text, scope, at)
        if not found and (method := named_method(values, expression)) is not None:
            answer = answer_of(values, method)
            if answer is None or answer.value is None or is_field(answer.value):
                return expression
            expression, scope, at = answer.value, answer.scope, answer.span.end
            continue
        if len(found) != 1 or found[0].how != "assign" or found[0].value is None:
            return expression
        expression, scope, at = found[0].value, found[0].scope, found[0].end
    return expression


def is_field(value: Expression) -> bool:
    """What tells no more than the name that stands for it."""
    return isinstance(value, Literal | Member)


def root_of(expression: Expression) -> Expression:
    while isinstance(expression, Member | Index):
        expression = expression.object
    return expression


def named_method(values: Values, name: Name) -> Scope | None:
    """The file's own method that a bare name calls, as Ruby lets it: one that needs no arguments."""
    found = values.functions.get(name.text, ())
    head = found[0].head if len(found) == 1 else None
    plain = isinstance(head, Function) and head.method and not head.parameters
    return found[0] if plain and values.facts.traits.bare_members else None


def answer_of(values: Values, method: Scope) -> Return | None:
    """The one value that a method has, if it has just one."""
    given = [one for one in values.facts.returns if enclosing(one.scope, Kind.FUNCTION) is method]
    return given[0] if len(given) == 1 and given[0].value is not None else None
