"""What a PHP file declares: imports, classes, functions and their parameters."""

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
    Member,
    Name,
    Object,
    Parameter,
    Return,
    Scope,
    Unknown,
)
from rules.languages.lowering import ARGUMENT, PLAIN, RETURNED, How, Lowering, bound, children, first_string, span
from rules.languages.php_syntax import Express, State, block, expression, statement, sub

ATTRIBUTES = ("attribute_list", "attributes")


def use_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """`use Stripe\\{StripeClient, Webhook as Hook};`"""
    for child in children(node):
        if child.type == "namespace_use_clause":
            use_clause(low, child, "")
        elif child.type == "namespace_use_group":
            prefix = next((low.text(one) for one in children(node) if one.type == "namespace_name"), "")
            for one in children(child):
                use_clause(low, one, prefix)


def use_clause(low: Lowering, node: Node, prefix: str) -> None:
    named = [one for one in node.named_children if one.type in ("name", "qualified_name", "namespace_name")]
    alias = node.child_by_field_name("alias")
    if not named:
        return
    names = "\\".join(filter(None, (prefix, low.text(named[0])))).strip("\\").split("\\")
    low.packages.add("/".join(names))
    low.imports[low.text(alias) if alias is not None else names[-1]] = ".".join(names)


def namespace(low: Lowering, node: Node, scope: Scope) -> None:
    block(low, node.child_by_field_name("body"), scope)


def decorators(low: Lowering, node: Node, scope: Scope) -> tuple[Expression, ...]:
    """`#[Route('/usage', methods: ['POST'])]` is a call, an attribute without arguments a name."""
    listed = node.child_by_field_name("attributes")
    found: list[Expression] = []
    for group in children(listed) if listed is not None else ():
        for one in children(group):
            if one.type == "attribute" and one.named_children:
                name = expression(low, one.named_children[0], scope)
                given = one.child_by_field_name("parameters")
                found.append(
                    low.call(one, name, arguments(low, given, name, scope), scope, PLAIN) if given is not None else name
                )
    return tuple(found)


def arguments(low: Lowering, listed: Node | None, callee: Expression, scope: Scope) -> tuple[Argument, ...]:
    made: list[Argument] = []
    for one in children(listed) if listed is not None else ():
        if one.type == "argument":
            how = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
            made.append(argument(low, one, scope, how))
    return tuple(made)


def argument(low: Lowering, node: Node, scope: Scope, how: How) -> Argument:
    """`value`, `name: value`, `...$values`."""
    name = node.child_by_field_name("name")
    parts = [one for one in children(node) if one != name and one.type not in ("comment", "reference_modifier")]
    value: Expression = expression(low, parts[-1], scope, how) if parts else Unknown(span(node), ())
    return Argument(span(node), low.text(name) if name is not None else None, value)


def class_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    name = node.child_by_field_name("name")
    class_in(low, node, scope, low.text(name) if name is not None else "")


def class_in(low: Lowering, node: Node, scope: Scope, name: str) -> None:
    """What it extends, implements and uses are its bases: a job is known by `ShouldQueue`."""
    body = node.child_by_field_name("body") or node
    bases = [low.text(one) for part in children(node) if part.type in HERITAGE for one in children(part)]
    bases += [low.text(one) for part in children(body) if part.type == "use_declaration" for one in children(part)]
    head = Class(name, tuple(one.rpartition("\\")[2] for one in bases), decorators(low, node, scope))
    inner = low.scope(Kind.CLASS, node, scope, head)
    for member in children(body):
        if member.type != "use_declaration" and member.type not in HERITAGE:
            statement(low, member, inner)


HERITAGE = ("base_clause", "class_interface_clause")


def enum(low: Lowering, node: Node, scope: Scope) -> None:
    """`enum Plan: string { case Free = 'free'; }` reads `Plan = { Free: 'free' }`, and a class with its methods."""
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        return
    entries: list[Entry] = []
    for one in children(body):
        case = one.child_by_field_name("name") if one.type == "enum_case" else None
        if case is not None:
            value = one.child_by_field_name("value")
            given = expression(low, value, scope) if value is not None else Literal(span(one), low.text(case))
            entries.append(Entry(span(one), low.text(case), given))
    target = Name(span(name), low.text(name))
    low.assigns.append(Assign(span(node), (target,), Object(span(body), tuple(entries), type=target.text), "=", scope, True))
    inner = low.scope(Kind.CLASS, node, scope, Class(target.text))
    for one in children(body):
        if one.type != "enum_case":
            statement(low, one, inner)


