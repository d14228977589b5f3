"""What a C# file declares: usings, types, members, functions and their parameters."""

import re

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
    Return,
    Scope,
)
from rules.languages.csharp_syntax import (
    Express,
    State,
    bare,
    block,
    expression,
    holds,
    listed,
    made_call,
    only,
    said,
    statement,
    type_as_value,
    type_name,
    type_text,
)
from rules.languages.lowering import ARGUMENT, DISCARDED, PLAIN, RETURNED, How, Lowering, bound, field, span

TRIGGER = re.compile(r"\[\w*Trigger(?:Attribute)?\(\s*\"([^\"]*)\"")


def using_directive(low: Lowering, node: Node, scope: Scope) -> None:
    """`using A.B;` imports from A.B, `using C = A.B;` names it. `using static A.B;` brings its methods as plain names."""
    alias = node.child_by_field_name("name")
    path = next((child for child in said(low, node) if child != alias), None)
    if path is None:
        return
    module = low.text(path).removeprefix("global::")
    low.packages.add(module)
    if alias is not None:
        low.imports[low.text(alias)] = type_name(low, path)


def namespace(low: Lowering, node: Node, scope: Scope) -> None:
    for child in said(low, node):
        if child != node.child_by_field_name("name"):
            block(low, child, scope)


def type_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """A class, record, struct or interface. The parameters of a primary constructor are fields."""
    outside = dict(low.types)
    bases = next((child for child in said(low, node) if child.type == "base_list"), None)
    head = Class(
        low.text(field(node, "name")),
        tuple(type_name(low, one) or low.text(one) for one in said(low, bases)),
        marks(low, node, scope),
    )
    inner = low.scope(Kind.CLASS, node, scope, head)
    body = node.child_by_field_name("body")
    held(low, node, body)
    for one in parameters(low, parameter_list(node), inner):
        name = Name(one.span, one.name)
        low.assigns.append(Assign(one.span, (name,), one.default, ":", inner, declares=True, type=one.type))
    if body is not None:
        block(low, body, inner)
    low.types.clear()
    low.types.update(outside)


def held(low: Lowering, node: Node, body: Node | None) -> None:
    """The types of fields, known before the first method is read: many are declared below it."""
    for child in said(low, body):
        declared = next((one for one in child.named_children if one.type == "variable_declaration"), None)
        if child.type == "property_declaration":
            holds(low, low.text(field(child, "name")), type_name(low, child.child_by_field_name("type")))
        elif child.type == "field_declaration" and declared is not None:
            for one in said(low, declared):
                if one.type == "variable_declarator":
                    holds(low, low.text(field(one, "name")), type_name(low, declared.child_by_field_name("type")))


def marks(low: Lowering, node: Node, scope: Scope) -> tuple[Expression, ...]:
    """The attributes, as decorators: `[HttpPost("x")]` is a call, `[Key]` a name."""
    found: list[Expression] = []
    for listing in said(low, node):
        if listing.type == "attribute_list":
            found.extend(mark(low, one, scope) for one in said(low, listing) if one.type == "attribute")
    return tuple(found)


def mark(low: Lowering, node: Node, scope: Scope) -> Expression:
    callee = type_as_value(low, field(node, "name"))
    given = next((child for child in said(low, node) if child.type == "attribute_argument_list"), None)
    if given is None:
        return callee
    made: list[Argument] = []
    for child in said(low, given):
        inside = said(low, child)
        named = inside[0] if len(inside) > 1 else None
        value = expression(low, inside[-1] if inside else None, scope, ARGUMENT)
        made.append(Argument(span(child), low.text(named) if named is not None else None, value))
    return made_call(low, node, callee, tuple(made), scope, PLAIN)


def parameter_list(node: Node) -> Node | None:
    return node.child_by_field_name("parameters") or next(
        (child for child in node.named_children if child.type in ("parameter_list", "implicit_parameter")), None
    )


def parameters(low: Lowering, node: Node | None, scope: Scope) -> tuple[Parameter, ...]:
    if node is None:
        return ()
    if node.type in ("implicit_parameter", "identifier"):
        return (Parameter(span(node), low.text(node)),)
    return tuple(
        [
            parameter(low, child, scope)
            for child in said(low, node)
            if child.type in ("parameter", "identifier", "implicit_parameter")
        ]
    )


