"""What a Java file declares: imports, classes, records, enums, fields, methods, their parameters and annotations."""

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
    Sequence,
    Span,
    Unknown,
)
from rules.languages.java_syntax import State, block, expression, inside, statement
from rules.languages.jvm_names import SHARED, declare, import_name
from rules.languages.lowering import ARGUMENT, PLAIN, How, Lowering, bound, children, field, span

BODIES = frozenset({"class_body", "interface_body", "enum_body", "annotation_type_body", "enum_body_declarations"})
METHODS = frozenset({"method_declaration", "constructor_declaration", "compact_constructor_declaration"})


def package_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """The package is kept among the imports under a name that no class can have."""
    low.imports["package"] = low.text(node.named_children[-1]) if node.named_children else ""


def import_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    path = next((low.text(one) for one in inside(low, node) if one.type in ("scoped_identifier", "identifier")), "")
    if any(child.type == "asterisk" for child in node.children):
        low.packages.add(path)
        return
    import_name(low, path, path.rpartition(".")[2], low.imports.get("package", ""))


def annotations(low: Lowering, node: Node, scope: Scope) -> tuple[Expression, ...]:
    """`@PostMapping("/usage")` reads as a call, `@Transactional` as a name."""
    found: list[Expression] = []
    for modifiers in node.named_children[:1]:
        if modifiers.type == "modifiers":
            marks = [child for child in children(modifiers) if child.type in ("annotation", "marker_annotation")]
            found.extend(annotation(low, mark, scope) for mark in marks)
    return tuple(found)


def annotation(low: Lowering, node: Node, scope: Scope) -> Expression:
    callee = expression(low, node.child_by_field_name("name"), scope)
    listing = node.child_by_field_name("arguments")
    if listing is None:
        return callee
    given: list[Argument] = []
    for child in inside(low, listing):
        named = child.type == "element_value_pair"
        name = low.text(field(child, "key")) if named else None
        value = expression(low, field(child, "value") if named else child, scope, ARGUMENT)
        given.append(Argument(span(child), None if name == "value" else name, value))
    return low.call(node, callee, tuple(given), scope, PLAIN)


def modifiers(low: Lowering, node: Node) -> frozenset[str]:
    first = next((child for child in node.children[:1] if child.type == "modifiers"), None)
    return frozenset(child.type for child in first.children) if first is not None else frozenset()


def class_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    marks = annotations(low, node, scope)
    made = low.scope(Kind.CLASS, node, scope, Class(low.text(field(node, "name")), bases(low, node), marks))
    listing = node.child_by_field_name("parameters")
    for one in parameters(low, listing):
        declare(low, one.name, made, one.type)
        low.assigns.append(Assign(one.span, (Name(one.span, one.name),), None, ":", made, declares=True, type=one.type))
    body = node.child_by_field_name("body")
    if node.type == "enum_declaration" and body is not None:
        constants(low, node, body, scope)
    class_body(low, body, made)
    low.depth -= 1


def bases(low: Lowering, node: Node) -> tuple[str, ...]:
    """What the class extends and implements, as written, without type arguments."""
    found: list[str] = []
    for child in node.named_children:
        if child.type in ("superclass", "super_interfaces", "extends_interfaces"):
            listed = (
                child.named_children[0].named_children if child.named_children[0].type == "type_list" else child.named_children
            )
            found.extend(low.text(one).partition("<")[0] for one in listed)
    return tuple(found)


def class_body(low: Lowering, body: Node | None, scope: Scope) -> None:
    """Fields first: a method may use one that is declared below it."""
    listed = inside(low, body) if body is not None else []
    listed = [one for child in listed for one in (inside(low, child) if child.type in BODIES else [child])]
    for child in listed:
        if child.type in ("field_declaration", "constant_declaration"):
            shared = child.type == "constant_declaration" or "static" in modifiers(low, child)
            for one in child.children_by_field_name("declarator"):
                written = low.text(field(child, "type"))
                declare(low, low.text(field(one, "name")), scope, f"{SHARED if shared else ''}{written}")
    for child in listed:
        if child.type != "enum_constant":
            statement(low, child, scope)


def constants(low: Lowering, node: Node, body: Node, scope: Scope) -> None:
    """`enum Plan { FREE(100) }` reads `Plan = { FREE: 100 }`."""
    entries: list[Entry] = []
    for child in inside(low, body):
        if child.type != "enum_constant":
            continue
        name = low.text(field(child, "name"))
        listing = child.child_by_field_name("arguments")
        values = [expression(low, one, scope, ARGUMENT) for one in inside(low, listing)] if listing is not None else []
        value = (
            values[0] if len(values) == 1 else Sequence(span(child), tuple(values)) if values else Literal(span(child), name)
        )
        entries.append(Entry(span(child), name, value))
    target = Name(span(field(node, "name")), low.text(field(node, "name")))
    made = Object(span(body), tuple(entries), type=target.text)
    low.assigns.append(Assign(span(node), (target,), made, "=", scope, declares=True))


