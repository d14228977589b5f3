"""What a call is given, by name, whatever the language's way: keywords, object literal, struct, builder, a variable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.facts import (
    Call,
    Entry,
    Expression,
    Index,
    Kind,
    Lambda,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Unary,
    enclosing,
    fold,
)
from rules.meaning.values import Values, resolved

CONTAINERS = frozenset(
    "params param input request body data json form event options opts headers header payload config args values".split()
)
"""Arguments and entries that only hold the named ones."""
APART = frozenset("headers header options opts payload config".split())
"""Of these, the ones that are no place for a field of the event itself."""
NOT_OPTIONS = frozenset("ctx context self this cls ct".split())
"""Names that are never an object of arguments: Go's context above all."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Named values that one call, or one event of a batch, is given."""

    named: Mapping[str, Expression]
    """By folded name; what lies inside `params`, `options` or `headers` is lifted to the top."""
    complete: bool
    """False where more may be given than can be seen: a spread, a parameter, another function's result."""
    literal: Object | None = None
    """The object literal to which one more entry could be added."""

    def first(self, names: tuple[str, ...]) -> Expression | None:
        return next((self.named[name] for name in names if name in self.named), None)


UNSEEN = Given({}, complete=False)


def given(values: Values, call: Call) -> Given:
    """The arguments of a call by folded name. Positional scalars are left out; an unseen options object is not complete."""
    named: dict[str, Expression] = {}
    complete = True
    literal: Object | None = None
    for argument in call.arguments:
        value = argument.value
        if argument.name is not None:
            named[fold(argument.name)] = value
            if fold(argument.name) not in CONTAINERS:
                continue
        if isinstance(value, Spread):
            value = value.value
            complete = complete and is_object(values, value, call)
        found = object_of(values, value, call.scope, call.span.start)
        if found is not None:
            inner = entries(values, found, call.scope, call.span.start)
            complete = complete and inner.complete
            if argument.name is None or fold(argument.name) not in APART:
                literal = literal or found
            named |= {**inner.named, **changed(values, value, call)}
        elif argument.name is not None or might_be_options(value, literal):
            complete = False
    return Given(named, complete, literal)


def is_object(values: Values, value: Expression, call: Call) -> bool:
    return object_of(values, value, call.scope, call.span.start) is not None


def object_of(values: Values, value: Expression, scope: Scope, at: int) -> Object | None:
    """The literal a value stands for, followed through one variable."""
    whole = resolved(values, value, scope, at)
    if isinstance(whole, Unary) and whole.operator in ("&", "*"):
        whole = whole.value
    if isinstance(whole, Call) and values.facts.traits.builders and whole.constructs and not whole.arguments:
        return Object(whole.span, (), type=whole.method)
    if isinstance(whole, Call) and whole.method[:1].isupper() and whole.arguments and all(one.name for one in whole.arguments):
        made = tuple(Entry(one.span, one.name, one.value) for one in whole.arguments)
        return Object(whole.span, made, type=whole.method)
    return whole if isinstance(whole, Object) else None


def might_be_options(value: Expression, literal: Object | None) -> bool:
    """An argument that cannot be seen and may be an object. A scalar before the first literal is an id, not options."""
    match value:
        case Name(text=text):
            return text not in NOT_OPTIONS and not text.lower().endswith(("id", "name", "key", "token"))
        case Call():
            return literal is None and not value.folded.endswith(("background", "todo"))
        case Spread():
            return True
        case _:
            return False


def entries(values: Values, whole: Object, scope: Scope, at: int) -> Given:
    """The entries of an object literal, with spreads of visible objects and the containers inside it opened."""
    named: dict[str, Expression] = {}
    complete = whole.complete
    hidden = False
    for entry in whole.entries:
        if entry.name is not None:
            named[fold(entry.name)] = entry.value
            own_names = fold(entry.name) == "payload" and is_meter_event(whole)
            inner = object_of(values, entry.value, scope, at) if fold(entry.name) in CONTAINERS else None
            if inner is not None and inner is not whole:
                below = entries(values, inner, scope, at)
                named = {**below.named, **named}
                hidden = hidden or not (below.complete or own_names)
            elif not own_names and fold(entry.name) in CONTAINERS and isinstance(entry.value, Name | Call | Member):
                hidden = True
        elif isinstance(entry.value, Spread):
            inner = object_of(values, entry.value.value, scope, at)
            if inner is None or inner is whole:
                hidden = True
            else:
                below = entries(values, inner, scope, at)
                named |= below.named
                hidden = hidden or not below.complete
                complete = complete or below.complete
        else:
            hidden = True
    only_spreads = all(isinstance(entry.value, Spread) or entry.name is not None for entry in whole.entries)
    return Given(named, (complete or only_spreads) and not hidden, whole)


