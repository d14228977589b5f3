"""Expressions of Rust, lowered to facts; macros and what becomes of failures are in modules of their own."""

import re

from tree_sitter import Node

from rules.facts import (
    Argument,
    Binary,
    Call,
    Compare,
    Entry,
    Expression,
    Index,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Start,
    Unary,
    Unknown,
    Use,
    dotted,
)
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
    number,
    span,
)
from rules.languages.rust_builders import text_or_builder
from rules.languages.rust_failures import given_up, remember
from rules.languages.rust_macros import MACROS
from rules.languages.rust_syntax import (
    MISSING,
    WRAPPERS,
    Express,
    expression,
    made_call,
    nothing,
    only,
    part,
    path,
    said,
    segments,
    unknown,
)

LOGIC = {"&&": "and", "||": "or"}
COMPARES = frozenset({"==", "!=", "<", ">", "<=", ">="})
COPIES = frozenset(
    "clone to_owned into as_str as_ref as_mut borrow as_deref cloned copied as_slice try_into to_vec iter into_iter "
    "iter_mut as_bytes".split()
)
"""Methods without arguments that give back the same value, in another form or for another owner."""
GUARDS = frozenset("lock write read borrow_mut".split())
"""What, without arguments, gives access to the value that a mutex or a cell holds."""
FUNCTIONS = frozenset({"closure_expression", "async_block"})
STARTERS = frozenset(
    "tokio.spawn tokio.task.spawn tokio.task.spawn_blocking tokio.task.spawn_local std.thread.spawn "
    "thread.spawn spawn task.spawn actix_rt.spawn actix_web.rt.spawn rt.spawn async_std.task.spawn".split()
)
SUFFIX = re.compile(r"_?(?:[iu](?:8|16|32|64|128|size)|f32|f64)$")
NUMBERS = {"f64": "float64", "f32": "float32"} | dict.fromkeys(("i64", "u64", "i128", "u128", "usize", "isize"), "int64")
NUMBERS |= dict.fromkeys(("i32", "u32", "i16", "u16", "i8", "u8"), "int")


