"""What a Ruby file defines: classes, modules, methods and their parameters."""

import re
from collections.abc import Iterator
from itertools import takewhile

from tree_sitter import Node

from rules.facts import Class, Expression, Function, Kind, Literal, Name, Parameter, Scope, Unknown
from rules.languages.lowering import DISCARDED, PLAIN, How, Lowering, children, span
from rules.languages.ruby_syntax import TAIL, Express, declare, expression, pattern, statements
from rules.languages.ruby_words import FILTERS, MACROS, MIXINS, UNANSWERED

REQUIRED = frozenset({"identifier", "destructured_parameter"})
DEFINES = frozenset({"method", "singleton_method"})


def own_methods(low: Lowering, root: Node) -> Iterator[str]:
    """Methods of the file that can be called by their bare name, without arguments."""
    waiting = [root]
    depth = 0
    while waiting and depth < 200_000:
        depth += 1
        node = waiting.pop()
        if node.type in DEFINES:
            name, listed = node.child_by_field_name("name"), node.child_by_field_name("parameters")
            if name is not None and not any(one.type in REQUIRED for one in (listed.named_children if listed else ())):
                yield low.text(name)
        elif node.type in (
            "program",
            "class",
            "module",
            "singleton_class",
            "body_statement",
            "call",
            "argument_list",
            "do_block",
        ):
            waiting.extend(node.named_children)


def class_definition(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A module reads as a class. What it includes counts among its bases, and how it is run among its decorators."""
    name, above = node.child_by_field_name("name"), node.child_by_field_name("superclass")
    body = node.child_by_field_name("body")
    parts = children(body) if body is not None else []
    bases = [low.text(one) for one in (children(above) if above is not None else ())]
    bases += [low.text(given) for one in parts if named(low, one) in MIXINS for given in arguments(one)]
    marks = [one for one in parts if named(low, one) in MACROS]
    decorators = tuple(expression(low, one, scope, DISCARDED) for one in marks)
    head = Class(low.text(name) if name is not None else "", tuple(bases), decorators)
    inner = low.scope(Kind.CLASS, node, scope, head)
    filters(low, parts)
    statements(low, [one for one in parts if one not in marks], inner, DISCARDED)
    return Unknown(span(node), ())


def filters(low: Lowering, parts: list[Node]) -> None:
    """Notes for each public action the methods that `before_action` runs first."""
    public = list(takewhile(lambda one: low.text(one) not in ("private", "protected"), parts))
    actions = {low.text(one.child_by_field_name("name") or one): one for one in public if one.type == "method"}
    for part in parts:
        if named(low, part) not in FILTERS:
            continue
        given = arguments(part)
        only, without = (chosen(low, given, word) for word in ("only", "except"))
        for name, action in actions.items():
            if (only is None or name in only) and name not in (without or ()):
                low.before.setdefault(action.start_byte, []).extend(one for one in given if one.type == "simple_symbol")


def chosen(low: Lowering, given: list[Node], word: str) -> frozenset[str] | None:
    """The actions of `only: %i[create update]` or `except: :index`."""
    for one in given:
        key, value = one.child_by_field_name("key"), one.child_by_field_name("value")
        if one.type == "pair" and key is not None and value is not None and low.text(key) == word:
            return frozenset(re.findall(r"\w+[?!]?", low.text(value).removeprefix("%i").removeprefix("%w")))
    return None


def named(low: Lowering, node: Node) -> str:
    """The name of a bare call, `include Sidekiq::Job`."""
    method = (
        node.child_by_field_name("method") if node.type == "call" and node.child_by_field_name("receiver") is None else None
    )
    return low.text(method) if method is not None else ""


def arguments(node: Node) -> list[Node]:
    listed = node.child_by_field_name("arguments")
    return children(listed) if listed is not None else []


def singleton_class(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`class << self`: its methods are the class's own."""
    body = node.child_by_field_name("body")
    return statements(low, children(body) if body is not None else [], scope, DISCARDED)


def method(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    written = node.child_by_field_name("name")
    name = low.text(written) if written is not None else ""
    listed = node.child_by_field_name("parameters")
    made = parameters(low, listed, scope)
    first = low.before.get(node.start_byte, [])
    marks = tuple(Name(span(one), low.text(one).lstrip(":")) for one in first)
    head = Function(name=name, parameters=made, decorators=marks, exported=scope.kind is Kind.MODULE, method=True)
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for place, mark in zip(first, marks, strict=True):
        low.call(place, mark, (), inner, DISCARDED)
    for one in made:
        declare(low, one.name, inner)
    body = node.child_by_field_name("body")
    if body is not None:
        wanted = DISCARDED if name in UNANSWERED or name.endswith("=") else TAIL
        statements(low, [body], inner, wanted)
    return Literal(span(node), name)


def parameters(low: Lowering, node: Node | None, scope: Scope) -> tuple[Parameter, ...]:
    return tuple(parameter(low, one, scope) for one in (children(node) if node is not None else ()) if one.type != "comment")


def parameter(low: Lowering, node: Node, scope: Scope) -> Parameter:
    if node.type == "destructured_parameter":
        return Parameter(span(node), "", pattern=pattern(low, node, scope))
    name, default = node.child_by_field_name("name"), node.child_by_field_name("value")
    given = expression(low, default, scope, PLAIN) if default is not None else None
    return Parameter(span(node), low.text(name if name is not None else node).lstrip("*&"), default=given)


def superclass(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = [expression(low, one, scope) for one in children(node)]
    return inner[0] if inner else Unknown(span(node), ())


DEFINITIONS: dict[str, Express] = {
    "class": class_definition,
    "module": class_definition,
    "singleton_class": singleton_class,
    "method": method,
    "singleton_method": method,
    "superclass": superclass,
}
