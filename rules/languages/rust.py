"""Rust source lowered to facts; here the items and the statements."""

import re

import tree_sitter_rust
from tree_sitter import Language, Node, Query, QueryCursor

from rules.facts import (
    Argument,
    Assign,
    Branch,
    Call,
    Class,
    Compare,
    Conditional,
    Entry,
    Expression,
    Facts,
    Function,
    Jump,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Name,
    Object,
    Parameter,
    Return,
    Scope,
    Test,
    Unary,
    Unknown,
)
from rules.languages import rust_macros
from rules.languages.lowering import (
    ARGUMENT,
    DEPTH,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    begin,
    bound,
    field,
    span,
)
from rules.languages.rust_failures import calls_behind, caught, dropped, handler, raised, remember
from rules.languages.rust_syntax import (
    EXPRESSIONS,
    MISSING,
    STATEMENTS,
    Express,
    State,
    bindings,
    expression,
    made_call,
    names_of,
    only,
    part,
    path,
    said,
    segments,
    statement,
)
from rules.languages.rust_values import VALUES

SUFFIXES = (".rs",)
GRAMMAR = Language(tree_sitter_rust.language())
REMARKS = Query(GRAMMAR, "[(line_comment) (block_comment)] @comment")
TESTS = re.compile(r"#\[\s*(cfg\s*\(\s*(all\s*\(\s*)?test\b|(\w+::)*test\b|rstest)")
BLOCKS = frozenset({"if_expression", "match_expression", "block", "unsafe_block", "const_block", "try_block"})
"""What has its value from the last expression in it."""
rust_macros.LANGUAGE[:] = [GRAMMAR]


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "rust", source, GRAMMAR)
    items(low, root, low.root)
    cursor = QueryCursor(REMARKS)
    cursor.set_max_start_depth(2 * DEPTH)
    for node in sorted(cursor.captures(root).get("comment", []), key=lambda one: one.start_byte):
        low.comment(node)
    return low.facts()


def items(low: Lowering, node: Node, scope: Scope) -> None:
    """Items and statements in order. Attributes stand before what they mark; tests are not part of the program."""
    marks: list[Node] = []
    for child in said(low, node):
        if child.type == "attribute_item":
            marks.append(child)
            continue
        if not any(TESTS.match(low.text(mark)) for mark in marks):
            item(low, child, scope, marks)
        marks = []


def item(low: Lowering, node: Node, scope: Scope, marks: list[Node]) -> None:
    if node.type == "function_item":
        function_item(low, node, scope, tuple(mark(low, one, scope) for one in marks))
    elif node.type in ("struct_item", "union_item"):
        struct_item(low, node, scope, tuple(mark(low, one, scope) for one in marks))
    else:
        statement(low, node, scope)


def mark(low: Lowering, node: Node, scope: Scope) -> Expression:
    """`#[post("/usage")]` reads as the call that it looks like."""
    attribute = only(low, node)
    head = only(low, attribute) if attribute is not None else None
    if attribute is None or head is None:
        return MISSING
    given = attribute.child_by_field_name("arguments")
    if given is None:
        return path(low, head)
    inside = tuple(Argument(one.span, None, one) for one in rust_macros.loose(low, given))
    return made_call(low, node, path(low, head), inside, scope, PLAIN)


def use_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    used(low, node.child_by_field_name("argument"), [])


def used(low: Lowering, node: Node | None, before: list[str]) -> None:
    """`use a::{b::C, d as e}` binds C and e; the package is what the path starts with."""
    if node is None:
        return
    match node.type:
        case "scoped_use_list":
            outer = before + (segments(low, node.child_by_field_name("path") or node))
            for child in said(low, node.child_by_field_name("list")):
                used(low, child, outer)
        case "use_list":
            for child in said(low, node):
                used(low, child, before)
        case "use_as_clause":
            names = before + segments(low, field(node, "path"))
            bind_use(low, low.text(field(node, "alias")), names)
        case "use_wildcard":
            package(low, before + segments(low, only(low, node) or node))
        case _:
            names = before + segments(low, node)
            if names:
                bind_use(low, names[-1], names if names[-1] != "self" else names[:-1])


def bind_use(low: Lowering, local: str, names: list[str]) -> None:
    package(low, names)
    if names:
        low.imports[names[-1] if local == "self" else local] = ".".join(names)


def package(low: Lowering, names: list[str]) -> None:
    if names:
        low.packages.update((names[0], "::".join(names)))


def struct_item(low: Lowering, node: Node, scope: Scope, marks: tuple[Expression, ...] = ()) -> None:
    inner = low.scope(Kind.CLASS, node, scope, Class(low.text(field(node, "name")), (), marks))
    for child in said(low, node.child_by_field_name("body")):
        name = child.child_by_field_name("name") if child.type == "field_declaration" else None
        if name is not None:
            kind = child.child_by_field_name("type")
            target = Name(span(name), low.text(name))
            text = low.text(kind) if kind is not None else ""
            low.assigns.append(Assign(span(child), (target,), None, ":", inner, True, text))


def enum_item(low: Lowering, node: Node, scope: Scope) -> None:
    """`enum E { A = 1, B }` reads `E = { A: 1, B: "B" }`."""
    entries: list[Entry] = []
    for child in said(low, node.child_by_field_name("body")):
        if child.type != "enum_variant":
            continue
        name = low.text(field(child, "name"))
        written = child.child_by_field_name("value")
        given: Expression = expression(low, written, scope) if written is not None else Literal(span(child), name)
        entries.append(Entry(span(child), name, given))
    target = Name(span(field(node, "name")), low.text(field(node, "name")))
    low.assigns.append(Assign(span(node), (target,), Object(span(node), tuple(entries), type=target.text), "=", scope, True))