def named(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    text = low.text(node)
    return Literal(span(node), None) if text == "None" else Name(span(node), "self" if text == "Self" else text)


def scoped(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return path(low, node)


def field_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Member(span(node), part(low, node, "value", scope, CHAINED), low.text(field(node, "field")))


def index(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = said(low, node)
    key = expression(low, inside[1], scope, ARGUMENT) if len(inside) > 1 else MISSING
    return Index(span(node), expression(low, inside[0] if inside else None, scope, CHAINED), key)


def called(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A call, with what only copies, wraps or unwraps a value peeled off, and builders read as one call."""
    function = field(node, "function")
    if function.type == "generic_function":
        function = field(function, "function")
    listing = said(low, node.child_by_field_name("arguments"))
    if function.type == "field_expression" and not listing and low.text(field(function, "field")) in COPIES:
        return part(low, function, "value", scope, how)
    if function.type == "field_expression" and (made := text_or_builder(low, node, function, listing, scope, how)) is not None:
        return made
    if (taken := given_up(low, node, scope, how)) is not None:
        return taken
    callee = callee_of(low, function, scope, how)
    name = dotted(callee)
    if name.endswith(("mem.take", "mem.replace")) and listing:
        return emptied(low, node, callee, listing, scope, how)
    if isinstance(callee, Member) and callee.name in GUARDS and not listing and how.use is CHAINED.use:
        made_call(low, node, callee, (), scope, how)
        return callee.object
    if isinstance(callee, Member) and callee.name == "unwrap_or" and listing:
        return Logical(span(node), "??", callee.object, expression(low, listing[0], scope, ARGUMENT))
    if name in WRAPPERS and len(listing) == 1:
        return expression(low, listing[0], scope, how)
    if low.name(callee) in STARTERS and how.use is Use.DISCARDED and how.start is not Start.AWAITED and listing:
        return started(low, node, listing[0], low.name(callee), scope)
    if name.endswith("Map.from") and len(listing) == 1 and listing[0].type == "array_expression":
        return mapping(low, node, listing[0], scope)
    return made_call(low, node, callee, arguments(low, listing, callee, scope), scope, how, constructs=is_made(name))


def emptied(low: Lowering, node: Node, callee: Expression, listing: list[Node], scope: Scope, how: How) -> Expression:
    """`mem::take(&mut self.pending)` gives what was there and leaves nothing, or what `mem::replace` is given for it."""
    held = expression(low, listing[0], scope, CHAINED)
    rest = arguments(low, listing[1:], callee, scope)
    made = made_call(low, node, callee, (Argument(held.span, None, held), *rest), scope, how)
    left = rest[0].value if rest else Sequence(span(node), ())
    low.assign(node, (held,), left, "=", scope)
    return made


def callee_of(low: Lowering, function: Node, scope: Scope, how: How) -> Expression:
    return expression(low, function, scope, CHAINED) if function.type != "scoped_identifier" else path(low, function)


def is_made(name: str) -> bool:
    """`UsageEvent::new(…)` makes one."""
    before, _, last = name.rpartition(".")
    return last == "new" and before.rpartition(".")[2][:1].isupper()


def all_pairs(low: Lowering, node: Node) -> bool:
    """`[("a", b), ("c", d)]`, as forms and queries are written."""
    pairs = [said(low, one) if one.type == "tuple_expression" else [] for one in said(low, node)]
    return bool(pairs) and all(len(one) == 2 and one[0].type == "string_literal" for one in pairs)


def mapping(low: Lowering, node: Node, listing: Node, scope: Scope) -> Expression:
    """`HashMap::from([("a", b)])`."""
    entries: list[Entry] = []
    for pair in said(low, listing):
        inside = said(low, pair)
        key = expression(low, inside[0], scope, ARGUMENT) if inside else MISSING
        name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
        entries.append(Entry(span(pair), name, expression(low, inside[-1] if inside else None, scope, ARGUMENT)))
    return Object(span(node), tuple(entries), all(one.name is not None for one in entries))


def started(low: Lowering, node: Node, first: Node, name: str, scope: Scope) -> Expression:
    """`tokio::spawn(async move { … });` runs beside the caller, as Go's `go func() {…}()` does."""
    beside = DISCARDED._replace(start=Start.DETACHED, passed_to=name)
    if first.type in FUNCTIONS:
        callee = expression(low, first, scope, CHAINED._replace(passed_to=name))
        return made_call(low, node, callee, (), scope, beside)
    return expression(low, first, scope, beside)


def arguments(low: Lowering, listing: list[Node], callee: Expression, scope: Scope) -> tuple[Argument, ...]:
    made: list[Argument] = []
    for child in listing:
        how = ARGUMENT
        if child.type in FUNCTIONS:
            how = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
        made.append(Argument(span(child), None, expression(low, child, scope, how)))
    return tuple(made)


def awaited(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    start = how.start if how.start is Start.DETACHED else Start.AWAITED
    return expression(low, only(low, node), scope, how._replace(start=start))


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x?`, `&x`, `(x)`: the value inside. What `?` passes on needs no handler to leave the function."""
    inside = node.child_by_field_name("value") or only(low, node)
    return expression(low, inside, scope, how)


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    operator = low.text(field(node, "operator"))
    inner = TESTED if operator in COMPARES or operator in LOGIC else PLAIN
    left, right = part(low, node, "left", scope, inner), part(low, node, "right", scope, inner)
    if operator in LOGIC:
        return Logical(span(node), LOGIC[operator], left, right)
    if operator in COMPARES:
        return Compare(span(node), operator, left, right)
    return Binary(span(node), operator, left, right)


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.children[0].type if node.children else ""
    inside = only(low, node)
    if sign == "*":
        return expression(low, inside, scope, how)
    if sign == "!":
        return Unary(span(node), "not", expression(low, inside, scope, TESTED))
    value = expression(low, inside, scope)
    if sign == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), sign, value)


def cast(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x as f64` reads `float64(x)`."""
    kind = low.text(field(node, "type"))
    if kind not in NUMBERS:
        return part(low, node, "value", scope, how)
    value = part(low, node, "value", scope, ARGUMENT)
    return made_call(
        low, node, Name(span(field(node, "type")), NUMBERS[kind]), (Argument(value.span, None, value),), scope, how
    )


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = part(low, node, "left", scope)
    right = node.child_by_field_name("right")
    if isinstance(target, Name) and target.text == "_":
        return expression(low, right, scope, DISCARDED)
    value = expression(low, right, scope, bound(PLAIN, (target,)))
    low.assign(node, (target,), value, "=", scope)
    if right is not None:
        remember(low, target, value, right)
    return value


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = part(low, node, "left", scope)
    value = part(low, node, "right", scope)
    low.assign(node, (target,), value, low.text(field(node, "operator")), scope)
    return target


def integer(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    text = low.text(node)
    plain = SUFFIX.sub("", text) if not text.startswith("0x") else text
    try:
        return Literal(span(node), int(plain.replace("_", ""), 0))
    except ValueError:
        return Literal(span(node), number(plain))


def real(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), number(SUFFIX.sub("", low.text(node))))


def boolean(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node) == "true")


def unit(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), None)


def character(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node).lstrip("b")[1:-1])


def sequence(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    if node.type == "array_expression" and all_pairs(low, node):
        return mapping(low, node, node, scope)
    length = node.child_by_field_name("length")
    items = [child for child in said(low, node) if child != length]
    return Sequence(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in items]))


def structure(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`T { a: 1, b, ..Default::default() }`; what a default gives adds nothing that is not known."""
    entries: list[Entry] = []
    complete = True
    for child in said(low, node.child_by_field_name("body")):
        if child.type == "shorthand_field_initializer":
            name = low.text(only(low, child) or child)
            entries.append(Entry(span(child), name, Name(span(child), name)))
        elif child.type == "field_initializer":
            name = low.text(field(child, "field"))
            value = child.child_by_field_name("value")
            inner = ARGUMENT._replace(bound_to=name) if value is not None and value.type in FUNCTIONS else ARGUMENT
            entries.append(Entry(span(child), name, expression(low, value, scope, inner)))
        elif child.type == "base_field_initializer":
            base = expression(low, only(low, child), scope, ARGUMENT)
            if not (isinstance(base, Call) and base.method == "default"):
                entries.append(Entry(span(child), None, Spread(span(child), base)))
                complete = False
    kind = segments(low, field(node, "name"))[-1:]
    return Object(span(node), tuple(entries), complete, kind[0] if kind else "")


def spanned(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`0..n`: as a loop's source it is `range(0, n)`."""
    made = tuple(Argument(span(one), None, expression(low, one, scope, ARGUMENT)) for one in said(low, node))
    if len(made) == 2:
        return made_call(low, node, Name(span(node), "range"), made, scope, how)
    return Unknown(span(node), tuple(one.value for one in made))


NAMES = ("identifier", "self", "field_identifier", "shorthand_field_identifier", "type_identifier", "crate", "super")
VALUES: dict[str, Express] = dict.fromkeys(NAMES, named) | {
    "scoped_identifier": scoped,
    "scoped_type_identifier": scoped,
    "generic_function": lambda low, node, scope, how: part(low, node, "function", scope, how),
    "generic_type": lambda low, node, scope, how: part(low, node, "type", scope, how),
    "field_expression": field_access,
    "index_expression": index,
    "call_expression": called,
    "await_expression": awaited,
    "try_expression": peeled,
    "reference_expression": peeled,
    "parenthesized_expression": peeled,
    "binary_expression": binary,
    "unary_expression": unary,
    "type_cast_expression": cast,
    "assignment_expression": assignment,
    "compound_assignment_expr": augmented,
    "integer_literal": integer,
    "float_literal": real,
    "boolean_literal": boolean,
    "negative_literal": unknown,
    "unit_expression": unit,
    "char_literal": character,
    "tuple_expression": sequence,
    "array_expression": sequence,
    "struct_expression": structure,
    "range_expression": spanned,
    "type_arguments": nothing,
    "primitive_type": named,
    "label": nothing,
    "line_comment": nothing,
    "block_comment": nothing,
}
VALUES |= MACROS
