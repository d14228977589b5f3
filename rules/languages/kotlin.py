"""Kotlin source lowered to facts; here the statements."""

from dataclasses import replace

import tree_sitter_kotlin
from tree_sitter import Language, Node

from rules.facts import (
    Assign,
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
    Name,
    Return,
    Scope,
    Test,
    Unknown,
    Use,
)
from rules.languages.jvm_names import declare
from rules.languages.kotlin_declared import DECLARATIONS, PACKAGE, variables
from rules.languages.kotlin_syntax import (
    EXPRESSIONS,
    STATEMENTS,
    State,
    block,
    expression,
    inside,
    only,
    part,
    statement,
    type_text,
)
from rules.languages.kotlin_traits import IDIOMS, TRAITS
from rules.languages.kotlin_values import VALUES, arms, stray_statement, value_of
from rules.languages.lowering import ARGUMENT, DISCARDED, PLAIN, TESTED, How, Lowering, begin, bound, span

SUFFIXES = (".kt", ".kts")
GRAMMAR = Language(tree_sitter_kotlin.language())


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    # At a file that ends in a name, without a line end, the grammar's scanner waits for ever for what ends the statement.
    low, root = begin(path, "kotlin", source if source.endswith(b"\n") else source + b"\n", GRAMMAR, TRAITS, IDIOMS)
    for child in inside(low, root):
        statement(low, child, low.root)
    low.imports.pop(PACKAGE, None)
    low.comments.sort(key=lambda one: one.span.start)
    return replace(low.facts(), source=source)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """An `else if` reads as an `if` inside the `else` of the one before."""
    going: Node | None = node
    while going is not None:
        test = part(low, going, "condition", scope, TESTED)
        body, other = arms(low, going)
        then = low.scope(Kind.BRANCH, body or going, scope, Branch(test, "then"))
        low.tests.append(Test(test.span, test, scope, then))
        block(low, body, then)
        going = None
        if other is not None:
            scope = low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
            if other.type == "if_expression":
                going = other
            else:
                block(low, other, scope)


def when_statement(low: Lowering, node: Node, scope: Scope) -> None:
    chosen(low, node, scope, DISCARDED)


def when_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), tuple(chosen(low, node, scope, how)))


def chosen(low: Lowering, node: Node, scope: Scope, how: How) -> list[Expression]:
    """The arms, and what they give."""
    subject: Expression | None = None
    values: list[Expression] = []
    for child in inside(low, node):
        if child.type == "when_subject":
            subject = when_subject(low, child, scope)
        elif child.type == "when_entry":
            values.append(entry(low, child, subject, scope, how))
    return values


def when_subject(low: Lowering, node: Node, scope: Scope) -> Expression:
    listed = inside(low, node)
    targets = variables(low, listed[0]) if listed and listed[0].type == "variable_declaration" else ()
    value = expression(low, listed[-1] if listed else None, scope, bound(PLAIN, targets) if targets else TESTED)
    if not targets:
        return value
    low.assigns.append(Assign(span(node), targets, value, "=", scope, declares=True))
    return targets[0]


def entry(low: Lowering, node: Node, subject: Expression | None, scope: Scope, how: How) -> Expression:
    conditions = node.children_by_field_name("condition")
    test: Expression | None = None
    for one in conditions:
        made = asked(low, one, subject, scope)
        test = made if test is None else Logical(made.span, "or", test, made)
    inner = low.scope(Kind.BRANCH, node, scope, Branch(test, "case"))
    if test is not None:
        low.tests.append(Test(test.span, test, scope, inner))
    rest = [child for child in inside(low, node) if child not in conditions]
    body = rest[-1] if rest else None
    if how.use is DISCARDED.use:
        block(low, body, inner)
        return Unknown(span(node), ())
    return told(low, value_of(low, body, inner, how), inner, how)


def asked(low: Lowering, node: Node, subject: Expression | None, scope: Scope) -> Expression:
    if node.type in ("type_test", "range_test"):
        negated = any(child.type.startswith("!") for child in node.children)
        word = "instanceof" if node.type == "type_test" else "not in" if negated else "in"
        inner = only(low, node)
        value = expression(low, inner, scope, TESTED) if inner is not None else Name(span(node), low.text(node).lstrip("!is "))
        return Compare(span(node), word, subject or value, value)
    value = expression(low, node, scope, TESTED)
    return value if subject is None else Compare(value.span, "==", subject, value)


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    listed = inside(low, node)
    holder = next((one for one in listed if one.type.endswith("variable_declaration")), None)
    rest = [one for one in listed if one is not holder]
    targets = variables(low, holder)
    if rest and len(targets) == 1 and (ends := ends_of(low, rest[0])) is not None:
        loop = counting(low, node, targets[0], ends, scope)
    else:
        iterates = expression(low, rest[0] if rest else None, scope, ARGUMENT)
        loop = low.scope(Kind.LOOP, node, scope, Loop(targets, iterates))
    for target in targets:
        if isinstance(target, Name):
            declare(low, target.text, loop, type_text(low, holder) if holder is not None else "")
    block(low, rest[1] if len(rest) > 1 else None, loop)


