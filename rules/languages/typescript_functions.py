"""Functions, parameters and classes of TypeScript and JavaScript, wherever they are written."""

from tree_sitter import Node

from rules.facts import Assign, Class, Expression, Function, Kind, Lambda, Name, Parameter, Return, Scope, Unknown
from rules.languages.lowering import PLAIN, RETURNED, How, Lowering, Origin, bound, children, span
from rules.languages.typescript_failures import put, tells_failure
from rules.languages.typescript_syntax import (
    COMMENTS,
    Defaults,
    Express,
    State,
    block,
    expression,
    give_defaults,
    only,
    pattern,
    property_name,
    unknown,
)


def function(low: Lowering, node: Node, scope: Scope, how: How = PLAIN, decorators: tuple[Expression, ...] = ()) -> Scope:
    """The function's scope. The body of a callback that takes an error waits until the call it is passed to is made."""
    low.deeper()
    name = property_name(low, node.child_by_field_name("name")) or how.bound_to
    defaults: Defaults = []
    listed = parameters(low, node, scope, defaults)
    returns = node.child_by_field_name("return_type")
    head = Function(
        name=name,
        parameters=listed,
        decorators=decorators,
        asynchronous=is_asynchronous(node),
        exported=how.exported or (scope.kind is Kind.MODULE and name in low.exported),
        returns=type_text(low, returns),
        passed_to=how.passed_to,
        registered_as=how.registered_as,
        method=node.type == "method_definition" or (scope.kind is Kind.CLASS and not how.passed_to),
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in listed:
        if one.name:
            put(low, one.name, Origin(None, False), inner, True)
    if how.passed_to and listed and tells_failure(listed[0].name):
        low.later.append((node, inner, defaults))
    else:
        function_body(low, node, inner, defaults)
    low.depth -= 1
    return inner


def function_body(low: Lowering, node: Node, inner: Scope, defaults: Defaults) -> None:
    if defaults:
        give_defaults(low, defaults, inner)
    body = node.child_by_field_name("body")
    if body is None or body.type == "statement_block":
        block(low, body, inner)
        return
    value = expression(low, body, inner, RETURNED)
    low.returns.append(Return(value.span, value, inner))


def is_asynchronous(node: Node) -> bool:
    """`async` stands first, or after what else a method starts with."""
    for child in node.children:
        kind = child.type
        if kind == "async":
            return True
        if kind in ("formal_parameters", "statement_block", "=>", "function"):
            return False
    return False


def type_text(low: Lowering, node: Node | None) -> str:
    return low.text(node).lstrip(":").strip() if node is not None else ""


def parameters(low: Lowering, node: Node, scope: Scope, defaults: Defaults) -> tuple[Parameter, ...]:
    listing = node.child_by_field_name("parameters")
    if listing is None:
        alone = node.child_by_field_name("parameter")
        return (Parameter(span(alone), low.text(alone)),) if alone is not None else ()
    listed = [child for child in children(listing) if child.type not in COMMENTS]
    return tuple([parameter(low, child, scope, defaults) for child in listed])


def parameter(low: Lowering, node: Node, scope: Scope, defaults: Defaults) -> Parameter:
    """TypeScript wraps pattern, type and default; JavaScript writes the pattern alone, or an assignment to it."""
    kind = node.type
    written, default = node, None
    if kind in ("required_parameter", "optional_parameter"):
        written = node.child_by_field_name("pattern") or node
        default = node.child_by_field_name("value")
    elif kind == "assignment_pattern":
        written = node.child_by_field_name("left") or node
        default = node.child_by_field_name("right")
    type_of = type_text(low, node.child_by_field_name("type")) if written is not node else ""
    given = expression(low, default, scope) if default is not None else None
    if written.type == "rest_pattern":
        written = only(written) or written
    if written.type in ("object_pattern", "array_pattern"):
        return Parameter(span(node), "", type_of, given, pattern(low, written, scope, defaults))
    return Parameter(span(node), low.text(written), type_of, given)


def function_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    function(low, node, scope)


def function_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Lambda(span(node), function(low, node, scope, how))


def class_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    class_in(low, node, scope)


def class_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    class_in(low, node, scope, how.bound_to)
    return Unknown(span(node), ())


def class_in(low: Lowering, node: Node, scope: Scope, bound_to: str = "", decorators: tuple[Expression, ...] = ()) -> None:
    low.deeper()
    name = property_name(low, node.child_by_field_name("name")) or bound_to
    head = Class(name, bases(low, node, scope), decorators + decorators_of(low, node, scope))
    inner = low.scope(Kind.CLASS, node, scope, head)
    body = node.child_by_field_name("body")
    marks: list[Expression] = []
    for child in children(body) if body is not None else ():
        kind = child.type
        if kind == "decorator":
            marks.append(expression(low, only(child), inner))
        elif kind not in COMMENTS:
            member(low, child, kind, inner, tuple(marks))
            marks = []
    low.depth -= 1


def bases(low: Lowering, node: Node, scope: Scope) -> tuple[str, ...]:
    """What the class extends and implements, as written, without type arguments."""
    found: list[str] = []
    for heritage in node.named_children:
        if heritage.type != "class_heritage":
            continue
        for clause in heritage.named_children:
            inside = clause.named_children if clause.type in ("extends_clause", "implements_clause") else [clause]
            found.extend(low.text(one).partition("<")[0] for one in inside if one.type not in ("type_arguments", *COMMENTS))
            if inside and inside[0].type == "call_expression":
                expression(low, inside[0], scope)
    return tuple(found)


def decorators_of(low: Lowering, node: Node, scope: Scope) -> tuple[Expression, ...]:
    marks = [child for child in node.named_children if child.type == "decorator"]
    return tuple([expression(low, only(mark), scope) for mark in marks])


def member(low: Lowering, node: Node, kind: str, scope: Scope, marks: tuple[Expression, ...]) -> None:
    """One member of a class. TypeScript writes a method's decorators before it, JavaScript inside it."""
    if kind == "method_definition":
        function(low, node, scope, PLAIN, marks + decorators_of(low, node, scope))
    elif kind in ("public_field_definition", "field_definition"):
        class_field(low, node, scope)
    elif kind == "class_static_block":
        block(low, node.child_by_field_name("body"), scope)
    elif kind == "ERROR":
        unknown(low, node, scope, PLAIN)


def class_field(low: Lowering, node: Node, scope: Scope) -> None:
    """A field with a value reads as an assignment in the class scope."""
    decorators_of(low, node, scope)
    value = node.child_by_field_name("value")
    written = node.child_by_field_name("name") or node.child_by_field_name("property")
    if value is None or written is None:
        return
    targets = (Name(span(written), property_name(low, written) or ""),)
    given = expression(low, value, scope, bound(PLAIN, targets))
    low.assigns.append(Assign(span(node), targets, given, "=", scope, declares=True))


DECLARATIONS: dict[str, State] = {
    "function_declaration": function_declaration,
    "generator_function_declaration": function_declaration,
    "method_definition": function_declaration,
    "class_declaration": class_declaration,
    "abstract_class_declaration": class_declaration,
    "public_field_definition": class_field,
    "field_definition": class_field,
}
FUNCTIONS: dict[str, Express] = {
    "arrow_function": function_value,
    "function_expression": function_value,
    "generator_function": function_value,
    "class": class_value,
}
