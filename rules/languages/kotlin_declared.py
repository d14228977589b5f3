"""What a Kotlin file declares: imports, classes, objects, enums, properties, functions, parameters and annotations."""

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
    Sequence,
    Span,
    Unknown,
)
from rules.languages.jvm_names import SHARED, declare, import_name
from rules.languages.kotlin_syntax import State, block, expression, inside, statement, type_text
from rules.languages.lowering import ARGUMENT, PLAIN, RETURNED, How, Lowering, bound, children, field, span

PACKAGE = "package"
"""Under this name, which nothing else can have, the file's own package is kept while it is lowered."""
NOT_VALUES = frozenset(
    "modifiers variable_declaration multi_variable_declaration getter setter property_delegate type_parameters "
    "type_constraints user_type nullable_type function_type line_comment block_comment".split()
)
BODIES = frozenset({"class_body", "enum_class_body"})


def package_header(low: Lowering, node: Node, scope: Scope) -> None:
    low.imports[PACKAGE] = low.text(node.named_children[-1]) if node.named_children else ""


def import_header(low: Lowering, node: Node, scope: Scope) -> None:
    names = [child for child in node.named_children if child.type in ("qualified_identifier", "identifier")]
    if not names:
        return
    path = low.text(names[0])
    if any(child.type == "*" for child in node.children):
        low.packages.add(path)
        return
    local = low.text(names[1]) if len(names) > 1 else path.rpartition(".")[2]
    import_name(low, path, local, low.imports.get(PACKAGE, ""))


def annotations(low: Lowering, node: Node | None, scope: Scope) -> tuple[Expression, ...]:
    """Of a declaration's modifiers: `@PostMapping("/usage")` reads as a call, `@Transactional` as a name."""
    if node is None:
        return ()
    found: list[Expression] = []
    for mark in children(node):
        if mark.type == "annotation":
            for one in mark.named_children:
                if one.type == "constructor_invocation":
                    found.append(constructed(low, one, scope))
                elif one.type == "user_type":
                    found.append(Name(span(one), low.text(one)))
    return tuple(found)


def constructed(low: Lowering, node: Node, scope: Scope) -> Expression:
    """`@Table(name = "usage")`, and the call of a base class's constructor."""
    kind = node.named_children[0]
    callee = Name(span(kind), low.text(kind).partition("<")[0])
    listing = next((child for child in node.named_children if child.type == "value_arguments"), None)
    return low.call(node, callee, tuple(argument(low, one, scope) for one in given(low, listing)), scope, PLAIN)


def given(low: Lowering, listing: Node | None) -> list[Node]:
    return [one for one in inside(low, listing) if one.type == "value_argument"] if listing is not None else []


def argument(low: Lowering, node: Node, scope: Scope, how: How = ARGUMENT) -> Argument:
    """One argument; a named one says so with `=`."""
    listed = inside(low, node)
    named = any(child.type == "=" for child in node.children) and len(listed) > 1
    value = expression(low, listed[-1] if listed else None, scope, how)
    return Argument(span(node), low.text(listed[0]) if named else None, value)


def modifiers(node: Node) -> Node | None:
    return next((child for child in node.named_children if child.type == "modifiers"), None)


def has(low: Lowering, node: Node, word: str) -> bool:
    marks = modifiers(node)
    return marks is not None and word in low.text(marks).split()


def class_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    name = low.text(field(node, "name")) if node.child_by_field_name("name") is not None else ""
    marks = annotations(low, modifiers(node), scope)
    made = low.scope(Kind.CLASS, node, scope, Class(name, bases(low, node, scope), marks))
    constructor = next((child for child in node.named_children if child.type == "primary_constructor"), None)
    for one in constructor.named_children if constructor is not None else ():
        for parameter in one.named_children if one.type == "class_parameters" else ():
            class_parameter(low, parameter, made)
    body = next((child for child in node.named_children if child.type in BODIES), None)
    if body is not None and body.type == "enum_class_body":
        constants(low, name, body, scope)
    class_body(low, body, made, node.type == "object_declaration")
    low.depth -= 1


def bases(low: Lowering, node: Node, scope: Scope) -> tuple[str, ...]:
    found: list[str] = []
    for listing in node.named_children:
        for child in listing.named_children if listing.type == "delegation_specifiers" else ():
            inner = child.named_children[0] if child.named_children else child
            if inner.type == "constructor_invocation":
                constructed(low, inner, scope)
            found.append(low.text(inner).partition("<")[0].partition("(")[0].strip())
    return tuple(found)


