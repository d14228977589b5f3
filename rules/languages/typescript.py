"""TypeScript, TSX, JavaScript and JSX source lowered to facts; here the statements."""

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Query, QueryCursor

from rules.facts import (
    Assign,
    Branch,
    Compare,
    Entry,
    Expression,
    Facts,
    Handler,
    Jump,
    Kind,
    Literal,
    Logical,
    Loop,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    Span,
    Test,
)
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
    children,
    loop_scope,
    span,
)
from rules.languages.typescript_failures import arm, asked, remember
from rules.languages.typescript_functions import DECLARATIONS, FUNCTIONS, class_in, decorators_of, function
from rules.languages.typescript_modules import export_packages, exported_names, import_required, import_statement
from rules.languages.typescript_syntax import (
    COMMENTS,
    EXPRESSIONS,
    STATEMENTS,
    Defaults,
    State,
    block,
    expression,
    give_defaults,
    only,
    pattern,
    plain_string,
    property_name,
    statement,
)
from rules.languages.typescript_traits import IDIOMS, OF_JAVASCRIPT, TRAITS
from rules.languages.typescript_values import VALUES

SUFFIXES = (".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx")
TYPESCRIPT = Language(tree_sitter_typescript.language_typescript())
TSX = Language(tree_sitter_typescript.language_tsx())
JAVASCRIPT = Language(tree_sitter_javascript.language())
REMARKS = {
    TYPESCRIPT: Query(TYPESCRIPT, "(comment) @comment"),
    TSX: Query(TSX, "(comment) @comment"),
    JAVASCRIPT: Query(JAVASCRIPT, "(comment) @comment"),
}


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    grammar, language, idioms = JAVASCRIPT, "javascript", OF_JAVASCRIPT
    if path.endswith((".ts", ".mts", ".cts")):
        grammar, language, idioms = TYPESCRIPT, "typescript", IDIOMS
    elif path.endswith(".tsx"):
        grammar, language, idioms = TSX, "typescript", IDIOMS
    low, root = begin(path, language, source, grammar, TRAITS, idioms)
    low.renders = path.endswith((".tsx", ".jsx"))
    low.exported.update(exported_names(low, root))
    for child in children(root):
        statement(low, child, low.root)
    comments(low, root, grammar)
    return low.facts()


def comments(low: Lowering, root: Node, grammar: Language) -> None:
    """Comments may stand between any two tokens, so they are searched; the bound keeps hostile nesting cheap."""
    cursor = QueryCursor(REMARKS[grammar])
    cursor.set_max_start_depth(2 * DEPTH)
    found = cursor.captures(root).get("comment", [])
    for node in sorted(found, key=lambda one: one.start_byte):
        low.comment(node)


def nothing(low: Lowering, node: Node, scope: Scope) -> None:
    """Types, ambient declarations and overloads leave nothing behind at run time."""


def expression_statement(low: Lowering, node: Node, scope: Scope) -> None:
    for child in node.named_children:
        kind = child.type
        if kind == "string" and scope is low.root:
            text = plain_string(low, child)
            low.directives.update([text] if text.startswith("use ") else ())
        elif kind in STATEMENTS:
            statement(low, child, scope)
        else:
            expression(low, child, scope, DISCARDED)


def declaration(low: Lowering, node: Node, scope: Scope) -> None:
    for child in children(node):
        if child.type == "variable_declarator":
            declarator(low, child, scope, PLAIN)


def declarator(low: Lowering, node: Node, scope: Scope, how: How) -> None:
    defaults: Defaults = []
    target = pattern(low, node.child_by_field_name("name"), scope, defaults)
    written = node.child_by_field_name("value")
    value = None
    if written is not None:
        value = expression(low, written, scope, bound(how, (target,)))
        low.assigns.append(Assign(span(node), (target,), value, "=", scope, declares=True))
        import_required(low, target, value)
    remember(low, target, value, scope, True)
    if defaults:
        give_defaults(low, defaults, scope)


