"""Patterns and queries of C#: what `is`, `switch` and `from … in … select` ask, in terms of comparisons and calls."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Branch,
    Compare,
    Conditional,
    Expression,
    Kind,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Scope,
    Sequence,
    Test,
    Unary,
    Unknown,
)
from rules.languages.csharp_syntax import (
    Express,
    expression,
    made_call,
    only,
    part,
    said,
    type_as_value,
)
from rules.languages.lowering import ARGUMENT, CHAINED, TESTED, How, Lowering, span

Rest = list[tuple[str, Node | None]]
LOGIC = {"&&": "and", "||": "or"}
JOINS = {"and_pattern": "and", "or_pattern": "or"}
STEPS = {"where_clause": "Where", "select_clause": "Select", "order_by_clause": "OrderBy", "group_clause": "GroupBy"} | {
    "join_clause": "Join",
    "from_clause": "SelectMany",
}
"""What a clause of a query is called as a method."""


def is_pattern(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    subject = part(low, node, "expression", scope, TESTED)
    rest: Rest = []
    made = matched(low, node.child_by_field_name("pattern"), subject, scope, rest)
    for operator, other in rest:
        made = Logical(span(node), operator, made, expression(low, other, scope, TESTED))
    return made


def is_type(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x is T`; a constant stands there as well."""
    left, right = part(low, node, "left", scope, TESTED), node.child_by_field_name("right")
    kind = type_as_value(low, right) if right is not None else Unknown(span(node), ())
    return Compare(span(node), "instanceof", left, kind)


def matched(low: Lowering, node: Node | None, subject: Expression, scope: Scope, rest: Rest | None = None) -> Expression:
    """The pattern as a condition on the subject: `is null or < 0` reads `x == null or x < 0`."""
    if node is None:
        return subject
    low.deeper()
    made = condition(low, node, subject, scope, rest if rest is not None else [])
    low.depth -= 1
    return made


def constant(low: Lowering, node: Node, rest: Rest) -> Node | None:
    """What a pattern compares with. The grammar reads `x is null && y` as `x is (null && y)`: what follows goes to `rest`."""
    one = only(low, node)
    while one is not None and one.type == "binary_expression":
        sign = one.child_by_field_name("operator")
        operator = LOGIC.get(low.text(sign)) if sign is not None else None
        if operator is None:
            break
        rest.insert(0, (operator, one.child_by_field_name("right")))
        one = one.child_by_field_name("left")
    return one


def condition(low: Lowering, node: Node, subject: Expression, scope: Scope, rest: Rest) -> Expression:
    match node.type:
        case "constant_pattern":
            return Compare(span(node), "==", subject, expression(low, constant(low, node, rest), scope, TESTED))
        case "relational_pattern":
            operator = node.children[0].type if node.children else "=="
            return Compare(span(node), operator, subject, expression(low, constant(low, node, rest), scope, TESTED))
        case "negated_pattern":
            inner = matched(low, only(low, node), subject, scope, rest)
            if isinstance(inner, Compare) and inner.operator == "==":
                return Compare(inner.span, "!=", inner.left, inner.right)
            return Unary(span(node), "not", inner)
        case "parenthesized_pattern":
            return matched(low, only(low, node), subject, scope)
        case "and_pattern" | "or_pattern":
            left = matched(low, node.child_by_field_name("left"), subject, scope, rest)
            right = matched(low, node.child_by_field_name("right"), subject, scope, rest)
            return Logical(span(node), JOINS[node.type], left, right)
        case "declaration_pattern" | "var_pattern" | "type_pattern" | "recursive_pattern":
            return taken_apart(low, node, subject, scope)
        case "discard":
            return Literal(span(node), True)
        case _:
            return Compare(span(node), "==", subject, Unknown(span(node), ()))


def taken_apart(low: Lowering, node: Node, subject: Expression, scope: Scope) -> Expression:
    """`is Event { Used: > 0 } event`: the type, each property, and a name for the whole."""
    name, kind = node.child_by_field_name("name"), node.child_by_field_name("type")
    asked: list[Expression] = []
    if kind is not None and kind.type != "implicit_type":
        asked.append(Compare(span(kind), "instanceof", subject, type_as_value(low, kind)))
    for clause in said(low, node):
        if clause.type == "property_pattern_clause":
            asked.extend(each for one in said(low, clause) if (each := of_property(low, one, subject, scope)) is not None)
    if name is not None:
        low.assign(node, (Name(span(name), low.text(name)),), subject, "=", scope)
    if not asked:
        return Compare(span(node), "!=", subject, Literal(span(node), None))
    made = asked[0]
    for one in asked[1:]:
        made = Logical(span(node), "and", made, one)
    return made


def of_property(low: Lowering, node: Node, subject: Expression, scope: Scope) -> Expression | None:
    """`Used: > 0` asks `subject.Used > 0`."""
    inside = said(low, node)
    if len(inside) < 2:
        return None
    member: Expression = subject
    for word in low.text(inside[0]).split("."):
        member = Member(span(inside[0]), member, word)
    return matched(low, inside[-1], member, scope)


def switch(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`x switch { 1 => a, _ => b }` reads `x == 1 ? a : b`."""
    inside = said(low, node)
    subject = expression(low, inside[0] if inside else None, scope, TESTED)
    arms = [arm for arm in inside[1:] if arm.type == "switch_expression_arm"]
    made = [switched(low, arm, subject, scope, how) for arm in arms]
    whole: Expression = Unknown(span(node), ())
    for test, value in reversed(made):
        whole = value if test is None else Conditional(span(node), test, value, whole)
    return whole


def switched(low: Lowering, arm: Node, subject: Expression, scope: Scope, how: How) -> tuple[Expression | None, Expression]:
    pattern, *rest = said(low, arm) or [arm]
    guard = next((one for one in rest if one.type == "when_clause"), None)
    test: Expression | None = None if pattern.type == "discard" else matched(low, pattern, subject, scope)
    if guard is not None:
        also = expression(low, only(low, guard), scope, TESTED)
        test = also if test is None else Logical(also.span, "and", test, also)
    if test is not None:
        low.tests.append(Test(test.span, test, scope))
    value = rest[-1] if rest else None
    into = scope
    if value is not None and value.type == "throw_expression":
        into = low.scope(Kind.BRANCH, value, scope, Branch(test, "case"))
    return test, expression(low, value, into, how)


def query(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`from u in db.Usages where u.A == 1 select u` reads `db.Usages.Where(u.A == 1).Select([u])`."""
    first, *clauses = said(low, node) or [node]
    label, inside = first.child_by_field_name("name"), said(low, first)
    made = expression(low, inside[-1] if inside else None, scope, CHAINED)
    targets = (Name(span(label), low.text(label)),) if label is not None else ()
    inner = low.scope(Kind.LOOP, node, scope, Loop(targets, made))
    for clause in clauses:
        if clause.type not in STEPS:
            continue
        callee = Member(span(clause), made, STEPS[clause.type])
        given = [expression(low, one, inner, ARGUMENT) for one in said(low, clause)]
        if clause.type == "select_clause":
            given = [Sequence(one.span, (one,), each=True) for one in given]
        arguments = tuple(Argument(one.span, None, one) for one in given)
        made = made_call(low, clause, callee, arguments, scope, how if clause is clauses[-1] else CHAINED)
    return made


PATTERNS: dict[str, Express] = {
    "is_pattern_expression": is_pattern,
    "is_expression": is_type,
    "switch_expression": switch,
    "query_expression": query,
}