def class_parameter(low: Lowering, node: Node, scope: Scope) -> None:
    """A parameter of the class is its field."""
    if node.type != "class_parameter":
        return
    annotations(low, modifiers(node), scope)
    listed = inside(low, node)
    name = next((child for child in listed if child.type == "identifier"), None)
    if name is None:
        return
    kind = type_text(low, node)
    declare(low, low.text(name), scope, kind)
    default = listed[-1] if listed[-1] is not name else None
    value = expression(low, default, scope) if default is not None else None
    target = Name(span(name), low.text(name))
    operator = "=" if value is not None else ":"
    place = Span(target.span.line, span(node).end_line, target.span.start, span(node).end)
    low.assigns.append(Assign(place, (target,), value, operator, scope, declares=True, type=kind))


def class_body(low: Lowering, body: Node | None, scope: Scope, shared: bool) -> None:
    """Properties first: a function may use one that is declared below it. Those of an `object` belong to the file."""
    members = inside(low, body) if body is not None else []
    companions = [child for child in members if child.type == "companion_object"]
    inner = [
        one for child in companions for holder in child.named_children if holder.type in BODIES for one in inside(low, holder)
    ]
    for child, static in (*((one, shared) for one in members), *((one, True) for one in inner)):
        if child.type == "property_declaration":
            for one in child.named_children:
                if one.type == "variable_declaration" and one.named_children:
                    declare(
                        low, low.text(one.named_children[0]), scope, (SHARED if static else "") + property_type(low, child, one)
                    )
    for child in (*members, *inner):
        if child.type not in ("companion_object", "enum_entry"):
            statement(low, child, scope)


def property_type(low: Lowering, node: Node, variable: Node) -> str:
    """The declared type, or the class of what is made for it: `val totals = HashMap<String, Long>()`."""
    if written := type_text(low, variable):
        return written
    value = next((child for child in node.named_children if child.type not in NOT_VALUES), None)
    if value is None or value.type != "call_expression" or not value.named_children:
        return ""
    callee = low.text(value.named_children[0])
    return MADE.get(callee, callee if callee[:1].isupper() else "")


MADE = {
    "mutableMapOf": "MutableMap",
    "hashMapOf": "HashMap",
    "mapOf": "Map",
    "mutableListOf": "MutableList",
    "arrayListOf": "ArrayList",
    "listOf": "List",
    "mutableSetOf": "MutableSet",
    "setOf": "Set",
}
"""What the library's makers of collections make."""


def constants(low: Lowering, name: str, body: Node, scope: Scope) -> None:
    """`enum class Plan { FREE(100) }` reads `Plan = { FREE: 100 }`."""
    entries: list[Entry] = []
    for child in inside(low, body):
        if child.type != "enum_entry" or not child.named_children:
            continue
        entry = low.text(next((one for one in child.named_children if one.type == "identifier"), child))
        listing = next((one for one in child.named_children if one.type == "value_arguments"), None)
        values = [argument(low, one, scope).value for one in given(low, listing)]
        value = (
            values[0] if len(values) == 1 else Sequence(span(child), tuple(values)) if values else Literal(span(child), entry)
        )
        entries.append(Entry(span(child), entry, value))
    made = Object(span(body), tuple(entries), type=name)
    low.assigns.append(Assign(span(body), (Name(span(body), name),), made, "=", scope, declares=True))


def property_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    annotations(low, modifiers(node), scope)
    holder = next((one for one in node.named_children if one.type.endswith("variable_declaration")), None)
    value_node = next((child for child in node.named_children if child.type not in NOT_VALUES), None)
    delegate = next((child for child in node.named_children if child.type == "property_delegate"), None)
    targets = variables(low, holder)
    pattern = targets if len(targets) == 1 else (Sequence(span(node), targets),)
    value = expression(low, value_node, scope, bound(PLAIN, targets)) if value_node is not None else None
    if delegate is not None:
        inner = next(iter(inside(low, delegate)), None)
        value = expression(low, inner, scope, bound(PLAIN, targets))
    kind = type_text(low, holder) if holder is not None and holder.type == "variable_declaration" else ""
    for target in targets:
        if scope.kind is not Kind.CLASS and isinstance(target, Name):
            declare(low, target.text, scope, property_type(low, node, holder) if holder is not None else "")
    operator = "=" if value is not None else ":" if scope.kind is Kind.CLASS else "="
    place = (
        Span(span(holder).line, span(node).end_line, span(holder).start, span(node).end) if holder is not None else span(node)
    )
    low.assigns.append(Assign(place, pattern, value, operator, scope, declares=True, type=kind))
    for accessor in node.named_children:
        if accessor.type in ("getter", "setter"):
            name = low.text(holder.named_children[0]) if holder is not None and holder.named_children else ""
            function(low, accessor, scope, PLAIN._replace(bound_to=f"{accessor.type[:3]}_{name}"))


