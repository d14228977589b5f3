"""What the parts of the Java front end share: the two dispatch tables, and how children, names and texts read."""

import textwrap
from collections.abc import Callable

from tree_sitter import Node

from rules.facts import Expression, Scope, Span, Unknown
from rules.languages.jvm_names import unescaped
from rules.languages.lowering import PLAIN, How, Lowering, children, span

State = Callable[[Lowering, Node, Scope], None]
Express = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
"""By node type; filled in `java.py`, where all that lowers a statement comes together."""
EXPRESSIONS: dict[str, Express] = {}
"""By node type; filled in `java.py` as well."""
COMMENTS = frozenset({"line_comment", "block_comment"})
MISSING = Unknown(Span(1, 1, 0, 0), ())
"""Stands where a broken file lacks what the grammar promises."""


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    found = STATEMENTS.get(node.type)
    if found is not None:
        found(low, node, scope)
    else:
        expression(low, node, scope)
    low.depth -= 1


def expression(low: Lowering, node: Node | None, scope: Scope, how: How = PLAIN) -> Expression:
    if node is None:
        return MISSING
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def part(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    return expression(low, node.child_by_field_name(name), scope, how)


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Also what the parser could not place: statements inside it are lowered as such."""
    inside_it: list[Expression] = []
    for child in inside(low, node):
        if child.type in STATEMENTS:
            statement(low, child, scope)
        elif not child.type.endswith(("_type", "type_identifier", "dimensions", "modifiers")):
            inside_it.append(expression(low, child, scope))
    return Unknown(span(node), tuple(inside_it))


def inside(low: Lowering, node: Node) -> list[Node]:
    """The named children but comments, which are kept as such."""
    listed = children(node)
    if not any(child.type in COMMENTS for child in listed):
        return listed
    for child in listed:
        if child.type in COMMENTS:
            low.comment(child)
    return [child for child in listed if child.type not in COMMENTS]


def block(low: Lowering, node: Node | None, scope: Scope) -> None:
    """The statements of a block, or the one statement that stands where a block may."""
    if node is None:
        return
    if node.type not in ("block", "constructor_body", "switch_block", "program", "ERROR"):
        statement(low, node, scope)
        return
    for child in inside(low, node):
        statement(low, child, scope)


def only(low: Lowering, node: Node) -> Node | None:
    """What is wrapped: the first child that is no comment."""
    return next(iter(inside(low, node)), None)


def plain_string(low: Lowering, node: Node) -> str:
    """The text between the quotes, escapes read; a text block without the indentation that all its lines share."""
    text = low.text(node)
    if text.startswith('"""'):
        first, _, rest = text[3:].removesuffix('"""').partition("\n")
        return unescaped(textwrap.dedent(rest) if not first.strip() else text[3:])
    return unescaped(text[1:-1])
