"""Python source lowered to facts."""

from collections.abc import Callable

import tree_sitter_python
from tree_sitter import Language, Node

from rules.facts import (
    Branch,
    Class,
    Expression,
    Facts,
    Function,
    Handler,
    Jump,
    Kind,
    Literal,
    Loop,
    Raise,
    Return,
    Scope,
    Test,
    With,
)
from rules.languages.lowering import (
    ARGUMENT,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    Lowering,
    begin,
    bound,
    children,
    field,
    span,
)
from rules.languages.python_traits import IDIOMS, TRAITS
from rules.languages.python_values import expression, parameters

SUFFIXES = (".py", ".pyi")
GRAMMAR = Language(tree_sitter_python.language())


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    lowering, root = begin(path, "python", source, GRAMMAR, TRAITS, IDIOMS)
    block(lowering, root, lowering.root)
    # The grammar hangs a comment that opens a block on the statement around it, where no statement is read.
    lowering.comments.clear()
    comments(lowering, root)
    return lowering.facts()


def comments(low: Lowering, root: Node) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            low.comment(node)
        waiting.extend(reversed(node.children))


def block(low: Lowering, node: Node, scope: Scope) -> None:
    for child in children(node):
        statement(low, child, scope)


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    STATEMENTS.get(node.type, other_statement)(low, node, scope)
    low.depth -= 1


def other_statement(low: Lowering, node: Node, scope: Scope) -> None:
    expression(low, node, scope)


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in children(node):
        expression(low, child, scope, DISCARDED)


def comment(low: Lowering, node: Node, scope: Scope) -> None:
    low.comment(node)


def decorated(low: Lowering, node: Node, scope: Scope) -> None:
    marks = [child for child in children(node) if child.type == "decorator"]
    decorators = tuple(expression(low, mark.named_children[0], scope) for mark in marks if mark.named_children)
    definition = field(node, "definition")
    if definition.type == "class_definition":
        class_definition(low, definition, scope, decorators)
    elif definition.type == "function_definition":
        function_definition(low, definition, scope, decorators)


def class_definition(low: Lowering, node: Node, scope: Scope, decorators: tuple[Expression, ...] = ()) -> None:
    bases = node.child_by_field_name("superclasses")
    names = tuple(low.text(base) for base in children(bases)) if bases else ()
    head = Class(low.text(field(node, "name")), names, decorators)
    block(low, field(node, "body"), low.scope(Kind.CLASS, node, scope, head))


def function_definition(low: Lowering, node: Node, scope: Scope, decorators: tuple[Expression, ...] = ()) -> None:
    name = low.text(field(node, "name"))
    returns = node.child_by_field_name("return_type")
    head = Function(
        name=name,
        parameters=parameters(low, field(node, "parameters"), scope),
        decorators=decorators,
        asynchronous=node.children[0].type == "async",
        exported=scope.kind is Kind.MODULE and not name.startswith("_"),
        returns=low.text(returns) if returns else "",
        method=scope.kind is Kind.CLASS,
    )
    block(low, field(node, "body"), low.scope(Kind.FUNCTION, node, scope, head))


def import_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for name in node.children_by_field_name("name"):
        module = low.text(field(name, "name") if name.type == "aliased_import" else name)
        alias = name.child_by_field_name("alias")
        low.packages.add(module)
        if alias:
            low.imports[low.text(alias)] = module


def import_from(low: Lowering, node: Node, scope: Scope) -> None:
    module = low.text(field(node, "module_name"))
    low.packages.add(module)
    for name in node.children_by_field_name("name"):
        member = low.text(field(name, "name") if name.type == "aliased_import" else name)
        local = name.child_by_field_name("alias")
        low.imports[low.text(local) if local else member] = f"{module.lstrip('.') or '.'}.{member}"


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    test = condition(low, node, scope)
    then = low.scope(Kind.BRANCH, field(node, "consequence"), scope, Branch(test, "then"))
    low.tests.append(Test(test.span, test, scope, then))
    block(low, field(node, "consequence"), then)
    for other in node.children_by_field_name("alternative"):
        rest = low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
        if other.type == "elif_clause":
            test, scope = elif_clause(low, other, rest), rest
        else:
            block(low, field(other, "body"), rest)


def elif_clause(low: Lowering, node: Node, scope: Scope) -> Expression:
    """An `elif` reads as an `if` inside the `else` of the one before."""
    test = condition(low, node, scope)
    then = low.scope(Kind.BRANCH, field(node, "consequence"), scope, Branch(test, "then"))
    low.tests.append(Test(test.span, test, scope, then))
    block(low, field(node, "consequence"), then)
    return test


