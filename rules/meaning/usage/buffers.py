"""Usage held in memory until it is sent: where the buffer is emptied, and which calls send what was in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Assign,
    Branch,
    Call,
    Class,
    Compare,
    Expression,
    Function,
    Handler,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Start,
    Unary,
    chain,
    dotted,
    enclosing,
    fold,
    within,
)
from rules.meaning.vocabulary import words

ADDS = frozenset("push append add set unshift put extend enqueue store appendleft".split())
EMPTIES = frozenset("clear splice shift".split())
MAKERS = frozenset("map set list dict deque make array defaultdict counter".split())
SPEAKS = frozenset(
    "usage usages quota quotas credits metering metered meter meters billing billable balances balance consumption".split()
)
MONITORS = frozenset("monitoring metrics telemetry tracing observability".split())
"""Parts of a project that measure machines."""
OTHERS = frozenset("accounts sessions users keys errors alerts notifications listeners handlers timers connections".split())
"""What a buffer is called that holds no amounts."""
STALE = frozenset("invalidation invalidations invalidate invalidated stale evictions evict purge purges".split())
"""What a buffer is called that says which copies are out of date: its events are in the store already."""
GENERIC = frozenset("event events buffer batch records queue pending".split())


@dataclass(frozen=True, slots=True, eq=False)
class Emptying:
    """One place where a buffer of usage is emptied. `buffer` is its dotted name."""

    span: Span
    scope: Scope
    buffer: str

    @property
    def function(self) -> Scope | None:
        return enclosing(self.scope, Kind.FUNCTION)


def emptyings(code: Code) -> tuple[Emptying, ...]:
    """In source order. A buffer is something shared that one function adds to and another empties."""
    fed = fed_containers(code)
    found = [one for one in all_emptyings(code) if one.buffer in fed and is_shared(code, one) and about_usage(code, one)]
    found = [one for one in found if not is_first(one)]
    return tuple(sorted(found, key=lambda one: one.span.start))


def is_first(one: Emptying) -> bool:
    """`if s.last == nil { s.last = map[string]Sample{} }`: made where there was none yet, so nothing is emptied."""
    branch = enclosing(one.scope, Kind.BRANCH, Kind.FUNCTION)
    test = branch.head.test if branch is not None and isinstance(branch.head, Branch) and branch.head.arm == "then" else None
    match test:
        case Compare(operator="==" | "is", right=Literal(value=None)):
            return True
        case Unary(operator="not", value=value):
            return dotted(value) == one.buffer
        case _:
            return False


def fed_containers(code: Code) -> frozenset[str]:
    """The dotted names of what is added to somewhere: `this.events.set(…)`, `stores[i][id] = v`, `buf = append(buf, x)`."""
    found: set[str] = set()
    for call in code.facts.calls:
        if fold(call.method) in ADDS and call.receiver is not None and call.arguments:
            found.add(root(call.receiver))
    for assign in code.facts.assigns:
        for target in assign.targets:
            added = assign.operator == "+=" or (isinstance(assign.value, Call) and assign.value.folded == "append")
            if isinstance(target, Index) or added:
                found.add(root(target))
    return frozenset(found - {""})


def root(expression: Expression) -> str:
    """`this.events`, `buffer`; items are their container."""
    while isinstance(expression, Index):
        expression = expression.object
    name = dotted(expression)
    return "" if "(" in name or "[" in name else name


def all_emptyings(code: Code) -> Iterator[Emptying]:
    for call in code.facts.calls:
        if fold(call.method) in EMPTIES and call.receiver is not None and empties_whole(call):
            yield Emptying(call.span, call.scope, root(call.receiver))
    for assign in code.facts.assigns:
        for target, value in pairs(assign):
            if isinstance(target, Member) and target.name == "length" and is_zero(value):
                yield Emptying(assign.span, assign.scope, root(target.object))
            elif is_empty(value) and not assign.declares and enclosing(assign.scope, Kind.FUNCTION) is not None:
                yield Emptying(assign.span, assign.scope, root(target))


def pairs(assign: Assign) -> Iterator[tuple[Expression, Expression | None]]:
    """`batch, self.buffer = self.buffer, []` sets two things."""
    for target in assign.targets:
        if isinstance(target, Sequence) and isinstance(assign.value, Sequence) and len(target.items) == len(assign.value.items):
            yield from zip(target.items, assign.value.items, strict=True)
        else:
            yield target, assign.value


def empties_whole(call: Call) -> bool:
    if fold(call.method) == "clear":
        return not call.arguments
    if fold(call.method) == "shift":
        # Ruby's `shift(n)` takes the first n; elsewhere it takes one and has no argument.
        return bool(call.arguments)
    return bool(call.arguments) and is_zero(call.arguments[0].value)


def is_zero(value: Expression | None) -> bool:
    return isinstance(value, Literal) and value.value == 0


def is_empty(value: Expression | None) -> bool:
    """`[]`, `{}`, `new Map()`, `make(map[int]int)`, `deque()`, Go's `nil`."""
    match value:
        case Sequence(items=items):
            return not items
        case Object(entries=entries):
            return not entries
        case Call(arguments=arguments):
            return fold(value.method) in MAKERS and (not arguments or fold(value.method) == "make")
        case _:
            return False