def export_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """What is declared or given here is exported; other names are known from `exported_names`."""
    export_packages(low, node)
    declared = node.child_by_field_name("declaration")
    value = node.child_by_field_name("value")
    if declared is not None:
        exported_declaration(low, node, declared, scope)
    elif value is not None:
        default = Name(Span(node.start_point.row + 1, node.start_point.row + 1, node.start_byte, node.start_byte), "default")
        given = expression(low, value, scope, bound(How(exported=True), (default,)))
        low.assigns.append(Assign(span(node), (default,), given, "=", scope, declares=True))


def exported_declaration(low: Lowering, node: Node, declared: Node, scope: Scope) -> None:
    kind = declared.type
    bound_to = "default" if declared.child_by_field_name("name") is None else ""
    if kind in ("function_declaration", "generator_function_declaration"):
        function(low, declared, scope, How(exported=True, bound_to=bound_to))
    elif kind in ("class_declaration", "abstract_class_declaration"):
        class_in(low, declared, scope, bound_to, decorators_of(low, node, scope))
    elif kind in ("lexical_declaration", "variable_declaration"):
        for child in children(declared):
            if child.type == "variable_declarator":
                declarator(low, child, scope, How(exported=True))
    else:
        statement(low, declared, scope)


def enum(low: Lowering, node: Node, scope: Scope) -> None:
    """`enum E { A = 'x', B }` reads `E = { A: 'x', B: … }`; a member without a value counts on."""
    name = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    if name is None or body is None:
        return
    entries: list[Entry] = []
    following = 0
    for child in children(body):
        if child.type in COMMENTS:
            continue
        assigned = child.type == "enum_assignment"
        key = property_name(low, child.child_by_field_name("name") if assigned else child)
        given = expression(low, child.child_by_field_name("value"), scope) if assigned else Literal(span(child), following)
        following = given.value + 1 if isinstance(given, Literal) and isinstance(given.value, int) else following + 1
        entries.append(Entry(span(child), key, given))
    target = Name(span(name), low.text(name))
    made = Object(span(body), tuple(entries), type=target.text)
    low.assigns.append(Assign(span(node), (target,), made, "=", scope, declares=True))


def namespace(low: Lowering, node: Node, scope: Scope) -> None:
    block(low, node.child_by_field_name("body"), scope)


def if_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """An `else if` reads as an `if` inside the `else` of the one before."""
    going: Node | None = node
    while going is not None:
        test = expression(low, going.child_by_field_name("condition"), scope, TESTED)
        handler, holds = asked(low, test, scope)
        body = going.child_by_field_name("consequence") or going
        then = arm(low, body, scope, test, "then", handler if holds else None)
        low.tests.append(Test(test.span, test, scope, then))
        if body is not going:
            block(low, body, then)
        other = going.child_by_field_name("alternative")
        going = None
        if other is not None:
            scope = arm(low, other, scope, test, "else", None if holds else handler)
            inner = only(other)
            if inner is not None and inner.type == "if_statement":
                going = inner
            else:
                block(low, inner, scope)


def switch_statement(low: Lowering, node: Node, scope: Scope) -> None:
    """Cases that fall through with nothing in between share one arm, whose test is any of theirs."""
    subject = expression(low, node.child_by_field_name("value"), scope, TESTED)
    body = node.child_by_field_name("body")
    test: Expression | None = None
    fallback = False
    for case in children(body) if body is not None else ():
        if case.type == "switch_case":
            one = case_test(low, case, subject, scope)
            test = one if test is None else Logical(one.span, "or", test, one)
        elif case.type == "switch_default":
            fallback = True
        inside = case.children_by_field_name("body")
        if not inside:
            continue
        decides = None if fallback else test
        then = low.scope(Kind.BRANCH, case, scope, Branch(decides, "case"))
        if decides is not None:
            low.tests.append(Test(decides.span, decides, scope, then))
        for child in inside:
            statement(low, child, then)
        test, fallback = None, False


def case_test(low: Lowering, case: Node, subject: Expression, scope: Scope) -> Expression:
    """`switch (true)` tests each case itself."""
    value = expression(low, case.child_by_field_name("value"), scope, TESTED)
    if isinstance(subject, Literal) and subject.value is True:
        return value
    return Compare(value.span, "==", subject, value)


