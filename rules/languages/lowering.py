"""What every front end needs while it lowers one file: bounds, places, and the lists that become Facts."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tree_sitter import Language, Node, Parser, Point, Tree

from rules.facts import (
    Argument,
    Assign,
    Branch,
    Call,
    Comment,
    Compare,
    Expression,
    Facts,
    Head,
    Jump,
    Kind,
    Literal,
    Loop,
    Name,
    Raise,
    Return,
    Scope,
    Span,
    Start,
    Test,
    Unary,
    Use,
    chain,
    dotted,
    fold,
)
from rules.idioms import Idioms
from rules.traits import Traits

DEPTH = 250
"""Syntax nested deeper than this is not judged: lowering is recursive, and no hand-written code comes near it."""
CHILDREN = 20_000
"""A node with more children than this is data, not code."""


STEPS, STEPS_PER_KB = 200, 60
"""Reports of progress after which a parser is stopped. Code that people write takes up to 16 for each kB."""
PIECE = 64 * 1024


class TooComplexError(Exception):
    """The file is nested too deeply or is one huge literal; the message says which, for the report."""


class How(NamedTuple):
    """What is known from outside about an expression that is about to be lowered."""

    use: Use = Use.OTHER
    start: Start = Start.PLAIN
    targets: tuple[Expression, ...] = ()
    passed_to: str = ""
    registered_as: str = ""
    bound_to: str = ""
    exported: bool = False


class Origin(NamedTuple):
    """Which call a variable comes from, and whether it tells of that call's failure."""

    call: Call | None
    fails: bool


PLAIN = How()
ARGUMENT = How(use=Use.ARGUMENT)
TESTED = How(use=Use.TESTED)
CHAINED = How(use=Use.CHAINED)
RETURNED = How(use=Use.RETURNED)
DISCARDED = How(use=Use.DISCARDED)


@dataclass(slots=True)
class Lowering:
    """One file while it is being lowered."""

    path: str
    language: str
    traits: Traits
    idioms: Idioms
    source: bytes
    root: Scope
    scopes: list[Scope]
    calls: list[Call]
    assigns: list[Assign]
    returns: list[Return]
    raises: list[Raise]
    jumps: list[Jump]
    tests: list[Test]
    comments: list[Comment]
    imports: dict[str, str]
    packages: set[str]
    directives: set[str]
    broken: list[Span]
    renders: bool = False
    depth: int = 0
    failing: dict[str, tuple[Call, ...]] = dataclasses.field(default_factory=dict)
    """Where errors are values: a variable, and the calls whose error it may hold."""
    tested: set[Call] = dataclasses.field(default_factory=set)
    """Calls whose error a test has taken."""
    origins: dict[tuple[Scope, str], Origin] = dataclasses.field(default_factory=dict)
    """Where a variable, by the scope that declares it, comes from; one that no call gave has no call."""
    types: dict[str, str] = dataclasses.field(default_factory=dict)
    """Where types are written: a variable or field in view, and the type it is of."""
    exported: set[str] = dataclasses.field(default_factory=set)
    """Names exported apart from their declaration."""
    later: list[tuple[Node, Scope, list[tuple[Expression, Node]]]] = dataclasses.field(default_factory=list)
    """Bodies of callbacks that take the error of a call, until that call is made."""
    declared: dict[tuple[Scope, str], str] = dataclasses.field(default_factory=dict)
    """Where types are written: that of a field, parameter or variable, by the scope that declares it."""
    texts: dict[int, Node] = dataclasses.field(default_factory=dict)
    """Where a string stands apart from the place that uses it: a heredoc's body, by the byte at which it is called for."""
    before: dict[int, list[Node]] = dataclasses.field(default_factory=dict)
    """What runs before a function without standing in it, by the byte at which the function begins: Rails' filters."""
    locals: set[tuple[Scope, str]] = dataclasses.field(default_factory=set)
    """Where a bare name may also be a call: the variables, each with the function that declares it."""

    def text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode(errors="replace")

    def scope(self, kind: Kind, node: Node, parent: Scope, head: Head | None = None) -> Scope:
        made = Scope(kind, span(node), parent, head)
        self.scopes.append(made)
        return made

    def call(
        self,
        node: Node,
        callee: Expression,
        arguments: tuple[Argument, ...],
        scope: Scope,
        how: How,
        constructs: bool = False,
    ) -> Call:
        name = self.name(callee)
        last = name.rpartition(".")[2]
        made = Call(span(node), name, fold(name), callee, arguments, scope, how.use, how.start, how.targets, constructs, last)
        self.calls.append(made)
        return made

    def name(self, callee: Expression) -> str:
        """The dotted name with its first segment resolved through the imports."""
        first, dot, rest = dotted(callee).partition(".")
        return self.imports.get(first, first) + dot + rest

    def assign(
        self, node: Node, targets: tuple[Expression, ...], value: Expression | None, operator: str, scope: Scope
    ) -> None:
        self.assigns.append(Assign(span(node), targets, value, operator, scope))

    def comment(self, node: Node) -> None:
        self.comments.append(Comment(span(node), self.text(node).strip("#/* \t\r\n")))

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            raise TooComplexError("nested too deeply to be judged")

    def facts(self) -> Facts:
        return Facts(
            path=self.path,
            language=self.language,
            traits=self.traits,
            idioms=self.idioms,
            source=self.source,
            root=self.root,
            scopes=tuple(self.scopes),
            calls=tuple(self.calls),
            assigns=tuple(self.assigns),
            returns=tuple(self.returns),
            raises=tuple(self.raises),
            jumps=tuple(self.jumps),
            tests=tuple(self.tests),
            comments=tuple(self.comments),
            imports=self.imports,
            packages=frozenset(self.packages),
            directives=frozenset(self.directives),
            broken=tuple(self.broken),
            renders=self.renders,
        )