def variables(low: Lowering, holder: Node | None) -> tuple[Expression, ...]:
    """The names that a declaration binds; a destructuring one has several."""
    if holder is None:
        return ()
    each = (
        [holder]
        if holder.type == "variable_declaration"
        else [c for c in holder.named_children if c.type == "variable_declaration"]
    )
    names = [next((one for one in child.named_children if one.type == "identifier"), None) for child in each]
    return tuple(Name(span(one), low.text(one)) for one in names if one is not None)


def parameters(low: Lowering, node: Node, scope: Scope) -> tuple[Parameter, ...]:
    """A parameter's annotations belong to its type as written: `@RequestBody UsageRequest`."""
    listing = next((child for child in node.named_children if child.type == "function_value_parameters"), None)
    made: list[Parameter] = []
    marks = ""
    for child in inside(low, listing) if listing is not None else ():
        if child.type == "parameter_modifiers":
            marks = " ".join(low.text(one) for one in child.named_children if one.type == "annotation")
        elif child.type == "parameter" and child.named_children:
            name = low.text(child.named_children[0])
            made.append(Parameter(span(child), name, f"{marks} {type_text(low, child)}".strip()))
            marks = ""
        elif made:
            last = made.pop()
            made.append(Parameter(last.span, last.name, last.type, expression(low, child, scope)))
    return tuple(made)


def function_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    """What has no body leaves nothing behind but its annotations, in which statements of SQL may stand."""
    marks = annotations(low, modifiers(node), scope)
    if has(low, node, "synchronized") or "@Synchronized" in (low.text(one) for one in (modifiers(node),) if one is not None):
        marks = (*marks, Name(span(node), "synchronized"))
    if any(child.type == "function_body" for child in node.named_children):
        name = low.text(field(node, "name")) if node.child_by_field_name("name") is not None else ""
        function(low, node, scope, PLAIN._replace(bound_to=name), marks)


def constructor(low: Lowering, node: Node, scope: Scope) -> None:
    function(low, node, scope, PLAIN._replace(bound_to="constructor"))


def function(low: Lowering, node: Node, scope: Scope, how: How, marks: tuple[Expression, ...] = ()) -> Scope:
    listed = parameters(low, node, scope)
    after = [child for child in node.named_children if child.type in ("user_type", "nullable_type")]
    listing = next((child for child in node.named_children if child.type == "function_value_parameters"), None)
    returns = [low.text(one) for one in after if listing is not None and one.start_byte > listing.end_byte]
    head = Function(
        name=how.bound_to,
        parameters=listed,
        decorators=marks,
        exported=not (has(low, node, "private") or has(low, node, "internal")),
        returns=returns[0] if returns else "",
        passed_to=how.passed_to,
        registered_as=how.registered_as,
        method=scope.kind is Kind.CLASS,
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in listed:
        declare(low, one.name, inner, one.type.rpartition(" ")[2] if "<" not in one.type else one.type)
    for child in node.named_children:
        if child.type == "function_body":
            function_body(low, child, inner)
        elif child.type == "block":
            block(low, child, inner)
    return inner


def function_body(low: Lowering, node: Node, scope: Scope) -> None:
    """A block, or `= expression`, which is returned."""
    inner = next(iter(inside(low, node)), None)
    if inner is None or inner.type == "block":
        block(low, inner, scope)
        return
    value = expression(low, inner, scope, RETURNED)
    low.returns.append(Return(value.span, value, scope))


def anonymous_function(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Lambda(span(node), function(low, node, scope, how))


def object_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`object : Runnable { override fun run() { … } }`; with one function it is that function, as a lambda is."""
    body = next((child for child in node.named_children if child.type == "class_body"), None)
    members = inside(low, body) if body is not None else []
    if len(members) == 1 and members[0].type == "function_declaration":
        name = how.bound_to or low.text(field(members[0], "name"))
        return Lambda(span(node), function(low, members[0], scope, how._replace(bound_to=name)))
    names = bases(low, node, scope)
    made = low.scope(Kind.CLASS, node, scope, Class(names[0] if names else "", names))
    class_body(low, body, made, False)
    return Unknown(span(node), ())


def initializer(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        block(low, child, scope)


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Says nothing that a rule asks."""


DECLARATIONS: dict[str, State] = {
    "package_header": package_header,
    "import": import_header,
    "file_annotation": nothing,
    "type_alias": nothing,
    "class_declaration": class_declaration,
    "object_declaration": class_declaration,
    "companion_object": class_declaration,
    "property_declaration": property_declaration,
    "function_declaration": function_declaration,
    "secondary_constructor": constructor,
    "anonymous_initializer": initializer,
    "modifiers": nothing,
    "label": nothing,
}
