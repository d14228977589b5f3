"""Imports and exports of a TypeScript or JavaScript module, `require` included."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from rules.facts import Call, Expression, Member, Name, Object, Scope, fold
from rules.languages.lowering import Lowering, children, first_string
from rules.languages.typescript_syntax import plain_string, property_name

LOCAL = re.compile(r"^(?:\.{1,2}(?:/|$)|@/|~/?|#)+")
"""How a path into the own project starts: relative, or through the usual aliases."""
SUFFIX = re.compile(r"(?:/index)?(?:\.[cm]?[jt]sx?|\.json)?$")
LOADS = ("require", "import")


def dotted_module(path: str) -> str:
    """`../lib/usage.js` and `@/lib/usage` read `lib.usage`; a package stays as written."""
    if not LOCAL.match(path):
        return path.removeprefix("node:")
    return SUFFIX.sub("", LOCAL.sub("", path)).strip("/").replace("/", ".")


def member_of(path: str, name: str) -> str:
    module = dotted_module(path)
    return f"{module}.{name}" if module else name


def whole(path: str, local: str) -> str:
    """What a default import stands for.

    A package's default goes by the package: `import S from 'stripe'` is `stripe`. A project's own file may export
    anything, and the name it goes by here says most: `import track from './lib'` is `lib.track`.
    """
    module = dotted_module(path)
    if not LOCAL.match(path) or fold(module.rsplit(".", 1)[-1]) == fold(local):
        return module or local
    return member_of(path, local)


def import_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """`import type` leaves nothing behind at run time and is not recorded."""
    if node.child_count > 1 and any(child.type in ("type", "typeof") for child in node.children[1:2]):
        return
    path = node.child_by_field_name("source")
    for clause in children(node):
        if clause.type == "import_require_clause":
            path = clause.child_by_field_name("source")
    if path is None or path.type != "string":
        return
    module = plain_string(low, path)
    low.packages.add(module)
    for clause in children(node):
        if clause.type in ("import_clause", "import_require_clause"):
            import_clause(low, clause, module)


def import_clause(low: Lowering, clause: Node, module: str) -> None:
    for child in children(clause):
        if child.type == "identifier":
            low.imports[low.text(child)] = whole(module, low.text(child))
        elif child.type == "namespace_import" and child.named_children:
            local = low.text(child.named_children[-1])
            low.imports[local] = dotted_module(module) or local
        elif child.type == "named_imports":
            for one in children(child):
                import_specifier(low, one, module)


def import_specifier(low: Lowering, node: Node, module: str) -> None:
    name = node.child_by_field_name("name")
    if name is None or node.children[0].type in ("type", "typeof"):
        return
    exported = property_name(low, name) or ""
    alias = node.child_by_field_name("alias")
    local = low.text(alias) if alias is not None else exported
    low.imports[local] = whole(module, local) if exported == "default" else member_of(module, exported)


def import_required(low: Lowering, target: Expression, value: Expression) -> None:
    """`const x = require('y')`, `const { a } = await import('y')`, `const z = require('y').z`."""
    name = ""
    if isinstance(value, Member):
        name, value = value.name, value.object
    if not isinstance(value, Call) or value.name not in LOADS:
        return
    module = first_string(value.arguments)
    if not module:
        return
    if isinstance(target, Name):
        whole_name = whole(module, target.text)
        low.imports[target.text] = member_of(module, name) if name not in ("", "default") else whole_name
    elif isinstance(target, Object) and not name:
        for entry in target.entries:
            if entry.name is not None and isinstance(entry.value, Name):
                local = entry.value.text
                low.imports[local] = whole(module, local) if entry.name == "default" else member_of(module, entry.name)


def exported_names(low: Lowering, root: Node) -> Iterator[str]:
    """Names exported apart from their declaration: `export { a }`, `export default a`, `module.exports = { a }`."""
    for child in children(root):
        if child.type == "export_statement":
            yield from named_in_export(low, child)
        elif child.type == "expression_statement" and child.named_children:
            one = child.named_children[0]
            if one.type == "assignment_expression" and exports(low, one.child_by_field_name("left")):
                yield from named_in_value(low, one.child_by_field_name("right"))


def named_in_export(low: Lowering, node: Node) -> Iterator[str]:
    if node.child_by_field_name("source") is not None or node.child_by_field_name("declaration") is not None:
        return
    yield from named_in_value(low, node.child_by_field_name("value"))
    for clause in node.named_children:
        if clause.type == "identifier":
            yield low.text(clause)
        elif clause.type == "export_clause":
            names = (one.child_by_field_name("name") for one in children(clause))
            yield from (low.text(name) for name in names if name is not None)


def named_in_value(low: Lowering, node: Node | None) -> Iterator[str]:
    if node is None:
        return
    if node.type == "identifier":
        yield low.text(node)
    elif node.type == "object":
        for child in children(node):
            one = child.child_by_field_name("value") if child.type == "pair" else child
            if one is not None and one.type in ("identifier", "shorthand_property_identifier"):
                yield low.text(one)


def exports(low: Lowering, target: Node | None) -> bool:
    """Whether this is `module.exports`, `exports.x` or `module.exports.x`."""
    if target is None or target.type != "member_expression":
        return False
    text = low.text(target)
    return text.startswith(("exports.", "module.exports"))


def export_packages(low: Lowering, node: Node) -> None:
    """`export { a } from 'x'` imports from x."""
    path = node.child_by_field_name("source")
    if path is not None:
        low.packages.add(plain_string(low, path))