def parameter(low: Lowering, node: Node, scope: Scope) -> Parameter:
    """The type carries the parameter's attributes: `[TimerTrigger("0 * * * *")] TimerInfo`."""
    name, kind = node.child_by_field_name("name"), node.child_by_field_name("type")
    said_of = [low.text(child) for child in said(low, node) if child.type == "attribute_list"]
    default = [
        child for child in said(low, node) if child not in (name, kind) and child.type not in ("attribute_list", "modifier")
    ]
    text = low.text(name) if name is not None else low.text(node)
    holds(low, text, type_name(low, kind))
    value = expression(low, default[-1], scope) if default else None
    return Parameter(span(node), text, " ".join([*said_of, type_text(low, kind)]).strip(), value)


def trigger(low: Lowering, node: Node) -> str:
    """What sets an Azure function off: the queue's name or the cron line that its first parameter's attribute gives."""
    for one in said(low, parameter_list(node)):
        found = TRIGGER.search(low.text(one)) if one.type == "parameter" else None
        if found:
            return found[1]
    return ""


def modifiers(low: Lowering, node: Node) -> set[str]:
    return {low.text(child) for child in node.named_children if child.type == "modifier"}


def method(low: Lowering, node: Node, scope: Scope) -> None:
    """One without a body is a promise of an interface, and says nothing."""
    body = node.child_by_field_name("body")
    if body is None:
        return
    outside = dict(low.types)
    name, said_of = node.child_by_field_name("name"), modifiers(low, node)
    called = "constructor" if node.type == "constructor_declaration" else bare(low.text(name)) if name is not None else ""
    returns = node.child_by_field_name("returns") or node.child_by_field_name("type")
    head = Function(
        name=called,
        parameters=parameters(low, parameter_list(node), scope),
        decorators=marks(low, node, scope),
        asynchronous="async" in said_of,
        exported="public" in said_of,
        returns=type_text(low, returns),
        registered_as=trigger(low, node),
        method=node.type != "local_function_statement",
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for child in said(low, node):
        if child.type == "constructor_initializer":
            handed_on(low, child, inner)
    body_of(low, body, inner, head.returns in ("void", "") and "async" not in said_of)
    low.types.clear()
    low.types.update(outside)


def handed_on(low: Lowering, node: Node, scope: Scope) -> None:
    """`: base(a)`."""
    callee = Name(span(node), "base")
    made_call(low, node, callee, listed(low, only(low, node), scope, callee), scope, DISCARDED, constructs=True)


def body_of(low: Lowering, node: Node, inner: Scope, procedure: bool) -> None:
    """A block, or `=> value`, which a procedure only runs."""
    if node.type == "block":
        block(low, node, inner)
        return
    value = only(low, node) if node.type == "arrow_expression_clause" else node
    if value is not None and procedure:
        expression(low, value, inner, DISCARDED)
    elif value is not None:
        low.returns.append(Return(span(value), expression(low, value, inner, RETURNED), inner))


def lambda_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A delegate's own `delegate (x) { … }` reads the same."""
    outside = dict(low.types)
    head = Function(
        name=bare(how.bound_to),
        parameters=parameters(low, parameter_list(node), scope),
        asynchronous="async" in modifiers(low, node),
        passed_to=how.passed_to,
        registered_as=how.registered_as,
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    body = node.child_by_field_name("body") or next((child for child in node.named_children if child.type == "block"), None)
    if body is not None:
        body_of(low, body, inner, procedure=False)
    low.types.clear()
    low.types.update(outside)
    return Lambda(span(node), inner)


def property_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """A property that computes is a function; one that holds is a field."""
    name, kind = low.text(field(node, "name")), type_text(low, node.child_by_field_name("type"))
    value, accessors = node.child_by_field_name("value"), node.child_by_field_name("accessors")
    marks(low, node, scope)
    if value is not None and value.type == "arrow_expression_clause":
        inner = low.scope(
            Kind.FUNCTION, node, scope, Function(name, returns=kind, exported="public" in modifiers(low, node), method=True)
        )
        body_of(low, value, inner, procedure=False)
        return
    bodies = [one for one in said(low, accessors) if one.child_by_field_name("body") is not None]
    for one in bodies:
        accessor(low, one, name, kind, scope)
    if not bodies:
        target = Name(span(field(node, "name")), name)
        given = expression(low, value, scope, bound(PLAIN, (target,))) if value is not None else None
        low.assigns.append(Assign(span(node), (target,), given, "=" if value is not None else ":", scope, True, kind))


def accessor(low: Lowering, node: Node, name: str, kind: str, scope: Scope) -> None:
    setter = any(child.type in ("set", "init", "add", "remove") for child in node.children)
    listed_here = (Parameter(span(node), "value", kind),) if setter else ()
    inner = low.scope(Kind.FUNCTION, node, scope, Function(name, listed_here, returns="" if setter else kind, method=True))
    body_of(low, field(node, "body"), inner, setter)


def field_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """A static field is there once for the whole process, as a variable of a module is."""
    marks(low, node, scope)
    if "static" in modifiers(low, node):
        scope = low.root
    for child in said(low, node):
        if child.type == "variable_declaration":
            variables(low, child, scope)


def variables(low: Lowering, node: Node, scope: Scope) -> None:
    """`int a = 1, b;` A field that is only declared has no value; `new()` is of the declared type."""
    kind = node.child_by_field_name("type")
    for one in said(low, node):
        if one.type == "variable_declarator":
            variable(low, one, kind, scope)


def variable(low: Lowering, node: Node, kind: Node | None, scope: Scope) -> None:
    given = said(low, node)
    name = node.child_by_field_name("name") or (given[0] if given else node)
    target = expression(low, name, scope)
    declared = type_text(low, kind)
    value = given[-1] if given and given[-1] != name else None
    if value is None:
        operator = ":" if scope.kind is Kind.CLASS else "="
        low.assigns.append(Assign(span(node), (target,), None, operator, scope, True, declared))
        return
    made = expression(low, value, scope, bound(PLAIN, (target,)))
    low.assigns.append(Assign(span(node), (target,), made, "=", scope, True, declared))
    if isinstance(target, Name):
        holds(low, target.text, type_name(low, kind) or constructed(low, value))


def constructed(low: Lowering, node: Node) -> str:
    """The type that `var service = new MeterEventService()` gives."""
    return type_name(low, node.child_by_field_name("type")) if node.type == "object_creation_expression" else ""


def enum_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """`enum E { A = 1, B }` reads `E = { A: 1, B: 2 }`."""
    entries: list[Entry] = []
    following = 0
    for child in said(low, node.child_by_field_name("body")):
        if child.type != "enum_member_declaration":
            continue
        written = child.child_by_field_name("value")
        given: Expression = expression(low, written, scope) if written is not None else Literal(span(child), following)
        following = given.value + 1 if isinstance(given, Literal) and isinstance(given.value, int) else following + 1
        entries.append(Entry(span(child), low.text(field(child, "name")), given))
    target = Name(span(field(node, "name")), low.text(field(node, "name")))
    low.assigns.append(Assign(span(node), (target,), Object(span(node), tuple(entries), type=target.text), "=", scope, True))


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Delegates, events and pragmas leave nothing behind at run time."""


def conditional_code(low: Lowering, node: Node, scope: Scope) -> None:
    """`#if DEBUG … #else … #endif`: which half is built is not known, so both are read."""
    condition = node.child_by_field_name("condition")
    for child in said(low, node):
        if child != condition:
            statement(low, child, scope)


TYPES = ("class_declaration", "record_declaration", "struct_declaration", "interface_declaration")
METHODS = (
    "method_declaration",
    "constructor_declaration",
    "destructor_declaration",
    "operator_declaration",
    "conversion_operator_declaration",
    "local_function_statement",
)
LEFT_OUT = (
    "delegate_declaration",
    "event_field_declaration",
    "event_declaration",
    "indexer_declaration",
    "extern_alias_directive",
    "global_attribute",
    "attribute_list",
    "base_list",
    "comment",
    "preproc_region",
    "preproc_endregion",
    "preproc_pragma",
    "preproc_nullable",
    "preproc_define",
    "preproc_undef",
    "preproc_line",
    "preproc_warning",
    "preproc_error",
    "shebang_directive",
)
DECLARATIONS: dict[str, State] = {
    "using_directive": using_directive,
    "namespace_declaration": namespace,
    "file_scoped_namespace_declaration": namespace,
    "declaration_list": block,
    "property_declaration": property_declaration,
    "field_declaration": field_declaration,
    "enum_declaration": enum_declaration,
    "variable_declaration": variables,
}
DECLARATIONS |= dict.fromkeys(TYPES, type_declaration)
DECLARATIONS |= dict.fromkeys(METHODS, method)
DECLARATIONS |= dict.fromkeys(LEFT_OUT, nothing)
DECLARATIONS |= dict.fromkeys(("preproc_if", "preproc_elif", "preproc_else"), conditional_code)
FUNCTIONS: dict[str, Express] = {"lambda_expression": lambda_value, "anonymous_method_expression": lambda_value}
