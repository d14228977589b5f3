"""Python expressions lowered to facts."""

from collections.abc import Callable

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Compare,
    Conditional,
    Entry,
    Expression,
    Function,
    Index,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Member,
    Object,
    Parameter,
    Return,
    Scope,
    Sequence,
    Span,
    Spread,
    Start,
    Template,
    Test,
    Unary,
    Unknown,
)
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    bound,
    children,
    field,
    first_string,
    identifier,
    numeric,
    span,
)


def expression(low: Lowering, node: Node, scope: Scope, how: How = PLAIN) -> Expression:
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = tuple(expression(low, child, scope) for child in children(node) if child.type != "comment")
    return Unknown(span(node), inside)


def attribute(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, field(node, "object"), scope, CHAINED)
    return Member(span(node), inner, low.text(field(node, "attribute")))


def subscript(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, field(node, "value"), scope, CHAINED)
    return Index(span(node), inner, expression(low, field(node, "subscript"), scope, ARGUMENT))


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    callee = expression(low, field(node, "function"), scope, CHAINED)
    made: list[Argument] = []
    listing = field(node, "arguments")
    listed = children(listing) if listing.type == "argument_list" else [listing]
    for child in listed:
        if child.type == "comment":
            low.comment(child)
            continue
        inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
        if child.type == "keyword_argument":
            value = expression(low, field(child, "value"), scope, inner)
            made.append(Argument(span(child), low.text(field(child, "name")), value))
        else:
            made.append(Argument(span(child), None, expression(low, child, scope, inner)))
    return low.call(node, callee, tuple(made), scope, how)


def awaited(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, node.named_children[-1], scope, how._replace(start=Start.AWAITED))


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "left"), scope)
    right = node.child_by_field_name("right")
    annotation = node.child_by_field_name("type")
    kind = low.text(annotation) if annotation is not None else ""
    if right is None:
        if scope.kind is Kind.CLASS:
            low.assigns.append(Assign(span(node), (target,), None, ":", scope, declares=True, type=kind))
        return target
    targets = target.items if isinstance(target, Sequence) else (target,)
    value = expression(low, right, scope, bound(PLAIN, targets))
    low.assigns.append(Assign(span(node), (target,), value, "=", scope, type=kind))
    return value


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "left"), scope)
    value = expression(low, field(node, "right"), scope)
    low.assign(node, (target,), value, low.text(field(node, "operator")), scope)
    return target


def named_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "name"), scope)
    value = expression(low, field(node, "value"), scope, bound(how, (target,)))
    low.assign(node, (target,), value, "=", scope)
    return value


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [child for child in children(node) if child.type in ("string_content", "interpolation")]
    if not any(child.type == "interpolation" for child in inside):
        return Literal(span(node), "".join(low.text(child) for child in inside))
    return Template(span(node), tuple(string_part(low, child, scope) for child in inside))


def string_part(low: Lowering, node: Node, scope: Scope) -> Expression:
    if node.type == "string_content":
        return Literal(span(node), low.text(node))
    return expression(low, field(node, "expression"), scope)


def concatenated(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = tuple(expression(low, child, scope) for child in children(node) if child.type != "comment")
    if all(isinstance(one, Literal) for one in made):
        return Literal(span(node), "".join(str(one.value) for one in made if isinstance(one, Literal)))
    flat = [inner for one in made for inner in (one.parts if isinstance(one, Template) else (one,))]
    return Template(span(node), tuple(flat))


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), {"true": True, "false": False, "none": None}[node.type])


