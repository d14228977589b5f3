"""Python source lowered to facts."""

from collections.abc import Callable

import tree_sitter_python
from tree_sitter import Language, Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Branch,
    Class,
    Compare,
    Conditional,
    Entry,
    Expression,
    Facts,
    Function,
    Handler,
    Index,
    Jump,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Member,
    Object,
    Parameter,
    Raise,
    Return,
    Scope,
    Sequence,
    Span,
    Spread,
    Start,
    Template,
    Test,
    Unary,
    Unknown,
    With,
)
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    RETURNED,
    TESTED,
    How,
    Lowering,
    begin,
    bound,
    children,
    field,
    first_string,
    identifier,
    numeric,
    span,
)
from rules.languages.python_traits import IDIOMS, TRAITS

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


def parameters(low: Lowering, node: Node, scope: Scope) -> tuple[Parameter, ...]:
    return tuple(parameter(low, child, scope) for child in children(node) if child.type != "comment")


def parameter(low: Lowering, node: Node, scope: Scope) -> Parameter:
    kind = node.child_by_field_name("type")
    default = node.child_by_field_name("value")
    name = node.child_by_field_name("name") or (node.named_children[0] if node.named_children else node)
    return Parameter(
        span(node),
        low.text(name).lstrip("*"),
        low.text(kind) if kind else "",
        expression(low, default, scope) if default else None,
    )


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


def expression(low: Lowering, node: Node, scope: Scope, how: How = PLAIN) -> Expression:
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = tuple(expression(low, child, scope) for child in children(node) if child.type != "comment")
    return Unknown(span(node), inside)


def attribute(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, field(node, "object"), scope, CHAINED)
    return Member(span(node), inner, low.text(field(node, "attribute")))


def subscript(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = expression(low, field(node, "value"), scope, CHAINED)
    return Index(span(node), inner, expression(low, field(node, "subscript"), scope, ARGUMENT))


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    callee = expression(low, field(node, "function"), scope, CHAINED)
    made: list[Argument] = []
    listing = field(node, "arguments")
    listed = children(listing) if listing.type == "argument_list" else [listing]
    for child in listed:
        if child.type == "comment":
            low.comment(child)
            continue
        inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
        if child.type == "keyword_argument":
            value = expression(low, field(child, "value"), scope, inner)
            made.append(Argument(span(child), low.text(field(child, "name")), value))
        else:
            made.append(Argument(span(child), None, expression(low, child, scope, inner)))
    return low.call(node, callee, tuple(made), scope, how)


def awaited(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return expression(low, node.named_children[-1], scope, how._replace(start=Start.AWAITED))


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "left"), scope)
    right = node.child_by_field_name("right")
    annotation = node.child_by_field_name("type")
    kind = low.text(annotation) if annotation is not None else ""
    if right is None:
        if scope.kind is Kind.CLASS:
            low.assigns.append(Assign(span(node), (target,), None, ":", scope, declares=True, type=kind))
        return target
    targets = target.items if isinstance(target, Sequence) else (target,)
    value = expression(low, right, scope, bound(PLAIN, targets))
    low.assigns.append(Assign(span(node), (target,), value, "=", scope, type=kind))
    return value


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "left"), scope)
    value = expression(low, field(node, "right"), scope)
    low.assign(node, (target,), value, low.text(field(node, "operator")), scope)
    return target


def named_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    target = expression(low, field(node, "name"), scope)
    value = expression(low, field(node, "value"), scope, bound(how, (target,)))
    low.assign(node, (target,), value, "=", scope)
    return value


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [child for child in children(node) if child.type in ("string_content", "interpolation")]
    if not any(child.type == "interpolation" for child in inside):
        return Literal(span(node), "".join(low.text(child) for child in inside))
    return Template(span(node), tuple(string_part(low, child, scope) for child in inside))


def string_part(low: Lowering, node: Node, scope: Scope) -> Expression:
    if node.type == "string_content":
        return Literal(span(node), low.text(node))
    return expression(low, field(node, "expression"), scope)


def concatenated(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = tuple(expression(low, child, scope) for child in children(node) if child.type != "comment")
    if all(isinstance(one, Literal) for one in made):
        return Literal(span(node), "".join(str(one.value) for one in made if isinstance(one, Literal)))
    flat = [inner for one in made for inner in (one.parts if isinstance(one, Template) else (one,))]
    return Template(span(node), tuple(flat))


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), {"true": True, "false": False, "none": None}[node.type])


