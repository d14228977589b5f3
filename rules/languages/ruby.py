"""Ruby source lowered to facts; here the statements, which are expressions whose value may be taken."""

import dataclasses

import tree_sitter_ruby
from tree_sitter import Language, Node, Query, QueryCursor

from rules.facts import (
    Branch,
    Compare,
    Conditional,
    Expression,
    Facts,
    Handler,
    Jump,
    Kind,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Return,
    Scope,
    Sequence,
    Test,
    Unknown,
    Use,
    enclosing,
)
from rules.languages.lowering import DEPTH, DISCARDED, PLAIN, RETURNED, TESTED, How, Lowering, begin, children, span
from rules.languages.lowering import negated as opposite
from rules.languages.ruby_calls import CALLS
from rules.languages.ruby_definitions import DEFINITIONS, own_methods
from rules.languages.ruby_syntax import CONTROL, EXPRESSIONS, expression, last_value, pattern, statements, sub
from rules.languages.ruby_traits import IDIOMS, TRAITS
from rules.languages.ruby_values import VALUES

SUFFIXES = (".rb", ".rake")
GRAMMAR = Language(tree_sitter_ruby.language())
REMARKS = Query(GRAMMAR, "(comment) @comment")
HEREDOCS = Query(GRAMMAR, "(heredoc_beginning) @begins (heredoc_body) @body")


LEAVING = ("return", "next", "break", "redo")
ARMS = 40


def lower(path: str, source: bytes) -> Facts:
    """Raises TooComplexError for a file that no one wrote by hand."""
    low, root = begin(path, "ruby", source, GRAMMAR, TRAITS, IDIOMS)
    heredocs(low, root)
    low.exported.update(own_methods(low, root))
    statements(low, children(root), low.root, DISCARDED)
    for node in captured(REMARKS, root, "comment"):
        low.comment(node)
    return low.facts()


def heredocs(low: Lowering, root: Node) -> None:
    """The bodies follow in the order in which they are called for."""
    for opening, body in zip(captured(HEREDOCS, root, "begins"), captured(HEREDOCS, root, "body"), strict=False):
        low.texts[opening.start_byte] = body


def captured(query: Query, root: Node, name: str) -> list[Node]:
    """What the query finds, in source order; the bound keeps hostile nesting cheap."""
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(2 * DEPTH)
    return sorted(cursor.captures(root).get(name, []), key=lambda one: one.start_byte)