def field_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    annotations(low, node, scope)
    for one in node.children_by_field_name("declarator"):
        variable(low, node, one, scope, ":")


def local_variable(low: Lowering, node: Node, scope: Scope) -> None:
    for one in node.children_by_field_name("declarator"):
        variable(low, node, one, scope, "=")


def variable(low: Lowering, node: Node, declarator: Node, scope: Scope, empty: str) -> None:
    """`empty` is the operator of one that is declared without a value."""
    name = field(declarator, "name")
    kind = low.text(field(node, "type"))
    target = Name(span(name), low.text(name))
    written = declarator.child_by_field_name("value")
    value = expression(low, written, scope, bound(PLAIN, (target,))) if written is not None else None
    if kind == "var" and written is not None and written.type == "object_creation_expression":
        kind = low.text(field(written, "type"))
    if (scope, target.text) not in low.declared or scope.kind is not Kind.CLASS:
        declare(low, target.text, scope, kind)
    operator = "=" if value is not None else empty
    first, last = span(field(node, "type")), span(declarator)
    place = Span(first.line, last.end_line, first.start, last.end)
    low.assigns.append(Assign(place, (target,), value, operator, scope, declares=True, type="" if kind == "var" else kind))


def parameters(low: Lowering, listing: Node | None) -> tuple[Parameter, ...]:
    """A parameter's annotations belong to its type as written: `@RequestBody UsageRequest`."""
    made: list[Parameter] = []
    for child in inside(low, listing) if listing is not None else ():
        if child.type not in ("formal_parameter", "spread_parameter"):
            continue
        holder = next((one for one in child.named_children if one.type == "variable_declarator"), child)
        name = field(holder, "name")
        before = [one for one in child.named_children if one.end_byte <= name.start_byte and one != holder]
        marks = [mark for one in before if one.type == "modifiers" for mark in one.named_children]
        kinds = [one for one in before if one.type != "modifiers"]
        said = " ".join(low.text(one) for one in (*marks, *kinds[-1:]))
        made.append(Parameter(span(child), low.text(name), said))
    return tuple(made)


def method_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """What has no body leaves nothing behind but its annotations, in which statements of SQL may stand."""
    marks = annotations(low, node, scope)
    body = node.child_by_field_name("body")
    if body is not None:
        constructs = node.type != "method_declaration"
        function(low, node, scope, PLAIN, "constructor" if constructs else low.text(field(node, "name")), marks)


def function(low: Lowering, node: Node, scope: Scope, how: How, name: str, marks: tuple[Expression, ...] = ()) -> Scope:
    written = modifiers(low, node)
    if "synchronized" in written:
        marks = (*marks, Name(span(node.children[0]), "synchronized"))
    kind = node.child_by_field_name("type")
    listed = parameters(low, node.child_by_field_name("parameters"))
    head = Function(
        name=name,
        parameters=listed,
        decorators=marks,
        exported="public" in written,
        returns=low.text(kind) if kind is not None else "",
        passed_to=how.passed_to,
        registered_as=how.registered_as,
        method="static" not in written,
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in listed:
        declare(low, one.name, inner, one.type.rpartition(" ")[2] if "<" not in one.type else one.type)
    block(low, node.child_by_field_name("body"), inner)
    return inner


def anonymous(low: Lowering, node: Node, body: Node, scope: Scope, how: How, type_name: str) -> Expression:
    """A class written in place. With one method it is that method, as a lambda is."""
    listed = inside(low, body)
    methods = [child for child in listed if child.type == "method_declaration"]
    if len(methods) == 1 and len(listed) == 1:
        marks = annotations(low, methods[0], scope)
        name = how.bound_to or low.text(field(methods[0], "name"))
        return Lambda(span(node), function(low, methods[0], scope, how, name, marks))
    made = low.scope(Kind.CLASS, node, scope, Class(type_name, (type_name,)))
    class_body(low, body, made)
    return Unknown(span(node), ())


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Says nothing that a rule asks."""


def initializer(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        block(low, child, scope)


DECLARATIONS: dict[str, State] = {
    "package_declaration": package_declaration,
    "import_declaration": import_declaration,
    "class_declaration": class_declaration,
    "interface_declaration": class_declaration,
    "enum_declaration": class_declaration,
    "record_declaration": class_declaration,
    "annotation_type_declaration": nothing,
    "annotation_type_element_declaration": nothing,
    "module_declaration": nothing,
    "field_declaration": field_declaration,
    "constant_declaration": field_declaration,
    "local_variable_declaration": local_variable,
    "method_declaration": method_declaration,
    "constructor_declaration": method_declaration,
    "compact_constructor_declaration": method_declaration,
    "static_initializer": initializer,
    "class_body": class_body,
}
