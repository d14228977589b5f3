"""What C# builds: objects with initializers, collections, anonymous objects, copies, and the texts of strings."""

import re

from tree_sitter import Node

from rules.facts import Argument, Entry, Expression, Literal, Name, Object, Scope, Sequence, Spread, dotted
from rules.languages.csharp_syntax import (
    FUNCTIONS,
    Express,
    expression,
    listed,
    made_call,
    only,
    said,
    type_as_value,
    type_name,
)
from rules.languages.lowering import ARGUMENT, How, Lowering, span

LISTS = frozenset(
    "List HashSet Queue Stack LinkedList SortedSet ConcurrentQueue ConcurrentBag ConcurrentStack Collection "
    "ObservableCollection BlockingCollection".split()
)
MAPS = frozenset("Dictionary ConcurrentDictionary SortedDictionary SortedList".split())
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def creation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`new T { A = 1 }` is an object, `new List<T> { a }` a list, `new T(a)` a call, which is handed an initializer as well."""
    kind = node.child_by_field_name("type") or declared_type(node)
    initializer = node.child_by_field_name("initializer") or child_of(node, "initializer_expression")
    given = said(low, node.child_by_field_name("arguments") or child_of(node, "argument_list"))
    name = type_name(low, kind).rpartition(".")[2]
    if kind is not None and kind.type == "array_type":
        return sequence(low, initializer, scope) if initializer is not None else Sequence(span(node), ())
    if initializer is None and not given and name in LISTS:
        return Sequence(span(node), ())
    if initializer is None and not given and name in MAPS:
        return Object(span(node), (), True, name)
    callee = type_as_value(low, kind) if kind is not None else Name(span(node), "new")
    if initializer is None:
        return made_call(low, node, callee, listed(low, arguments_of(node), scope, callee), scope, how, constructs=True)
    inside = initialized(low, node, initializer, name, scope)
    if not given or isinstance(inside, Sequence) or name in MAPS:
        return inside
    arguments = listed(low, arguments_of(node), scope, callee)
    arguments += (Argument(inside.span, None, inside),)
    return made_call(low, node, callee, arguments, scope, how, constructs=True)


def declared_type(node: Node) -> Node | None:
    """What `new()` makes: the type of the variable, field or property it is the first value of."""
    holder = node.parent
    if holder is not None and holder.type == "variable_declarator":
        holder = holder.parent
    if holder is None or holder.type not in ("variable_declaration", "property_declaration"):
        return None
    return holder.child_by_field_name("type")


def child_of(node: Node, kind: str) -> Node | None:
    return next((child for child in node.named_children if child.type == kind), None)


def arguments_of(node: Node) -> Node | None:
    return node.child_by_field_name("arguments") or child_of(node, "argument_list")


def initialized(low: Lowering, node: Node, body: Node, name: str, scope: Scope) -> Object | Sequence:
    """Entries where names or keys are set, items elsewhere."""
    inside = said(low, body)
    keyed = [child for child in inside if child.type in ("assignment_expression", "initializer_expression")]
    if inside and not keyed:
        return sequence(low, body, scope)
    entries = tuple([entry(low, child, scope) for child in inside])
    return Object(span(node), entries, all(one.name is not None for one in entries), name)


def entry(low: Lowering, node: Node, scope: Scope) -> Entry:
    """`Name = value`, `["key"] = value` or `{ "key", value }`."""
    if node.type == "initializer_expression":
        pair = said(low, node)
        key = expression(low, pair[0], scope, ARGUMENT) if pair else None
        return Entry(span(node), text_of(key), expression(low, pair[-1] if pair else None, scope, ARGUMENT))
    left = node.child_by_field_name("left")
    if left is not None and left.type == "identifier":
        name: str | None = low.text(left)
    else:
        inside = only(low, left) if left is not None else None
        name = text_of(expression(low, inside, scope, ARGUMENT)) if inside is not None else None
    return Entry(span(node), name, given(low, node.child_by_field_name("right"), scope, name))


def given(low: Lowering, node: Node | None, scope: Scope, name: str | None) -> Expression:
    """The value of an entry; `Payload = { ["a"] = b }` fills what is there already."""
    if node is not None and node.type == "initializer_expression":
        return initialized(low, node, node, "", scope)
    bound_to = (name or "") if node is not None and node.type in FUNCTIONS else ""
    return expression(low, node, scope, ARGUMENT._replace(bound_to=bound_to))


def text_of(key: Expression | None) -> str | None:
    return key.value if isinstance(key, Literal) and isinstance(key.value, str) else None


def sequence(low: Lowering, node: Node, scope: Scope) -> Sequence:
    return Sequence(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in said(low, node)]))


def items(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`{ a, b }` as the value of an array."""
    return initialized(low, node, node, "", scope)


def array(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    body = child_of(node, "initializer_expression")
    return sequence(low, body, scope) if body is not None else Sequence(span(node), ())


def collection(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`[a, ..b]`."""
    inside = [one for child in said(low, node) for one in said(low, child)]
    values = [only(low, one) if one.type == "expression_element" else one for one in inside]
    return Sequence(span(node), tuple([expression(low, one, scope, ARGUMENT) for one in values]))


def anonymous(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`new { a, b.C, D = 1 }`: what has no name of its own goes by the last one in it."""
    entries: list[Entry] = []
    label: Node | None = None
    for child, following in zip(node.children, [*node.children[1:], None], strict=True):
        if following is not None and following.type == "=":
            label = child
        elif child.is_named and child.type != "comment":
            value = expression(low, child, scope, ARGUMENT)
            last = dotted(value).rpartition(".")[2]
            entries.append(Entry(span(child), low.text(label) if label is not None else last or None, value))
            label = None
    return Object(span(node), tuple(entries), all(one.name is not None for one in entries))


def copy(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`options with { Quantity = 1 }` reads `{ ...options, Quantity: 1 }`."""
    inside = said(low, node)
    source = expression(low, inside[0] if inside else None, scope, ARGUMENT)
    entries = [Entry(source.span, None, Spread(source.span, source))]
    for child in inside[1:]:
        pair = said(low, child)
        if len(pair) == 2:
            entries.append(Entry(span(child), low.text(pair[0]), expression(low, pair[1], scope, ARGUMENT)))
    return Object(span(node), tuple(entries), False)


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    text = low.text(node).removesuffix("u8")[1:-1]
    return Literal(span(node), ESCAPE.sub(unescaped, text) if "\\" in text else text)


def unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 1:
        return ESCAPED.get(code, code)
    point = int(code[1:], 16)
    return chr(point) if point <= 0x10FFFF else match[0]


def verbatim(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node)[2:-1].replace('""', '"'))


def raw(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    text = low.text(node)
    quotes = len(text) - len(text.lstrip('"'))
    return Literal(span(node), text[quotes : len(text) - quotes] if quotes >= 3 else text)


def character(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node)[1:-1])


OBJECTS: dict[str, Express] = {
    "object_creation_expression": creation,
    "implicit_object_creation_expression": creation,
    "initializer_expression": items,
    "array_creation_expression": creation,
    "implicit_array_creation_expression": array,
    "stackalloc_expression": array,
    "implicit_stackalloc_expression": array,
    "collection_expression": collection,
    "anonymous_object_creation_expression": anonymous,
    "with_expression": copy,
    "string_literal": string,
    "verbatim_string_literal": verbatim,
    "raw_string_literal": raw,
    "character_literal": character,
}