def parsed(source: bytes, grammar: Language) -> Tree:
    """The tree. Where a parser tries ever more readings of broken source, it is stopped by its number of steps."""
    steps = 0
    most = STEPS + STEPS_PER_KB * len(source) // 1024

    def enough(_offset: int, _error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > most

    def piece(offset: int, _point: Point) -> bytes:
        return source[offset : offset + PIECE]

    try:
        return Parser(grammar).parse(piece, progress_callback=enough)
    except ValueError as error:
        raise TooComplexError("takes too long to parse") from error


def begin(path: str, language: str, source: bytes, grammar: Language, traits: Traits, idioms: Idioms) -> tuple[Lowering, Node]:
    """Parses, and opens the lists. The tree's root node comes with it."""
    tree = parsed(source, grammar)
    root = Scope(Kind.MODULE, Span(1, tree.root_node.end_point.row + 1, 0, len(source)))
    lowering = Lowering(path, language, traits, idioms, source, root, [root], [], [], [], [], [], [], [], {}, set(), set(), [])
    if tree.root_node.has_error:
        lowering.broken.extend(span(node) for node in errors(tree.root_node))
    return lowering, tree.root_node


def span(node: Node) -> Span:
    return Span(node.start_point.row + 1, node.end_point.row + 1, node.start_byte, node.end_byte)


def children(node: Node) -> list[Node]:
    """The named children; refuses a node that has too many."""
    if node.child_count > CHILDREN:
        raise TooComplexError(f"one construct has more than {CHILDREN:,} parts")
    return node.named_children


def field(node: Node, name: str) -> Node:
    """A child that the grammar promises; in a broken file it may be missing, and the node itself stands in."""
    return node.child_by_field_name(name) or node


def errors(root: Node) -> Iterator[Node]:
    """Where the parser gave up, outermost first."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            waiting.extend(node.children)


def number(text: str) -> int | float | str:
    """The value of a number literal, or its text where it is too odd to read."""
    plain = text.replace("_", "").rstrip("nNlLfFdDuU") if not text.lower().startswith("0x") else text
    for read in (int, float):
        try:
            return read(plain)
        except ValueError:
            continue
    return text


def bound(how: How, names: tuple[Expression, ...]) -> How:
    """For the value of an assignment: what it is assigned to, and the name a function in it goes by."""
    last = dotted(names[-1]).rsplit(".", 1)[-1] if names else ""
    return how._replace(use=Use.ASSIGNED, targets=names, bound_to=last)


def first_string(arguments: tuple[Argument, ...]) -> str:
    """The first positional argument, where it is a string: a route, a queue, an event name."""
    if arguments and isinstance(arguments[0].value, Literal) and isinstance(arguments[0].value.value, str):
        return arguments[0].value.value
    return ""


OPPOSITE = {"==": "!=", "!=": "==", "in": "not in", "not in": "in"}


def negated(test: Expression, place: Span) -> Expression:
    """`!(a == b)` reads `a != b`."""
    if isinstance(test, Compare) and test.operator in OPPOSITE:
        return Compare(place, OPPOSITE[test.operator], test.left, test.right)
    if isinstance(test, Unary) and test.operator == "not":
        return test.value
    return Unary(place, "not", test)


def numeric(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), number(low.text(node)))


def identifier(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Name(span(node), low.text(node))


def jump(low: Lowering, node: Node, scope: Scope) -> None:
    """A plain `break` that only leaves a `switch` or `select` is none: it goes where the case ends anyway."""
    word = node.type.removesuffix("_statement")
    if word == "break" and not node.named_children:
        for outer in chain(scope):
            if isinstance(outer.head, Branch) and outer.head.arm == "case":
                return
            if outer.kind in (Kind.LOOP, Kind.FUNCTION):
                break
    low.jumps.append(Jump(span(node), word, scope))


def loop_scope(low: Lowering, node: Node, scope: Scope, test: Expression | None) -> Scope:
    """A loop whose test is a constant that holds is endless."""
    endless = isinstance(test, Literal) and bool(test.value)
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    if test is not None:
        low.tests.append(Test(test.span, test, scope, loop))
    return loop
