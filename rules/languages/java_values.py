"""Java expressions lowered to facts."""

import re

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Call,
    Compare,
    Conditional,
    Expression,
    Function,
    Handler,
    Index,
    Kind,
    Lambda,
    Literal,
    Logical,
    Member,
    Name,
    Parameter,
    Return,
    Scope,
    Sequence,
    Start,
    Template,
    Test,
    Unary,
    Unknown,
)
from rules.languages.java_declared import anonymous, parameters
from rules.languages.java_syntax import STATEMENTS, Express, block, expression, inside, only, part, plain_string, unknown
from rules.languages.jvm_builders import STARTS, Link, built
from rules.languages.jvm_calls import FAILS, collection, comparison, compounded, detaches, idiom, names_property, receiver_how
from rules.languages.jvm_names import declare, name_of, simple
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    bound,
    field,
    first_string,
    identifier,
    number,
    span,
)
from rules.languages.texts import joined_text

FLUENT = re.compile(r"(?:with|set)[A-Z]")
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
NUMBERS = frozenset("byte short int long float double Integer Long Double Float".split())
HOLDERS = frozenset({"lambda_expression", "object_creation_expression", "parenthesized_expression", "cast_expression"})
"""What may hold a function that wants to know where it is passed."""
CONSTANTS = {"true": True, "false": False, "null_literal": None}


