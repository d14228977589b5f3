"""Kotlin expressions other than calls, lowered to facts."""

from tree_sitter import Node

from rules.facts import (
    Binary,
    Branch,
    Call,
    Compare,
    Conditional,
    Entry,
    Expression,
    Index,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    Sequence,
    Spread,
    Test,
    Unary,
    Unknown,
    Use,
)
from rules.languages.jvm_calls import comparison
from rules.languages.jvm_names import name_of
from rules.languages.kotlin_calls import annotated_lambda, call, lambda_value
from rules.languages.kotlin_declared import anonymous_function, object_literal
from rules.languages.kotlin_syntax import STATEMENTS, Express, block, expression, inside, is_statement, only, part, text
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
    number,
    span,
)
from rules.languages.texts import joined_text

CONSTANTS = {"true": True, "false": False, "null": None}
COMPARISONS = {"===": "==", "!==": "!="} | {one: one for one in ("==", "!=", "<", "<=", ">", ">=")}
INFIX = {"eq": "==", "neq": "!=", "less": "<", "lessEq": "<=", "greater": ">", "greaterEq": ">=", "inList": "in"}
"""Comparisons of Exposed, which are words."""
LEAVES = frozenset({"return_expression", "throw_expression"})


def named(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    said = low.text(node)
    if said in CONSTANTS:
        return Literal(span(node), CONSTANTS[said])
    return name_of(low, node, scope)


def this(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Name(span(node), "this" if node.type == "this_expression" else "super")


def navigation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a.b`, `a?.b`, `a::b`."""
    listed = inside(low, node)
    inner = expression(low, listed[0] if listed else None, scope, CHAINED)
    return Member(span(node), inner, low.text(listed[-1])) if len(listed) > 1 else inner


def reference(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listed = inside(low, node)
    made = Name(span(node), low.text(listed[-1])) if listed else Unknown(span(node), ())
    return Member(span(node), expression(low, listed[0], scope), low.text(listed[-1])) if len(listed) > 1 else made


def index(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`row[Accounts.credits]` of Exposed reads a column, as `row.credits` does."""
    listed = inside(low, node)
    inner = expression(low, listed[0] if listed else None, scope, CHAINED)
    keys = [expression(low, one, scope, ARGUMENT) for one in listed[1:]]
    if len(keys) == 1 and isinstance(keys[0], Member) and is_column(keys[0]):
        return Member(span(node), inner, keys[0].name)
    return Index(span(node), inner, keys[0] if len(keys) == 1 else Unknown(span(node), tuple(keys)))


def is_column(key: Member) -> bool:
    return isinstance(key.object, Name) and key.object.text[:1].isupper() and key.name[:1].islower()


def numeric(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = number(low.text(node))
    return Literal(span(node), float(value) if node.type == "float_literal" and isinstance(value, int) else value)


def character(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node)[1:-1])


def peeled(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, only(low, node), scope, how)


def left_side(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x as T` is `x` here."""
    return part(low, node, "left", scope, how)


def spread(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), expression(low, only(low, node), scope, ARGUMENT))


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    operator = field(node, "operator").type
    if operator in ("&&", "||"):
        left, right = part(low, node, "left", scope, TESTED), part(low, node, "right", scope, TESTED)
        return Logical(span(node), "and" if operator == "&&" else "or", left, right)
    if operator == "?:":
        return elvis(low, node, scope, how)
    if operator == "+":
        return joined(low, node, scope)
    inner = TESTED if operator in COMPARISONS else PLAIN
    left, right = part(low, node, "left", scope, inner), part(low, node, "right", scope, inner)
    if operator in COMPARISONS:
        return comparison(low, span(node), COMPARISONS[operator], left, right)
    return Binary(span(node), operator, left, right)


def elvis(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a ?: b`; with `a ?: return` what is left of it is `a`, and the way out stands in a branch."""
    other = node.child_by_field_name("right")
    left = part(low, node, "left", scope, how if how.use in (Use.ASSIGNED, Use.RETURNED, Use.DISCARDED) else PLAIN)
    if other is None or other.type not in LEAVES:
        return Logical(span(node), "??", left, expression(low, other, scope, how))
    test = Compare(left.span, "==", left, Literal(left.span, None))
    then = low.scope(Kind.BRANCH, other, scope, Branch(test, "then"))
    low.tests.append(Test(test.span, test, scope, then))
    expression(low, other, then)
    return left


def joined(low: Lowering, node: Node, scope: Scope) -> Expression:
    """A sum, taken apart without recursion: texts are put together from many lines."""
    operands: list[Node] = []
    at = node
    while at.type == "binary_expression" and field(at, "operator").type == "+":
        operands.append(field(at, "right"))
        at = field(at, "left")
    operands.append(at)
    return joined_text(span(node), [expression(low, one, scope) for one in reversed(operands)])


def infix(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a to b`, `id eq x`, `a until b`."""
    listed = inside(low, node)
    if len(listed) != 3:
        return Unknown(span(node), tuple(expression(low, one, scope) for one in listed))
    word = low.text(listed[1])
    inner = TESTED if word in INFIX or word in ("and", "or") else ARGUMENT
    left, right = expression(low, listed[0], scope, inner), expression(low, listed[2], scope, inner)
    if word in ("and", "or"):
        return Logical(span(node), word, left, right)
    if word in INFIX:
        return Compare(span(node), INFIX[word], left, right)
    if word == "to":
        key = left.value if isinstance(left, Literal) and isinstance(left.value, str) else None
        return Object(span(node), (Entry(span(node), key, right),), complete=key is not None, type=PAIR)
    return Unknown(span(node), (left, right))


PAIR = "Pair"


def mapped(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`mapOf("k" to v)` is an object of its pairs."""
    made = call(low, node, scope, how)
    if not isinstance(made, Call) or made.name not in ("mapOf", "mutableMapOf", "hashMapOf", "linkedMapOf", "buildMap"):
        return made
    pairs = [one.value for one in made.arguments]
    if not all(isinstance(one, Object) and one.type == PAIR for one in pairs):
        return made
    if low.calls and low.calls[-1] is made:
        low.calls.pop()
    entries = tuple(entry for one in pairs if isinstance(one, Object) for entry in one.entries)
    return Object(span(node), entries, all(entry.name is not None for entry in entries))


def is_type(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    right = node.child_by_field_name("right")
    kind = Name(span(right or node), low.text(right) if right is not None else "")
    made = Compare(span(node), "instanceof", part(low, node, "left", scope, TESTED), kind)
    return Unary(span(node), "not", made) if any(child.type == "!is" for child in node.children) else made


def is_in(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left, right = part(low, node, "left", scope, TESTED), part(low, node, "right", scope, TESTED)
    operator = "not in" if any(child.type == "!in" for child in node.children) else "in"
    return Compare(span(node), operator, left, right)


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = sign.type if sign is not None else ""
    if operator == "!!":
        return part(low, node, "argument", scope, how)
    value = part(low, node, "argument", scope, TESTED if operator == "!" else PLAIN)
    if operator == "!":
        return Unary(span(node), "not", value)
    if operator in ("++", "--"):
        low.assign(node, (value,), Literal(span(node), 1), "+=" if operator == "++" else "-=", scope)
        return value
    if operator == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = part(low, node, "left", scope)
    sign = node.child_by_field_name("operator")
    operator = sign.type if sign is not None else "="
    value = part(low, node, "right", scope, bound(PLAIN, (target,)) if operator == "=" else PLAIN)
    low.assign(node, (target,), value, operator, scope)
    return target


def arms(low: Lowering, node: Node) -> tuple[Node | None, Node | None]:
    """The two arms of an `if`."""
    condition = node.child_by_field_name("condition")
    rest = [child for child in inside(low, node) if child != condition]
    otherwise = next((child.start_byte for child in node.children if child.type == "else"), None)
    then = next((child for child in rest if otherwise is None or child.start_byte < otherwise), None)
    return then, next((child for child in rest if otherwise is not None and child.start_byte > otherwise), None)


def condition(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`if` as a value: its arms are branches, and their last lines the values."""
    test = part(low, node, "condition", scope, TESTED)
    then, otherwise = arms(low, node)
    inner = low.scope(Kind.BRANCH, then or node, scope, Branch(test, "then"))
    low.tests.append(Test(test.span, test, scope, inner))
    first = value_of(low, then, inner, how)
    other = low.scope(Kind.BRANCH, otherwise, scope, Branch(test, "else")) if otherwise is not None else scope
    second = value_of(low, otherwise, other, how) if otherwise is not None else Unknown(span(node), ())
    return Conditional(span(node), test, first, second)


def value_of(low: Lowering, node: Node | None, scope: Scope, how: How) -> Expression:
    """The value of a block is that of its last line."""
    if node is None:
        return Unknown(scope.span, ())
    if node.type != "block":
        return expression(low, node, scope, how)
    listed = inside(low, node)
    for child in listed[:-1]:
        block(low, child, scope)
    if not listed:
        return Unknown(span(node), ())
    if is_statement(listed[-1]):
        block(low, listed[-1], scope)
        return Unknown(span(node), ())
    return expression(low, listed[-1], scope, how)


def returned(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = only(low, node)
    if inner is not None and inner.type == "labeled_expression" and inner.named_children:
        inner = inside(low, inner)[-1] if inside(low, inner) else None
    label = node.child_by_field_name("label")
    listed = [child for child in inside(low, node) if label is None or child != label]
    value = expression(low, listed[-1] if label is not None and listed else inner, scope, RETURNED) if listed else None
    low.returns.append(Return(span(node), value, scope))
    return Unknown(span(node), ())


def thrown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = only(low, node)
    value = expression(low, inner, scope, ARGUMENT) if inner is not None else None
    low.raises.append(Raise(span(node), value, scope))
    return Unknown(span(node), ())


def listed_values(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Sequence(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in inside(low, node)]))


def range_of(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), tuple([expression(low, child, scope, ARGUMENT) for child in inside(low, node)]))


def stray_statement(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """In a broken file a statement may stand for an expression."""
    STATEMENTS[node.type](low, node, scope)
    return Unknown(span(node), ())


VALUES: dict[str, Express] = {
    "identifier": named,
    "simple_identifier": named,
    "this_expression": this,
    "super_expression": this,
    "navigation_expression": navigation,
    "callable_reference": reference,
    "index_expression": index,
    "call_expression": mapped,
    "lambda_literal": lambda_value,
    "annotated_lambda": annotated_lambda,
    "anonymous_function": anonymous_function,
    "object_literal": object_literal,
    "string_literal": text,
    "multiline_string_literal": text,
    "character_literal": character,
    "number_literal": numeric,
    "float_literal": numeric,
    "parenthesized_expression": peeled,
    "labeled_expression": peeled,
    "annotated_expression": peeled,
    "as_expression": left_side,
    "spread_expression": spread,
    "binary_expression": binary,
    "infix_expression": infix,
    "is_expression": is_type,
    "in_expression": is_in,
    "unary_expression": unary,
    "assignment": assignment,
    "if_expression": condition,
    "return_expression": returned,
    "throw_expression": thrown,
    "collection_literal": listed_values,
    "range_expression": range_of,
}
