"""Failure as a value in Rust: what takes an `Err`, what drops it, and what passes it on."""

import re

from tree_sitter import Node

from rules.facts import Call, Expression, Handler, Kind, Name, Raise, Scope
from rules.languages.lowering import ARGUMENT, DISCARDED, How, Lowering, field, span
from rules.languages.rust_syntax import bindings, expression, names_of, only, said

FAILS = re.compile(r"^\s*(?:&|ref\s+|mut\s+)*(?:\w+::)*Err\b")
HOLDS = re.compile(r"^\s*(?:&|ref\s+|mut\s+)*(?:\w+::)*Ok\b")
PASSES = frozenset({"unwrap", "expect", "unwrap_unchecked", "map_err", "inspect_err", "context", "with_context", "into_inner"})
"""What hands the failure on: by `?` after it, or as a panic."""
DROPS = frozenset({"ok", "unwrap_or_default", "unwrap_or"})
"""What forgets the failure, where nothing is done with what is left."""
TAKES = frozenset({"unwrap_or_else", "or_else", "map_or_else"})
"""Who is handed a closure for the failure."""
RAISES = frozenset({"bail", "panic", "anyhow.bail", "unreachable", "todo", "unimplemented", "eyre.bail", "std.panic"})


def caught(low: Lowering, pattern: Node | None) -> bool | None:
    """Whether a pattern takes the failure (True) or the success (False) of a Result; None for anything else."""
    text = low.text(pattern) if pattern is not None else ""
    return True if FAILS.match(text) else False if HOLDS.match(text) else None


def calls_behind(low: Lowering, value: Expression) -> tuple[Call, ...]:
    """The call whose Result a value is, directly or by way of a variable."""
    if isinstance(value, Call):
        return (value,)
    return low.failing.get(value.text, ()) if isinstance(value, Name) else ()


def remember(low: Lowering, target: Expression | None, value: Expression, node: Node) -> None:
    """Notes that a variable holds a call's Result; one that `?` has opened holds none."""
    if isinstance(target, Name):
        low.failing[target.text] = (value,) if isinstance(value, Call) and node.type != "try_expression" else ()


def handler(low: Lowering, node: Node, scope: Scope, pattern: Node | None, calls: tuple[Call, ...]) -> Scope:
    """The scope in which an `Err(…)` arrives."""
    text = low.text(pattern) if pattern is not None else ""
    kinds = (text,) if re.search(r"Err\s*\(\s*\w+\s*(::|\()|\bif\b", text) else ()
    return low.scope(Kind.HANDLER, node, scope, Handler(kinds, names_of(bindings(low, pattern)), calls))


def dropped(low: Lowering, node: Node, value: Expression, scope: Scope) -> None:
    """`let _ = f().await;`, `f().await.ok();`: the failure ends here, and nothing is done about it."""
    if isinstance(value, Call):
        low.scope(Kind.HANDLER, node, scope, Handler((), "", (value,)))


def given_up(low: Lowering, node: Node, scope: Scope, how: How) -> Expression | None:
    """A call whose failure is handled in the chain after it: `f().await.unwrap_or_else(|e| warn(e))`, `f().await.ok()`."""
    function = node.child_by_field_name("function")
    if function is None or function.type != "field_expression":
        return None
    name = low.text(field(function, "field"))
    inner = function.child_by_field_name("value")
    listing = said(low, node.child_by_field_name("arguments"))
    if name in PASSES:
        made = expression(low, inner, scope, how)
        for one in listing:
            expression(low, one, scope, ARGUMENT._replace(passed_to=name))
        return made
    if name in DROPS and how.use is DISCARDED.use and not in_chain(inner):
        made = expression(low, inner, scope, how)
        dropped(low, node, made, scope)
        return made
    if name in TAKES and len(listing) >= 1 and listing[0].type == "closure_expression":
        made = expression(low, inner, scope, how)
        calls = calls_behind(low, made)
        bound = only(low, listing[0].child_by_field_name("parameters") or listing[0])
        taking = Handler((), low.text(bound) if bound is not None and bound.type == "identifier" else "", calls)
        into = low.scope(Kind.HANDLER, listing[0], scope, taking) if calls else scope
        for one in listing:
            expression(low, one, into if one is listing[0] else scope, ARGUMENT._replace(passed_to=name))
        return made
    return None


def in_chain(inner: Node | None) -> bool:
    return inner is None or inner.type not in ("await_expression", "call_expression", "macro_invocation")


def raised(low: Lowering, node: Node, scope: Scope) -> bool:
    """`Err(e)` as what a function gives back is its way to raise."""
    function = node.child_by_field_name("function") if node.type == "call_expression" else None
    if function is None or low.text(function) not in ("Err", "Result::Err", "std::result::Result::Err"):
        return False
    inside = said(low, node.child_by_field_name("arguments"))
    value = expression(low, inside[0], scope, ARGUMENT) if inside else None
    low.raises.append(Raise(span(node), value, scope))
    return True
