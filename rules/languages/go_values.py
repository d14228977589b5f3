"""Go expressions and what they are assigned to, lowered to facts. `go.py` adds the func literal to the table."""

from collections.abc import Callable

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Compare,
    Entry,
    Expression,
    Index,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Raise,
    Scope,
    Sequence,
    Spread,
    Start,
    Unary,
    Unknown,
    Use,
    dotted,
)
from rules.languages.go_declared import PEELED, inside, type_name
from rules.languages.go_errors import TAKES, remember
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    TESTED,
    How,
    Lowering,
    bound,
    field,
    first_string,
    identifier,
    numeric,
    span,
)

STARTED = {start: CHAINED._replace(passed_to=start.value) for start in (Start.DETACHED, Start.DEFERRED)}
LISTS = ("slice_type", "array_type", "implicit_length_array_type")
PREDECLARED = frozenset(
    "any bool byte complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 "
    "uint32 uint64 uintptr".split()
)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def expression(low: Lowering, node: Node, scope: Scope, how: How = PLAIN) -> Expression:
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def part(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    child = node.child_by_field_name(name)
    return expression(low, child, scope, how) if child is not None else Unknown(span(node), ())


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), tuple([expression(low, child, scope) for child in inside(low, node)]))


def selector(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`db.Create(x).Error` is the result of the call: whatever happens to it happens to the call."""
    name = low.text(field(node, "field"))
    taken = name in TAKES and how.use in (Use.ASSIGNED, Use.RETURNED, Use.DISCARDED)
    return Member(span(node), part(low, node, "operand", scope, how if taken else CHAINED), name)


def qualified(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    package = field(node, "package")
    return Member(span(node), Name(span(package), low.text(package)), low.text(field(node, "name")))


def index(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Index(span(node), part(low, node, "operand", scope, CHAINED), part(low, node, "index", scope, ARGUMENT))


def slicing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    bounds = [node.child_by_field_name(name) for name in ("start", "end", "capacity")]
    inner = part(low, node, "operand", scope, CHAINED)
    made = tuple(expression(low, one, scope, ARGUMENT) for one in bounds if one is not None)
    return Index(span(node), inner, Unknown(span(node), made))


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    callee = part(low, node, "function", scope, STARTED.get(how.start, CHAINED))
    if isinstance(callee, Index) and is_type(dotted(callee.key)):
        callee = callee.object
    made: list[Argument] = []
    listing = node.child_by_field_name("arguments")
    for child in inside(low, listing) if listing is not None else ():
        inner = ARGUMENT
        if child.type == "func_literal":
            inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
        value = expression(low, child, scope, inner)
        made.append(Argument(value.span, None, value))
    if isinstance(callee, Name) and callee.text == "panic":
        low.raises.append(Raise(span(node), made[0].value if made else None, scope))
        return Unknown(span(node), tuple(one.value for one in made))
    if wraps_field(callee) and len(made) == 1:
        return made[0].value
    if low.name(callee) == "cmp.Or" and len(made) == 2:
        return Logical(span(node), "or", made[0].value, made[1].value)
    return low.call(node, callee, tuple(made), scope, how)


def wraps_field(callee: Expression) -> bool:
    """`orb.F(customer)`, `orb.F[any](properties)`: how generated SDKs take a field."""
    return isinstance(callee, Member) and callee.name == "F" and isinstance(callee.object, Name)


def conversion(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`[]byte(x)`, and `f[int](x)`, which parses the same."""
    callee = part(low, node, "type", scope, CHAINED)
    value = part(low, node, "operand", scope, ARGUMENT)
    if wraps_field(callee):
        return value
    return low.call(node, callee, (Argument(value.span, None, value),), scope, how)


def composite(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    kind, body = node.child_by_field_name("type"), node.child_by_field_name("body")
    return literal(low, node, kind, body if body is not None else node, scope)


def literal_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return literal(low, node, None, node, scope)


def literal(low: Lowering, node: Node, kind: Node | None, body: Node, scope: Scope) -> Expression:
    """A struct, map or list. In a list of structs the inner type is left out and comes from the outer one."""
    while kind is not None and kind.type in PEELED and kind.named_children:
        kind = kind.named_children[0]
    low.deeper()
    if kind is not None and kind.type in LISTS:
        made: Expression = items(low, node, kind.child_by_field_name("element"), body, scope)
    else:
        made = entries(low, node, kind, body, scope)
    low.depth -= 1
    return made


def items(low: Lowering, node: Node, kind: Node | None, body: Node, scope: Scope) -> Sequence:
    values = [field(child, "value") if child.type == "keyed_element" else child for child in inside(low, body)]
    return Sequence(span(node), tuple([element(low, value, kind, scope) for value in values]))


def entries(low: Lowering, node: Node, kind: Node | None, body: Node, scope: Scope) -> Object:
    """Without keys the fields have no name here: which they are is written elsewhere, so the object is not complete."""
    mapped = kind is not None and kind.type == "map_type"
    inner = kind.child_by_field_name("value") if kind is not None and mapped else None
    made: list[Entry] = []
    for child in inside(low, body):
        name = None
        value = child
        if child.type == "keyed_element":
            name, value = key(low, field(child, "key"), mapped, scope), field(child, "value")
        made.append(Entry(span(child), name, element(low, value, inner, scope, name)))
    named = "" if kind is None or mapped else type_name(low, kind)
    return Object(span(node), tuple(made), all(entry.name is not None for entry in made), named)


def key(low: Lowering, node: Node, mapped: bool, scope: Scope) -> str | None:
    """A field's name or a string key. In a map an identifier is a variable: computed."""
    one = node.named_children[0] if node.type == "literal_element" and node.named_children else node
    if one.type == "identifier" and not mapped:
        return low.text(one)
    made = expression(low, one, scope) if one.type != "keyed_element" else None
    return made.value if isinstance(made, Literal) and isinstance(made.value, str) else None


def element(low: Lowering, node: Node, kind: Node | None, scope: Scope, name: str | None = None) -> Expression:
    one = node.named_children[0] if node.type in ("literal_element", "keyed_element") and node.named_children else node
    if one.type == "literal_value":
        return literal(low, one, kind, one, scope)
    if name and one.type == "func_literal":
        return expression(low, one, scope, ARGUMENT._replace(bound_to=name))
    return expression(low, one, scope, ARGUMENT)


def text_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node)[1:-1])


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), {"true": True, "false": False, "nil": None}[node.type])


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Parentheses, type assertions, type arguments and pointers around a value are not kept."""
    inner = inside(low, node)
    return expression(low, inner[0], scope, how) if inner else Unknown(span(node), ())


def generic(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`Sum[int]` is `Sum`. `handlers[kind](x)` parses the same: what does not look like a type is a key."""
    inner = peeled(low, node, scope, how)
    arguments = node.child_by_field_name("type_arguments")
    if arguments is None or is_type(low.text(arguments)[1:-1]):
        return inner
    return Index(span(node), inner, Name(span(arguments), low.text(arguments)[1:-1]))


