"""Expressions of C#, lowered to facts; patterns and queries are in modules of their own."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Binary,
    Branch,
    Call,
    Compare,
    Conditional,
    Expression,
    Index,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Raise,
    Scope,
    Sequence,
    Spread,
    Start,
    Template,
    Test,
    Unary,
    Unknown,
    Use,
    dotted,
)
from rules.languages.csharp_calls import invocation
from rules.languages.csharp_objects import OBJECTS
from rules.languages.csharp_patterns import PATTERNS
from rules.languages.csharp_syntax import (
    AGENT,
    FUNCTIONS,
    MISSING,
    Express,
    expression,
    holds,
    listed,
    made_call,
    name_of,
    nothing,
    only,
    part,
    said,
    type_as_value,
    type_name,
    type_text,
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
    number,
    numeric,
    span,
)

LOGIC = {"&&": "and", "||": "or", "??": "??"}
COMPARES = frozenset({"==", "!=", "<", ">", "<=", ">="})
CLOCKS = frozenset({"UtcNow", "Now", "Today"})
NUMBERS = {"int": "int", "long": "int64", "short": "int", "byte": "int", "uint": "int", "ulong": "int64"} | {
    "double": "float64",
    "float": "float32",
}
"""A cast to one of these changes the number, and reads as a call of that name."""


def named(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Name(span(node), low.text(node).lstrip("@"))


def generic_name(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Name(span(node), type_name(low, node))


def member_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`DateTime.UtcNow` asks the clock each time, and `task.Result` waits for what it is asked of."""
    name = type_name(low, node.child_by_field_name("name"))
    inside = node.child_by_field_name("expression")
    if name == "Result" and inside is not None and inside.type == "invocation_expression":
        return expression(low, inside, scope, how._replace(start=Start.AWAITED))
    made = Member(span(node), expression(low, inside, scope, CHAINED), name)
    if name == "UtcNow" or (name in CLOCKS and dotted(made.object) in ("DateTime", "DateTimeOffset", "System.DateTime")):
        return made_call(low, node, made, (), scope, how)
    return made


def conditional_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a?.b` and `a?[i]` read as if `a` were always there."""
    inside = said(low, node)
    receiver = expression(low, inside[0] if inside else None, scope, CHAINED)
    return bound_to(low, inside[-1], receiver, scope) if len(inside) > 1 else receiver


def bound_to(low: Lowering, node: Node, receiver: Expression, scope: Scope) -> Expression:
    if node.type == "member_binding_expression":
        return Member(span(node), receiver, type_name(low, node.child_by_field_name("name")))
    if node.type == "element_binding_expression":
        return Index(span(node), receiver, key_of(low, node, scope))
    return Unknown(span(node), (receiver, expression(low, node, scope)))


def element_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = part(low, node, "expression", scope, CHAINED)
    keys = node.child_by_field_name("subscript")
    return Index(span(node), inner, key_of(low, keys, scope) if keys is not None else MISSING)


def key_of(low: Lowering, node: Node, scope: Scope) -> Expression:
    made = [one.value for one in listed(low, node, scope, MISSING)]
    return made[0] if len(made) == 1 else Sequence(span(node), tuple(made))


def declaration(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`out var used`, `var (a, b)` on the left of an assignment. The grammar takes `f(a * b)` for a pointer `a* b`."""
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type == "pointer_type":
        left = type_as_value(low, only(low, kind) or kind)
        return Binary(span(node), "*", left, part(low, node, "name", scope))
    return part(low, node, "name", scope)


def awaited(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, only(low, node), scope, how._replace(start=Start.AWAITED))


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Parentheses, `checked(x)`, `ref x`: the value inside."""
    return expression(low, only(low, node), scope, how)


def cast(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A cast between numbers changes the value; any other is the value itself."""
    kind = type_text(low, node.child_by_field_name("type"))
    if kind not in NUMBERS and kind != "decimal":
        return part(low, node, "value", scope, how)
    value = part(low, node, "value", scope, ARGUMENT)
    callee = Name(span(node.child_by_field_name("type") or node), NUMBERS.get(kind, kind))
    return made_call(low, node, callee, (Argument(value.span, None, value),), scope, how, constructs=kind == "decimal")


def as_type(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return part(low, node, "left", scope, how)


def tuple_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Sequence(span(node), tuple(one.value for one in listed(low, node, scope, MISSING)))


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else ""
    if operator in LOGIC:
        return logical(low, node, scope, how, LOGIC[operator])
    inner = TESTED if operator in COMPARES else PLAIN
    left, right = part(low, node, "left", scope, inner), part(low, node, "right", scope, inner)
    if operator in COMPARES:
        return Compare(span(node), operator, left, right)
    return Binary(span(node), operator, left, right)


def logical(low: Lowering, node: Node, scope: Scope, how: How, operator: str) -> Expression:
    """The right side is what the whole may yield. `a ?? throw …` raises only where `a` is null."""
    left = part(low, node, "left", scope, TESTED)
    other = node.child_by_field_name("right")
    into = scope
    if other is not None and other.type == "throw_expression":
        into = low.scope(Kind.BRANCH, other, scope, Branch(left, "else"))
    inner = TESTED if operator != "??" and how.use in (Use.OTHER, Use.CHAINED, Use.ARGUMENT) else how
    return Logical(span(node), operator, left, expression(low, other, into, inner))


def thrown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = only(low, node)
    value = expression(low, inside, scope, ARGUMENT) if inside is not None else None
    low.raises.append(Raise(span(node), value, scope))
    return Unknown(span(node), ())


def prefix(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.children[0].type if node.children else ""
    inside = only(low, node)
    if sign in ("++", "--"):
        return stepped(low, node, inside, sign, scope)
    if sign in ("&", "*"):
        return expression(low, inside, scope, how)
    if sign == "!":
        return Unary(span(node), "not", expression(low, inside, scope, TESTED))
    value = expression(low, inside, scope)
    if sign == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), sign, value)


def postfix(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x!` is `x`."""
    sign = node.children[-1].type if node.children else ""
    inside = only(low, node)
    return stepped(low, node, inside, sign, scope) if sign in ("++", "--") else expression(low, inside, scope, how)


def stepped(low: Lowering, node: Node, inside: Node | None, sign: str, scope: Scope) -> Expression:
    target = expression(low, inside, scope)
    low.assign(node, (target,), Literal(span(node), 1), "-=" if sign == "--" else "+=", scope)
    return target


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else "="
    right = node.child_by_field_name("right")
    target = part(low, node, "left", scope)
    if isinstance(target, Name) and target.text == "_" and operator == "=":
        return expression(low, right, scope, DISCARDED)
    if operator == "+=" and right is not None and right.type in FUNCTIONS:
        return expression(low, right, scope, ARGUMENT._replace(passed_to=name_of(low, target)))
    inner = bound(PLAIN, (target,)) if operator in ("=", "??=") else PLAIN
    value = expression(low, right, scope, inner)
    low.assign(node, (target,), value, operator, scope)
    if isinstance(target, Name) and isinstance(value, Call) and value.constructs and AGENT.match(value.method):
        holds(low, target.text, value.method)
    return value if operator == "=" else target


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a ? b : throw …` raises only in its arm."""
    test = part(low, node, "condition", scope, TESTED)
    low.tests.append(Test(test.span, test, scope))
    made: list[Expression] = []
    for name, arm in (("consequence", "then"), ("alternative", "else")):
        child = node.child_by_field_name(name)
        into = scope
        if child is not None and child.type == "throw_expression":
            into = low.scope(Kind.BRANCH, child, scope, Branch(test, arm))
        made.append(expression(low, child, into, how))
    return Conditional(span(node), test, made[0], made[1])


