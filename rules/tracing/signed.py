"""Whether the body of a request is vouched for by a signature, in the handler itself, one call further in or by its mark."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Scope, dotted, within
from rules.meaning.usage.requests import outermost
from rules.tracing.spared import functions_meant

HEADER = re.compile(r"[\"'`](?:HTTP_)?[\w-]*signature[\w-]*[\"'`]", re.I)
CHECKS = re.compile(
    r"\b\w*(?:validat|verif|compare_?digest|timing_?safe|hash_equals|hmac|construct_?event|secure_?compare)\w*\s*\(", re.I
)
SAYS = re.compile(r"valid|verif|sign|auth|check|ensure|guard|webhook", re.I)
"""What a function is called that looks at who sent a request."""


def is_signed(code: Code, scope: Scope) -> bool:
    """Whether a signature over the body is checked before it is worked on: then the sender is a provider, and no user."""
    function = outermost(scope)
    if function is None or not isinstance(function.head, Function):
        return False
    if checks_signature(code, function):
        return True
    marks = (one.method if isinstance(one, Call) else dotted(one) for one in function.head.decorators)
    decorating = ((code, one) for mark in marks for one in code.values.functions.get(mark, ()))
    return any(checks_signature(*one) for one in (*decorating, *asked(code, function)))


def asked(code: Code, function: Scope) -> Iterator[tuple[Code, Scope]]:
    for call in code.calls_in(function):
        if not SAYS.search(call.method):
            continue
        yield from functions_meant(code, call)


def checks_signature(code: Code, function: Scope) -> bool:
    """It reads a header of a signature, has it checked, and refuses or answers whether it holds."""
    text = code.facts.text(function.span)
    if not HEADER.search(text) or not CHECKS.search(text.partition("\n")[2]):
        return False
    ends = [one.scope for one in code.facts.raises] + [one.scope for one in code.facts.returns]
    return any(within(scope, function) for scope in ends)
