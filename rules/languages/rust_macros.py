"""Macros of Rust: their tokens are read as the expressions they mostly are."""

import re

from tree_sitter import Language, Node, Parser, Range

from rules.facts import (
    Argument,
    Compare,
    Entry,
    Expression,
    Function,
    Kind,
    Lambda,
    Literal,
    Member,
    Name,
    Object,
    Raise,
    Scope,
    Sequence,
    Span,
    Start,
    Template,
    Unknown,
    dotted,
)
from rules.languages.lowering import ARGUMENT, DISCARDED, How, Lowering, field, span
from rules.languages.rust_failures import RAISES
from rules.languages.rust_syntax import MISSING, Express, expression, made_call, part, path, said

HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
FORMATS = frozenset({"format", "std.format", "format_args", "concat", "std.fmt.format"})
TEXTS = frozenset("println print eprintln eprint trace debug info warn error log write writeln anyhow".split())
LEVELS = frozenset("trace debug info warn error".split())
"""Whichever crate they come from, `tracing` or `log`, they write a log line."""
LISTS = frozenset({"vec", "std.vec", "smallvec"})
JSON = frozenset({"json", "serde_json.json"})
DEFERS = frozenset({"defer"})
LITERALS = frozenset({"boolean_literal", "integer_literal", "float_literal"})
DECIMALS = frozenset({"dec", "rust_decimal_macros.dec", "rust_decimal.dec"})