def sequence(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = tuple(expression(low, child, scope, ARGUMENT) for child in children(node) if child.type != "comment")
    return Sequence(span(node), made)


def parenthesized(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [child for child in children(node) if child.type != "comment"]
    return expression(low, inside[0], scope, how) if inside else Unknown(span(node), ())


def expression_list(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Sequence(span(node), tuple(expression(low, child, scope, how) for child in children(node)))


def dictionary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    entries: list[Entry] = []
    complete = True
    for child in children(node):
        if child.type == "pair":
            key = expression(low, field(child, "key"), scope)
            value = expression(low, field(child, "value"), scope, ARGUMENT)
            name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
            complete = complete and name is not None
            entries.append(Entry(span(child), name, value))
        elif child.type == "dictionary_splat":
            complete = False
            entries.append(Entry(span(child), None, splat(low, child, scope, how)))
    return Object(span(node), tuple(entries), complete)


def splat(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), expression(low, node.named_children[-1], scope, ARGUMENT))


def comprehension(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`[f(x) for x in xs]` runs in a loop scope over `xs`."""
    loop = scope
    for child in children(node):
        if child.type == "for_in_clause":
            iterates = expression(low, field(child, "right"), loop, ARGUMENT)
            targets = (expression(low, field(child, "left"), loop),)
            loop = low.scope(Kind.LOOP, node, loop, Loop(targets, iterates))
        elif child.type == "if_clause":
            test = expression(low, child.named_children[0], loop, TESTED)
            low.tests.append(Test(test.span, test, loop))
    body = field(node, "body")
    if body.type == "pair":
        value = expression(low, field(body, "value"), loop, ARGUMENT)
        expression(low, field(body, "key"), loop, ARGUMENT)
    else:
        value = expression(low, body, loop, ARGUMENT)
    return Sequence(span(node), (value,), each=True)


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = expression(low, field(node, "left"), scope)
    right = expression(low, field(node, "right"), scope)
    return Binary(span(node), low.text(field(node, "operator")), left, right)


def boolean(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left = expression(low, field(node, "left"), scope, TESTED)
    right = expression(low, field(node, "right"), scope, TESTED)
    return Logical(span(node), low.text(field(node, "operator")), left, right)


def comparison(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`1 < a <= 2` reads `1 < a and a <= 2`."""
    values = [expression(low, child, scope, TESTED) for child in children(node)]
    operators = [low.text(child) for child in node.children if not child.is_named or child.type in ("is not", "not in")]
    made: Expression | None = None
    for operator, left, right in zip(operators, values, values[1:], strict=False):
        spelled = {"is": "==", "is not": "!=", "<>": "!="}.get(" ".join(operator.split()), " ".join(operator.split()))
        one = Compare(Span(left.span.line, right.span.end_line, left.span.start, right.span.end), spelled, left, right)
        made = Logical(span(node), "and", made, one) if made else one
    return made or Unknown(span(node), tuple(values))


def negation(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unary(span(node), "not", expression(low, field(node, "argument"), scope, TESTED))


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = expression(low, field(node, "argument"), scope)
    if low.text(field(node, "operator")) == "-" and isinstance(value, Literal) and isinstance(value.value, int | float):
        return Literal(span(node), -value.value)
    return Unary(span(node), low.text(field(node, "operator")), value)


def conditional(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    three = [child for child in children(node) if child.type not in ("comment", "line_continuation", "ERROR")]
    if len(three) != 3:
        return unknown(low, node, scope, how)
    then, test, otherwise = three
    tested = expression(low, test, scope, TESTED)
    low.tests.append(Test(tested.span, tested, scope))
    return Conditional(span(node), tested, expression(low, then, scope, how), expression(low, otherwise, scope, how))


def function_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listing = node.child_by_field_name("parameters")
    head = Function(
        name=how.bound_to,
        parameters=parameters(low, listing, scope) if listing else (),
        passed_to=how.passed_to,
        registered_as=how.registered_as,
    )
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    value = expression(low, field(node, "body"), inner, RETURNED)
    low.returns.append(Return(value.span, value, inner))
    return Lambda(span(node), inner)


EXPRESSIONS: dict[str, Callable[[Lowering, Node, Scope, How], Expression]] = {
    "identifier": identifier,
    "attribute": attribute,
    "subscript": subscript,
    "call": call,
    "await": awaited,
    "assignment": assignment,
    "augmented_assignment": augmented,
    "named_expression": named_expression,
    "string": string,
    "concatenated_string": concatenated,
    "integer": numeric,
    "float": numeric,
    "true": constant,
    "false": constant,
    "none": constant,
    "list": sequence,
    "tuple": sequence,
    "set": sequence,
    "pattern_list": sequence,
    "tuple_pattern": sequence,
    "list_pattern": sequence,
    "expression_list": expression_list,
    "parenthesized_expression": parenthesized,
    "dictionary": dictionary,
    "list_splat": splat,
    "dictionary_splat": splat,
    "list_splat_pattern": splat,
    "list_comprehension": comprehension,
    "set_comprehension": comprehension,
    "generator_expression": comprehension,
    "dictionary_comprehension": comprehension,
    "binary_operator": binary,
    "boolean_operator": boolean,
    "comparison_operator": comparison,
    "not_operator": negation,
    "unary_operator": unary,
    "conditional_expression": conditional,
    "lambda": function_value,
    "decorator": parenthesized,
    "type": identifier,
}
