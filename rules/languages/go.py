"""Go source lowered to facts."""

from collections.abc import Callable

import tree_sitter_go
from tree_sitter import Language, Node

from rules.facts import (
    Argument,
    Assign,
    Branch,
    Call,
    Expression,
    Facts,
    Function,
    Handler,
    Kind,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Return,
    Scope,
    Sequence,
    Start,
    Test,
    Unknown,
)
from rules.languages.go_declared import import_declaration, inside, parameters, type_declaration
from rules.languages.go_errors import failure
from rules.languages.go_traits import IDIOMS, TRAITS
from rules.languages.go_values import EXPRESSIONS, bind, expression, listed, part
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    begin,
    field,
    jump,
    span,
)

SUFFIXES = (".go",)
GRAMMAR = Language(tree_sitter_go.language())
DETACHED = DISCARDED._replace(start=Start.DETACHED)
DEFERRED = DISCARDED._replace(start=Start.DEFERRED)


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "go", source, GRAMMAR, TRAITS, IDIOMS)
    block(low, root, low.root)
    low.comments.sort(key=lambda one: one.span.start)
    return low.facts()


def block(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        if child.type == "statement_list":
            for one in inside(low, child):
                statement(low, one, scope)
        else:
            statement(low, child, scope)


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    STATEMENTS.get(node.type, other_statement)(low, node, scope)
    low.depth -= 1


def other_statement(low: Lowering, node: Node, scope: Scope) -> None:
    expression(low, node, scope)


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Labels, package clauses and the like say nothing that a rule asks."""


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        expression(low, child, scope, DISCARDED)


def function_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    name = low.text(field(node, "name"))
    receiver = node.child_by_field_name("receiver")
    head = function(low, node, PLAIN._replace(bound_to=name))
    made = Function(
        name=name,
        parameters=parameters(low, receiver) + head.parameters,
        exported=name[:1].isupper(),
        returns=head.returns,
        method=receiver is not None,
    )
    low.failing = {}
    body = node.child_by_field_name("body")
    inner = low.scope(Kind.FUNCTION, node, scope, made)
    if body is not None:
        block(low, body, inner)


def function(low: Lowering, node: Node, how: How) -> Function:
    result = node.child_by_field_name("result")
    return Function(
        name=how.bound_to,
        parameters=parameters(low, node.child_by_field_name("parameters")),
        returns=low.text(result) if result is not None else "",
        passed_to=how.passed_to,
        registered_as=how.registered_as,
    )


def go_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        expression(low, child, scope, DETACHED)


def defer_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        expression(low, child, scope, DEFERRED)


def assignment(low: Lowering, node: Node, scope: Scope) -> None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if right is None:
        return
    targets = tuple(expression(low, one, scope) for one in listed(low, left))
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else "="
    declares = node.type != "assignment_statement" and any(child.type == ":=" for child in node.children)
    values = listed(low, right)
    if operator != "=":
        value = expression(low, values[0], scope) if values else None
        low.assigns.append(Assign(span(node), targets, value, operator, scope))
    else:
        bind(low, node, targets, values, scope, declares)


def declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """`var` and `const`, alone and in parentheses. A constant that repeats `iota` has no value."""
    for child in inside(low, node):
        for spec in inside(low, child) if child.type == "var_spec_list" else (child,):
            names = [name for name in spec.children_by_field_name("name") if name.is_named]
            targets = tuple(Name(span(name), low.text(name)) for name in names)
            values = listed(low, spec.child_by_field_name("value"))
            bind(low, spec, targets, values, scope, declares=True)


def step(low: Lowering, node: Node, scope: Scope) -> None:
    operator = "+=" if node.type == "inc_statement" else "-="
    for child in inside(low, node):
        target = expression(low, child, scope)
        low.assign(node, (target,), Literal(span(node), 1), operator, scope)


def send(low: Lowering, node: Node, scope: Scope) -> None:
    """`channel <- value` reads `channel.send(value)`."""
    channel = part(low, node, "channel", scope, CHAINED)
    value = part(low, node, "value", scope, ARGUMENT)
    callee = Member(span(node), channel, "send")
    low.call(node, callee, (Argument(value.span, None, value),), scope, DISCARDED)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    shadowed = initialise(low, node, scope)
    test = part(low, node, "condition", scope, TESTED)
    handler, on_failure = failure(low, test, scope)
    body = field(node, "consequence")
    then = arm(low, body, scope, Branch(test, "then"), handler if on_failure else None)
    low.tests.append(Test(test.span, test, scope, then))
    if body is not node:
        block(low, body, then)
    other = node.child_by_field_name("alternative")
    if other is not None:
        rest = arm(low, other, scope, Branch(test, "else"), None if on_failure else handler)
        if other.type == "if_statement":
            statement(low, other, rest)
        else:
            block(low, other, rest)
    low.failing.update(shadowed)


def arm(low: Lowering, node: Node, scope: Scope, branch: Branch, handler: Handler | None) -> Scope:
    return low.scope(Kind.HANDLER, node, scope, handler) if handler else low.scope(Kind.BRANCH, node, scope, branch)


def initialise(low: Lowering, node: Node, scope: Scope) -> dict[str, tuple[Call, ...]]:
    """Runs `if x := f();`. What the names it declares stood for comes back, to be restored after the statement."""
    first = node.child_by_field_name("initializer")
    if first is None:
        return {}
    names = listed(low, first.child_by_field_name("left")) if first.type == "short_var_declaration" else []
    shadowed = {text: low.failing.get(text, ()) for text in map(low.text, names)}
    statement(low, first, scope)
    return shadowed


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    body = node.child_by_field_name("body")
    heads = [child for child in inside(low, node) if child != body]
    head = heads[0] if heads else None
    update = None
    if head is not None and head.type == "range_clause":
        loop = range_loop(low, node, head, scope)
    elif head is not None and head.type == "for_clause":
        initialise(low, head, scope)
        update = head.child_by_field_name("update")
        loop = while_loop(low, node, head.child_by_field_name("condition"), scope)
    else:
        loop = while_loop(low, node, head, scope)
    if body is not None:
        block(low, body, loop)
    if update is not None:
        statement(low, update, loop)


def range_loop(low: Lowering, node: Node, head: Node, scope: Scope) -> Scope:
    iterates = part(low, head, "right", scope, ARGUMENT)
    targets = tuple(expression(low, one, scope) for one in listed(low, head.child_by_field_name("left")))
    return low.scope(Kind.LOOP, node, scope, Loop(targets, iterates))


def while_loop(low: Lowering, node: Node, condition: Node | None, scope: Scope) -> Scope:
    test = expression(low, condition, scope, TESTED) if condition is not None else None
    if test is None or isinstance(test, Literal):
        return low.scope(Kind.LOOP, node, scope, Loop())
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=test))
    low.tests.append(Test(test.span, test, scope, loop))
    return loop


def switch_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """A case is a branch on the subject. Without a subject it is an `if`: one that tests an error holds a handler."""
    shadowed = initialise(low, node, scope)
    value = node.child_by_field_name("value")
    subject = expression(low, value, scope, TESTED) if value is not None else None
    rest: Handler | None = None
    for case in inside(low, node):
        if case.type == "default_case":
            cases(low, case, scope, Branch(subject, "case"), rest)
        elif case.type == "expression_case":
            tests = [expression(low, one, scope, TESTED) for one in listed(low, case.child_by_field_name("value"))]
            test = subject if subject is not None else tests[-1] if tests else None
            handler, on_failure = failure(low, test, scope) if subject is None and test else (None, True)
            rest = rest if on_failure else handler
            inner = cases(low, case, scope, Branch(test, "case"), handler if on_failure else None)
            low.tests.extend(Test(one.span, one, scope, inner) for one in tests if subject is None)
        elif case.type == "type_case":
            cases(low, case, scope, Branch(subject, "case"), None)
    low.failing.update(shadowed)


def cases(low: Lowering, node: Node, scope: Scope, branch: Branch, handler: Handler | None) -> Scope:
    inner = low.scope(Kind.BRANCH, node, scope, branch)
    if handler:
        inner = low.scope(Kind.HANDLER, node, inner, handler)
    for child in inside(low, node):
        if child.type == "statement_list":
            block(low, child, inner)
    return inner


def select_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for case in inside(low, node):
        first = case.child_by_field_name("communication")
        calls = len(low.calls)
        if first is not None:
            statement(low, first, scope)
        test = low.calls[-1] if len(low.calls) > calls else None
        cases(low, case, scope, Branch(test, "case"), None)


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    values = [one for child in inside(low, node) for one in listed(low, child)]
    made = tuple(expression(low, one, scope, RETURNED) for one in values)
    value = None if not made else made[0] if len(made) == 1 else Sequence(span(node.named_children[0]), made)
    low.returns.append(Return(span(node), value, scope))


def function_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Errors assigned inside stay inside: when the literal runs is not known here."""
    outside = low.failing
    low.failing = dict(outside)
    inner = low.scope(Kind.FUNCTION, node, scope, function(low, node, how))
    body = node.child_by_field_name("body")
    if body is not None:
        block(low, body, inner)
    low.failing = outside
    return Lambda(span(node), inner)


def stray_statement(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """In a broken file a statement may stand for an expression."""
    STATEMENTS[node.type](low, node, scope)
    return Unknown(span(node), ())


STATEMENTS: dict[str, Callable[[Lowering, Node, Scope], None]] = {
    "package_clause": nothing,
    "label_name": nothing,
    "fallthrough_statement": nothing,
    "empty_statement": nothing,
    "import_declaration": import_declaration,
    "type_declaration": type_declaration,
    "expression_statement": expression_statement,
    "function_declaration": function_declaration,
    "method_declaration": function_declaration,
    "go_statement": go_statement,
    "defer_statement": defer_statement,
    "short_var_declaration": assignment,
    "assignment_statement": assignment,
    "receive_statement": assignment,
    "var_declaration": declaration,
    "const_declaration": declaration,
    "inc_statement": step,
    "dec_statement": step,
    "send_statement": send,
    "if_statement": if_statement,
    "for_statement": for_statement,
    "expression_switch_statement": switch_statement,
    "type_switch_statement": switch_statement,
    "select_statement": select_statement,
    "return_statement": return_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "goto_statement": jump,
    "labeled_statement": block,
    "block": block,
    "statement_list": block,
    "ERROR": block,
}
EXPRESSIONS["func_literal"] = function_value
EXPRESSIONS.update(dict.fromkeys(STATEMENTS, stray_statement))
