"""What a Go file declares without running anything: imports, parameters, struct types."""

import re

from tree_sitter import Node

from rules.facts import Assign, Class, Kind, Literal, Name, Parameter, Scope
from rules.languages.lowering import Lowering, children, field, span

VERSION = re.compile(r"v\d+")
PEELED = frozenset({"pointer_type", "parenthesized_type", "generic_type", "type_elem", "type_constraint"})


def import_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        specs = inside(low, child) if child.type == "import_spec_list" else [child]
        for spec in specs:
            if spec.type == "import_spec":
                import_spec(low, spec)


def import_spec(low: Lowering, node: Node) -> None:
    """Binds the alias, else what the package is most likely called: the compiler reads that from the package itself."""
    path = low.text(field(node, "path")).strip('"`')
    low.packages.add(path)
    alias = node.child_by_field_name("name")
    if alias is not None and alias.type != "package_identifier":
        return
    origin = dotted_path(path)
    if alias is not None:
        low.imports[low.text(alias)] = origin
        return
    segments = [segment for segment in path.split("/") if not VERSION.fullmatch(segment)] or [path]
    low.imports[segments[-1]] = origin
    low.imports[plain(segments[-1])] = origin


def dotted_path(path: str) -> str:
    """`github.com/stripe/stripe-go/v82/billing/meterevent` reads `stripe.billing.meterevent`, as in other languages."""
    segments = path.split("/")
    if len(segments) > 1 and "." in segments[0]:
        del segments[0]
    kept: list[str] = []
    for segment in segments:
        short = plain(segment)
        if not VERSION.fullmatch(segment) and (not kept or kept[-1] != short):
            kept.append(short)
    return ".".join(kept) or path


def plain(segment: str) -> str:
    """`stripe-go`, `go-stripe`, `nats.go`, `yaml.v3` without what only says that it is Go."""
    stem, dot, version = segment.rpartition(".")
    if dot and VERSION.fullmatch(version):
        segment = stem
    return segment.removeprefix("go-").removesuffix("-go").removesuffix(".go") or segment


def inside(low: Lowering, node: Node) -> list[Node]:
    """The named children but comments, which are kept as such."""
    listed = children(node)
    comments = [child for child in listed if child.type == "comment"]
    if not comments:
        return listed
    for child in comments:
        low.comment(child)
    return [child for child in listed if child.type != "comment"]


def parameters(low: Lowering, node: Node | None) -> tuple[Parameter, ...]:
    """One for each name; a parameter that is only a type has no name."""
    made: list[Parameter] = []
    for child in inside(low, node) if node is not None else ():
        kind = low.text(field(child, "type"))
        if child.type == "variadic_parameter_declaration":
            kind = f"...{kind}"
        names = [name for name in child.children_by_field_name("name") if name.is_named]
        made.extend(Parameter(span(name), low.text(name), kind) for name in names)
        if not names:
            made.append(Parameter(span(child), "", kind))
    return tuple(made)


def type_name(low: Lowering, node: Node) -> str:
    """The dotted name of a type with imports resolved, without pointers and type arguments."""
    while node.type in PEELED and node.named_children:
        node = node.child_by_field_name("type") or node.named_children[0]
    if node.type in ("struct_type", "ERROR"):
        return ""
    first, dot, rest = low.text(node).partition(".")
    return low.imports.get(first, first) + dot + rest if dot else first


def type_declaration(low: Lowering, node: Node, scope: Scope) -> None:
    for child in inside(low, node):
        kind = child.child_by_field_name("type")
        if kind is not None and kind.type == "struct_type":
            struct(low, child, kind, scope)


def struct(low: Lowering, node: Node, kind: Node, scope: Scope) -> None:
    """Fields are declared with `:` and have their tag as value; embedded types are the bases."""
    listed = inside(low, kind.named_children[0]) if kind.named_children else []
    declared = [child for child in listed if child.type == "field_declaration"]
    bases = tuple(low.text(field(child, "type")) for child in declared if child.child_by_field_name("name") is None)
    made = low.scope(Kind.CLASS, node, scope, Class(low.text(field(node, "name")), bases))
    for child in declared:
        tag = child.child_by_field_name("tag")
        value = Literal(span(tag), low.text(tag)[1:-1]) if tag is not None else None
        written = low.text(field(child, "type"))
        for name in child.children_by_field_name("name"):
            if name.is_named:
                target = Name(span(name), low.text(name))
                low.assigns.append(Assign(span(child), (target,), value, ":", made, declares=True, type=written))
