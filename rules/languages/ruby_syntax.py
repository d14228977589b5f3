"""The way from a Ruby node to what lowers it, and the value of a body of statements."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tree_sitter import Node

from rules.facts import (
    Expression,
    Function,
    Kind,
    Literal,
    Member,
    Name,
    Return,
    Scope,
    Unknown,
    Use,
    enclosing,
)
from rules.facts import Sequence as Listed
from rules.languages.lowering import CHAINED, DISCARDED, PLAIN, How, Lowering, children, span

Express: TypeAlias = Callable[[Lowering, Node, Scope, How], Expression]
EXPRESSIONS: dict[str, Express] = {}
CONTROL: dict[str, Express] = {}
"""Constructs that hand their place on to what is inside them: branches, bodies, jumps, definitions."""
TAIL = How(use=Use.RETURNED, bound_to="")
"""The last statement of a method, whose value is the method's. It is this very object, which `_replace` does not keep."""
QUIET = frozenset("puts p pp print warn attr_reader attr_writer attr_accessor".split())
ANSWERS = ("fail", "error", "result", "nil", "response", "new")


def expression(low: Lowering, node: Node, scope: Scope, how: How = PLAIN) -> Expression:
    low.deeper()
    lowers = CONTROL.get(node.type) or EXPRESSIONS.get(node.type, unknown)
    made = lowers(low, node, scope, how)
    low.depth -= 1
    return made


def sub(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    part = node.child_by_field_name(name)
    return expression(low, part, scope, how) if part is not None else Unknown(span(node), ())


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inside = [expression(low, child, scope) for child in children(node) if child.type != "comment"]
    return Unknown(span(node), tuple(inside))


def statements(low: Lowering, nodes: Sequence[Node], scope: Scope, how: How) -> Expression:
    """All are evaluated; the last one's value is the value, and where `how` is TAIL it is returned."""
    listed = [one for one in nodes if one.type not in ("comment", "heredoc_body", "empty_statement")]
    for one in listed[:-1]:
        expression(low, one, scope, DISCARDED)
    if not listed:
        return Literal(scope.span, None)
    last = listed[-1]
    if how is not TAIL or last.type in CONTROL:
        return expression(low, last, scope, how)
    if not is_answer(low, last, scope):
        return expression(low, last, scope, DISCARDED)
    made = expression(low, last, scope, how)
    low.returns.append(Return(span(last), made, scope))
    return made


def is_answer(low: Lowering, node: Node, scope: Scope) -> bool:
    """Whether the last statement of a method is there for its value, which the method then returns.

    In a `rescue` most calls are made for their effect: there only a value or an answer by name counts.
    """
    kind = node.type
    in_handler = enclosing(scope, Kind.HANDLER, Kind.FUNCTION)
    handled = in_handler is not None and in_handler.kind is Kind.HANDLER
    if kind in ("assignment", "operator_assignment"):
        return not handled and low.text(node)[:1] == "@"
    if kind == "identifier":
        return low.text(node)[-1:] != "!" and low.text(node) not in ("raise", "super")
    if kind != "call":
        return True
    method = node.child_by_field_name("method")
    name = low.text(method) if method is not None else ""
    if name in QUIET or name == "raise" or name in ("private", "public", "protected"):
        return False
    if handled:
        receiver = node.child_by_field_name("receiver")
        said = name.lower() + (low.text(receiver).lower()[-20:] if receiver is not None else "")
        return any(word in said for word in ANSWERS) and "log" not in said
    return True


def last_value(made: list[Expression]) -> Expression | None:
    return made[-1] if made else None


def pattern(low: Lowering, node: Node, scope: Scope) -> Expression:
    """A target of an assignment or a parameter of a block."""
    kind = node.type
    if kind in ("identifier", "constant"):
        if kind == "identifier":
            declare(low, low.text(node), scope)
        return Name(span(node), low.text(node))
    if kind == "call":
        receiver, method = node.child_by_field_name("receiver"), node.child_by_field_name("method")
        if receiver is not None and method is not None:
            return Member(span(node), expression(low, receiver, scope, CHAINED), low.text(method))
    if kind in ("left_assignment_list", "destructured_left_assignment", "destructured_parameter", "block_parameters"):
        low.deeper()
        made = Listed(span(node), tuple([pattern(low, one, scope) for one in children(node)]))
        low.depth -= 1
        return made
    if kind in ("splat_parameter", "rest_assignment", "splat_argument", "optional_parameter", "keyword_parameter"):
        inner = node.child_by_field_name("name") or (node.named_children[0] if node.named_children else None)
        return pattern(low, inner, scope) if inner is not None else Unknown(span(node), ())
    return expression(low, node, scope, CHAINED)


def declare(low: Lowering, name: str, scope: Scope) -> None:
    low.locals.add((home(scope), name))


def home(scope: Scope) -> Scope:
    return enclosing(scope, Kind.FUNCTION, Kind.MODULE) or scope


def is_variable(low: Lowering, name: str, scope: Scope) -> bool:
    """Whether a bare name was given a value before, here or around the block that this is."""
    around: Scope | None = home(scope)
    while around is not None:
        if (around, name) in low.locals:
            return True
        if isinstance(around.head, Function) and around.head.method:
            return False
        around = enclosing(around.parent, Kind.FUNCTION, Kind.MODULE)
    return False
