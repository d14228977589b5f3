"""Java source lowered to facts; here the statements."""

import tree_sitter_java
from tree_sitter import Language, Node

from rules.facts import (
    Assign,
    Branch,
    Compare,
    Expression,
    Facts,
    Handler,
    Kind,
    Literal,
    Logical,
    Loop,
    Name,
    Raise,
    Return,
    Scope,
    Test,
    Unknown,
    With,
)
from rules.languages.java_declared import DECLARATIONS, nothing
from rules.languages.java_syntax import EXPRESSIONS, STATEMENTS, State, block, expression, inside, only, part, statement
from rules.languages.java_traits import IDIOMS, TRAITS
from rules.languages.java_values import VALUES, stray_statement
from rules.languages.jvm_names import declare
from rules.languages.lowering import (
    ARGUMENT,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    begin,
    bound,
    field,
    jump,
    span,
)

SUFFIXES = (".java",)
GRAMMAR = Language(tree_sitter_java.language())


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "java", source, GRAMMAR, TRAITS, IDIOMS)
    for child in inside(low, root):
        statement(low, child, low.root)
    low.imports.pop("package", None)
    low.comments.sort(key=lambda one: one.span.start)
    return low.facts()


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        expression(low, child, scope, DISCARDED)


def constructor_call(low: Lowering, node: Node, scope: Scope) -> None:
    """`this(…)` and `super(…)`."""
    listing = node.child_by_field_name("arguments")
    for child in inside(low, listing) if listing is not None else ():
        expression(low, child, scope, ARGUMENT)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """An `else if` reads as an `if` inside the `else` of the one before."""
    going: Node | None = node
    while going is not None:
        test = part(low, going, "condition", scope, TESTED)
        body = field(going, "consequence")
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
    switched(low, node, scope, DISCARDED)


def switch_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), tuple(switched(low, node, scope, how)))


def switched(low: Lowering, node: Node, scope: Scope, how: How) -> list[Expression]:
    """The arms, and what they yield. Cases that fall through with nothing in between share one arm."""
    subject = part(low, node, "condition", scope, TESTED)
    body = node.child_by_field_name("body")
    values: list[Expression] = []
    test: Expression | None = None
    fallback = False
    for case in inside(low, body) if body is not None else ():
        listed = inside(low, case)
        for label in listed:
            if label.type == "switch_label":
                one = label_test(low, label, subject, scope)
                fallback = fallback or one is None
                test = one if test is None or one is None else Logical(one.span, "or", test, one)
        rest = [child for child in listed if child.type != "switch_label"]
        if not rest:
            continue
        decides = None if fallback else test
        then = low.scope(Kind.BRANCH, case, scope, Branch(decides, "case"))
        if decides is not None:
            low.tests.append(Test(decides.span, decides, scope, then))
        values.extend(made for child in rest if (made := arm(low, child, then, how)) is not None)
        test, fallback = None, False
    return values


def arm(low: Lowering, node: Node, scope: Scope, how: How) -> Expression | None:
    """A statement of an arm, or the value that `case X -> value;` yields."""
    inner = only(low, node) if node.type == "expression_statement" else None
    if inner is not None and node.parent is not None and node.parent.type == "switch_rule":
        return expression(low, inner, scope, how)
    block(low, node, scope)
    return None


def label_test(low: Lowering, label: Node, subject: Expression, scope: Scope) -> Expression | None:
    """What a label asks; None for `default`."""
    found: Expression | None = None
    for child in inside(low, label):
        if child.type in ("pattern", "guard"):
            one: Expression = expression(low, child, scope, TESTED)
        else:
            value = expression(low, child, scope, TESTED)
            one = Compare(value.span, "==", subject, value)
        found = one if found is None else Logical(one.span, "or", found, one)
    return found


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for start in node.children_by_field_name("init"):
        in_head(low, start, scope)
    condition = node.child_by_field_name("condition")
    test = expression(low, condition, scope, TESTED) if condition is not None else None
    loop = loop_scope(low, node, scope, test)
    block(low, node.child_by_field_name("body"), loop)
    for step in node.children_by_field_name("update"):
        expression(low, step, loop, DISCARDED)


def in_head(low: Lowering, node: Node, scope: Scope) -> None:
    if node.type in STATEMENTS:
        statement(low, node, scope)
    else:
        expression(low, node, scope, DISCARDED)


def loop_scope(low: Lowering, node: Node, scope: Scope, test: Expression | None) -> Scope:
    """A loop whose test is a constant that holds is endless."""
    endless = test is None or (isinstance(test, Literal) and bool(test.value))
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    if test is not None and not endless:
        low.tests.append(Test(test.span, test, scope, loop))
    return loop


