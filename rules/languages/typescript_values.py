"""Expressions of TypeScript and JavaScript, with JSX."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Binary,
    Compare,
    Conditional,
    Entry,
    Expression,
    Function,
    Index,
    Lambda,
    Literal,
    Logical,
    Member,
    Name,
    Object,
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
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    TESTED,
    How,
    Lowering,
    Origin,
    bound,
    children,
    first_string,
    identifier,
    numeric,
    span,
)
from rules.languages.typescript_failures import arm, asked, put, rejection, remember
from rules.languages.typescript_functions import function, function_body
from rules.languages.typescript_modules import LOADS, import_required
from rules.languages.typescript_syntax import (
    COMMENTS,
    TYPES,
    Defaults,
    Express,
    expression,
    give_defaults,
    literal_text,
    only,
    pattern,
    plain_string,
    property_name,
    unknown,
)

FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
NAMING = FUNCTIONS | {"object", "parenthesized_expression", "as_expression", "satisfies_expression", "class"}
"""What may hold a function that wants to know where it is passed or what it is bound to."""
LOGIC = {"&&": "and", "||": "or", "??": "??"}
COMPARES = {"===": "==", "!==": "!=", "==": "==", "!=": "!=", "instanceof": "instanceof", "in": "in"} | {
    operator: operator for operator in ("<", ">", "<=", ">=")
}
CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None}


def nothing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


def member_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, node.child_by_field_name("object"), scope, CHAINED)
    return Member(span(node), inner, property_name(low, node.child_by_field_name("property")) or "")


def subscript(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, node.child_by_field_name("object"), scope, CHAINED)
    return Index(span(node), inner, expression(low, node.child_by_field_name("index"), scope, ARGUMENT))


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    constructs = node.type == "new_expression"
    callee = expression(low, node.child_by_field_name("constructor" if constructs else "function"), scope, CHAINED)
    listing = node.child_by_field_name("arguments")
    waiting = len(low.later)
    given = arguments(low, listing, callee, scope) if listing is not None else ()
    made = low.call(node, callee, given, scope, how, constructs)
    if made.name in LOADS and first_string(given):
        low.packages.add(first_string(given))
    while len(low.later) > waiting:
        function_node, body, defaults = low.later.pop(waiting)
        if isinstance(body.head, Function):
            put(low, body.head.parameters[0].name, Origin(made, True), body, True)
        function_body(low, function_node, body, defaults)
    return made


def arguments(low: Lowering, listing: Node, callee: Expression, scope: Scope) -> tuple[Argument, ...]:
    """A tag's template is its only argument."""
    if listing.type != "arguments":
        return (Argument(span(listing), None, expression(low, listing, scope, ARGUMENT)),)
    made: list[Argument] = []
    passed_to = ""
    for child in children(listing):
        kind = child.type
        if kind in COMMENTS:
            continue
        how, into = ARGUMENT, scope
        if kind in NAMING:
            passed_to = passed_to or low.name(callee)
            how = How(Use.ARGUMENT, passed_to=passed_to, registered_as=first_string(tuple(made)))
            into = rejection(low, callee, len(made), child, scope) if kind in FUNCTIONS else scope
        value = expression(low, child, into, how)
        made.append(Argument(span(child), None, value))
    return tuple(made)


def awaited(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, only(node), scope, how._replace(start=Start.AWAITED))


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Parentheses, `!`, `as T`, `satisfies T`, `f<T>`: the value inside."""
    return expression(low, only(node), scope, how)


def assertion(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`<T>value`."""
    return expression(low, node.named_children[-1] if node.named_children else None, scope, how)


