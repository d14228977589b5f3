"""C# source lowered to facts; here the statements."""

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Query, QueryCursor

from rules.facts import (
    Branch,
    Call,
    Expression,
    Facts,
    Handler,
    Jump,
    Kind,
    Logical,
    Loop,
    Name,
    Raise,
    Return,
    Scope,
    Test,
    With,
    chain,
)
from rules.languages.csharp_declared import DECLARATIONS, FUNCTIONS, variables
from rules.languages.csharp_patterns import matched
from rules.languages.csharp_syntax import (
    EXPRESSIONS,
    STATEMENTS,
    State,
    block,
    expression,
    made_call,
    only,
    part,
    said,
    statement,
    type_name,
)
from rules.languages.csharp_traits import IDIOMS, TRAITS
from rules.languages.csharp_values import VALUES
from rules.languages.lowering import ARGUMENT, DEPTH, DISCARDED, RETURNED, TESTED, Lowering, begin, loop_scope, span

SUFFIXES = (".cs",)
GRAMMAR = Language(tree_sitter_c_sharp.language())
REMARKS = Query(GRAMMAR, "(comment) @comment")
PATTERNS = (
    "constant_pattern",
    "relational_pattern",
    "declaration_pattern",
    "recursive_pattern",
    "negated_pattern",
    "and_pattern",
    "or_pattern",
    "type_pattern",
    "var_pattern",
    "parenthesized_pattern",
    "list_pattern",
    "discard",
)


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "csharp", source, GRAMMAR, TRAITS, IDIOMS)
    block(low, root, low.root)
    cursor = QueryCursor(REMARKS)
    cursor.set_max_start_depth(2 * DEPTH)
    for node in sorted(cursor.captures(root).get("comment", []), key=lambda one: one.start_byte):
        low.comment(node)
    return low.facts()


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in said(low, node):
        if child.type in STATEMENTS:
            statement(low, child, scope)
        else:
            expression(low, child, scope, DISCARDED)


def inside(low: Lowering, node: Node, scope: Scope) -> None:
    """Statements that only hold others."""
    for child in said(low, node):
        statement(low, child, scope)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """An `else if` reads as an `if` inside the `else` of the one before."""
    going: Node | None = node
    while going is not None:
        test = part(low, going, "condition", scope, TESTED)
        body = going.child_by_field_name("consequence") or going
        then = low.scope(Kind.BRANCH, body, scope, Branch(test, "then"))
        low.tests.append(Test(test.span, test, scope, then))
        if body is not going:
            block(low, body, then)
        other = going.child_by_field_name("alternative")
        going = None
        if other is not None:
            scope = low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
            if other.type == "if_statement":
                going = other
            else:
                block(low, other, scope)


def switch_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """Cases with nothing in between share one arm, whose test is any of theirs."""
    subject = part(low, node, "value", scope, TESTED)
    test: Expression | None = None
    fallback = False
    for section in said(low, node.child_by_field_name("body")):
        listed = said(low, section)
        labels = [child for child in listed if child.type in (*PATTERNS, "when_clause")]
        if (one := case_test(low, labels, subject, scope)) is None:
            fallback = True
        else:
            test = one if test is None else Logical(one.span, "or", test, one)
        body = listed[len(labels) :]
        if not body:
            continue
        decides = None if fallback else test
        then = low.scope(Kind.BRANCH, section, scope, Branch(decides, "case"))
        if decides is not None:
            low.tests.append(Test(decides.span, decides, scope, then))
        for child in body:
            statement(low, child, then)
        test, fallback = None, False


def case_test(low: Lowering, labels: list[Node], subject: Expression, scope: Scope) -> Expression | None:
    made: Expression | None = None
    for label in labels:
        if label.type == "when_clause":
            guard = expression(low, only(low, label), scope, TESTED)
            made = guard if made is None else Logical(guard.span, "and", made, guard)
        else:
            made = matched(low, label, subject, scope)
    return made


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    start = node.child_by_field_name("initializer")
    if start is not None:
        in_head(low, start, scope)
    condition = node.child_by_field_name("condition")
    test = expression(low, condition, scope, TESTED) if condition is not None else None
    loop = loop_scope(low, node, scope, test)
    block(low, node.child_by_field_name("body"), loop)
    for step in node.children_by_field_name("update"):
        if step.is_named:
            in_head(low, step, loop)


def in_head(low: Lowering, node: Node, scope: Scope) -> None:
    if node.type in STATEMENTS:
        statement(low, node, scope)
    else:
        expression(low, node, scope, DISCARDED)


def while_statement(low: Lowering, node: Node, scope: Scope) -> None:
    test = part(low, node, "condition", scope, TESTED)
    block(low, node.child_by_field_name("body"), loop_scope(low, node, scope, test))