def impl_item(low: Lowering, node: Node, scope: Scope) -> None:
    """The methods of a type; `impl Meter for Service` says what it is a kind of."""
    trait = node.child_by_field_name("trait")
    kind = segments(low, field(node, "type"))[-1:] or [""]
    bases = tuple(segments(low, trait)[-1:]) if trait is not None else ()
    body = node.child_by_field_name("body")
    if body is not None:
        items(low, body, low.scope(Kind.CLASS, node, scope, Class(kind[0], bases)))


def holder_item(low: Lowering, node: Node, scope: Scope) -> None:
    """Modules and traits only hold others."""
    body = node.child_by_field_name("body")
    if body is not None:
        items(low, body, scope)


def constant(low: Lowering, node: Node, scope: Scope) -> None:
    target = Name(span(field(node, "name")), low.text(field(node, "name")))
    value = node.child_by_field_name("value")
    given = expression(low, value, scope, bound(PLAIN, (target,))) if value is not None else None
    kind = node.child_by_field_name("type")
    text = low.text(kind) if kind is not None else ""
    low.assigns.append(Assign(span(node), (target,), given, "=", scope, True, text))


def function_item(low: Lowering, node: Node, scope: Scope, marks: tuple[Expression, ...] = ()) -> None:
    name = low.text(field(node, "name"))
    modifiers = next((low.text(child) for child in node.named_children if child.type == "function_modifiers"), "")
    returns = node.child_by_field_name("return_type")
    head = Function(
        name=name,
        parameters=parameters(low, node.child_by_field_name("parameters")),
        decorators=marks,
        asynchronous="async" in modifiers,
        exported=any(child.type == "visibility_modifier" for child in node.named_children),
        returns=low.text(returns) if returns is not None else "",
        method=scope.kind is Kind.CLASS,
    )
    outside, low.failing = low.failing, {}
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    body = node.child_by_field_name("body")
    if body is not None:
        block_value(low, body, inner, RETURNED if returns is not None else DISCARDED)
    low.failing = outside


def parameters(low: Lowering, node: Node | None) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for child in said(low, node):
        if child.type == "self_parameter":
            found.append(Parameter(span(child), "self", low.text(child)))
        elif child.type == "parameter":
            pattern = bindings(low, child.child_by_field_name("pattern"))
            kind = child.child_by_field_name("type")
            text = low.text(kind) if kind is not None else ""
            name = names_of(pattern)
            found.append(Parameter(span(child), name, text, None, None if name else pattern))
        else:
            pattern = bindings(low, child)
            found.append(Parameter(span(child), names_of(pattern), "", None, None if names_of(pattern) else pattern))
    return tuple(found)


def closure(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`|x| …` and `async move { … }`; of a closure around an async block the block is the body."""
    listing = node.child_by_field_name("parameters")
    body = node.child_by_field_name("body") or (only(low, node) if node.type == "async_block" else None)
    asynchronous = node.type == "async_block" or any(child.type == "async" for child in node.children)
    while body is not None and body.type in ("async_block", "parenthesized_expression"):
        asynchronous = asynchronous or body.type == "async_block"
        body = only(low, body)
    head = Function(
        name=how.bound_to,
        parameters=parameters(low, listing),
        asynchronous=asynchronous,
        passed_to=how.passed_to,
        registered_as=how.registered_as,
    )
    outside = dict(low.failing)
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    if body is not None:
        block_value(low, body, inner, RETURNED)
    low.failing = outside
    return Lambda(span(node), inner)


def block_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """The statements of a block, and what its last expression gives; in a function's block that is returned."""
    if node.type != "block":
        return last_value(low, node, scope, how)
    listed = said(low, node)
    end = listed[-1] if listed and ends(listed[-1]) else None
    marks: list[Node] = []
    for child in listed:
        if child.type == "attribute_item":
            marks.append(child)
        elif child == end:
            inside = only(low, child) if child.type == "expression_statement" else child
            return last_value(low, inside or child, scope, how)
        else:
            item(low, child, scope, marks)
            marks = []
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


def skipped(low: Lowering, node: Node, scope: Scope) -> None:
    """Types, signatures and macro definitions leave nothing behind that a rule asks."""


LEFT_OUT = (
    "attribute_item",
    "inner_attribute_item",
    "empty_statement",
    "type_item",
    "associated_type",
    "function_signature_item",
    "macro_definition",
    "extern_crate_declaration",
    "foreign_mod_item",
    "line_comment",
    "block_comment",
    "shebang",
)
OWN: dict[str, State] = {
    "use_declaration": use_declaration,
    "mod_item": holder_item,
    "trait_item": holder_item,
    "impl_item": impl_item,
    "struct_item": struct_item,
    "union_item": struct_item,
    "enum_item": enum_item,
    "const_item": constant,
    "static_item": constant,
    "function_item": function_item,
    "expression_statement": expression_statement,
    "let_declaration": let_declaration,
}
FLOW: dict[str, Express] = {
    "if_expression": if_expression,
    "match_expression": match_expression,
    "for_expression": for_expression,
    "while_expression": while_expression,
    "loop_expression": loop_expression,
    "return_expression": return_expression,
    "break_expression": jump,
    "continue_expression": jump,
    "closure_expression": closure,
    "async_block": closure,
    "block": block,
    "unsafe_block": block,
    "const_block": block,
    "try_block": block,
}
STATEMENTS.update(dict.fromkeys(LEFT_OUT, skipped) | OWN)
EXPRESSIONS.update(VALUES | FLOW)