def is_shared(code: Code, one: Emptying) -> bool:
    """A field, or a variable that lives outside the function that empties it; not in its own constructor."""
    function = one.function
    head = function.head if function is not None else None
    if not isinstance(head, Function) or fold(head.name) in ("constructor", "init", "reset", "setup", "teardown", "close"):
        return False
    first = one.buffer.split(".")[0]
    if first in ("this", "self", "cls"):
        return True
    if "." in one.buffer and head.method and head.parameters and head.parameters[0].name == first:
        return code.facts.traits.receiver_first
    assert function is not None
    if code.facts.traits.outer_names_declared and f"global {first}" not in (text := code.facts.text(function.span)):
        return f"nonlocal {first}" in text or not sets(code, function, first)
    homes = [enclosing(where.scope, Kind.FUNCTION) for where in code.values.definitions.get(first, ())]
    outside = any(
        home is None or (home is not function and within(function, home) and not waits_for(code, home, head.name))
        for home in homes
    )
    return outside and not declared_in(code, function, first)


def waits_for(code: Code, home: Scope, name: str) -> bool:
    """Whether the function that holds the buffer awaits its own flush: a failure ends the run that would fill it again."""
    return bool(name) and any(
        call.name == name and call.start is Start.AWAITED and enclosing(call.scope, Kind.FUNCTION) is home
        for call in code.facts.calls
    )


def sets(code: Code, function: Scope, name: str) -> bool:
    """Python makes every name that a function sets its own."""
    return any(enclosing(where.scope, Kind.FUNCTION) is function for where in code.values.definitions.get(name, ()))


def declared_in(code: Code, function: Scope, name: str) -> bool:
    """Whether a name is the function's own: a parameter or a variable it declares."""
    if isinstance(function.head, Function) and any(parameter.name == name for parameter in function.head.parameters):
        return True
    return any(
        assign.declares
        and enclosing(assign.scope, Kind.FUNCTION) is function
        and any(isinstance(target, Name) and target.text == name for target in assign.targets)
        for assign in code.facts.assigns
    )


def about_usage(code: Code, one: Emptying) -> bool:
    """Whether the buffer, what surrounds it or what empties it speaks of usage. A buffer of page views does not."""
    if STALE & set(words(one.buffer)) or names_copies(one.buffer):
        return False
    if MONITORS & set(words(code.facts.path)) and not SPEAKS & set(words(one.buffer)):
        return False
    said = {*words(one.buffer), *words(code.facts.path)}
    for scope in chain(one.scope):
        if isinstance(scope.head, Function | Class):
            said |= set(words(scope.head.name))
        if isinstance(scope.head, Function) and scope.head.method and code.facts.traits.receiver_first:
            said |= {word for holder in scope.head.parameters[:1] for word in words(holder.type)}
    if said & SPEAKS and (code.billing or said & GENERIC):
        return True
    if not code.billing:
        return False
    inside = {word for call in code.calls_in(one.function) for word in words(call.name)}
    if inside & SPEAKS and not set(words(one.buffer)) & OTHERS:
        return True
    return bool(set(words(one.buffer)) & GENERIC) and sends_quantities(code)


def names_copies(buffer: str) -> bool:
    """`pendingCacheKeys`, `dirtyIds`, `idsToRefresh`: what is to be read again, and no amounts."""
    said = set(words(buffer.rsplit(".", 1)[-1]))
    return bool(said & {"keys", "ids"}) and bool(said & {"cache", "cached", "dirty", "refresh", "reload", "changed"})


EVENT_WORDS = (b"quantity", b"customer", b"meter", b"metric", b"usage", b"idempotency")


def sends_quantities(code: Code) -> bool:
    """Whether the file's events say who used how much: the fields of a metering event."""
    text = code.facts.source.lower()
    return sum(word in text for word in EVENT_WORDS) >= 3


def puts_back(code: Code, one: Emptying) -> bool:
    """Whether a handler of the same function adds the events to the buffer again."""
    function = one.function
    if function is None:
        return False
    for scope in code.facts.scopes:
        if not isinstance(scope.head, Handler) or not within(scope, function):
            continue
        for call in code.facts.calls:
            if scope.span.holds(call.span) and call.receiver is not None and root(call.receiver) == one.buffer:
                return True
        for assign in code.facts.assigns:
            if scope.span.holds(assign.span) and any(root(target) == one.buffer for target in assign.targets):
                return True
    return False