def while_statement(low: Lowering, node: Node, scope: Scope) -> None:
    test = part(low, node, "condition", scope, TESTED)
    block(low, node.child_by_field_name("body"), loop_scope(low, node, scope, test))


def for_each(low: Lowering, node: Node, scope: Scope) -> None:
    iterates = part(low, node, "value", scope, ARGUMENT)
    name = field(node, "name")
    target = Name(span(name), low.text(name))
    loop = low.scope(Kind.LOOP, node, scope, Loop((target,), iterates))
    kind = low.text(field(node, "type"))
    declare(low, target.text, loop, "" if kind == "var" else kind)
    block(low, node.child_by_field_name("body"), loop)


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """What stands in parentheses is closed at the end, whatever happens: a `with` inside the try."""
    tried = low.scope(Kind.TRY, node, scope)
    inner = tried
    listing = node.child_by_field_name("resources")
    if listing is not None:
        items = tuple(resource(low, child, tried) for child in inside(low, listing))
        inner = low.scope(Kind.WITH, field(node, "body"), tried, With(items))
    block(low, node.child_by_field_name("body"), inner)
    for child in inside(low, node):
        if child.type == "catch_clause":
            catch_clause(low, child, scope, tried)
        elif child.type == "finally_clause":
            last = low.scope(Kind.FINALLY, child, scope)
            block(low, only(low, child), last)


def resource(low: Lowering, node: Node, scope: Scope) -> Expression:
    name = node.child_by_field_name("name")
    if name is None:
        return expression(low, only(low, node), scope)
    target = Name(span(name), low.text(name))
    kind = low.text(field(node, "type"))
    value = part(low, node, "value", scope, bound(PLAIN, (target,)))
    declare(low, target.text, scope, kind)
    low.assigns.append(Assign(span(node), (target,), value, "=", scope, declares=True, type="" if kind == "var" else kind))
    return value


def catch_clause(low: Lowering, node: Node, scope: Scope, tried: Scope) -> None:
    caught = next((child for child in inside(low, node) if child.type == "catch_formal_parameter"), None)
    kinds = [
        one for child in (caught.named_children if caught else ()) if child.type == "catch_type" for one in child.named_children
    ]
    name = caught.child_by_field_name("name") if caught is not None else None
    binds = low.text(name) if name is not None else ""
    inner = low.scope(Kind.HANDLER, node, scope, Handler(tuple(low.text(kind) for kind in kinds), binds, tried))
    if binds:
        declare(low, binds, inner, "")
    block(low, node.child_by_field_name("body"), inner)


def synchronized(low: Lowering, node: Node, scope: Scope) -> None:
    lock = next((child for child in inside(low, node) if child.type == "parenthesized_expression"), None)
    items = (expression(low, lock, scope),) if lock is not None else ()
    word = Name(span(node.children[0]), "synchronized")
    block(low, node.child_by_field_name("body"), low.scope(Kind.WITH, node, scope, With((word, *items))))


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    inner = only(low, node)
    value = expression(low, inner, scope, RETURNED) if inner is not None else None
    low.returns.append(Return(span(node), value, scope))


def throw_statement(low: Lowering, node: Node, scope: Scope) -> None:
    inner = only(low, node)
    value = expression(low, inner, scope, ARGUMENT) if inner is not None else None
    low.raises.append(Raise(span(node), value, scope))


def yield_statement(low: Lowering, node: Node, scope: Scope) -> None:
    expression(low, only(low, node), scope)


def labeled(low: Lowering, node: Node, scope: Scope) -> None:
    listed = inside(low, node)
    block(low, listed[-1] if listed else None, scope)


OWN: dict[str, State] = {
    "expression_statement": expression_statement,
    "explicit_constructor_invocation": constructor_call,
    "if_statement": if_statement,
    "switch_expression": switch_statement,
    "for_statement": for_statement,
    "enhanced_for_statement": for_each,
    "while_statement": while_statement,
    "do_statement": while_statement,
    "try_statement": try_statement,
    "try_with_resources_statement": try_statement,
    "synchronized_statement": synchronized,
    "return_statement": return_statement,
    "throw_statement": throw_statement,
    "yield_statement": yield_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "labeled_statement": labeled,
    "block": block,
    "constructor_body": block,
    "switch_block": block,
    "line_comment": nothing,
    "block_comment": nothing,
    ";": nothing,
}
STATEMENTS.update(DECLARATIONS | OWN)
EXPRESSIONS.update(VALUES)
EXPRESSIONS.update(
    dict.fromkeys(STATEMENTS, stray_statement)
    | {"switch_expression": switch_value, "expression_statement": VALUES["expression_statement"]}
)