def properties(low: Lowering, node: Node, scope: Scope) -> None:
    """`private array $pending = [];`"""
    kind = node.child_by_field_name("type")
    for one in children(node):
        if one.type != "property_element":
            continue
        name, value = one.child_by_field_name("name"), one.child_by_field_name("default_value")
        if name is None:
            continue
        target = Name(span(name), low.text(name).lstrip("$"))
        given = expression(low, value, scope, bound(PLAIN, (target,))) if value is not None else None
        written = low.text(kind) if kind is not None else ""
        low.assigns.append(Assign(span(one), (target,), given, "=" if given is not None else ":", scope, True, written))


def constants(low: Lowering, node: Node, scope: Scope) -> None:
    for one in children(node):
        if one.type == "const_element" and len(one.named_children) > 1:
            target = Name(span(one.named_children[0]), low.text(one.named_children[0]))
            value = expression(low, one.named_children[1], scope, bound(PLAIN, (target,)))
            low.assigns.append(Assign(span(one), (target,), value, "=", scope, True))


def function_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    name = node.child_by_field_name("name")
    made = function(low, node, scope, PLAIN._replace(bound_to=low.text(name) if name is not None else ""))
    function_body(low, node, made)


def function(low: Lowering, node: Node, scope: Scope, how: How) -> Scope:
    returns = node.child_by_field_name("return_type")
    public = any(one.type == "visibility_modifier" and low.text(one) != "public" for one in node.named_children)
    head = Function(
        name=how.bound_to,
        parameters=parameters(low, node.child_by_field_name("parameters"), scope),
        decorators=decorators(low, node, scope),
        exported=scope.kind is Kind.MODULE and not public,
        returns=low.text(returns) if returns is not None else "",
        passed_to=how.passed_to,
        registered_as=how.registered_as,
        method=scope.kind is Kind.CLASS,
    )
    return low.scope(Kind.FUNCTION, node, scope, head)


def function_body(low: Lowering, node: Node, scope: Scope) -> None:
    body = node.child_by_field_name("body")
    listed = node.child_by_field_name("parameters")
    for one in children(listed) if listed is not None else ():
        if one.type == "property_promotion_parameter":
            promoted(low, one, scope)
    if body is None:
        return
    if body.type == "compound_statement":
        block(low, body, scope)
    else:
        value = expression(low, body, scope, RETURNED)
        low.returns.append(Return(value.span, value, scope))


def promoted(low: Lowering, node: Node, scope: Scope) -> None:
    """`__construct(private StripeClient $stripe)` also sets `$this->stripe`."""
    name = node.child_by_field_name("name")
    if name is not None:
        text = low.text(name).lstrip("$")
        target = Member(span(name), Name(span(name), "this"), text)
        low.assigns.append(Assign(span(node), (target,), Name(span(name), text), "=", scope, declares=True))


def parameters(low: Lowering, node: Node | None, scope: Scope) -> tuple[Parameter, ...]:
    return tuple(
        parameter(low, one, scope) for one in (children(node) if node is not None else ()) if one.type.endswith("_parameter")
    )


def parameter(low: Lowering, node: Node, scope: Scope) -> Parameter:
    name, kind = node.child_by_field_name("name"), node.child_by_field_name("type")
    default = node.child_by_field_name("default_value")
    given = expression(low, default, scope) if default is not None else None
    written = low.text(kind).lstrip("\\") if kind is not None else ""
    return Parameter(span(node), low.text(name if name is not None else node).lstrip("$&."), written, given)


def function_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = function(low, node, scope, how)
    function_body(low, node, made)
    return Lambda(span(node), made)


def class_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    class_in(low, node, scope, how.bound_to)
    return Unknown(span(node), ())


def static_variables(low: Lowering, node: Node, scope: Scope) -> None:
    for one in children(node):
        if one.type == "static_variable_declaration":
            target = sub(low, one, "name", scope)
            value = one.child_by_field_name("value")
            given = expression(low, value, scope, bound(PLAIN, (target,))) if value is not None else None
            low.assigns.append(Assign(span(one), (target,), given, "=", scope, declares=True))


DECLARATIONS: dict[str, State] = {
    "namespace_use_declaration": use_statement,
    "namespace_definition": namespace,
    "class_declaration": class_declaration,
    "interface_declaration": class_declaration,
    "trait_declaration": class_declaration,
    "enum_declaration": enum,
    "property_declaration": properties,
    "const_declaration": constants,
    "function_definition": function_declaration,
    "method_declaration": function_declaration,
    "function_static_declaration": static_variables,
}
FUNCTIONS: dict[str, Express] = {
    "anonymous_function": function_value,
    "anonymous_function_creation_expression": function_value,
    "arrow_function": function_value,
    "anonymous_class": class_value,
}
