"""What the parts of the Kotlin front end share: the two dispatch tables, and how children, names and texts read."""

import re
import textwrap
from collections.abc import Callable

from tree_sitter import Node

from rules.facts import Expression, Literal, Name, Scope, Span, Template, Unknown
from rules.languages.jvm_names import unescaped
from rules.languages.lowering import ARGUMENT, DISCARDED, PLAIN, How, Lowering, children, span

State = Callable[[Lowering, Node, Scope], None]
Express = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
"""By node type; filled in `kotlin.py`, where all that lowers a statement comes together."""
EXPRESSIONS: dict[str, Express] = {}
"""By node type; filled in `kotlin.py` as well."""
BOTH = frozenset({"if_expression", "when_expression", "try_expression", "identifier", "labeled_expression"})
"""What may stand as a statement and has a value too."""
COMMENTS = frozenset({"line_comment", "block_comment", "shebang"})
TYPES = frozenset(
    "user_type nullable_type function_type type_arguments type_parameters type_constraints modifiers annotation label "
    "type_projection parenthesized_type use_site_target".split()
)
"""What stands in the tree among values but has no value: it produces no facts."""
MISSING = Unknown(Span(1, 1, 0, 0), ())
"""Stands where a broken file lacks what the grammar promises."""
FILLED = re.compile(r"(?<!\\)\$([A-Za-z_]\w*)")


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    found = STATEMENTS.get(node.type)
    if found is not None:
        found(low, node, scope)
    else:
        expression(low, node, scope, DISCARDED)
    low.depth -= 1


def is_statement(node: Node) -> bool:
    """Whether it has no value."""
    return node.type == "assignment" or (node.type in STATEMENTS and node.type not in BOTH)


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
    found: list[Expression] = []
    for child in inside(low, node):
        if is_statement(child):
            statement(low, child, scope)
        else:
            found.append(expression(low, child, scope))
    return Unknown(span(node), tuple(found))


def inside(low: Lowering, node: Node) -> list[Node]:
    """The named children but types and comments; the latter are kept as such."""
    found: list[Node] = []
    for child in children(node):
        kind = child.type
        if kind in COMMENTS:
            low.comment(child)
        elif kind not in TYPES:
            found.append(child)
    return found


def block(low: Lowering, node: Node | None, scope: Scope) -> None:
    """The statements of a block, or the one statement that stands where a block may."""
    if node is None:
        return
    if node.type not in ("block", "source_file", "ERROR"):
        statement(low, node, scope)
        return
    for child in inside(low, node):
        statement(low, child, scope)


def only(low: Lowering, node: Node) -> Node | None:
    """What is wrapped: the first child that is neither a type nor a comment."""
    return next(iter(inside(low, node)), None)


def type_text(low: Lowering, node: Node) -> str:
    """The type that is written among a declaration's children."""
    kinds = ("user_type", "nullable_type", "function_type", "parenthesized_type")
    return next((low.text(child) for child in reversed(node.named_children) if child.type in kinds), "")


def text(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A string. The grammar does not mark each `$name` as one, so what lies between its marks is searched for more."""
    quotes = 3 if low.source[node.start_byte : node.start_byte + 3] == b'"""' else 1
    start, end = node.start_byte + quotes, max(node.end_byte - quotes, node.start_byte + quotes)
    made: list[Expression] = []
    for child in children(node):
        if child.type == "interpolation":
            made.extend(pieces(low, node, start, child.start_byte, quotes))
            made.append(expression(low, only(low, child), scope, ARGUMENT))
            start = child.end_byte
    made.extend(pieces(low, node, start, end, quotes))
    if all(isinstance(one, Literal) for one in made):
        whole = "".join(str(getattr(one, "value", "")) for one in made)
        return Literal(span(node), textwrap.dedent(whole) if quotes == 3 else whole)
    return Template(span(node), tuple(made))


def pieces(low: Lowering, node: Node, start: int, end: int, quotes: int) -> list[Expression]:
    """A stretch of a string, taken apart at the names that are filled in."""
    raw = low.source[start:end].decode(errors="replace")
    found: list[Expression] = []
    row = node.start_point.row + low.source.count(b"\n", node.start_byte, start) + 1
    at = 0
    for hole in FILLED.finditer(raw):
        if hole.start() > at:
            found.append(plain(raw, at, hole.start(), start, row, quotes))
        line = row + raw.count("\n", 0, hole.start())
        place = start + len(raw[: hole.start()].encode())
        found.append(Name(Span(line, line, place, place + len(hole[0])), hole[1]))
        at = hole.end()
    if at < len(raw):
        found.append(plain(raw, at, len(raw), start, row, quotes))
    return found


def plain(raw: str, first: int, last: int, start: int, row: int, quotes: int) -> Literal:
    piece = raw[first:last]
    line = row + raw.count("\n", 0, first)
    place = start + len(raw[:first].encode())
    where = Span(line, line + piece.count("\n"), place, place + len(piece.encode()))
    return Literal(where, piece if quotes == 3 else unescaped(piece))
