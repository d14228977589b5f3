"""What the parts of the Rust front end share: the dispatch tables, how paths and patterns read, and how a call is made."""

import re
from collections.abc import Callable

from tree_sitter import Node

from rules.facts import Argument, Call, Entry, Expression, Literal, Member, Name, Object, Scope, Sequence, Span, Unknown
from rules.languages.lowering import PLAIN, How, Lowering, children, span

State = Callable[[Lowering, Node, Scope], None]
Express = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
"""By node type; filled in `rust.py`, where all that lowers a statement comes together."""
EXPRESSIONS: dict[str, Express] = {}
"""By node type; filled in `rust.py` as well."""

REMARKS = frozenset({"line_comment", "block_comment"})
ROOTS = frozenset({"crate", "super", "self"})
WRAPPERS = frozenset(
    {"Ok", "Some", "Set", "ActiveValue.Set", "Box.new", "Arc.new", "Rc.new", "String.from", "Json", "Cow.from", "DateTime.from"}
)
"""What only wraps the one value it is given."""
TYPE_ARGUMENTS = re.compile(r"<.*", re.DOTALL)
MISSING = Unknown(Span(1, 1, 0, 0), ())
"""Stands where a broken file lacks what the grammar promises."""


def expression(low: Lowering, node: Node | None, scope: Scope, how: How = PLAIN) -> Expression:
    if node is None:
        return MISSING
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    found = STATEMENTS.get(node.type)
    if found is not None:
        found(low, node, scope)
    else:
        expression(low, node, scope, PLAIN)
    low.depth -= 1


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Also what the parser could not place: statements inside it are lowered as such."""
    inside: list[Expression] = []
    for child in said(low, node):
        if child.type in STATEMENTS:
            statement(low, child, scope)
        else:
            inside.append(expression(low, child, scope))
    return Unknown(span(node), tuple(inside))


def part(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    return expression(low, node.child_by_field_name(name), scope, how)


def nothing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


def said(low: Lowering, node: Node | None) -> list[Node]:
    """The children that are no comment."""
    return [child for child in children(node) if child.type not in REMARKS] if node is not None else []


def only(low: Lowering, node: Node) -> Node | None:
    return next(iter(said(low, node)), None)


def segments(low: Lowering, node: Node) -> list[str]:
    """`crate::billing::Usage::<T>::new` -> billing, Usage, new; the own crate's root says nothing."""
    text = re.sub(r"::<[^()]*?>(?=::|$)|\s", "", low.text(node))
    words = [TYPE_ARGUMENTS.sub("", word) for word in text.split("::")]
    plain = [word for word in words if word]
    while len(plain) > 1 and plain[0] in ROOTS:
        plain = plain[1:]
    return ["self" if word == "Self" else word for word in plain]


def path(low: Lowering, node: Node) -> Expression:
    """A path reads as a chain of members."""
    made: Expression | None = None
    for word in segments(low, node):
        made = Name(span(node), word) if made is None else Member(span(node), made, word)
    return made or MISSING


def made_call(
    low: Lowering,
    node: Node,
    callee: Expression,
    arguments: tuple[Argument, ...],
    scope: Scope,
    how: How,
    constructs: bool = False,
) -> Call:
    return low.call(node, callee, arguments, scope, how, constructs)


def bindings(low: Lowering, node: Node | None) -> Expression | None:
    """What a pattern binds: `Some(x)` and `mut x` are `x`, a tuple is a Sequence, a struct an Object."""
    if node is None:
        return None
    low.deeper()
    made = bound_by(low, node)
    low.depth -= 1
    return made


def bound_by(low: Lowering, node: Node) -> Expression | None:
    match node.type:
        case "identifier" | "shorthand_field_identifier" | "self":
            return Name(span(node), low.text(node))
        case "tuple_struct_pattern":
            return one_or_all(low, node, said(low, node)[1:])
        case "tuple_pattern" | "slice_pattern":
            return Sequence(span(node), tuple([bindings(low, one) or Name(span(one), "_") for one in said(low, node)]))
        case "struct_pattern":
            return Object(span(node), tuple(fields(low, node)))
        case "match_pattern" | "ref_pattern" | "mut_pattern" | "reference_pattern" | "captured_pattern" | "or_pattern":
            return next((found for one in said(low, node) if (found := bindings(low, one)) is not None), None)
        case _:
            return None


def one_or_all(low: Lowering, node: Node, inside: list[Node]) -> Expression | None:
    found = [bindings(low, one) for one in inside]
    named = [one for one in found if one is not None]
    if len(found) == 1:
        return found[0]
    return Sequence(span(node), tuple(named)) if named else None


def fields(low: Lowering, node: Node) -> list[Entry]:
    entries: list[Entry] = []
    for one in said(low, node):
        if one.type != "field_pattern":
            continue
        name = one.child_by_field_name("name")
        inner = bindings(low, one.child_by_field_name("pattern")) if one.child_by_field_name("pattern") is not None else None
        if name is not None:
            entries.append(Entry(span(one), low.text(name), inner or Name(span(name), low.text(name))))
    return entries


def names_of(pattern: Expression | None) -> str:
    """The one name that a pattern binds, if it is one."""
    return pattern.text if isinstance(pattern, Name) else ""


def is_none(value: Expression) -> bool:
    return isinstance(value, Literal) and value.value is None