def sequence(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = tuple(expression(low, child, scope, ARGUMENT) for child in children(node) if child.type != "comment")
    return Sequence(span(node), made)


def parenthesized(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [child for child in children(node) if child.type != "comment"]
    return expression(low, inside[0], scope, how) if inside else Unknown(span(node), ())


def expression_list(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Sequence(span(node), tuple(expression(low, child, scope, how) for child in children(node)))


def dictionary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    entries: list[Entry] = []
    complete = True
    for child in children(node):
        if child.type == "pair":
            key = expression(low, field(child, "key"), scope)
            value = expression(low, field(child, "value"), scope, ARGUMENT)
            name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
            complete = complete and name is not None
            entries.append(Entry(span(child), name, value))
        elif child.type == "dictionary_splat":
            complete = False
            entries.append(Entry(span(child), None, splat(low, child, scope, how)))
    return Object(span(node), tuple(entries), complete)


def splat(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), expression(low, node.named_children[-1], scope, ARGUMENT))


def comprehension(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`[f(x) for x in xs]` runs in a loop scope over `xs`."""
    loop = scope
    for child in children(node):
        if child.type == "for_in_clause":
            iterates = expression(low, field(child, "right"), loop, ARGUMENT)
            targets = (expression(low, field(child, "left"), loop),)
            loop = low.scope(Kind.LOOP, node, loop, Loop(targets, iterates))
        elif child.type == "if_clause":
            test = expression(low, child.named_children[0], loop, TESTED)
            low.tests.append(Test(test.span, test, loop))
    body = field(node, "body")
    if body.type == "pair":
        value = expression(low, field(body, "value"), loop, ARGUMENT)
        expression(low, field(body, "key"), loop, ARGUMENT)
    else:
        value = expression(low, body, loop, ARGUMENT)
    return Sequence(span(node), (value,), each=True)


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = expression(low, field(node, "left"), scope)
    right = expression(low, field(node, "right"), scope)
    return Binary(span(node), low.text(field(node, "operator")), left, right)


def boolean(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = expression(low, field(node, "left"), scope, TESTED)
    right = expression(low, field(node, "right"), scope, TESTED)
    return Logical(span(node), low.text(field(node, "operator")), left, right)


def comparison(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`1 < a <= 2` reads `1 < a and a <= 2`."""
    values = [expression(low, child, scope, TESTED) for child in children(node)]
    operators = [low.text(child) for child in node.children if not child.is_named or child.type in ("is not", "not in")]
    made: Expression | None = None
    for operator, left, right in zip(operators, values, values[1:], strict=False):
        spelled = {"is": "==", "is not": "!=", "<>": "!="}.get(" ".join(operator.split()), " ".join(operator.split()))
        one = Compare(Span(left.span.line, right.span.end_line, left.span.start, right.span.end), spelled, left, right)
        made = Logical(span(node), "and", made, one) if made else one
    return made or Unknown(span(node), tuple(values))


def negation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unary(span(node), "not", expression(low, field(node, "argument"), scope, TESTED))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = expression(low, field(node, "argument"), scope)
    if low.text(field(node, "operator")) == "-" and isinstance(value, Literal) and isinstance(value.value, int | float):
        return Literal(span(node), -value.value)
    return Unary(span(node), low.text(field(node, "operator")), value)


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    three = [child for child in children(node) if child.type not in ("comment", "line_continuation", "ERROR")]
    if len(three) != 3:
        return unknown(low, node, scope, how)
    then, test, otherwise = three
    tested = expression(low, test, scope, TESTED)
    low.tests.append(Test(tested.span, tested, scope))
    return Conditional(span(node), tested, expression(low, then, scope, how), expression(low, otherwise, scope, how))


def parameters(low: Lowering, node: Node, scope: Scope) -> tuple[Parameter, ...]:
    return tuple(parameter(low, child, scope) for child in children(node) if child.type != "comment")


def parameter(low: Lowering, node: Node, scope: Scope) -> Parameter:
    kind = node.child_by_field_name("type")
    default = node.child_by_field_name("value")
    name = node.child_by_field_name("name") or (node.named_children[0] if node.named_children else node)
    return Parameter(
        span(node),
        low.text(name).lstrip("*"),
        low.text(kind) if kind else "",
        expression(low, default, scope) if default else None,
    )


def function_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listing = node.child_by_field_name("parameters")
    head = Function(
        name=how.bound_to,
        parameters=parameters(low, listing, scope) if listing else (),
        passed_to=how.passed_to,
        registered_as=how.registered_as,
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    value = expression(low, field(node, "body"), inner, RETURNED)
    low.returns.append(Return(value.span, value, inner))
    return Lambda(span(node), inner)


EXPRESSIONS: dict[str, Callable[[Lowering, Node, Scope, How], Expression]] = {
    "identifier": identifier,
    "attribute": attribute,
    "subscript": subscript,
    "call": call,
    "await": awaited,
    "assignment": assignment,
    "augmented_assignment": augmented,
    "named_expression": named_expression,
    "string": string,
    "concatenated_string": concatenated,
    "integer": numeric,
    "float": numeric,
    "true": constant,
    "false": constant,
    "none": constant,
    "list": sequence,
    "tuple": sequence,
    "set": sequence,
    "pattern_list": sequence,
    "tuple_pattern": sequence,
    "list_pattern": sequence,
    "expression_list": expression_list,
    "parenthesized_expression": parenthesized,
    "dictionary": dictionary,
    "list_splat": splat,
    "dictionary_splat": splat,
    "list_splat_pattern": splat,
    "list_comprehension": comprehension,
    "set_comprehension": comprehension,
    "generator_expression": comprehension,
    "dictionary_comprehension": comprehension,
    "binary_operator": binary,
    "boolean_operator": boolean,
    "comparison_operator": comparison,
    "not_operator": negation,
    "unary_operator": unary,
    "conditional_expression": conditional,
    "lambda": function_value,
    "decorator": parenthesized,
    "type": identifier,
}