def foreach_statement(low: Lowering, node: Node, scope: Scope) -> None:
    iterates = part(low, node, "right", scope, ARGUMENT)
    target = part(low, node, "left", scope)
    block(low, node.child_by_field_name("body"), low.scope(Kind.LOOP, node, scope, Loop((target,), iterates)))


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    tried = low.scope(Kind.TRY, node, scope)
    block(low, node.child_by_field_name("body"), tried)
    for child in said(low, node):
        if child.type == "catch_clause":
            catch_clause(low, child, scope, tried)
        elif child.type == "finally_clause":
            inside(low, child, low.scope(Kind.FINALLY, child, scope))


def catch_clause(low: Lowering, node: Node, scope: Scope, tried: Scope) -> None:
    """`catch (E x) when (…)`: with a condition it takes only a part of what it names."""
    caught = next((child for child in said(low, node) if child.type == "catch_declaration"), None)
    kind = type_name(low, caught.child_by_field_name("type")) if caught is not None else ""
    name = caught.child_by_field_name("name") if caught is not None else None
    condition = next((child for child in said(low, node) if child.type == "catch_filter_clause"), None)
    catches = tuple(one for one in (kind, low.text(condition) if condition is not None else "") if one)
    head = Handler(catches, low.text(name) if name is not None else "", tried)
    inner = low.scope(Kind.HANDLER, node, scope, head)
    for child in said(low, node):
        if child.type == "catch_filter_clause":
            test = expression(low, only(low, child), inner, TESTED)
            low.tests.append(Test(test.span, test, inner))
    block(low, node.child_by_field_name("body"), inner)


def using_statement(low: Lowering, node: Node, scope: Scope) -> None:
    body = node.child_by_field_name("body")
    first = next((child for child in said(low, node) if child != body), None)
    items: tuple[Expression, ...] = ()
    if first is not None and first.type == "variable_declaration":
        before = len(low.assigns)
        variables(low, first, scope)
        items = tuple(one.value for one in low.assigns[before:] if one.value is not None)
    elif first is not None:
        items = (expression(low, first, scope, ARGUMENT),)
    block(low, body, low.scope(Kind.WITH, node, scope, With(items)))


def lock_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """`lock (x) { … }` holds what `lock(x)` gives."""
    listed = said(low, node)
    held = expression(low, listed[0] if listed else None, scope, ARGUMENT)
    taken: Call = made_call(low, node, Name(span(node), "lock"), (), scope, ARGUMENT)
    inner = low.scope(Kind.WITH, node, scope, With((taken, held)))
    for child in listed[1:]:
        block(low, child, inner)


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    value = only(low, node)
    low.returns.append(Return(span(node), expression(low, value, scope, RETURNED) if value is not None else None, scope))


def yield_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """`yield break` ends the function; `yield return` hands out a value and goes on."""
    value = only(low, node)
    if value is None:
        low.returns.append(Return(span(node), None, scope))
    else:
        expression(low, value, scope, ARGUMENT)


def throw_statement(low: Lowering, node: Node, scope: Scope) -> None:
    value = only(low, node)
    low.raises.append(Raise(span(node), expression(low, value, scope, ARGUMENT) if value is not None else None, scope))


def jump(low: Lowering, node: Node, scope: Scope) -> None:
    """A `break` that only leaves a `switch` is none: it goes where the case ends anyway."""
    word = node.type.removesuffix("_statement")
    if word == "break":
        for outer in chain(scope):
            if isinstance(outer.head, Branch) and outer.head.arm == "case":
                return
            if outer.kind in (Kind.LOOP, Kind.FUNCTION):
                break
    low.jumps.append(Jump(span(node), word, scope))


OWN: dict[str, State] = {
    "block": block,
    "global_statement": inside,
    "expression_statement": expression_statement,
    "local_declaration_statement": inside,
    "if_statement": if_statement,
    "switch_statement": switch_statement,
    "for_statement": for_statement,
    "foreach_statement": foreach_statement,
    "while_statement": while_statement,
    "do_statement": while_statement,
    "try_statement": try_statement,
    "using_statement": using_statement,
    "lock_statement": lock_statement,
    "fixed_statement": inside,
    "checked_statement": inside,
    "unsafe_statement": inside,
    "labeled_statement": inside,
    "return_statement": return_statement,
    "yield_statement": yield_statement,
    "throw_statement": throw_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "goto_statement": jump,
    "empty_statement": lambda low, node, scope: None,
}
STATEMENTS.update(DECLARATIONS | OWN)
EXPRESSIONS.update(VALUES | FUNCTIONS)
