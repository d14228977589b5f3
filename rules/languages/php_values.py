"""PHP values: literals, operators, assignments."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Branch,
    Compare,
    Conditional,
    Entry,
    Expression,
    Index,
    Kind,
    Literal,
    Logical,
    Member,
    Object,
    Raise,
    Scope,
    Sequence,
    Spread,
    Template,
    Test,
    Unary,
    Unknown,
    Use,
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
    children,
    negated,
    numeric,
    span,
)
from rules.languages.php_syntax import Express, constant, expression, inner, pattern, qualified, sub, variable

COMPARES = {"==": "==", "===": "==", "!=": "!=", "!==": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
LOGIC = {"&&": "and", "||": "or", "and": "and", "or": "or", "??": "??"}
ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\'": "'", "\\\\": "\\", "\\$": "$"}


def boolean(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node).lower() == "true")


def null(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), None)


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Quoted, heredoc and nowdoc; a template where something is filled in."""
    body = node.child_by_field_name("value")
    made: list[Expression] = []
    for one in children(body if body is not None else node):
        if one.type in ("string_content", "nowdoc_string", "escape_sequence"):
            text = low.text(one)
            made.append(Literal(span(one), ESCAPES.get(text, text)))
        elif one.type not in ("heredoc_start", "heredoc_end", "comment"):
            made.append(expression(low, one, scope, ARGUMENT))
    return joined(node, made)


def joined(node: Node, parts: list[Expression]) -> Expression:
    flat = [piece for one in parts for piece in (one.parts if isinstance(one, Template) else (one,))]
    if all(isinstance(one, Literal) for one in flat):
        return Literal(span(node), "".join(str(one.value) for one in flat if isinstance(one, Literal)))
    return Template(span(node), tuple(flat))


