"""PHP source lowered to facts; here the statements."""

import tree_sitter_php
from tree_sitter import Language, Node, Query, QueryCursor

from rules.facts import (
    Branch,
    Compare,
    Expression,
    Facts,
    Handler,
    Jump,
    Kind,
    Literal,
    Logical,
    Loop,
    Return,
    Scope,
    Sequence,
    Test,
    enclosing,
)
from rules.languages.lowering import ARGUMENT, DEPTH, DISCARDED, PLAIN, RETURNED, TESTED, Lowering, begin, children, jump, span
from rules.languages.php_calls import CALLS
from rules.languages.php_declared import DECLARATIONS, FUNCTIONS
from rules.languages.php_syntax import EXPRESSIONS, STATEMENTS, State, block, expression, pattern, statement, sub
from rules.languages.php_traits import IDIOMS, TRAITS
from rules.languages.php_values import VALUES

SUFFIXES = (".php",)
GRAMMAR = Language(tree_sitter_php.language_php())
REMARKS = Query(GRAMMAR, "(comment) @comment")


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "php", source, GRAMMAR, TRAITS, IDIOMS)
    block(low, root, low.root)
    cursor = QueryCursor(REMARKS)
    cursor.set_max_start_depth(2 * DEPTH)
    for node in sorted(cursor.captures(root).get("comment", []), key=lambda one: one.start_byte):
        low.comment(node)
    return low.facts()


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Text outside of PHP, labels, `declare` and `global` say nothing that a rule asks."""


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in children(node):
        expression(low, child, scope, DISCARDED)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """An `elseif` reads as an `if` inside the `else` of the one before."""
    test = tested(low, node, scope)
    then = branch(low, node, scope, test, "then")
    low.tests.append(Test(test.span, test, scope, then))
    body(low, node, then)
    for other in node.children_by_field_name("alternative"):
        rest = low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
        if other.type == "else_if_clause":
            test = tested(low, other, rest)
            then = branch(low, other, rest, test, "then")
            low.tests.append(Test(test.span, test, rest, then))
            body(low, other, then)
            scope = rest
        else:
            body(low, other, rest)


def tested(low: Lowering, node: Node, scope: Scope) -> Expression:
    return sub(low, node, "condition", scope, TESTED)


def branch(low: Lowering, node: Node, scope: Scope, test: Expression, arm: str) -> Scope:
    return low.scope(Kind.BRANCH, node.child_by_field_name("body") or node, scope, Branch(test, arm))


def body(low: Lowering, node: Node, scope: Scope) -> None:
    """In braces, after a colon, or one statement."""
    inside = node.child_by_field_name("body")
    if inside is None:
        return
    if inside.type in ("compound_statement", "colon_block"):
        block(low, inside, scope)
    else:
        statement(low, inside, scope)


def switch_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """Cases that fall through with nothing in between share one arm; `switch (true)` tests each case itself."""
    subject = tested(low, node, scope)
    whole = isinstance(subject, Literal) and subject.value is True
    test: Expression | None = None
    listed = node.child_by_field_name("body")
    for case in children(listed) if listed is not None else ():
        value = case.child_by_field_name("value")
        if value is not None:
            one = expression(low, value, scope, TESTED)
            one = one if whole else Compare(one.span, "==", subject, one)
            test = one if test is None else Logical(one.span, "or", test, one)
        inside = [child for child in children(case) if child != value and child.type != "comment"]
        if not inside:
            continue
        then = low.scope(Kind.BRANCH, case, scope, Branch(test if value is not None else None, "case"))
        if test is not None and value is not None:
            low.tests.append(Test(test.span, test, scope, then))
        for child in inside:
            statement(low, child, then)
        test = None


def foreach(low: Lowering, node: Node, scope: Scope) -> None:
    parts = [child for child in children(node) if child.type != "comment" and child != node.child_by_field_name("body")]
    iterates = expression(low, parts[0], scope, ARGUMENT) if parts else None
    targets: tuple[Expression, ...] = ()
    if len(parts) > 1 and parts[1].type == "pair":
        targets = (Sequence(span(parts[1]), tuple(pattern(low, one, scope) for one in children(parts[1]))),)
    elif len(parts) > 1:
        one = parts[1].named_children[0] if parts[1].type == "by_ref" and parts[1].named_children else parts[1]
        targets = (pattern(low, one, scope),)
    body(low, node, low.scope(Kind.LOOP, node, scope, Loop(targets, iterates)))


def while_loop(low: Lowering, node: Node, scope: Scope) -> None:
    body(low, node, loop_scope(low, node, scope, tested(low, node, scope)))


def for_loop(low: Lowering, node: Node, scope: Scope) -> None:
    for start in node.children_by_field_name("initialize"):
        expression(low, start, scope, DISCARDED)
    condition = node.child_by_field_name("condition")
    test = expression(low, condition, scope, TESTED) if condition is not None else None
    loop = loop_scope(low, node, scope, test)
    body(low, node, loop)
    for step in node.children_by_field_name("update"):
        expression(low, step, loop, DISCARDED)


def loop_scope(low: Lowering, node: Node, scope: Scope, test: Expression | None) -> Scope:
    endless = test is None or (isinstance(test, Literal) and bool(test.value))
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    if test is not None:
        low.tests.append(Test(test.span, test, scope, loop))
    return loop


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    attempted = low.scope(Kind.TRY, node, scope)
    block(low, node.child_by_field_name("body"), attempted)
    for child in children(node):
        if child.type == "catch_clause":
            catch_clause(low, child, scope, attempted)
        elif child.type == "finally_clause":
            block(low, child.child_by_field_name("body"), low.scope(Kind.FINALLY, child, scope))


def catch_clause(low: Lowering, node: Node, scope: Scope, attempted: Scope) -> None:
    caught, name = node.child_by_field_name("type"), node.child_by_field_name("name")
    kinds = tuple(low.text(one).lstrip("\\") for one in children(caught)) if caught is not None else ()
    head = Handler(kinds, low.text(name).lstrip("$") if name is not None else "", attempted)
    block(low, node.child_by_field_name("body"), low.scope(Kind.HANDLER, node, scope, head))


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """In a closure that a collection runs for each element it goes on to the next."""
    values = [child for child in children(node) if child.type != "comment"]
    around = enclosing(scope, Kind.LOOP, Kind.FUNCTION)
    if around is not None and (around, "return") in low.locals:
        value = expression(low, values[0], scope, PLAIN) if values else None
        word = "break" if isinstance(value, Literal) and value.value is False else "continue"
        low.jumps.append(Jump(span(node), word, scope))
        return
    value = expression(low, values[0], scope, RETURNED) if values else None
    low.returns.append(Return(span(node), value, scope))


def unset(low: Lowering, node: Node, scope: Scope) -> None:
    targets = tuple(expression(low, child, scope) for child in children(node))
    low.assign(node, targets, None, "del", scope)


OWN: dict[str, State] = {
    "expression_statement": expression_statement,
    "compound_statement": block,
    "colon_block": block,
    "if_statement": if_statement,
    "switch_statement": switch_statement,
    "foreach_statement": foreach,
    "while_statement": while_loop,
    "do_statement": while_loop,
    "for_statement": for_loop,
    "try_statement": try_statement,
    "return_statement": return_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "unset_statement": unset,
    "ERROR": block,
}
LEFT_OUT = (
    "php_tag", "text", "text_interpolation", "declare_statement", "comment", "global_declaration", "goto_statement",
    "named_label_statement", "empty_statement", "use_declaration", "visibility_modifier",
)  # fmt: skip
STATEMENTS.update(dict.fromkeys(LEFT_OUT, nothing) | DECLARATIONS | OWN)
EXPRESSIONS.update(VALUES | CALLS | FUNCTIONS)
