"""What a Rust file declares: uses, types, methods, functions and closures."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Class,
    Entry,
    Expression,
    Function,
    Kind,
    Lambda,
    Literal,
    Name,
    Object,
    Parameter,
    Scope,
)
from rules.languages import rust_macros
from rules.languages.lowering import (
    DISCARDED,
    PLAIN,
    RETURNED,
    How,
    Lowering,
    bound,
    field,
    span,
)
from rules.languages.rust_flow import TESTS, block_value
from rules.languages.rust_syntax import (
    MISSING,
    Express,
    State,
    bindings,
    expression,
    made_call,
    names_of,
    only,
    path,
    said,
    segments,
    statement,
)


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
ITEMS: dict[str, State] = {
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
}
CLOSURES: dict[str, Express] = {"closure_expression": closure, "async_block": closure}
