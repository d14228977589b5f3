"""Ruby values: names, literals, operators, assignments."""

import re

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Branch,
    Compare,
    Entry,
    Expression,
    Index,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Spread,
    Template,
    Test,
    Unary,
    Unknown,
    Use,
)
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    TESTED,
    How,
    Lowering,
    bound,
    children,
    identifier,
    negated,
    numeric,
    span,
)
from rules.languages.ruby_calls import pair
from rules.languages.ruby_syntax import Express, expression, pattern, sub, unknown

COMPARES = {"==": "==", "!=": "!=", "===": "==", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
LOGIC = {"&&": "and", "||": "or", "and": "and", "or": "or"}
CONSTANTS = {"true": True, "false": False, "nil": None}
SCREAM = re.compile(r"([a-z0-9])([A-Z])")


def constant(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), CONSTANTS[node.type])


def own_field(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`@usage` and `@@usage` are fields of the object and of its class."""
    return Member(span(node), Name(span(node), "self"), low.text(node).lstrip("@"))


def everywhere(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Name(span(node), low.text(node).lstrip("$"))


def qualified(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`Stripe::Billing::MeterEvent`. Rails loads gems by themselves, so the constant tells what is used."""
    outer, name = node.child_by_field_name("scope"), node.child_by_field_name("name")
    text = low.text(name) if name is not None else ""
    low.packages.add(SCREAM.sub(r"\1_\2", low.text(node).lstrip(":")).replace("::", "/").lower())
    if outer is None:
        return Name(span(node), text)
    return Member(span(node), expression(low, outer, scope, CHAINED), text)


def element(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = sub(low, node, "object", scope, CHAINED)
    keys = [expression(low, one, scope, ARGUMENT) for one in children(node)[1:]]
    return Index(span(node), inner, keys[0] if len(keys) == 1 else Unknown(span(node), tuple(keys)))


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return texts(low, node, node, scope)


def texts(low: Lowering, node: Node, holder: Node, scope: Scope) -> Expression:
    """A literal, or a template where something is filled in."""
    made: list[Expression] = []
    for one in children(holder):
        if one.type == "interpolation":
            inside = [expression(low, part, scope, ARGUMENT) for part in children(one) if part.type != "comment"]
            made.append(inside[-1] if inside else Literal(span(one), ""))
        elif one.type in ("string_content", "heredoc_content", "escape_sequence"):
            made.append(Literal(span(one), low.text(one)))
    if all(isinstance(one, Literal) for one in made):
        return Literal(span(node), "".join(str(one.value) for one in made if isinstance(one, Literal)))
    return Template(span(node), tuple(made))


def heredoc(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """The text stands below; its place is where it is read, so that a line of it can be shown."""
    body = low.texts.get(node.start_byte)
    return texts(low, body, body, scope) if body is not None else Literal(span(node), "")


def symbol(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), low.text(node).lstrip(":").strip("\"'"))


def chained(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    made = [expression(low, one, scope) for one in children(node)]
    flat = [part for one in made for part in (one.parts if isinstance(one, Template) else (one,))]
    if all(isinstance(one, Literal) for one in flat):
        return Literal(span(node), "".join(str(one.value) for one in flat if isinstance(one, Literal)))
    return Template(span(node), tuple(flat))


def array(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listed = [one for one in children(node) if one.type not in ("comment", "heredoc_body")]
    pairs = [one for one in listed if one.type == "pair"]
    made = [expression(low, one, scope, ARGUMENT) for one in listed if one.type != "pair"]
    if pairs:
        made.append(Object(span(pairs[0]), tuple(pair(low, one, scope) for one in pairs)))
    return Sequence(span(node), tuple(made))


def hash_literal(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    entries: list[Entry] = []
    for one in children(node):
        if one.type == "pair":
            entries.append(pair(low, one, scope, how._replace(use=Use.ARGUMENT)))
        elif one.type == "hash_splat_argument":
            entries.append(Entry(span(one), None, spread(low, one, scope, how)))
        elif one.type not in ("comment", "heredoc_body"):
            entries.append(Entry(span(one), None, unknown(low, one, scope, PLAIN)))
    return Object(span(node), tuple(entries), all(entry.name is not None for entry in entries))


def spread(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = node.named_children[0] if node.named_children else None
    return Spread(span(node), expression(low, inner, scope, ARGUMENT) if inner is not None else Unknown(span(node), ()))


def interval(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`a..b` bounds from both sides, as `{ gte: a, lte: b }` does; `a...b` leaves its end out."""
    sign = node.child_by_field_name("operator")
    upper = "lt" if sign is not None and sign.type == "..." else "lte"
    made: list[Entry] = []
    for field, name in (("begin", "gte"), ("end", upper)):
        part = node.child_by_field_name(field)
        if part is not None:
            made.append(Entry(span(part), name, expression(low, part, scope, ARGUMENT)))
    return Object(span(node), tuple(made), type="Range")


def binary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else ""
    if operator in LOGIC:
        return logical(low, node, scope, how, LOGIC[operator])
    if operator == "<<":
        inner = sub(low, node, "left", scope, CHAINED)
        value = sub(low, node, "right", scope, ARGUMENT)
        return low.call(node, Member(inner.span, inner, "push"), (Argument(value.span, None, value),), scope, how)
    inside = TESTED if operator in COMPARES else PLAIN
    left, right = sub(low, node, "left", scope, inside), sub(low, node, "right", scope, inside)
    if operator in COMPARES:
        return Compare(span(node), COMPARES[operator], left, right)
    if operator in ("=~", "!~"):
        return Unknown(span(node), (left, right))
    return Binary(span(node), operator, left, right)


def logical(low: Lowering, node: Node, scope: Scope, how: How, operator: str) -> Expression:
    """`a || b` as a value replaces what is missing: only `nil` and `false` are false. `a && f` as a statement is an `if`."""
    left = sub(low, node, "left", scope, TESTED)
    other = node.child_by_field_name("right")
    if other is None:
        return left
    if how.use is Use.DISCARDED:
        return guarded(low, left, other, scope, operator)
    inner = TESTED if how.use in (Use.OTHER, Use.CHAINED, Use.ARGUMENT, Use.TESTED) else how
    right = expression(low, other, scope, inner)
    told = isinstance(left, Compare | Unary | Logical) or how.use is Use.TESTED
    return Logical(span(node), "??" if operator == "or" and not told else operator, left, right)


def guarded(low: Lowering, left: Expression, other: Node, scope: Scope, operator: str) -> Expression:
    word = "then" if operator == "and" else "else"
    inner = low.scope(Kind.BRANCH, other, scope, Branch(left, word))
    low.tests.append(Test(left.span, left, scope, inner if word == "then" else None))
    right = expression(low, other, inner, DISCARDED)
    return Logical(Span(left.span.line, right.span.end_line, left.span.start, right.span.end), operator, left, right)


def unary(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    sign = node.child_by_field_name("operator")
    operator = low.text(sign) if sign is not None else ""
    if operator in ("!", "not"):
        return negated(sub(low, node, "operand", scope, TESTED), span(node))
    value = sub(low, node, "operand", scope)
    if operator == "-" and isinstance(value, Literal) and type(value.value) in (int, float):
        assert isinstance(value.value, int | float)
        return Literal(span(node), -value.value)
    return Unary(span(node), operator, value)


def assignment(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return unknown(low, node, scope, how)
    several = left.type == "left_assignment_list"
    # A name is a variable only once its value was made: `limit = limit` reads the method.
    early = left.type not in ("identifier",) and not several
    target = pattern(low, left, scope) if early else Name(span(left), low.text(left))
    targets: tuple[Expression, ...] = (target,)
    if several:
        targets = tuple(Name(span(one), low.text(one)) for one in children(left))
    if right.type == "right_assignment_list":
        value: Expression = Sequence(span(right), tuple(expression(low, one, scope, ARGUMENT) for one in children(right)))
    else:
        value = expression(low, right, scope, bound(PLAIN, targets))
    if not early:
        target = pattern(low, left, scope)
    low.assigns.append(Assign(span(node), (target,), value, "=", scope))
    return value


def augmented(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`||=` gives a value where there is none, as `??=` does."""
    left, sign = node.child_by_field_name("left"), node.child_by_field_name("operator")
    target = pattern(low, left, scope) if left is not None else Unknown(span(node), ())
    operator = low.text(sign) if sign is not None else "="
    inner = bound(PLAIN, (target,)) if operator in ("||=", "&&=") else PLAIN
    value = sub(low, node, "right", scope, inner)
    low.assign(node, (target,), value, "??=" if operator == "||=" else operator, scope)
    return value if operator == "||=" else target


def nothing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


VALUES: dict[str, Express] = {
    "constant": identifier,
    "self": identifier,
    "instance_variable": own_field,
    "class_variable": own_field,
    "global_variable": everywhere,
    "scope_resolution": qualified,
    "element_reference": element,
    "string": string,
    "bare_string": string,
    "bare_symbol": string,
    "delimited_symbol": string,
    "subshell": string,
    "regex": string,
    "heredoc_beginning": heredoc,
    "simple_symbol": symbol,
    "hash_key_symbol": symbol,
    "character": symbol,
    "chained_string": chained,
    "integer": numeric,
    "float": numeric,
    "rational": numeric,
    "complex": numeric,
    "true": constant,
    "false": constant,
    "nil": constant,
    "array": array,
    "string_array": array,
    "symbol_array": array,
    "right_assignment_list": array,
    "hash": hash_literal,
    "splat_argument": spread,
    "hash_splat_argument": spread,
    "range": interval,
    "binary": binary,
    "unary": unary,
    "assignment": assignment,
    "operator_assignment": augmented,
    "escape_sequence": nothing,
    "file": nothing,
    "line": nothing,
    "encoding": nothing,
}
