"""Blocks, conditions and loops of Rust, which are expressions there: what they give, and where failures arrive."""

import re

from tree_sitter import Node

from rules.facts import (
    Assign,
    Branch,
    Call,
    Compare,
    Conditional,
    Expression,
    Jump,
    Kind,
    Literal,
    Logical,
    Loop,
    Name,
    Return,
    Scope,
    Test,
    Unary,
    Unknown,
)
from rules.languages.lowering import (
    ARGUMENT,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    bound,
    field,
    span,
)
from rules.languages.rust_failures import calls_behind, caught, dropped, handler, raised, remember
from rules.languages.rust_syntax import (
    MISSING,
    STATEMENTS,
    Express,
    State,
    bindings,
    expression,
    only,
    part,
    said,
    statement,
)

TESTS = re.compile(r"#\[\s*(cfg\s*\(\s*(all\s*\(\s*)?test\b|(\w+::)*test\b|rstest)")
"""Attributes of what only runs in tests, which are no part of the program."""
BLOCKS = frozenset({"if_expression", "match_expression", "block", "unsafe_block", "const_block", "try_block"})
"""What has its value from the last expression in it."""


def block_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """The statements of a block, and what its last expression gives; in a function's block that is returned."""
    if node.type != "block":
        return last_value(low, node, scope, how)
    listed = said(low, node)
    end = listed[-1] if listed and ends(listed[-1]) else None
    tested = False
    for child in listed:
        if child.type == "attribute_item":
            tested = tested or TESTS.match(low.text(child)) is not None
        elif child == end:
            inside = only(low, child) if child.type == "expression_statement" else child
            return last_value(low, inside or child, scope, how)
        elif tested:
            tested = False
        else:
            statement(low, child, scope)
    return Literal(span(node), None)


def ends(node: Node) -> bool:
    """Whether a block's last child is its value: an expression without a semicolon."""
    if node.type == "expression_statement":
        return not any(child.type == ";" for child in node.children)
    return node.type not in STATEMENTS


def last_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    if how.use is not RETURNED.use:
        return expression(low, node, scope, how)
    if node.type in BLOCKS:
        return expression(low, node, scope, how)
    if node.type in ("return_expression", "loop_expression", "while_expression", "for_expression"):
        return expression(low, node, scope, DISCARDED)
    if raised(low, node, scope):
        return Unknown(span(node), ())
    return given_back(low, node, node, scope)


def given_back(low: Lowering, node: Node, value: Node, scope: Scope) -> Expression:
    """`Ok(())` gives back nothing."""
    nothing = low.text(value) in ("Ok(())", "()")
    made = Literal(span(value), None) if nothing else expression(low, value, scope, RETURNED)
    low.returns.append(Return(span(node), None if nothing else made, scope))
    return made


