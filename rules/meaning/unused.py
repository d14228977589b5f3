"""Functions that nothing in an application calls: what is wrong in them costs nobody anything, as long as that stays so."""

import re

from rules.code import Code
from rules.facts import Class, Function, Scope, Span, chain
from rules.meaning.contexts import Context

EXPORTS = re.compile(r"^\s*(export\b|module\.exports|exports\.|__all__|pub use\b)")
ENTRIES = frozenset("main handler init setup register default run".split())


def is_unused(code: Code, span: Span) -> bool:
    """Whether the function around a place is named nowhere else in an application that is wholly at hand.

    In doubt it is used: where a framework may call it by its class, its mark or its place, and where the project is a library,
    whose callers are other projects.
    """
    if not code.elsewhere.serves:
        return False
    function = outermost_named(code, span)
    if function is None or code.context(function) is not Context.LIBRARY or called_otherwise(function):
        return False
    name = function.head.name if isinstance(function.head, Function) else ""
    return name not in ENTRIES and not named_here(code, function, name) and not code.elsewhere.mentions(name, code.facts.path)


def outermost_named(code: Code, span: Span) -> Scope | None:
    """The function that others would have to call for this place to be reached."""
    around = [scope for scope in code.facts.scopes if isinstance(scope.head, Function) and scope.span.holds(span)]
    first = min(around, key=lambda scope: scope.span.start, default=None)
    return first if first is not None and isinstance(first.head, Function) and first.head.name else None


def called_otherwise(function: Scope) -> bool:
    """Whether a decorator, an annotation, a registration or a class it inherits from may lead to it."""
    head = function.head
    if isinstance(head, Function) and (head.decorators or head.registered_as or head.passed_to):
        return True
    return any(isinstance(one.head, Class) and (one.head.bases or one.head.decorators) for one in chain(function))


def named_here(code: Code, function: Scope, name: str) -> bool:
    """Whether its own file names it anywhere but where it is defined, exported and spoken of."""
    spoken = {line for one in code.facts.comments for line in range(one.span.line, one.span.end_line + 1)}
    # A head may begin above its name: modifiers, a receiver, an assignment.
    defined = next((line for line in range(function.span.line, function.span.end_line + 1) if line not in spoken), 0)
    lines = code.facts.source.decode(errors="replace").split("\n")
    return any(
        number not in spoken and number != defined and not EXPORTS.match(line) and re.search(rf"\b{re.escape(name)}\b", line)
        for number, line in enumerate(lines, 1)
        if name in line
    )
