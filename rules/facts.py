"""The language-neutral model of one source file: what every front end produces and every rule reads.

Three layers. *Scopes* form a parent chain, and enclosure is always asked of that chain. *Statements* (calls, assignments,
returns, raises) lie flat in evaluation order, each with its scope. *Expressions* are small trees inside statements.
A front end says what is written; what it means is decided in `meaning.py` and `values.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

from rules.idioms import Idioms
from rules.traits import Traits


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of source. Lines are 1-based and inclusive; `start` and `end` are byte offsets, half-open."""

    line: int
    end_line: int
    start: int
    end: int

    def holds(self, other: "Span") -> bool:
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A plain identifier, `this` and `self` included."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """`object.name`, with optional chaining and non-null assertions peeled off."""

    span: Span
    object: "Expression"
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """`object[key]`."""

    span: Span
    object: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A string, number, boolean or null. Strings are unquoted; a number too odd to read keeps its text."""

    span: Span
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A string built from parts: f-string, template literal, Sprintf, `+` of strings is a Binary instead."""

    span: Span
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One `key: value` of an Object. A computed key has no name; a shorthand property has itself as value."""

    span: Span
    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """An object, dict, hash, map or struct literal, or a destructuring pattern."""

    span: Span
    entries: tuple[Entry, ...]
    complete: bool = True
    """False where a spread or a computed key may add more."""
    type: str = ""
    """The struct's or class's name, where written."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list, tuple, set or array. A comprehension is one whose only item stands for `each` element."""

    span: Span
    items: tuple["Expression", ...]
    each: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """Arithmetic, bit and string operators, as written: `+ - * / // % **`."""

    span: Span
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Compare:
    """A comparison; `===` reads `==`, and membership is `in` / `not in`, identity `is` / `is not`."""

    span: Span
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Logical:
    """`and`, `or` and `??`, whatever the language writes."""

    span: Span
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """`not`, `-` and other prefixes; `not` whatever the language writes."""

    span: Span
    operator: str
    value: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """`test ? then : otherwise`."""

    span: Span
    test: "Expression"
    then: "Expression"
    otherwise: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """`...value`, `**value`, `*value`."""

    span: Span
    value: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Lambda:
    """A function written as a value: arrow function, closure, func literal. Its body is in `scope`."""

    span: Span
    scope: "Scope"


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """Anything else; its parts are kept so that a search still finds what is inside."""

    span: Span
    parts: tuple["Expression", ...]


class Use(StrEnum):
    """What happens to the value of a call."""

    DISCARDED = "discarded"
    """An expression statement, also behind `void` or `_ =`."""
    ASSIGNED = "assigned"
    RETURNED = "returned"
    ARGUMENT = "argument"
    """Passed to another call, or an item of a literal."""
    CHAINED = "chained"
    """The receiver of a member access or of another call."""
    TESTED = "tested"
    """The condition of a branch or loop, or an operand of a comparison or of `and` / `or` / `not`."""
    OTHER = "other"