def sequence(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`then`, `else`, `do`, a body, parentheses: the last is the value."""
    return statements(low, children(node), scope, how)


def begin_block(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A body with its `rescue`, `else` and `ensure`; one that says `retry` is a loop around itself."""
    parts = children(node)
    rescues = [one for one in parts if one.type == "rescue"]
    main = [one for one in parts if one.type not in ("rescue", "else", "ensure")]
    last = next((one for one in parts if one.type == "ensure"), None)
    otherwise = next((one for one in parts if one.type == "else"), None)
    if not rescues and last is None:
        return statements(low, parts, scope, how)
    again = any(retried(one) is not None for one in rescues)
    if again:
        scope = low.scope(Kind.LOOP, node, scope, Loop())
    tried = low.scope(Kind.TRY, node, scope)
    made = statements(low, main, tried, DISCARDED if otherwise is not None else how)
    if again and main:
        low.jumps.append(Jump(span(main[-1]), "break", tried))
    for one in rescues:
        rescue(low, one, scope, tried, how)
    if otherwise is not None:
        made = statements(low, children(otherwise), scope, how)
    if last is not None:
        statements(low, children(last), low.scope(Kind.FINALLY, last, scope), DISCARDED)
    return made


def retried(node: Node) -> Node | None:
    """The `retry` of a rescue itself, not of a body inside it."""
    waiting = list(node.named_children)
    while waiting:
        one = waiting.pop()
        if one.type == "retry":
            return one
        if one.type not in ("begin", "method", "singleton_method", "class", "do_block", "block", "lambda"):
            waiting.extend(one.named_children)
    return None


def rescue(low: Lowering, node: Node, scope: Scope, tried: Scope, how: How) -> None:
    caught = node.child_by_field_name("exceptions")
    variable = node.child_by_field_name("variable")
    binds = low.text(variable.named_children[0]) if variable is not None and variable.named_children else ""
    kinds = tuple(low.text(one) for one in children(caught)) if caught is not None else ()
    inner = low.scope(Kind.HANDLER, node, scope, Handler(kinds, binds, tried))
    if binds:
        low.locals.add((enclosing(scope, Kind.FUNCTION, Kind.MODULE) or scope, binds))
    body = node.child_by_field_name("body")
    if body is not None:
        statements(low, children(body), inner, how)


def rescue_modifier(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`value rescue other`."""
    tried = low.scope(Kind.TRY, node, scope)
    made = sub(low, node, "body", tried, how)
    other = node.child_by_field_name("handler")
    if other is not None:
        inner = low.scope(Kind.HANDLER, other, scope, Handler((), "", tried))
        value = expression(low, other, inner, DISCARDED if how.use is Use.DISCARDED else RETURNED)
        if how.use is not Use.DISCARDED and isinstance(made, Literal | Name | Member):
            return Logical(span(node), "??", made, value)
    return made


def condition(low: Lowering, node: Node, scope: Scope, negated: bool) -> Expression:
    test = sub(low, node, "condition", scope, TESTED)
    return opposite(test, test.span) if negated else test


def if_expression(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """An `elsif` reads as an `if` inside the `else` of the one before."""
    arms: list[tuple[Expression, Expression | None]] = []
    last: Expression | None = None
    going: Node | None = node
    while going is not None:
        test = condition(low, going, scope, going.type == "unless")
        body = going.child_by_field_name("consequence")
        then = low.scope(Kind.BRANCH, body or going, scope, Branch(test, "then"))
        low.tests.append(Test(test.span, test, scope, then))
        arms.append((test, statements(low, children(body), then, how) if body is not None else None))
        other = going.child_by_field_name("alternative")
        going = None
        if other is not None:
            scope = low.scope(Kind.BRANCH, other, scope, Branch(test, "else"))
            going = other if other.type == "elsif" else None
            last = statements(low, children(other), scope, how) if going is None else None
    return chosen(node, arms, last, how)


def chosen(node: Node, arms: list[tuple[Expression, Expression | None]], last: Expression | None, how: How) -> Expression:
    """The value of a branch, where anybody takes it. Many arms are no value that anyone follows."""
    if how.use is Use.DISCARDED or len(arms) > ARMS:
        return Unknown(span(node), ())
    made = last or Literal(span(node), None)
    for test, then in reversed(arms):
        made = Conditional(span(node), test, then or Literal(span(node), None), made)
    return made


def modifier(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`statement if test`."""
    test = condition(low, node, scope, node.type == "unless_modifier")
    body = node.child_by_field_name("body")
    if body is None:
        return test
    then = low.scope(Kind.BRANCH, body, scope, Branch(test, "then"))
    if body.type in LEAVING or low.text(body).startswith("raise"):
        # What leaves comes after its test in time, and nothing else tells by its place when it runs.
        then = dataclasses.replace(then, span=test.span)
        low.scopes[-1] = then
    low.tests.append(Test(test.span, test, scope, then))
    return chosen(node, [(test, statements(low, [body], then, how))], None, how)


def ternary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    test = condition(low, node, scope, False)
    if how.use is not Use.DISCARDED:
        low.tests.append(Test(test.span, test, scope))
        then = sub(low, node, "consequence", scope, how)
        return Conditional(span(node), test, then, sub(low, node, "alternative", scope, how))
    for name, arm in (("consequence", "then"), ("alternative", "else")):
        part = node.child_by_field_name(name)
        if part is not None:
            inner = low.scope(Kind.BRANCH, part, scope, Branch(test, arm))
            low.tests.extend([Test(test.span, test, scope, inner)] if arm == "then" else [])
            expression(low, part, inner, how)
    return Unknown(span(node), ())


def case(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A `when` compares; without a subject it tests."""
    value = node.child_by_field_name("value")
    subject = expression(low, value, scope, TESTED) if value is not None else None
    made: list[Expression] = []
    for one in children(node):
        if one.type == "when":
            test = when_test(low, one, subject, scope)
            inner = low.scope(Kind.BRANCH, one, scope, Branch(test, "case"))
            low.tests.append(Test(test.span, test, scope, inner))
            body = one.child_by_field_name("body")
            made += [statements(low, children(body), inner, how)] if body is not None else []
        elif one.type == "else":
            inner = low.scope(Kind.BRANCH, one, scope, Branch(None, "case"))
            made.append(statements(low, children(one), inner, how))
    return Unknown(span(node), tuple(made) if how.use is not Use.DISCARDED else ())


def when_test(low: Lowering, node: Node, subject: Expression | None, scope: Scope) -> Expression:
    found: Expression | None = None
    for one in node.children_by_field_name("pattern"):
        inner = one.named_children[0] if one.type == "pattern" and one.named_children else one
        value = expression(low, inner, scope, TESTED)
        test = value if subject is None else Compare(value.span, "==", subject, value)
        found = test if found is None else Logical(span(node), "or", found, test)
    return found or Unknown(span(node), ())


def case_match(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = node.child_by_field_name("value")
    subject = expression(low, value, scope, TESTED) if value is not None else None
    made: list[Expression] = []
    for one in children(node):
        if one.type not in ("in_clause", "else"):
            continue
        inner = low.scope(Kind.BRANCH, one, scope, Branch(subject, "case"))
        body = one.child_by_field_name("body") if one.type == "in_clause" else one
        made += [statements(low, children(body), inner, how)] if body is not None else []
    return Unknown(span(node), tuple(made) if how.use is not Use.DISCARDED else ())


def while_loop(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    test = condition(low, node, scope, node.type.startswith("until"))
    endless = isinstance(test, Literal) and bool(test.value)
    loop = low.scope(Kind.LOOP, node, scope, Loop(test=None if endless else test))
    low.tests.append(Test(test.span, test, scope, loop))
    body = node.child_by_field_name("body")
    if body is not None:
        statements(low, children(body) if body.type == "do" else [body], loop, DISCARDED)
    return Unknown(span(node), ())


def for_loop(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    value = node.child_by_field_name("value")
    iterates = expression(low, value.named_children[0], scope) if value is not None and value.named_children else None
    target = node.child_by_field_name("pattern")
    loop = low.scope(Kind.LOOP, node, scope, Loop((pattern(low, target, scope),) if target is not None else (), iterates))
    body = node.child_by_field_name("body")
    if body is not None:
        statements(low, children(body), loop, DISCARDED)
    return Unknown(span(node), ())


def return_statement(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`return a, b` returns a list."""
    listed = [one for inner in children(node) for one in children(inner)] if node.named_children else []
    made = [expression(low, one, scope, RETURNED) for one in listed if one.type != "comment"]
    value = None if not made else made[0] if len(made) == 1 else Sequence(span(node), tuple(made))
    low.returns.append(Return(span(node), value, scope))
    return Unknown(span(node), ())


def jump(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`next` in a block that is a function gives its value; in a loop it goes on."""
    word = {"next": "continue", "redo": "continue"}.get(node.type, node.type)
    listed = [one for inner in children(node) for one in children(inner)]
    around = enclosing(scope, Kind.LOOP, Kind.FUNCTION)
    if word == "continue" and around is not None and around.kind is Kind.FUNCTION:
        value = last_value([expression(low, one, scope, RETURNED) for one in listed])
        low.returns.append(Return(span(node), value, scope))
        return Unknown(span(node), ())
    for one in listed:
        expression(low, one, scope, PLAIN)
    low.jumps.append(Jump(span(node), word, scope))
    return Unknown(span(node), ())


def ignored(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


CONTROL.update(
    {
        "body_statement": begin_block,
        "begin": begin_block,
        "begin_block": sequence,
        "end_block": sequence,
        "parenthesized_statements": sequence,
        "then": sequence,
        "else": sequence,
        "do": sequence,
        "block_body": sequence,
        "if": if_expression,
        "unless": if_expression,
        "if_modifier": modifier,
        "unless_modifier": modifier,
        "conditional": ternary,
        "case": case,
        "case_match": case_match,
        "while": while_loop,
        "until": while_loop,
        "while_modifier": while_loop,
        "until_modifier": while_loop,
        "for": for_loop,
        "rescue_modifier": rescue_modifier,
        "return": return_statement,
        "next": jump,
        "break": jump,
        "redo": jump,
        "retry": jump,
        "comment": ignored,
        "empty_statement": ignored,
        "heredoc_body": ignored,
        "uninterpreted": ignored,
        "alias": ignored,
        "undef": ignored,
    }
)
EXPRESSIONS.update(VALUES | CALLS)
CONTROL.update(DEFINITIONS)