def real(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`0.1m` is exact and no float: it reads `decimal("0.1")`, a whole one is that whole number."""
    text = low.text(node).replace("_", "")
    if text[-1:] not in "mM":
        return Literal(span(node), number(text))
    whole = number(text[:-1])
    if (isinstance(whole, float) and whole.is_integer()) or isinstance(whole, int):
        return Literal(span(node), int(whole))
    argument = Argument(span(node), None, Literal(span(node), text[:-1]))
    return made_call(low, node, Name(span(node), "decimal"), (argument,), scope, how, constructs=True)


def boolean(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node) == "true")


def null(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), None)


def spread(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), expression(low, only(low, node), scope, ARGUMENT))


def interpolated(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Without anything filled in it is a plain string."""
    made: list[Expression] = []
    for child in node.named_children:
        if child.type == "interpolation":
            made.append(expression(low, filled_in(low, child), scope, ARGUMENT))
        elif child.type in ("string_content", "escape_sequence"):
            made.append(Literal(span(child), low.text(child)))
    if all(isinstance(one, Literal) for one in made):
        return Literal(span(node), "".join(str(one.value) for one in made if isinstance(one, Literal)))
    return Template(span(node), tuple(made))


def filled_in(low: Lowering, node: Node) -> Node | None:
    return next((child for child in said(low, node) if not child.type.startswith("interpolation_")), None)


NAMES = ("identifier", "this", "base", "predefined_type", "discard", "implicit_parameter", "parameter")
VALUES: dict[str, Express] = dict.fromkeys(NAMES, named) | {
    "generic_name": generic_name,
    "qualified_name": lambda low, node, scope, how: type_as_value(low, node),
    "alias_qualified_name": lambda low, node, scope, how: type_as_value(low, node),
    "member_access_expression": member_access,
    "conditional_access_expression": conditional_access,
    "element_access_expression": element_access,
    "invocation_expression": invocation,
    "declaration_expression": declaration,
    "await_expression": awaited,
    "parenthesized_expression": peeled,
    "checked_expression": peeled,
    "ref_expression": peeled,
    "argument": peeled,
    "cast_expression": cast,
    "as_expression": as_type,
    "tuple_expression": tuple_value,
    "tuple_pattern": lambda low, node, scope, how: Sequence(
        span(node), tuple([expression(low, child, scope) for child in said(low, node)])
    ),
    "binary_expression": binary,
    "throw_expression": thrown,
    "prefix_unary_expression": prefix,
    "unary_expression": prefix,
    "postfix_unary_expression": postfix,
    "assignment_expression": assignment,
    "conditional_expression": conditional,
    "integer_literal": numeric,
    "real_literal": real,
    "boolean_literal": boolean,
    "null_literal": null,
    "default_expression": null,
    "spread_element": spread,
    "interpolated_string_expression": interpolated,
    "typeof_expression": nothing,
    "sizeof_expression": nothing,
    "comment": nothing,
    "modifier": nothing,
    "type_argument_list": nothing,
    "nullable_type": nothing,
    "array_type": nothing,
    "tuple_type": nothing,
    "implicit_type": nothing,
}
VALUES |= OBJECTS | PATTERNS