def sequence_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a, b`: all are evaluated, the last is the value."""
    listed = [child for child in children(node) if child.type not in COMMENTS]
    for child in listed[:-1]:
        expression(low, child, scope, DISCARDED)
    return expression(low, listed[-1] if listed else None, scope, how)


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    defaults: Defaults = []
    target = pattern(low, node.child_by_field_name("left"), scope, defaults)
    path = dotted(target)
    exported = path.startswith(("exports.", "module.exports"))
    inner = bound(PLAIN, (target,))._replace(exported=True) if exported else bound(PLAIN, (target,))
    value = expression(low, node.child_by_field_name("right"), scope, inner)
    low.assign(node, (target,), value, "=", scope)
    remember(low, target, value, scope, False)
    give_defaults(low, defaults, scope)
    if isinstance(target, Name | Object):
        import_required(low, target, value)
    return value


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, node.child_by_field_name("left"), scope)
    sign = node.child_by_field_name("operator")
    operator = sign.type if sign is not None else "="
    inner = bound(PLAIN, (target,)) if operator in ("||=", "??=", "&&=") else PLAIN
    value = expression(low, node.child_by_field_name("right"), scope, inner)
    low.assign(node, (target,), value, operator, scope)
    return target


def update(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, node.child_by_field_name("argument"), scope)
    sign = node.child_by_field_name("operator")
    operator = "-=" if sign is not None and sign.type == "--" else "+="
    low.assign(node, (target,), Literal(span(node), 1), operator, scope)
    return target


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), plain_string(low, node))


def template(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made: list[Expression] = []
    start = node.start_byte + 1
    for child in children(node):
        if child.type == "template_substitution":
            if child.start_byte > start:
                made.append(literal_text(low, node, start, child.start_byte))
            made.append(expression(low, only(child), scope, ARGUMENT))
            start = child.end_byte
    if not made:
        return Literal(span(node), plain_string(low, node))
    if node.end_byte - 1 > start:
        made.append(literal_text(low, node, start, node.end_byte - 1))
    return Template(span(node), tuple(made))


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), CONSTANTS[node.type])


def array(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listed = [child for child in children(node) if child.type not in COMMENTS]
    return Sequence(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in listed]))


def spread(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), expression(low, only(node), scope, ARGUMENT))


def object_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """What a function in it needs to know goes in with it: the call the object is passed to, and whether it is exported."""
    entries: list[Entry] = []
    for child in children(node):
        kind = child.type
        if kind == "pair":
            name, value = pair(low, child, scope)
            inner = ARGUMENT
            if value is not None and value.type in NAMING:
                inner = How(Use.ARGUMENT, Start.PLAIN, (), how.passed_to, how.registered_as, name or "", how.exported)
            entries.append(Entry(span(child), name, expression(low, value, scope, inner)))
        elif kind == "shorthand_property_identifier":
            one = Name(span(child), low.text(child))
            entries.append(Entry(one.span, one.text, one))
        elif kind == "method_definition":
            name = property_name(low, child.child_by_field_name("name"))
            inside = function(low, child, scope, how._replace(bound_to=name or ""))
            entries.append(Entry(span(child), name, Lambda(span(child), inside)))
        elif kind == "spread_element":
            entries.append(Entry(span(child), None, spread(low, child, scope, how)))
        elif kind == "ERROR":
            entries.append(Entry(span(child), None, unknown(low, child, scope, PLAIN)))
    return Object(span(node), tuple(entries), all(entry.name is not None for entry in entries))


def pair(low: Lowering, node: Node, scope: Scope) -> tuple[str | None, Node | None]:
    """The name and the value; what a computed key calls is recorded."""
    key = node.child_by_field_name("key")
    name = property_name(low, key)
    if key is not None and name is None:
        expression(low, only(key), scope, ARGUMENT)
    return name, node.child_by_field_name("value")


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = sign.type if sign is not None else ""
    if operator in LOGIC:
        return logical(low, node, scope, how, LOGIC[operator])
    inner = TESTED if operator in COMPARES else PLAIN
    left = expression(low, node.child_by_field_name("left"), scope, inner)
    right = expression(low, node.child_by_field_name("right"), scope, inner)
    if operator in COMPARES:
        return Compare(span(node), COMPARES[operator], left, right)
    return Binary(span(node), operator, left, right)


def logical(low: Lowering, node: Node, scope: Scope, how: How, operator: str) -> Expression:
    """The right side is what the whole may yield, so what happens to the whole happens to it.

    As a statement, `a && f()` reads `if (a) f()`, and `a || f()` its `else`.
    """
    left = expression(low, node.child_by_field_name("left"), scope, TESTED)
    other = node.child_by_field_name("right")
    into = scope
    if how.use is Use.DISCARDED and operator != "??" and other is not None:
        handler, holds = asked(low, left, scope)
        word = "then" if operator == "and" else "else"
        into = arm(low, other, scope, left, word, handler if holds is (word == "then") else None)
        low.tests.append(Test(left.span, left, scope, into if word == "then" else None))
    inner = TESTED if how.use in (Use.OTHER, Use.CHAINED, Use.ARGUMENT) else how
    return Logical(span(node), operator, left, expression(low, other, into, inner))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = sign.type if sign is not None else ""
    written = node.child_by_field_name("argument")
    if operator == "void":
        return expression(low, written, scope, DISCARDED._replace(start=how.start))
    value = expression(low, written, scope, TESTED if operator == "!" else PLAIN)
    if operator == "!":
        return Unary(span(node), "not", value)
    if operator == "delete":
        low.assign(node, (value,), None, "del", scope)
        return value
    if operator == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    test = expression(low, node.child_by_field_name("condition"), scope, TESTED)
    low.tests.append(Test(test.span, test, scope))
    then = expression(low, node.child_by_field_name("consequence"), scope, how)
    return Conditional(span(node), test, then, expression(low, node.child_by_field_name("alternative"), scope, how))


def jsx(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """An element is what is written in braces inside it; its text is nothing."""
    made: list[Expression] = []
    for child in children(node):
        kind = child.type
        if kind == "jsx_attribute":
            jsx_attribute(low, child, scope, made)
        elif kind in ("jsx_opening_element", "jsx_expression", "jsx_element", "jsx_self_closing_element", "ERROR"):
            made.append(expression(low, child, scope, ARGUMENT))
    flat = [inner for one in made for inner in (one.parts if isinstance(one, Unknown) else (one,))]
    return Unknown(span(node), tuple(flat))


def jsx_attribute(low: Lowering, node: Node, scope: Scope, made: list[Expression]) -> None:
    """A function in an attribute goes by its name: `onClick`."""
    listed = [child for child in node.named_children if child.type not in COMMENTS]
    if len(listed) == 2 and listed[1].type != "string":
        made.append(expression(low, listed[1], scope, ARGUMENT._replace(bound_to=low.text(listed[0]))))


def jsx_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = only(node)
    return expression(low, inner, scope, how) if inner is not None else Unknown(span(node), ())


VALUES: dict[str, Express] = {
    "identifier": identifier,
    "shorthand_property_identifier": identifier,
    "property_identifier": identifier,
    "this": identifier,
    "super": identifier,
    "import": identifier,
    "meta_property": identifier,
    "nested_identifier": identifier,
    "member_expression": member_access,
    "subscript_expression": subscript,
    "call_expression": call,
    "new_expression": call,
    "await_expression": awaited,
    "parenthesized_expression": peeled,
    "non_null_expression": peeled,
    "as_expression": peeled,
    "satisfies_expression": peeled,
    "instantiation_expression": peeled,
    "type_assertion": assertion,
    "sequence_expression": sequence_expression,
    "assignment_expression": assignment,
    "augmented_assignment_expression": augmented,
    "update_expression": update,
    "string": string,
    "template_string": template,
    "number": numeric,
    "true": constant,
    "false": constant,
    "null": constant,
    "undefined": constant,
    "regex": nothing,
    "jsx_text": nothing,
    "html_character_reference": nothing,
    "array": array,
    "spread_element": spread,
    "object": object_literal,
    "binary_expression": binary,
    "unary_expression": unary,
    "ternary_expression": conditional,
    "jsx_element": jsx,
    "jsx_opening_element": jsx,
    "jsx_self_closing_element": jsx,
    "jsx_expression": jsx_expression,
}
VALUES |= dict.fromkeys((*TYPES, *COMMENTS), nothing)