def ends_of(low: Lowering, node: Node) -> tuple[str, Node, Node] | None:
    """The first and the last number of `0 until n`, `1..n`, with `step`, and the comparison that holds inside."""
    listed = inside(low, node)
    if node.type == "range_expression" and len(listed) == 2:
        return "<=", listed[0], listed[1]
    if node.type != "infix_expression" or len(listed) != 3:
        return None
    word = low.text(listed[1])
    if word == "step":
        return ends_of(low, listed[0])
    return (">=" if word == "downTo" else "<", listed[0], listed[2]) if word in ("until", "downTo") else None


def counting(low: Lowering, node: Node, target: Expression, ends: tuple[str, Node, Node], scope: Scope) -> Scope:
    """`for (i in 0 until n)` reads `i = 0; while (i < n)`, as other languages write it."""
    operator, first, last = ends
    low.assigns.append(Assign(target.span, (target,), expression(low, first, scope), "=", scope, declares=True))
    test = Compare(span(node), operator, target, expression(low, last, scope))
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=test))
    low.tests.append(Test(test.span, test, scope, loop))
    low.assign(node, (target,), Literal(target.span, 1), "+=", loop)
    return loop


def while_statement(low: Lowering, node: Node, scope: Scope) -> None:
    written = node.child_by_field_name("condition")
    test = expression(low, written, scope, TESTED)
    endless = isinstance(test, Literal) and bool(test.value)
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    if not endless:
        low.tests.append(Test(test.span, test, scope, loop))
    for child in inside(low, node):
        if child != written:
            block(low, child, loop)


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    tried(low, node, scope, DISCARDED)


def try_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), tuple(tried(low, node, scope, how)))


def tried(low: Lowering, node: Node, scope: Scope, how: How) -> list[Expression]:
    inner = low.scope(Kind.TRY, node, scope)
    values: list[Expression] = []
    for child in inside(low, node):
        if child.type == "catch_block":
            values.append(caught(low, child, scope, inner, how))
        elif child.type == "finally_block":
            block(low, only(low, child), low.scope(Kind.FINALLY, child, scope))
        elif how.use is DISCARDED.use:
            block(low, child, inner)
        else:
            values.append(told(low, value_of(low, child, inner, how), inner, how))
    return values


def told(low: Lowering, value: Expression, scope: Scope, how: How) -> Expression:
    """What one arm gives is what is returned or assigned there: `val found = try { … } catch (e: …) { fallback }`."""
    if how.use is Use.RETURNED:
        low.returns.append(Return(value.span, value, scope))
    elif how.use is Use.ASSIGNED and how.targets:
        low.assigns.append(Assign(value.span, how.targets, value, "=", scope))
    return value


def caught(low: Lowering, node: Node, scope: Scope, tried: Scope, how: How) -> Expression:
    listed = inside(low, node)
    name = next((one for one in listed if one.type == "identifier"), None)
    kind = type_text(low, node)
    head = Handler((kind,) if kind else (), low.text(name) if name is not None else "", tried)
    inner = low.scope(Kind.HANDLER, node, scope, head)
    body = next((one for one in listed if one.type == "block"), None)
    if how.use is DISCARDED.use:
        block(low, body, inner)
        return Unknown(span(node), ())
    return told(low, value_of(low, body, inner, how), inner, how)


def word(low: Lowering, node: Node, scope: Scope) -> None:
    """The grammar reads `break` and `continue` as names."""
    said = low.text(node)
    if said in ("break", "continue"):
        low.jumps.append(Jump(span(node), said, scope))


def labeled(low: Lowering, node: Node, scope: Scope) -> None:
    """`break@outer` and `continue@outer` read as a label before a name."""
    label = next((child for child in node.named_children if child.type == "label"), None)
    said = low.text(label).rstrip("@") if label is not None else ""
    if said in ("break", "continue"):
        low.jumps.append(Jump(span(node), said, scope))
        return
    for child in inside(low, node):
        statement(low, child, scope)


OWN: dict[str, State] = {
    "if_expression": if_statement,
    "when_expression": when_statement,
    "for_statement": for_statement,
    "while_statement": while_statement,
    "do_while_statement": while_statement,
    "try_expression": try_statement,
    "identifier": word,
    "labeled_expression": labeled,
    "block": block,
}
STATEMENTS.update(DECLARATIONS | OWN)
EXPRESSIONS.update(dict.fromkeys(STATEMENTS, stray_statement))
EXPRESSIONS.update(VALUES | {"when_expression": when_value, "try_expression": try_value})