def is_type(text: str) -> bool:
    """By its looks: predeclared, exported, or more than a name."""
    return text in PREDECLARED or text.rpartition(".")[2][:1].isupper() or any(sign in text for sign in "[]*{, ")


def spread(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), peeled(low, node, scope, ARGUMENT))


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    operator = field(node, "operator").type
    if operator in ("&&", "||"):
        left, right = part(low, node, "left", scope, TESTED), part(low, node, "right", scope, TESTED)
        return Logical(span(node), "and" if operator == "&&" else "or", left, right)
    if operator in COMPARISONS:
        left, right = part(low, node, "left", scope, TESTED), part(low, node, "right", scope, TESTED)
        return Compare(span(node), operator, left, right)
    return Binary(span(node), operator, part(low, node, "left", scope), part(low, node, "right", scope))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`&x` and `*x` are `x`; `<-channel` reads `channel.receive()`."""
    operator = field(node, "operator").type
    if operator in ("&", "*"):
        return part(low, node, "operand", scope, how)
    if operator == "<-":
        return low.call(node, Member(span(node), part(low, node, "operand", scope, CHAINED), "receive"), (), scope, how)
    if operator == "!":
        return Unary(span(node), "not", part(low, node, "operand", scope, TESTED))
    value = part(low, node, "operand", scope)
    if operator == "-" and isinstance(value, Literal) and isinstance(value.value, int | float):
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def listed(low: Lowering, node: Node | None) -> list[Node]:
    if node is None:
        return []
    return inside(low, node) if node.type == "expression_list" else [node]


def bind(low: Lowering, node: Node, targets: tuple[Expression, ...], values: list[Node], scope: Scope, declares: bool) -> None:
    """`a, b = f(), g()` is one assignment for each pair, `a, err = f()` one of a pattern."""
    if len(targets) == len(values):
        for target, value in zip(targets, values, strict=True):
            bind_one(low, node, (target,), value, scope, declares)
        return
    if not values:
        written = node.child_by_field_name("type")
        kind = low.text(written) if written is not None else ""
        low.assigns.extend(Assign(span(node), (target,), None, "=", scope, declares, kind) for target in targets)
        return
    for value in values:
        bind_one(low, node, targets, value, scope, declares)


def bind_one(low: Lowering, node: Node, targets: tuple[Expression, ...], value: Node, scope: Scope, declares: bool) -> None:
    if all(isinstance(target, Name) and target.text == "_" for target in targets):
        expression(low, value, scope, DISCARDED)
        return
    made = expression(low, value, scope, bound(PLAIN, targets))
    pattern = targets if len(targets) == 1 else (Sequence(span(node), targets),)
    low.assigns.append(Assign(span(node), pattern, made, "=", scope, declares))
    remember(low, targets, made, scope)


EXPRESSIONS: dict[str, Callable[[Lowering, Node, Scope, How], Expression]] = {
    "identifier": identifier,
    "blank_identifier": identifier,
    "field_identifier": identifier,
    "type_identifier": identifier,
    "package_identifier": identifier,
    "iota": identifier,
    "slice_type": identifier,
    "array_type": identifier,
    "map_type": identifier,
    "channel_type": identifier,
    "function_type": identifier,
    "interface_type": identifier,
    "struct_type": identifier,
    "qualified_type": qualified,
    "generic_type": generic,
    "pointer_type": peeled,
    "parenthesized_type": peeled,
    "type_instantiation_expression": peeled,
    "selector_expression": selector,
    "index_expression": index,
    "slice_expression": slicing,
    "call_expression": call,
    "type_conversion_expression": conversion,
    "type_assertion_expression": peeled,
    "composite_literal": composite,
    "literal_value": literal_value,
    "literal_element": peeled,
    "interpreted_string_literal": text_literal,
    "raw_string_literal": text_literal,
    "rune_literal": text_literal,
    "int_literal": numeric,
    "float_literal": numeric,
    "imaginary_literal": numeric,
    "true": constant,
    "false": constant,
    "nil": constant,
    "parenthesized_expression": peeled,
    "variadic_argument": spread,
    "binary_expression": binary,
    "unary_expression": unary,
}