def array(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """With keys it is an object, without a list."""
    elements = [one for one in children(node) if one.type == "array_element_initializer"]
    keyed = any(len([part for part in one.named_children if part.type != "comment"]) > 1 for one in elements)
    entries: list[Entry] = []
    for one in elements:
        parts = [part for part in children(one) if part.type != "comment"]
        name: str | None = None
        if len(parts) > 1:
            key = expression(low, parts[0], scope, ARGUMENT)
            name = str(key.value) if isinstance(key, Literal) and isinstance(key.value, str | int) else None
        handed = ARGUMENT._replace(passed_to=how.passed_to, registered_as=how.registered_as, bound_to=name or "")
        value = expression(low, parts[-1], scope, handed) if parts else null(low, one, scope, how)
        entries.append(Entry(span(one), name, value))
    if not keyed and not any(isinstance(one.value, Spread) for one in entries):
        return Sequence(span(node), tuple(one.value for one in entries))
    return Object(span(node), tuple(entries), all(one.name is not None for one in entries))


def subscript(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    parts = [one for one in children(node) if one.type != "comment"]
    if not parts:
        return Unknown(span(node), ())
    held = expression(low, parts[0], scope, CHAINED)
    key: Expression = expression(low, parts[1], scope, ARGUMENT) if len(parts) > 1 else Unknown(span(node), ())
    return Index(span(node), held, key)


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign).lower() if sign is not None else ""
    if operator in LOGIC:
        return logical(low, node, scope, how, LOGIC[operator])
    inside = TESTED if operator in COMPARES or operator == "instanceof" else PLAIN
    left, right = sub(low, node, "left", scope, inside), sub(low, node, "right", scope, inside)
    if operator in COMPARES:
        return Compare(span(node), COMPARES[operator], left, right)
    if operator == "instanceof":
        return Compare(span(node), "instanceof", left, right)
    if operator == ".":
        return joined(node, [left, right])
    return Binary(span(node), operator, left, right)


def logical(low: Lowering, node: Node, scope: Scope, how: How, operator: str) -> Expression:
    """`$ok or fail()` as a statement is an `if`."""
    left = sub(low, node, "left", scope, TESTED)
    other = node.child_by_field_name("right")
    if other is None:
        return left
    into = scope
    if how.use is Use.DISCARDED and operator != "??":
        word = "then" if operator == "and" else "else"
        into = low.scope(Kind.BRANCH, other, scope, Branch(left, word))
        low.tests.append(Test(left.span, left, scope, into if word == "then" else None))
    inside = TESTED if how.use in (Use.OTHER, Use.CHAINED, Use.ARGUMENT) and operator != "??" else how
    return Logical(span(node), operator, left, expression(low, other, into, inside))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else ""
    value = sub(low, node, "argument", scope, TESTED if operator == "!" else PLAIN)
    if operator == "!":
        return negated(value, span(node))
    if operator == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`$a ?: $b` takes the first for what is not empty, as `or` does."""
    test = sub(low, node, "condition", scope, TESTED)
    then = node.child_by_field_name("body")
    if then is None:
        return Logical(span(node), "or", test, sub(low, node, "alternative", scope, how))
    low.tests.append(Test(test.span, test, scope))
    made = expression(low, then, scope, how)
    return Conditional(span(node), test, made, sub(low, node, "alternative", scope, how))


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = node.child_by_field_name("left")
    if left is None:
        return Unknown(span(node), ())
    if left.type == "subscript_expression" and len([one for one in children(left) if one.type != "comment"]) == 1:
        return appended(low, node, left, scope, how)
    target = pattern(low, left, scope)
    value = sub(low, node, "right", scope, bound(PLAIN, (target,)))
    low.assign(node, (target,), value, "=", scope)
    return value


def appended(low: Lowering, node: Node, left: Node, scope: Scope, how: How) -> Expression:
    """`$events[] = $event` reads `events.push(event)`."""
    holder = expression(low, left.named_children[0], scope, CHAINED)
    value = sub(low, node, "right", scope, ARGUMENT)
    return low.call(node, Member(holder.span, holder, "push"), (Argument(value.span, None, value),), scope, how)


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = sub(low, node, "left", scope)
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else "="
    value = sub(low, node, "right", scope, bound(PLAIN, (target,)) if operator == "??=" else PLAIN)
    low.assigns.append(Assign(span(node), (target,), value, operator, scope))
    return target


def update(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = sub(low, node, "argument", scope)
    sign = node.child_by_field_name("operator")
    operator = "-=" if sign is not None and low.text(sign) == "--" else "+="
    low.assign(node, (target,), Literal(span(node), 1), operator, scope)
    return target


def thrown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = inner(low, node, scope, ARGUMENT)
    low.raises.append(Raise(span(node), value, scope))
    return Unknown(span(node), (value,))


def match(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`match(true)` tests each arm itself."""
    subject = sub(low, node, "condition", scope, TESTED)
    body = node.child_by_field_name("body")
    made: list[Expression] = []
    for arm in children(body) if body is not None else ():
        value = arm.child_by_field_name("return_expression")
        if value is None:
            continue
        test = arm_test(low, arm, subject, scope)
        inside = low.scope(Kind.BRANCH, arm, scope, Branch(test, "case"))
        if test is not None:
            low.tests.append(Test(test.span, test, scope, inside))
        made.append(expression(low, value, inside, how))
    return Unknown(span(node), tuple(made) if how.use is not Use.DISCARDED else ())


def arm_test(low: Lowering, arm: Node, subject: Expression, scope: Scope) -> Expression | None:
    listed = arm.child_by_field_name("conditional_expressions")
    found: Expression | None = None
    for one in children(listed) if listed is not None else ():
        value = expression(low, one, scope, TESTED)
        whole = isinstance(subject, Literal) and subject.value is True
        test = value if whole else Compare(value.span, "==", subject, value)
        found = test if found is None else Logical(span(arm), "or", found, test)
    return found


def nothing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


def sequence(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`$i = 0, $n = 3` in the head of a loop."""
    made = [expression(low, one, scope, DISCARDED) for one in children(node)]
    return made[-1] if made else Unknown(span(node), ())


VALUES: dict[str, Express] = {
    "variable_name": variable,
    "dynamic_variable_name": nothing,
    "name": constant,
    "relative_scope": constant,
    "qualified_name": qualified,
    "namespace_name": qualified,
    "boolean": boolean,
    "null": null,
    "integer": numeric,
    "float": numeric,
    "string": string,
    "encapsed_string": string,
    "heredoc": string,
    "nowdoc": string,
    "shell_command_expression": string,
    "array_creation_expression": array,
    "subscript_expression": subscript,
    "parenthesized_expression": inner,
    "error_suppression_expression": inner,
    "clone_expression": inner,
    "reference_assignment_expression": assignment,
    "assignment_expression": assignment,
    "augmented_assignment_expression": augmented,
    "update_expression": update,
    "binary_expression": binary,
    "unary_op_expression": unary,
    "conditional_expression": conditional,
    "throw_expression": thrown,
    "match_expression": match,
    "sequence_expression": sequence,
    "comment": nothing,
    "text": nothing,
    "php_tag": nothing,
    "php_end_tag": nothing,
    "text_interpolation": nothing,
    "named_type": nothing,
    "primitive_type": nothing,
}