def named(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return name_of(low, node, scope)


def field_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    name = low.text(field(node, "field"))
    if name == "this":
        return Name(span(node), "this")
    return Member(span(node), part(low, node, "object", scope, CHAINED), name)


def scoped(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`java.time.Instant`, `com.acme.Meters.API_CALLS` where it is written out."""
    made: Expression | None = None
    for segment in low.text(node).split("."):
        made = Name(span(node), segment) if made is None else Member(span(node), made, segment)
    return made or Unknown(span(node), ())


def array_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Index(span(node), part(low, node, "array", scope, CHAINED), part(low, node, "index", scope, ARGUMENT))


def invocation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    if (made := builder(low, node, scope, how)) is not None:
        return made
    method = low.text(field(node, "name"))
    written, listing = node.child_by_field_name("object"), node.child_by_field_name("arguments")
    receiver = None
    if written is not None:
        calls = written.type == "method_invocation"
        count = listing.named_child_count if listing is not None else 0
        receiver = expression(low, written, scope, receiver_how(method, count, calls, how))
    place = span(field(node, "name"))
    callee: Expression = Name(place, method) if receiver is None else Member(span(node), receiver, method)
    given = arguments(low, listing, callee, scope, how)
    made = idiom(low, node, receiver, method, given, scope, how)
    if made is not None:
        return made
    name = low.name(callee)
    if detaches(name, how) and given and isinstance(given[0].value, Lambda):
        return low.call(node, given[0].value, given[1:], scope, how._replace(start=Start.DETACHED))
    return low.call(node, callee, given, scope, how)


def builder(low: Lowering, node: Node, scope: Scope, how: How) -> Expression | None:
    """A chain that begins with `X.builder()` or `new XBuilder()` is the object it builds."""
    links: list[Node] = []
    at: Node | None = node
    while at is not None and at.type == "method_invocation":
        links.append(at)
        at = at.child_by_field_name("object")
    links.reverse()
    if at is None or not links:
        return None
    first, last = low.text(field(links[0], "name")), low.text(field(links[-1], "name"))
    if first == "create" and last == "request" and len(links) > 1 and low.text(at)[:1].isupper():
        return requested(low, node, at, links, scope, how)
    if first in STARTS and at.type in ("identifier", "field_access") and low.text(at)[:1].isupper():
        type_name, links = low.text(at), links[1:]
    elif at.type == "object_creation_expression" and low.text(field(at, "type")).endswith("Builder") and len(links) > 1:
        type_name = low.text(field(at, "type")).removesuffix("Builder").rstrip(".")
        arguments(low, at.child_by_field_name("arguments"), Name(span(at), type_name), scope, PLAIN)
    elif at.type == "object_creation_expression" and all(FLUENT.match(low.text(field(link, "name"))) for link in links):
        type_name = low.text(field(at, "type"))
    else:
        return None
    return built(span(node), type_name, set_by(low, at, type_name, links, scope))


def set_by(low: Lowering, at: Node, type_name: str, links: list[Node], scope: Scope) -> list[Link]:
    made: list[Link] = []
    for link in links:
        callee = Member(span(link), Name(span(at), type_name), low.text(field(link, "name")))
        made.append((callee.name, arguments(low, link.child_by_field_name("arguments"), callee, scope, PLAIN)))
    return made


def requested(low: Lowering, node: Node, at: Node, links: list[Node], scope: Scope, how: How) -> Expression:
    """`Usage.create(item).quantity(n).request()` is one call, with an object of what is set on the way."""
    callee = Member(span(links[0]), Name(span(at), low.text(at)), "create")
    given = arguments(low, links[0].child_by_field_name("arguments"), callee, scope, how)
    options = built(span(node), low.text(at), set_by(low, at, low.text(at), links[1:-1], scope))
    return low.call(node, callee, (*given, Argument(options.span, None, options)), scope, how)


def set_through(low: Lowering, node: Node, scope: Scope) -> Expression | None:
    """`r -> r.productCode(p).quantity(n)`, given to a client, is the request that the lambda fills in."""
    body, parameter = node.child_by_field_name("body"), node.child_by_field_name("parameters")
    links: list[Node] = []
    at = body
    while at is not None and at.type == "method_invocation":
        links.insert(0, at)
        at = at.child_by_field_name("object")
    if at is None or parameter is None or len(links) < 2 or low.text(at) != low.text(parameter):
        return None
    for link in links:
        listing = link.child_by_field_name("arguments")
        if not names_property(low.text(field(link, "name"))) or listing is None or listing.named_child_count != 1:
            return None
    return built(span(node), "", set_by(low, at, "", links, scope))


def arguments(low: Lowering, listing: Node | None, callee: Expression, scope: Scope, how: How) -> tuple[Argument, ...]:
    made: list[Argument] = []
    for child in inside(low, listing) if listing is not None else ():
        inner, into = ARGUMENT, scope
        if child.type in HOLDERS:
            inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
            into = rejection(low, callee, len(made), child, scope)
        made.append(Argument(span(child), None, expression(low, child, into, inner)))
    return tuple(made)


def rejection(low: Lowering, callee: Expression, place: int, function: Node, scope: Scope) -> Scope:
    """A handler for `.exceptionally(e -> …)`, `.onErrorResume(e -> …)` and their kind: it takes what failed before.

    So does the second function of `.subscribe(done, failed)`.
    """
    if not isinstance(callee, Member) or function.type != "lambda_expression":
        return scope
    if (callee.name, place) != ("subscribe", 1) and callee.name not in FAILS:
        return scope
    found: list[Call] = []
    receiver: Expression | None = callee.object
    while isinstance(receiver, Call):
        found.append(receiver)
        receiver = receiver.receiver
    if not found:
        return scope
    given = parameters_of_lambda(low, function)
    return low.scope(Kind.HANDLER, function, scope, Handler((), given[0].name if given else "", tuple(reversed(found))))


def creation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`new X(…)`; with a body of one method it is that method as a function."""
    kind = field(node, "type")
    written = low.text(kind).partition("<")[0].strip()
    callee: Expression = Name(span(kind), written)
    if "." in written:
        callee = scoped(
            low, kind.named_children[0] if kind.type == "generic_type" and kind.named_children else kind, scope, how
        )
    given = arguments(low, node.child_by_field_name("arguments"), callee, scope, how)
    body = next((child for child in node.named_children if child.type == "class_body"), None)
    if body is not None:
        return anonymous(low, node, body, scope, how, simple(written))
    made = collection(span(node), simple(written), [one.value for one in given])
    return made if made is not None else low.call(node, callee, given, scope, how, constructs=True)


def cast(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`(long) x` converts and reads `long(x)`; a cast to a class is only for the compiler."""
    kind = field(node, "type")
    if low.text(kind) not in NUMBERS:
        return part(low, node, "value", scope, how)
    value = part(low, node, "value", scope, ARGUMENT)
    callee = Name(span(kind), low.text(kind))
    return low.call(node, callee, (Argument(value.span, None, value),), scope, how)


def lambda_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    if how.passed_to and (filled := set_through(low, node, scope)) is not None:
        return filled
    listed = parameters_of_lambda(low, node)
    head = Function(how.bound_to, listed, passed_to=how.passed_to, registered_as=how.registered_as)
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in listed:
        declare(low, one.name, inner, one.type)
    body = node.child_by_field_name("body")
    if body is not None and body.type == "block":
        block(low, body, inner)
    elif body is not None:
        value = expression(low, body, inner, RETURNED)
        low.returns.append(Return(value.span, value, inner))
    return Lambda(span(node), inner)


def parameters_of_lambda(low: Lowering, node: Node) -> tuple[Parameter, ...]:
    listing = field(node, "parameters")
    if listing.type == "identifier":
        return (Parameter(span(listing), low.text(listing)),)
    if listing.type == "inferred_parameters":
        return tuple(Parameter(span(one), low.text(one)) for one in inside(low, listing))
    return parameters(low, listing)


def reference(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`this::flush` is a value; `Row::new` is the class."""
    listed = inside(low, node)
    owner = expression(low, listed[0], scope) if listed else Unknown(span(node), ())
    if len(listed) < 2:
        return owner
    return Member(span(node), owner, low.text(listed[-1]))


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = part(low, node, "left", scope)
    operator = field(node, "operator").type
    value = part(low, node, "right", scope, bound(PLAIN, (target,)) if operator == "=" else PLAIN)
    if operator == "=":
        operator, value = compounded(target, value)
    low.assign(node, (target,), value, operator, scope)
    return target


def update(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    written = only(low, node)
    target = expression(low, written, scope)
    operator = "-=" if any(child.type == "--" for child in node.children) else "+="
    low.assign(node, (target,), Literal(span(node), 1), operator, scope)
    return target


def text_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), plain_string(low, node))


def numeric(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    text = low.text(node)
    value = number(text)
    return Literal(span(node), float(value) if "float" in node.type and isinstance(value, int) else value)


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), CONSTANTS[node.type])


def class_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = only(low, node)
    return Member(span(node), Name(span(node), low.text(inner) if inner is not None else ""), "class")


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, only(low, node), scope, how)