class Start(StrEnum):
    """How a call is started."""

    PLAIN = "plain"
    AWAITED = "awaited"
    DETACHED = "detached"
    """In a goroutine."""
    DEFERRED = "deferred"
    """When the function ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument. Keywords have a name; positional ones have none."""

    span: Span
    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call or construction, with casts, awaits, optional chaining and non-null assertions around it peeled off."""

    span: Span
    name: str
    """Dotted, imports resolved: `stripe.billing.meterEvents.create`; a called receiver reads `client().events.ingest`."""
    folded: str
    """`name` in lower case without underscores, dashes, `!` and `?`, for matching."""
    callee: "Expression"
    arguments: tuple[Argument, ...]
    scope: "Scope"
    use: Use
    start: Start
    targets: tuple["Expression", ...] = ()
    """What it is assigned to; a destructuring pattern is an Object or a Sequence."""
    constructs: bool = False
    method: str = ""
    """The last segment of the name, as written."""

    @property
    def receiver(self) -> "Expression | None":
        return self.callee.object if isinstance(self.callee, Member) else None


Expression: TypeAlias = (
    Name
    | Member
    | Index
    | Literal
    | Template
    | Object
    | Sequence
    | Binary
    | Compare
    | Logical
    | Unary
    | Conditional
    | Spread
    | Lambda
    | Unknown
    | Call
)


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter; a destructured one has a pattern and no name. `type` is the annotation as written."""

    span: Span
    name: str
    type: str = ""
    default: Expression | None = None
    pattern: Expression | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """What a function says of itself."""

    name: str
    """Its own name, else the variable or property it is bound to, else empty."""
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[Expression, ...] = ()
    asynchronous: bool = False
    exported: bool = False
    returns: str = ""
    """The annotated result type, as written."""
    passed_to: str = ""
    """The dotted name of the call it is an argument of: `app.post`, `setInterval`, `p.catch`; a `Start` if started in place."""
    registered_as: str = ""
    """The first string argument of that call: a route, a queue, an event name."""
    method: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    name: str
    bases: tuple[str, ...] = ()
    decorators: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One arm of an `if`, `switch`, `match` or `select`. For `else`, `test` is the test that failed."""

    test: Expression | None
    arm: str
    """`then`, `else` or `case`."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """A loop: over `iterates` binding `targets`, or while `test` holds; an endless one has neither."""

    targets: tuple[Expression, ...] = ()
    iterates: Expression | None = None
    test: Expression | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """Where failure arrives: `except`, `catch`, `.catch(…)`, `if err != nil`.

    `guards` is the try scope whose failures it takes, or the calls whose error it tests.
    """

    catches: tuple[str, ...] = ()
    binds: str = ""
    guards: "Scope | tuple[Call, ...] | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class With:
    """A context manager, lock statement or `using` block."""

    items: tuple[Expression, ...] = ()


Head: TypeAlias = Function | Class | Branch | Loop | Handler | With


class Kind(StrEnum):
    """What a scope is."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    BRANCH = "branch"
    LOOP = "loop"
    TRY = "try"
    HANDLER = "handler"
    FINALLY = "finally"
    WITH = "with"


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A stretch of code that encloses others. Ask `enclosing` for what is around it; nothing remembers it in flags."""

    kind: Kind
    span: Span
    parent: "Scope | None" = None
    head: Head | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """`targets = value`. `operator` is `=`, `+=`, `-=` and so on; `++` reads `+=` 1; `del x` has operator `del`."""

    span: Span
    targets: tuple[Expression, ...]
    value: Expression | None
    operator: str
    scope: Scope
    declares: bool = False
    type: str = ""
    """The annotation or declared type, as written. A field that is only declared has the operator `:` and no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """A return, or the expression body of an arrow function. A tuple result is a Sequence."""

    span: Span
    value: Expression | None
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Raise:
    """`raise`, `throw`, `panic`."""

    span: Span
    value: Expression | None
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """`break` or `continue`."""

    span: Span
    word: str
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """A condition, and the scope that runs when it holds (None for `a ? b : c`, `while` has its loop)."""

    span: Span
    value: Expression
    scope: Scope
    then: Scope | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Comment:
    """A comment without its markers."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """One file. Tuples are in source order, but `calls`, which are in evaluation order: arguments before their call."""

    path: str
    language: str
    """Its name, for those who show it and for what providers publish by language; no rule asks which it is."""
    traits: Traits
    idioms: Idioms
    source: bytes
    root: Scope
    scopes: tuple[Scope, ...]
    calls: tuple[Call, ...]
    assigns: tuple[Assign, ...]
    returns: tuple[Return, ...]
    raises: tuple[Raise, ...]
    jumps: tuple[Jump, ...]
    tests: tuple[Test, ...]
    comments: tuple[Comment, ...]
    imports: Mapping[str, str] = field(default_factory=dict)
    """Local name to what it stands for, dotted: `ME` -> `stripe.billing.MeterEvent`."""
    packages: frozenset[str] = frozenset()
    """What is imported from, as written: `stripe`, `@polar-sh/sdk`, `github.com/stripe/stripe-go/v82`."""
    directives: frozenset[str] = frozenset()
    """`use client`, `use server`."""
    broken: tuple[Span, ...] = ()
    """Where the source does not parse; what stands there is not judged."""
    renders: bool = False
    """A file of components that draw a page."""

    def text(self, part: Span) -> str:
        return self.source[part.start : part.end].decode(errors="replace")


UNFOLDED = str.maketrans("", "", "_-!?")


@lru_cache(maxsize=50_000)
def fold(name: str) -> str:
    """A name for matching: lower case, without underscores, dashes and the `!` and `?` that Ruby ends names in; dots stay."""
    return name.translate(UNFOLDED).lower()


def chain(scope: Scope | None) -> Iterator[Scope]:
    """The scope itself and everything around it, innermost first."""
    while scope is not None:
        yield scope
        scope = scope.parent


def enclosing(scope: Scope | None, *kinds: Kind) -> Scope | None:
    """The innermost scope of one of these kinds that is or encloses `scope`."""
    while scope is not None and scope.kind not in kinds:
        scope = scope.parent
    return scope


def within(scope: Scope | None, outer: Scope) -> bool:
    while scope is not None and scope is not outer:
        scope = scope.parent
    return scope is not None


# By type and not by `match`: every rule walks every expression, and a chain of patterns is several times slower.
PARTS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    Name: lambda one: (),
    Literal: lambda one: (),
    Lambda: lambda one: (),
    Member: lambda one: (one.object,),
    Index: lambda one: (one.object, one.key),
    Template: lambda one: one.parts,
    Unknown: lambda one: one.parts,
    Sequence: lambda one: one.items,
    Object: lambda one: tuple([entry.value for entry in one.entries]),
    Binary: lambda one: (one.left, one.right),
    Compare: lambda one: (one.left, one.right),
    Logical: lambda one: (one.left, one.right),
    Unary: lambda one: (one.value,),
    Spread: lambda one: (one.value,),
    Conditional: lambda one: (one.test, one.then, one.otherwise),
    Call: lambda one: (one.callee, *[argument.value for argument in one.arguments]),
}


def parts(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression. A Lambda has none: its body lies in its scope."""
    return PARTS[type(expression)](expression)


def walk(expression: Expression | None) -> Iterator[Expression]:
    """The expression and everything inside it, outermost first."""
    waiting = [expression] if expression is not None else []
    while waiting:
        one = waiting.pop()
        yield one
        inside = PARTS[type(one)](one)
        if inside:
            waiting.extend(inside[::-1])


def dotted(expression: Expression) -> str:
    """`a.b.c` for a chain of members; a called receiver reads `f()`, an index `[]`, anything else is empty."""
    match expression:
        case Name(text=text):
            return text
        case Member(object=inner, name=name):
            return f"{dotted(inner)}.{name}"
        case Call(name=name):
            return f"{name}()"
        case Index(object=inner):
            return f"{dotted(inner)}[]"
        case _:
            return ""


def name_of(expression: Expression | None) -> str:
    """A name's text, a member's own name, a call's dotted one; anything else has none."""
    return getattr(expression, "name", "") or getattr(expression, "text", "")


def outermost_function(scope: Scope | None) -> Scope | None:
    """The function that holds all the others around a scope."""
    return next((one for one in reversed(list(chain(scope))) if one.kind is Kind.FUNCTION), None)