def condition(low: Lowering, node: Node, scope: Scope) -> Expression:
    return expression(low, field(node, "condition"), scope, TESTED)


def match_statement(low: Lowering, node: Node, scope: Scope) -> None:
    subject = expression(low, field(node, "subject"), scope, TESTED)
    for case in children(field(node, "body")):
        if case.type == "case_clause":
            block(low, field(case, "consequence"), low.scope(Kind.BRANCH, case, scope, Branch(subject, "case")))


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    iterates = expression(low, field(node, "right"), scope, ARGUMENT)
    targets = (expression(low, field(node, "left"), scope),)
    loop = low.scope(Kind.LOOP, node, scope, Loop(targets, iterates))
    block(low, field(node, "body"), loop)
    orelse(low, node, scope)


def while_statement(low: Lowering, node: Node, scope: Scope) -> None:
    test = condition(low, node, scope)
    endless = isinstance(test, Literal)
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    low.tests.append(Test(test.span, test, scope, loop))
    block(low, field(node, "body"), loop)
    orelse(low, node, scope)


def orelse(low: Lowering, node: Node, scope: Scope) -> None:
    other = node.child_by_field_name("alternative")
    if other:
        block(low, field(other, "body"), scope)


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    tried = low.scope(Kind.TRY, node, scope)
    block(low, field(node, "body"), tried)
    for child in children(node):
        match child.type:
            case "except_clause" | "except_group_clause":
                except_clause(low, child, scope, tried)
            case "else_clause":
                block(low, field(child, "body"), scope)
            case "finally_clause":
                block(low, child.named_children[-1], low.scope(Kind.FINALLY, child, scope))


def except_clause(low: Lowering, node: Node, scope: Scope, tried: Scope) -> None:
    caught = node.child_by_field_name("value")
    alias = caught.child_by_field_name("alias") if caught and caught.type == "as_pattern" else None
    kinds = caught.named_children[0] if caught and caught.type == "as_pattern" else caught
    listed = children(kinds) if kinds and kinds.type == "tuple" else [kinds] if kinds else []
    head = Handler(tuple(low.text(kind) for kind in listed), low.text(alias) if alias else "", tried)
    block(low, node.named_children[-1], low.scope(Kind.HANDLER, node, scope, head))


def with_statement(low: Lowering, node: Node, scope: Scope) -> None:
    items: list[Expression] = []
    for clause in children(node):
        if clause.type == "with_clause":
            items.extend(with_item(low, item, scope) for item in children(clause))
    block(low, field(node, "body"), low.scope(Kind.WITH, node, scope, With(tuple(items))))


def with_item(low: Lowering, node: Node, scope: Scope) -> Expression:
    value = field(node, "value")
    if value.type != "as_pattern":
        return expression(low, value, scope, ARGUMENT)
    alias = field(value, "alias")
    target = expression(low, alias.named_children[0] if alias.named_children else alias, scope)
    opened = expression(low, value.named_children[0], scope, bound(PLAIN, (target,)))
    low.assign(node, (target,), opened, "=", scope)
    return opened


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    value = expression(low, node.named_children[0], scope, RETURNED) if node.named_children else None
    low.returns.append(Return(span(node), value, scope))


def raise_statement(low: Lowering, node: Node, scope: Scope) -> None:
    value = expression(low, node.named_children[0], scope, ARGUMENT) if node.named_children else None
    low.raises.append(Raise(span(node), value, scope))


def jump(low: Lowering, node: Node, scope: Scope) -> None:
    low.jumps.append(Jump(span(node), low.text(node), scope))


def delete_statement(low: Lowering, node: Node, scope: Scope) -> None:
    targets = tuple(expression(low, child, scope) for child in children(node))
    low.assign(node, targets, None, "del", scope)


STATEMENTS: dict[str, Callable[[Lowering, Node, Scope], None]] = {
    "expression_statement": expression_statement,
    "comment": comment,
    "decorated_definition": decorated,
    "class_definition": class_definition,
    "function_definition": function_definition,
    "import_statement": import_statement,
    "import_from_statement": import_from,
    "if_statement": if_statement,
    "match_statement": match_statement,
    "for_statement": for_statement,
    "while_statement": while_statement,
    "try_statement": try_statement,
    "with_statement": with_statement,
    "return_statement": return_statement,
    "raise_statement": raise_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "delete_statement": delete_statement,
    "block": block,
}