def for_statement(low: Lowering, node: Node, scope: Scope) -> None:
    start = node.child_by_field_name("initializer")
    if start is not None:
        in_head(low, start, scope)
    condition = node.child_by_field_name("condition")
    test = None
    if condition is not None and condition.is_named and condition.type != "empty_statement":
        test = expression(low, condition, scope, TESTED)
    loop = loop_scope(low, node, scope, test)
    block(low, node.child_by_field_name("body"), loop)
    step = node.child_by_field_name("increment")
    if step is not None:
        expression(low, step, loop, DISCARDED)


def in_head(low: Lowering, node: Node, scope: Scope) -> None:
    if node.type in STATEMENTS:
        statement(low, node, scope)
    else:
        expression(low, node, scope, DISCARDED)


def while_statement(low: Lowering, node: Node, scope: Scope) -> None:
    test = expression(low, node.child_by_field_name("condition"), scope, TESTED)
    block(low, node.child_by_field_name("body"), loop_scope(low, node, scope, test))


def for_in_statement(low: Lowering, node: Node, scope: Scope) -> None:
    iterates = expression(low, node.child_by_field_name("right"), scope, ARGUMENT)
    defaults: Defaults = []
    target = pattern(low, node.child_by_field_name("left"), scope, defaults)
    loop = low.scope(Kind.LOOP, node, scope, Loop((target,), iterates))
    remember(low, target, None, loop, node.child_by_field_name("kind") is not None)
    give_defaults(low, defaults, loop)
    block(low, node.child_by_field_name("body"), loop)


def try_statement(low: Lowering, node: Node, scope: Scope) -> None:
    tried = low.scope(Kind.TRY, node, scope)
    block(low, node.child_by_field_name("body"), tried)
    handler = node.child_by_field_name("handler")
    if handler is not None:
        catch_clause(low, handler, scope, tried)
    last = node.child_by_field_name("finalizer")
    if last is not None:
        block(low, last.child_by_field_name("body"), low.scope(Kind.FINALLY, last, scope))


def catch_clause(low: Lowering, node: Node, scope: Scope, tried: Scope) -> None:
    caught = node.child_by_field_name("parameter")
    binds = low.text(caught) if caught is not None and caught.type == "identifier" else ""
    inner = low.scope(Kind.HANDLER, node, scope, Handler((), binds, tried))
    if caught is not None:
        remember(low, pattern(low, caught, inner, []), None, inner, True)
    block(low, node.child_by_field_name("body"), inner)


def return_statement(low: Lowering, node: Node, scope: Scope) -> None:
    inner = only(node)
    value = expression(low, inner, scope, RETURNED) if inner is not None else None
    low.returns.append(Return(span(node), value, scope))


def throw_statement(low: Lowering, node: Node, scope: Scope) -> None:
    inner = only(node)
    value = expression(low, inner, scope, ARGUMENT) if inner is not None else None
    low.raises.append(Raise(span(node), value, scope))


def jump(low: Lowering, node: Node, scope: Scope) -> None:
    low.jumps.append(Jump(span(node), node.type.partition("_")[0], scope))


def labeled(low: Lowering, node: Node, scope: Scope) -> None:
    block(low, node.child_by_field_name("body"), scope)


LEFT_OUT = (
    "empty_statement",
    "debugger_statement",
    "interface_declaration",
    "type_alias_declaration",
    "function_signature",
    "method_signature",
    "abstract_method_signature",
    "ambient_declaration",
    "import_alias",
)
OWN: dict[str, State] = {
    "expression_statement": expression_statement,
    "lexical_declaration": declaration,
    "variable_declaration": declaration,
    "using_declaration": declaration,
    "import_statement": import_statement,
    "export_statement": export_statement,
    "enum_declaration": enum,
    "internal_module": namespace,
    "module": namespace,
    "if_statement": if_statement,
    "switch_statement": switch_statement,
    "for_statement": for_statement,
    "for_in_statement": for_in_statement,
    "while_statement": while_statement,
    "do_statement": while_statement,
    "try_statement": try_statement,
    "return_statement": return_statement,
    "throw_statement": throw_statement,
    "break_statement": jump,
    "continue_statement": jump,
    "labeled_statement": labeled,
    "statement_block": block,
}
STATEMENTS.update(dict.fromkeys((*COMMENTS, *LEFT_OUT), nothing) | DECLARATIONS | OWN)
EXPRESSIONS.update(VALUES | FUNCTIONS)
