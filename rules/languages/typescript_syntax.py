"""What the parts of the TypeScript front end share: the two dispatch tables, and how names, strings and patterns read."""

import re
from collections.abc import Callable

from tree_sitter import Node

from rules.facts import Entry, Expression, Literal, Name, Object, Scope, Sequence, Span, Spread, Unknown
from rules.languages.lowering import PLAIN, How, Lowering, bound, children, number, span

Defaults = list[tuple[Expression, Node]]
"""What a pattern gives where nothing is there, to be lowered once the scope it runs in exists."""

State = Callable[[Lowering, Node, Scope], None]
Express = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
"""By node type; filled in `typescript.py`, where all that lowers a statement comes together."""
EXPRESSIONS: dict[str, Express] = {}
"""By node type; filled in `typescript.py` as well."""

COMMENTS = frozenset({"comment", "html_comment"})
NAMES = frozenset({"identifier", "shorthand_property_identifier_pattern", "shorthand_property_identifier"})
TYPES = frozenset(
    {
        "type_annotation",
        "type_arguments",
        "type_parameters",
        "type_identifier",
        "predefined_type",
        "nested_type_identifier",
        "generic_type",
        "union_type",
        "intersection_type",
        "literal_type",
        "array_type",
        "tuple_type",
        "object_type",
        "function_type",
        "lookup_type",
        "conditional_type",
        "template_literal_type",
        "accessibility_modifier",
        "override_modifier",
        "optional_chain",
    }
)
"""What stands in the tree among values but has no value: it produces no facts."""
MISSING = Unknown(Span(1, 1, 0, 0), ())
"""Stands where a broken file lacks what the grammar promises."""
ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}


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


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Also what the parser could not place: statements inside it are lowered as such."""
    inside: list[Expression] = []
    for child in children(node):
        kind = child.type
        if kind in STATEMENTS:
            statement(low, child, scope)
        elif kind not in TYPES:
            inside.append(expression(low, child, scope))
    return Unknown(span(node), tuple(inside))


def block(low: Lowering, node: Node | None, scope: Scope) -> None:
    """The statements of a block, or the one statement that stands where a block may."""
    if node is None:
        return
    if node.type != "statement_block":
        statement(low, node, scope)
        return
    for child in children(node):
        statement(low, child, scope)


def only(node: Node) -> Node | None:
    """What is wrapped: the first child that is no comment."""
    return next((child for child in node.named_children if child.type not in COMMENTS), None)


def plain_string(low: Lowering, node: Node) -> str:
    """The text between the quotes, escapes read."""
    text = low.source[node.start_byte + 1 : node.end_byte - 1].decode(errors="replace")
    return ESCAPE.sub(unescaped, text) if "\\" in text else text


def unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 1 or (code not in ESCAPED and code[0] not in "ux"):
        return ESCAPED.get(code, code)
    if code in ESCAPED:
        return ESCAPED[code]
    point = int(code[1:].strip("{}"), 16)
    return chr(point) if point <= 0x10FFFF else match[0]


def property_name(low: Lowering, node: Node | None) -> str | None:
    """The name of a property or method; None for a computed one. `#private` reads `private`."""
    if node is None:
        return None
    kind = node.type
    if kind == "string":
        return plain_string(low, node)
    if kind == "number":
        return str(number(low.text(node)))
    if kind == "computed_property_name":
        inner = only(node)
        return plain_string(low, inner) if inner is not None and inner.type == "string" else None
    return low.text(node).lstrip("#")


def pattern(low: Lowering, node: Node | None, scope: Scope, defaults: Defaults) -> Expression:
    """What is assigned to: a name, a member, or a destructuring pattern, whose defaults are left for later."""
    if node is None:
        return MISSING
    kind = node.type
    if kind in NAMES:
        return Name(span(node), low.text(node))
    low.deeper()
    made: Expression
    if kind == "object_pattern":
        made = object_pattern(low, node, scope, defaults)
    elif kind == "array_pattern":
        made = array_pattern(low, node, scope, defaults)
    elif kind in ("assignment_pattern", "object_assignment_pattern"):
        made = pattern(low, node.child_by_field_name("left"), scope, defaults)
        right = node.child_by_field_name("right")
        if right is not None:
            defaults.append((made, right))
    elif kind == "rest_pattern":
        made = Spread(span(node), pattern(low, only(node), scope, defaults))
    else:
        made = expression(low, node, scope)
    low.depth -= 1
    return made


def object_pattern(low: Lowering, node: Node, scope: Scope, defaults: Defaults) -> Object:
    entries: list[Entry] = []
    for child in children(node):
        kind = child.type
        if kind in COMMENTS:
            continue
        key = child.child_by_field_name("key" if kind == "pair_pattern" else "left")
        value = child.child_by_field_name("value") if kind == "pair_pattern" else child
        name = None if kind == "rest_pattern" else property_name(low, key if key is not None else child)
        entries.append(Entry(span(child), name, pattern(low, value, scope, defaults)))
    return Object(span(node), tuple(entries), all(entry.name is not None for entry in entries))


def array_pattern(low: Lowering, node: Node, scope: Scope, defaults: Defaults) -> Sequence:
    """A hole is an Unknown, so that places count as written."""
    children(node)
    items: list[Expression] = []
    hole = True
    for child in node.children[1:]:
        if child.type == ",":
            if hole:
                items.append(Unknown(span(child), ()))
            hole = True
        elif child.is_named and child.type not in COMMENTS:
            items.append(pattern(low, child, scope, defaults))
            hole = False
    return Sequence(span(node), tuple(items))


def give_defaults(low: Lowering, defaults: Defaults, scope: Scope) -> None:
    """`{ a = f() }` reads `a ??= f()`."""
    low.deeper()
    for target, node in defaults:
        value = expression(low, node, scope, bound(PLAIN, (target,)))
        low.assign(node, (target,), value, "??=", scope)
    low.depth -= 1


def literal_text(low: Lowering, node: Node, start: int, end: int) -> Literal:
    """A stretch of text inside a template."""
    text = low.source[start:end].decode(errors="replace")
    row = node.start_point.row + low.source.count(b"\n", node.start_byte, start) + 1
    place = Span(row, row + text.count("\n"), start, end)
    return Literal(place, ESCAPE.sub(unescaped, text) if "\\" in text else text)