def array(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    if node.type == "array_creation_expression":
        value = node.child_by_field_name("value")
        return expression(low, value, scope, how) if value is not None else Sequence(span(node), ())
    return Sequence(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in inside(low, node)]))


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    operator = field(node, "operator").type
    if operator in ("&&", "||"):
        left, right = part(low, node, "left", scope, TESTED), part(low, node, "right", scope, TESTED)
        return Logical(span(node), "and" if operator == "&&" else "or", left, right)
    inner = TESTED if operator in COMPARISONS else PLAIN
    if operator == "+":
        return joined(low, node, scope)
    left, right = part(low, node, "left", scope, inner), part(low, node, "right", scope, inner)
    if operator in COMPARISONS:
        return comparison(low, span(node), operator, left, right)
    return Binary(span(node), operator, left, right)


def joined(low: Lowering, node: Node, scope: Scope) -> Expression:
    """A sum, taken apart without recursion: texts are put together from many lines."""
    operands: list[Node] = []
    at = node
    while at.type == "binary_expression" and field(at, "operator").type == "+":
        operands.append(field(at, "right"))
        at = field(at, "left")
    operands.append(at)
    values = [expression(low, one, scope) for one in reversed(operands)]
    return joined_text(span(node), values)


def instance_of(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = part(low, node, "left", scope, TESTED)
    name, kind = node.child_by_field_name("name"), node.child_by_field_name("right")
    typed = low.text(kind) if kind is not None else ""
    if name is not None:
        target = Name(span(name), low.text(name))
        declare(low, target.text, scope, typed)
        low.assigns.append(Assign(span(node), (target,), left, "=", scope, declares=True, type=typed))
    return Compare(span(node), "instanceof", left, Name(span(kind or node), typed))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    operator = field(node, "operator").type
    value = part(low, node, "operand", scope, TESTED if operator == "!" else PLAIN)
    if operator == "!":
        return Unary(span(node), "not", value)
    if operator == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    test = part(low, node, "condition", scope, TESTED)
    low.tests.append(Test(test.span, test, scope))
    then = part(low, node, "consequence", scope, how)
    return Conditional(span(node), test, then, part(low, node, "alternative", scope, how))


def template(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listed = [child for child in inside(low, node) if child.type != "string_fragment"]
    return Template(span(node), tuple(expression(low, child, scope, ARGUMENT) for child in listed))


def stray_statement(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """In a broken file a statement may stand for an expression."""
    STATEMENTS[node.type](low, node, scope)
    return Unknown(span(node), ())


VALUES: dict[str, Express] = {
    "identifier": named,
    "this": identifier,
    "super": identifier,
    "type_identifier": identifier,
    "scoped_identifier": scoped,
    "scoped_type_identifier": scoped,
    "field_access": field_access,
    "array_access": array_access,
    "method_invocation": invocation,
    "object_creation_expression": creation,
    "cast_expression": cast,
    "lambda_expression": lambda_value,
    "method_reference": reference,
    "assignment_expression": assignment,
    "update_expression": update,
    "string_literal": text_literal,
    "character_literal": text_literal,
    "decimal_integer_literal": numeric,
    "hex_integer_literal": numeric,
    "octal_integer_literal": numeric,
    "binary_integer_literal": numeric,
    "decimal_floating_point_literal": numeric,
    "hex_floating_point_literal": numeric,
    "true": constant,
    "false": constant,
    "null_literal": constant,
    "class_literal": class_literal,
    "parenthesized_expression": peeled,
    "array_initializer": array,
    "element_value_array_initializer": array,
    "array_creation_expression": array,
    "binary_expression": binary,
    "instanceof_expression": instance_of,
    "unary_expression": unary,
    "ternary_expression": conditional,
    "template_expression": template,
    "condition": peeled,
    "expression_statement": peeled,
    "unknown": unknown,
}