def is_meter_event(whole: Object) -> bool:
    """Beside an event's name, `payload` holds customer and value under names of the meter's choosing, never the key."""
    return any(entry.name is not None and fold(entry.name) == "eventname" for entry in whole.entries)


def changed(values: Values, value: Expression, call: Call) -> dict[str, Expression]:
    """What is set on a variable after it was made: `params.identifier = x`, `params.SetIdempotencyKey(k)`."""
    if not isinstance(value, Name):
        return {}
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE)
    found: dict[str, Expression] = {}
    for assign in values.changes.get(value.text, ()):
        if enclosing(assign.scope, Kind.FUNCTION, Kind.MODULE) is not function or assign.value is None:
            continue
        for target in assign.targets:
            if isinstance(target, Member):
                found[fold(target.name)] = assign.value
            elif isinstance(target, Index) and isinstance(target.key, Literal):
                found[fold(str(target.key.value))] = assign.value
    for other in values.facts.calls:
        here = enclosing(other.scope, Kind.FUNCTION, Kind.MODULE) is function
        if here and isinstance(other.receiver, Name) and other.receiver.text == value.text and other.arguments:
            method = fold(other.method)
            if method.startswith(("set", "with", "add")):
                found[method[4 if method.startswith("with") else 3 :]] = other.arguments[-1].value
    return found


def listed(values: Values, value: Expression, scope: Scope, at: int) -> tuple[Given, ...]:
    """The objects in a list: a literal, `rows.map(row => ({…}))`, a comprehension, a variable that is pushed to."""
    whole = resolved(values, value, scope, at)
    if isinstance(whole, Object):
        return (entries(values, whole, scope, at),)
    if isinstance(whole, Sequence) and (whole.items or not isinstance(value, Name)):
        return tuple(one(values, item, scope, at) for item in whole.items)
    if isinstance(whole, Call) and fold(whole.method) in ("tolist", "toarray", "collect") and isinstance(whole.receiver, Call):
        whole = whole.receiver
    if isinstance(whole, Call) and fold(whole.method) == "select" and whole.arguments:
        return listed(values, whole.arguments[0].value, scope, at)
    if isinstance(whole, Call) and fold(whole.method) in ("map", "flatmap"):
        return tuple(mapped(values, whole))
    if isinstance(value, Name):
        pushed = tuple(appended(values, value, scope))
        if pushed:
            return pushed
    return (UNSEEN,)


def one(values: Values, item: Expression, scope: Scope, at: int) -> Given:
    whole = object_of(values, item, scope, at)
    if whole is None and isinstance(item, Call) and item.constructs:
        return given(values, item)
    return entries(values, whole, scope, at) if whole is not None else UNSEEN


def mapped(values: Values, call: Call) -> Iterator[Given]:
    """What the function given to `map` returns."""
    made = next((argument.value for argument in call.arguments if isinstance(argument.value, Lambda)), None)
    if made is None:
        yield UNSEEN
        return
    for returned in values.facts.returns:
        if returned.value is not None and enclosing(returned.scope, Kind.FUNCTION) is made.scope:
            yield one(values, returned.value, returned.scope, returned.span.end)


def appended(values: Values, name: Name, scope: Scope) -> Iterator[Given]:
    """What is pushed to a list in the same function: `events.push({…})`, `events = append(events, T{…})`."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    for call in values.facts.calls:
        if enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) is not function or not call.arguments:
            continue
        method = fold(call.method)
        on_it = isinstance(call.receiver, Name) and call.receiver.text == name.text and method in ("push", "append", "add")
        first = call.arguments[0].value
        to_it = call.folded == "append" and isinstance(first, Name) and first.text == name.text
        if on_it or to_it:
            yield one(values, call.arguments[-1].value, call.scope, call.span.start)