def macro(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`sqlx::query!("…", a)` reads `sqlx.query("…", a)`."""
    callee = path(low, field(node, "macro"))
    name = dotted(callee)
    tree = next((child for child in node.named_children if child.type == "token_tree"), None)
    last = name.rpartition(".")[2]
    if tree is None:
        return MISSING
    if last in DEFERS:
        return deferred(low, node, tree, scope)
    if name in JSON:
        return value_of(low, said(low, tree), tree, scope)
    if name in LISTS:
        return Sequence(span(node), tuple(one.value for one in arguments(low, tree, scope)))
    if last == "select" or (low.source[tree.start_byte : tree.start_byte + 1] == b"{" and last not in TEXTS):
        return tokens(low, tree, scope)
    given = arguments(low, tree, scope)
    if name in FORMATS:
        return formatted(low, node, given)
    if name in DECIMALS and given:
        return exact(low, node, given[0].value, scope, how)
    if name in RAISES:
        low.raises.append(Raise(span(node), given[0].value if given else None, scope))
        return Unknown(span(node), ())
    if last in ("assert", "ensure", "matches") and given:
        return Compare(span(node), "==", given[0].value, given[1].value if len(given) > 1 else Literal(span(node), True))
    if last in TEXTS:
        given = worded(low, given)
    if last in LEVELS:
        callee = Member(callee.span, Name(callee.span, "log"), last)
    return made_call(low, node, callee, given, scope, how)


def deferred(low: Lowering, node: Node, tree: Node, scope: Scope) -> Expression:
    """`scopeguard::defer! { … }` runs when the function ends, however it does, as Go's `defer func() {…}()`."""
    inner = low.scope(Kind.FUNCTION, tree, scope, Function("", passed_to="defer"))
    expression(low, again(low, tree.start_byte, tree.end_byte, tree), inner, DISCARDED)
    beside = DISCARDED._replace(start=Start.DEFERRED)
    return made_call(low, node, Lambda(span(tree), inner), (), scope, beside)


def exact(low: Lowering, node: Node, value: Expression, scope: Scope, how: How) -> Expression:
    """`dec!(0.1)` is no float."""
    text = str(value.value) if isinstance(value, Literal) else ""
    made = Argument(span(node), None, Literal(span(node), text))
    return made_call(low, node, Name(span(node), "decimal"), (made,), scope, how, constructs=True)


def arguments(low: Lowering, tree: Node, scope: Scope) -> tuple[Argument, ...]:
    """What stands between a macro's parentheses, parsed for itself; where that fails, its names and literals."""
    parsed = again(low, tree.start_byte, tree.end_byte, tree)
    if parsed is None:
        return tuple(Argument(one.span, None, one) for one in loose(low, tree))
    if parsed.type not in ("tuple_expression", "array_expression", "parenthesized_expression"):
        return (
            ()
            if parsed.type == "unit_expression"
            else (Argument(span(parsed), None, expression(low, parsed, scope, ARGUMENT)),)
        )
    return tuple(argument(low, child, scope) for child in said(low, parsed))


def argument(low: Lowering, node: Node, scope: Scope) -> Argument:
    """`day = today` is a named one."""
    left = node.child_by_field_name("left") if node.type == "assignment_expression" else None
    if left is not None and left.type == "identifier":
        return Argument(span(node), low.text(left), part(low, node, "right", scope, ARGUMENT))
    return Argument(span(node), None, expression(low, node, scope, ARGUMENT))


def again(low: Lowering, start: int, end: int, first: Node, last: Node | None = None) -> Node | None:
    """The one expression that a stretch of the file holds; offsets are those of the file."""
    parser = Parser(LANGUAGE[0])
    parser.included_ranges = [Range(first.start_point, (last or first).end_point, start, end)]
    root = parser.parse(low.source).root_node
    inside = root.named_children[0] if len(root.named_children) == 1 else None
    # Without a semicolon the grammar finds a statement that lacks one, or an error around the whole of it.
    if inside is not None and inside.type in ("expression_statement", "ERROR") and len(inside.named_children) == 1:
        inside = inside.named_children[0]
    broken = inside is None or inside.has_error or inside.type == "ERROR"
    return None if broken else inside


LANGUAGE: list[Language] = []
"""The grammar, put here by `rust.py`, which owns it."""


def tokens(low: Lowering, tree: Node, scope: Scope) -> Expression:
    return Unknown(span(tree), tuple(loose(low, tree)))


def loose(low: Lowering, tree: Node) -> list[Expression]:
    found: list[Expression] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node.type == "identifier":
            found.append(Name(span(node), low.text(node)))
        elif node.type in ("string_literal", "raw_string_literal"):
            found.append(Literal(span(node), text_of(low, node)))
        elif node.type == "token_tree":
            waiting.extend(reversed(said(low, node)))
    return found


def text_of(low: Lowering, node: Node) -> str:
    """The text of a string, raw or not."""
    text = low.text(node)
    if text.lstrip("b").startswith("r"):
        body = text.lstrip("b")[1:]
        marks = len(body) - len(body.lstrip("#"))
        return body[marks + 1 : len(body) - marks - 1]
    inner = text.lstrip("bc")[1:-1]
    if "\\" not in inner:
        return inner
    inner = re.sub(r"\\\r?\n\s*", "", inner)
    return inner.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")


def formatted(low: Lowering, node: Node, given: tuple[Argument, ...]) -> Expression:
    """`format!("{}:{day}", tenant, day = today)`: the text with what is filled in."""
    first = given[0].value if given else None
    if not isinstance(first, Literal) or not isinstance(first.value, str):
        return Template(span(node), tuple(one.value for one in given))
    parts = pieces(first, given[1:])
    if all(isinstance(one, Literal) for one in parts):
        return Literal(span(node), "".join(str(one.value) for one in parts if isinstance(one, Literal)))
    return Template(span(node), tuple(parts))


def pieces(text: Literal, given: tuple[Argument, ...]) -> list[Expression]:
    """The parts of a format string; `{name}` without an argument is the variable."""
    found: list[Expression] = []
    plain = [one.value for one in given if one.name is None]
    named = {one.name: one.value for one in given if one.name is not None}
    place, at, whole = 0, 0, str(text.value)
    for hole in HOLE.finditer(whole):
        found.extend([Literal(text.span, whole[at : hole.start()])] if hole.start() > at else [])
        at = hole.end()
        if hole[1] is None:
            found.append(Literal(text.span, hole[0][0]))
            continue
        key = hole[1].partition(":")[0].strip()
        if not key:
            found.append(plain[place] if place < len(plain) else Unknown(text.span, ()))
            place += 1
        elif key.isdigit():
            found.append(plain[int(key)] if int(key) < len(plain) else Unknown(text.span, ()))
        else:
            found.append(named.get(key) or Name(text.span, key))
    found.extend([Literal(text.span, whole[at:])] if at < len(whole) else [])
    return found


def worded(low: Lowering, given: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """A log line's text with the variables that stand in it."""
    made: list[Argument] = []
    for one in given:
        names = isinstance(one.value, Literal) and isinstance(one.value.value, str) and HOLE.search(one.value.value)
        if names and isinstance(one.value, Literal):
            inside = [each for each in pieces(one.value, ()) if not isinstance(each, Unknown)]
            made.append(Argument(one.span, one.name, Template(one.value.span, tuple(inside))))
        else:
            made.append(one)
    return tuple(made)


def value_of(low: Lowering, inside: list[Node], tree: Node, scope: Scope) -> Expression:
    """The value that `json!` holds: an object, a list, or an expression."""
    low.deeper()
    made = json_value(low, inside, tree, scope)
    low.depth -= 1
    return made


def json_value(low: Lowering, inside: list[Node], tree: Node, scope: Scope) -> Expression:
    if len(inside) == 1 and inside[0].type == "token_tree":
        opened = low.source[inside[0].start_byte : inside[0].start_byte + 1]
        pairs = groups(inside[0])
        if opened == b"{":
            return Object(span(inside[0]), tuple(entry(low, one, tree, scope) for one in pairs if one))
        if opened == b"[":
            return Sequence(span(inside[0]), tuple(value_of(low, one, tree, scope) for one in pairs if one))
    if not inside:
        return MISSING
    if len(inside) == 1 and inside[0].type in LITERALS:
        return expression(low, inside[0], scope, ARGUMENT)
    parsed = again(low, inside[0].start_byte, inside[-1].end_byte, inside[0], inside[-1])
    if parsed is None:
        return Unknown(
            Span(inside[0].start_point.row + 1, inside[-1].end_point.row + 1, inside[0].start_byte, inside[-1].end_byte), ()
        )
    return expression(low, parsed, scope, ARGUMENT)


def groups(tree: Node) -> list[list[Node]]:
    """The tokens between the commas of a token tree; punctuation in between is kept."""
    found: list[list[Node]] = [[]]
    for child in tree.children[1:-1]:
        if child.type == ",":
            found.append([])
        elif child.type not in ("line_comment", "block_comment"):
            found[-1].append(child)
    return found


def entry(low: Lowering, group: list[Node], tree: Node, scope: Scope) -> Entry:
    """`"key": value`."""
    place = next((at for at, one in enumerate(group) if one.type == ":"), 0)
    key = group[0] if group else tree
    name = text_of(low, key) if key.type == "string_literal" else low.text(key) if key.type == "identifier" else None
    value = value_of(low, group[place + 1 :], tree, scope)
    end = group[-1] if group else tree
    return Entry(Span(key.start_point.row + 1, end.end_point.row + 1, key.start_byte, end.end_byte), name, value)


def string(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Literal(span(node), text_of(low, node))


MACROS: dict[str, Express] = {"macro_invocation": macro, "string_literal": string, "raw_string_literal": string}