def block(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = node if node.type == "block" else next((child for child in node.named_children if child.type == "block"), node)
    return block_value(low, inside, scope, how) if inside.type == "block" else Unknown(span(node), ())


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in said(low, node):
        if child.type in STATEMENTS:
            statement(low, child, scope)
        else:
            expression(low, child, scope, DISCARDED)


def let_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """`let Ok(x) = f() else { … }` handles the failure in its last block; `let _ = f()` forgets it."""
    pattern, value = node.child_by_field_name("pattern"), node.child_by_field_name("value")
    kind, other = node.child_by_field_name("type"), node.child_by_field_name("alternative")
    target = bindings(low, pattern)
    text = low.text(kind) if kind is not None else ""
    if value is None:
        if target is not None:
            low.assigns.append(Assign(span(node), (target,), None, "=", scope, True, text))
        return
    if target is None and (pattern is None or low.text(pattern) == "_"):
        made = expression(low, value, scope, DISCARDED)
        if value.type != "try_expression":
            dropped(low, node, made, scope)
        return
    targets = (target,) if target is not None else ()
    made = expression(low, value, scope, bound(PLAIN, targets) if targets else PLAIN)
    if targets:
        low.assigns.append(Assign(span(node), targets, made, "=", scope, True, text))
        remember(low, target, made, value)
    if other is not None:
        otherwise(low, other, scope, pattern, made)


def otherwise(low: Lowering, node: Node, scope: Scope, pattern: Node | None, made: Expression) -> None:
    calls = calls_behind(low, made)
    if caught(low, pattern) is False and calls:
        block_value(low, node, handler(low, node, scope, None, calls), DISCARDED)
        return
    test = Compare(span(node), "==", made, Literal(span(node), None))
    then = low.scope(Kind.BRANCH, node, scope, Branch(test, "then"))
    low.tests.append(Test(made.span, test, scope, then))
    block_value(low, node, then, DISCARDED)


def if_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`if let Err(e) = f()` holds a handler, and so does the `else` of `if let Ok(x) = f()`."""
    condition, body = field(node, "condition"), field(node, "consequence")
    other = node.child_by_field_name("alternative")
    fails, calls, pattern, test, assigned = asked(low, condition, scope)
    if fails is True and calls:
        then = handler(low, body, scope, pattern, calls)
    else:
        then = low.scope(Kind.BRANCH, body, scope, Branch(test, "then"))
        low.tests.append(Test(test.span, test, scope, then))
    if assigned is not None and not (fails is True and calls):
        low.assigns.append(Assign(span(condition), (assigned[0],), assigned[1], "=", then, True))
    first = block_value(low, body, then, how)
    second: Expression = Literal(span(node), None)
    if other is not None:
        rest = handler(low, other, scope, None, calls) if fails is False and calls else None
        rest = rest or low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
        inside = only(low, other)
        second = last_value(low, inside, rest, how) if inside is not None and inside.type != "block" else second
        second = block_value(low, inside, rest, how) if inside is not None and inside.type == "block" else second
    return Conditional(span(node), test, first, second)


def asked(
    low: Lowering, node: Node, scope: Scope
) -> tuple[bool | None, tuple[Call, ...], Node | None, Expression, tuple[Expression, Expression] | None]:
    """What a condition asks: whether a call failed, and of which call; else a test, with what it binds."""
    if node.type == "let_condition":
        pattern = node.child_by_field_name("pattern")
        value = part(low, node, "value", scope, TESTED)
        target = bindings(low, pattern)
        fails = caught(low, pattern)
        calls = calls_behind(low, value) if fails is not None else ()
        held = Compare(span(node), "!=", value, Literal(span(node), None))
        return fails, calls, pattern, held, (target, value) if target is not None else None
    if node.type == "let_chain":
        return None, (), None, chained(low, node, scope), None
    test = expression(low, node, scope, TESTED)
    if isinstance(test, Call) and test.method in ("is_err", "is_ok") and test.receiver is not None:
        return test.method == "is_err", calls_behind(low, test.receiver), None, test, None
    if isinstance(test, Unary) and isinstance(test.value, Call) and test.value.method == "is_ok" and test.value.receiver:
        return True, calls_behind(low, test.value.receiver), None, test, None
    return None, (), None, test, None


def chained(low: Lowering, node: Node, scope: Scope) -> Expression:
    """`if let Some(x) = a && x > 3`."""
    made: Expression | None = None
    for child in said(low, node):
        _, _, _, one, assigned = asked(low, child, scope)
        if assigned is not None:
            low.assigns.append(Assign(span(child), (assigned[0],), assigned[1], "=", scope, True))
        made = one if made is None else Logical(span(node), "and", made, one)
    return made or MISSING


def match_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """An arm for `Err(…)` holds a handler; the others are branches on the subject."""
    value = node.child_by_field_name("value")
    subject = expression(low, value, scope, TESTED)
    calls = calls_behind(low, subject) if value is not None and value.type != "try_expression" else ()
    whole: Expression = Unknown(span(node), ())
    arms = [arm for arm in said(low, node.child_by_field_name("body")) if arm.type == "match_arm"]
    made = [arm_of(low, arm, subject, calls, scope, how) for arm in arms]
    for test, given in reversed(made):
        whole = given if test is None else Conditional(span(node), test, given, whole)
    return whole


def arm_of(
    low: Lowering, arm: Node, subject: Expression, calls: tuple[Call, ...], scope: Scope, how: How
) -> tuple[Expression | None, Expression]:
    pattern, body = arm.child_by_field_name("pattern"), field(arm, "value")
    guard = pattern.child_by_field_name("condition") if pattern is not None else None
    fails = caught(low, pattern)
    test = arm_test(low, pattern, subject, scope)
    if fails is True and calls:
        inner = handler(low, arm, scope, pattern, calls)
    else:
        inner = low.scope(Kind.BRANCH, arm, scope, Branch(test if test is not None else subject, "case"))
        if test is not None and fails is None:
            low.tests.append(Test(test.span, test, scope, inner))
    target = bindings(low, pattern)
    if target is not None and not (isinstance(target, Name) and target.text == "_"):
        low.assigns.append(Assign(span(pattern or arm), (target,), subject, "=", inner, True))
    if guard is not None:
        low.tests.append(Test(span(guard), expression(low, guard, inner, TESTED), inner))
    return test, block_value(low, body, inner, how) if body.type == "block" else last_value(low, body, inner, how)


def arm_test(low: Lowering, pattern: Node | None, subject: Expression, scope: Scope) -> Expression | None:
    """`"free" | "trial"` is compared with the subject; a name or `_` takes all that is left."""
    inside = said(low, pattern)[:1] if pattern is not None else []
    if not inside or low.text(inside[0]) == "_" or (inside[0].type == "identifier" and low.text(inside[0])[:1].islower()):
        return None
    if inside[0].type in ("tuple_struct_pattern", "struct_pattern", "range_pattern", "tuple_pattern", "or_pattern"):
        return Compare(span(inside[0]), "==", subject, Name(span(inside[0]), low.text(inside[0])[:60]))
    return Compare(span(inside[0]), "==", subject, expression(low, inside[0], scope, TESTED))


def for_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    iterates = part(low, node, "value", scope, ARGUMENT)
    target = bindings(low, node.child_by_field_name("pattern"))
    loop = low.scope(Kind.LOOP, node, scope, Loop((target,) if target is not None else (), iterates))
    block_value(low, field(node, "body"), loop, DISCARDED)
    return Unknown(span(node), ())


def while_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`while let Some(m) = rx.recv().await` runs over what it receives."""
    condition = field(node, "condition")
    if condition.type == "let_condition":
        value = part(low, condition, "value", scope, ARGUMENT)
        target = bindings(low, condition.child_by_field_name("pattern"))
        loop = low.scope(Kind.LOOP, node, scope, Loop((target,) if target is not None else (), value))
    else:
        test = expression(low, condition, scope, TESTED)
        endless = isinstance(test, Literal) and bool(test.value)
        loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
        low.tests.append(Test(test.span, test, scope, loop))
    block_value(low, field(node, "body"), loop, DISCARDED)
    return Unknown(span(node), ())


def loop_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    block_value(low, field(node, "body"), low.scope(Kind.LOOP, node, scope, Loop()), DISCARDED)
    return Unknown(span(node), ())


def return_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = only(low, node)
    if value is None:
        low.returns.append(Return(span(node), None, scope))
    elif value.type in BLOCKS:
        expression(low, value, scope, RETURNED)
    elif not raised(low, value, scope):
        given_back(low, node, value, scope)
    return Unknown(span(node), ())


def jump(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [child for child in said(low, node) if child.type != "label"]
    for child in inside:
        expression(low, child, scope, ARGUMENT)
    low.jumps.append(Jump(span(node), node.type.partition("_")[0], scope))
    return Unknown(span(node), ())


STEPS: dict[str, State] = {"expression_statement": expression_statement, "let_declaration": let_declaration}
FLOW: dict[str, Express] = {
    "if_expression": if_expression,
    "match_expression": match_expression,
    "for_expression": for_expression,
    "while_expression": while_expression,
    "loop_expression": loop_expression,
    "return_expression": return_expression,
    "break_expression": jump,
    "continue_expression": jump,
    "block": block,
    "unsafe_block": block,
    "const_block": block,
    "try_block": block,
}
