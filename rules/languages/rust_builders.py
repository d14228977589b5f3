"""Chains of setters in Rust, read as the one call that they amount to: builders, requests, queries with their arguments."""

import re

from tree_sitter import Node

from rules.facts import Argument, Call, Entry, Expression, Member, Object, Scope, dotted
from rules.languages.lowering import ARGUMENT, CHAINED, How, Lowering, field, span
from rules.languages.rust_syntax import expression, made_call, said, segments

QUERIES = re.compile(r"(^|\.)(query|query_as|query_scalar|query_file|query_as_with|query_with|sql_query)$")
RUNS = frozenset("execute fetch fetch_one fetch_all fetch_optional fetch_many load get_result get_results".split())
SENDS = frozenset("send build".split())
BUILDERS = frozenset({"builder", "default"})
"""What begins a builder: `Event::builder()`, `EventBuilder::default()`."""


def text_or_builder(
    low: Lowering, node: Node, function: Node, listing: list[Node], scope: Scope, how: How
) -> Expression | None:
    """`"a".to_string()` is its text; `f(x).a(1).b(2).send()` is `f(x, {a: 1, b: 2})`."""
    inner, name = function.child_by_field_name("value"), low.text(field(function, "field"))
    if name == "to_string" and inner is not None and inner.type == "string_literal":
        return expression(low, inner, scope, how)
    if name in SENDS or name in RUNS:
        return built(low, node, inner, name, listing, scope, how)
    return None


def built(
    low: Lowering, node: Node, inner: Node | None, name: str, listing: list[Node], scope: Scope, how: How
) -> Expression | None:
    """The call that a chain of setters starts with, and what they set. None where it is no such chain."""
    steps: list[tuple[str, Node]] = []
    while inner is not None and inner.type == "call_expression":
        function = field(inner, "function")
        given = said(low, inner.child_by_field_name("arguments"))
        if function.type != "field_expression" or is_opening(low, function) or (key := key_of(low, function, given)) is None:
            break
        steps.append((key, given[-1]))
        inner = function.child_by_field_name("value")
    query = inner is not None and starts_query(low, inner)
    if inner is None or (name in RUNS) is not query or (name in SENDS and not steps and listing):
        return None
    if inner.type not in ("call_expression", "macro_invocation") or (name in SENDS and not steps):
        return None
    return as_one_call(low, node, inner, list(reversed(steps)), listing, scope, how)


def key_of(low: Lowering, function: Node, given: list[Node]) -> str | None:
    """What a setter sets: `a` for `.a(1)`, `a` again for `.header("a", 1)` and `.attributes(Name::a, 1)`."""
    if len(given) == 1:
        return low.text(field(function, "field"))
    if len(given) != 2 or given[0].type not in ("string_literal", "scoped_identifier"):
        return None
    return low.text(given[0]).strip('"').rpartition("::")[2]


def is_opening(low: Lowering, function: Node) -> bool:
    """`client.post(url)`: what a request starts with, although it has one argument too."""
    return low.text(field(function, "field")) in ("get", "post", "put", "patch", "delete", "request", "query", "from_url")


def starts_query(low: Lowering, node: Node) -> bool:
    head = node.child_by_field_name("macro") or node.child_by_field_name("function")
    if head is not None and head.type == "generic_function":
        head = head.child_by_field_name("function")
    return head is not None and QUERIES.search(".".join(segments(low, head))) is not None


def as_one_call(
    low: Lowering, node: Node, inner: Node, steps: list[tuple[str, Node]], listing: list[Node], scope: Scope, how: How
) -> Expression:
    before = len(low.calls)
    first = expression(low, inner, scope, CHAINED)
    if not isinstance(first, Call) or (low.calls[-1:] != [first]) or len(low.calls) == before:
        return first
    low.calls.pop()
    values = [(name, expression(low, value, scope, ARGUMENT), value) for name, value in steps]
    bound_values = tuple(Argument(span(at), None, value) for name, value, at in values if name == "bind")
    entries = tuple(Entry(span(at), setting(low, name, at), value) for name, value, at in values if name != "bind")
    if first.method in BUILDERS and isinstance(first.callee, Member) and not (first.arguments or bound_values or listing):
        return Object(span(node), entries, type=dotted(first.callee.object).rpartition(".")[2])
    built_from = (Argument(span(node), None, Object(span(node), entries)),) if entries else ()
    rest = tuple(Argument(span(one), None, expression(low, one, scope, ARGUMENT)) for one in listing)
    return made_call(low, node, first.callee, (*first.arguments, *bound_values, *built_from, *rest), scope, how)


def setting(low: Lowering, name: str, given: Node) -> str:
    """`set_usage_records(Some(all))` of the AWS SDK sets what `usage_records(one)` adds to."""
    whole = given.type == "call_expression" and low.text(field(given, "function")) == "Some"
    return name.removeprefix("set_") if whole else name
