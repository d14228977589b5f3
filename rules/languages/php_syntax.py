"""The way from a PHP node to what lowers it, and names as other languages write them."""

from collections.abc import Callable
from typing import TypeAlias

from tree_sitter import Node

from rules.facts import Entry, Expression, Literal, Member, Name, Object, Scope, Sequence, Span, Unknown
from rules.languages.lowering import PLAIN, How, Lowering, children, span

State: TypeAlias = Callable[[Lowering, Node, Scope], None]
Express: TypeAlias = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
EXPRESSIONS: dict[str, Express] = {}
SENT = {"_POST": "body", "_GET": "query", "_REQUEST": "params", "_FILES": "files"}
"""What PHP makes of a request, by where it comes from."""
OWN = frozenset("self static".split())


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    STATEMENTS.get(node.type, other_statement)(low, node, scope)
    low.depth -= 1


def other_statement(low: Lowering, node: Node, scope: Scope) -> None:
    expression(low, node, scope)


def block(low: Lowering, node: Node | None, scope: Scope) -> None:
    for child in children(node) if node is not None else ():
        statement(low, child, scope)


def expression(low: Lowering, node: Node, scope: Scope, how: How = PLAIN) -> Expression:
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def sub(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    part = node.child_by_field_name(name)
    return expression(low, part, scope, how) if part is not None else Unknown(span(node), ())


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """In a broken file a statement may stand for an expression."""
    if node.type in STATEMENTS:
        STATEMENTS[node.type](low, node, scope)
        return Unknown(span(node), ())
    return Unknown(span(node), tuple([expression(low, child, scope) for child in children(node)]))


def inner(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Parentheses, `@`, `clone` and references around a value are not kept."""
    parts = [child for child in children(node) if child.type not in ("comment", "cast_type", "reference_modifier")]
    return expression(low, parts[-1], scope, how) if parts else Unknown(span(node), ())


def variable(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`$total` is `total`; `$_POST` is the body of the request."""
    text = low.text(node).lstrip("$&")
    if text in SENT:
        return Member(span(node), Name(span(node), "request"), SENT[text])
    return Name(span(node), text)


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A constant, class or function. `self` and `static` are the class itself."""
    text = low.text(node)
    return Name(span(node), "self" if text in OWN else text)


def qualified(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`\\Stripe\\StripeClient` is written out, so its package is known without a `use`."""
    names = low.text(node).strip("\\").split("\\")
    if len(names) > 1:
        low.packages.add("/".join(names))
    return path(names, span(node))


def path(names: list[str], place: Span) -> Expression:
    made: Expression = Name(place, names[0])
    for name in names[1:]:
        made = Member(place, made, name)
    return made


def field_name(low: Lowering, node: Node | None) -> str:
    """The name of a member; a computed one has none."""
    return low.text(node) if node is not None and node.type == "name" else ""


def pattern(low: Lowering, node: Node, scope: Scope) -> Expression:
    """A target: `[$a, $b]` is a list, `['id' => $id]` takes a part."""
    if node.type not in ("list_literal", "array_creation_expression"):
        return expression(low, node, scope)
    low.deeper()
    made = list_pattern(low, node, scope) if node.type == "list_literal" else array_pattern(low, node, scope)
    low.depth -= 1
    return made


def list_pattern(low: Lowering, node: Node, scope: Scope) -> Expression:
    parts = [child for child in node.children if child.type not in ("comment", "[", "]", "list", "(", ")")]
    items: list[Expression] = []
    entries: list[Entry] = []
    key: str | None = None
    for child in parts:
        if child.type == "=>" and items:
            last = items.pop()
            key = last.value if isinstance(last, Literal) and isinstance(last.value, str) else None
        elif child.is_named:
            target = pattern(low, child, scope)
            if key is not None:
                entries.append(Entry(target.span, key, target))
                key = None
            else:
                items.append(target)
    return Object(span(node), tuple(entries)) if entries else Sequence(span(node), tuple(items))


def array_pattern(low: Lowering, node: Node, scope: Scope) -> Expression:
    items: list[Expression] = []
    entries: list[Entry] = []
    for one in children(node):
        values = (
            [child for child in children(one) if child.type != "comment"] if one.type == "array_element_initializer" else []
        )
        if len(values) == 2:
            key = expression(low, values[0], scope)
            name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
            entries.append(Entry(span(one), name, pattern(low, values[1], scope)))
        elif values:
            items.append(pattern(low, values[0], scope))
    return Object(span(node), tuple(entries)) if entries else Sequence(span(node), tuple(items))
