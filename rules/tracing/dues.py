"""Whether anybody pays by a date that is computed, where all of a program is at hand to tell what becomes of it.

A date that is only shown renews nothing, and one that stands in for what a provider or a row says is nearly never used.
"""

import re

from rules.code import Code
from rules.facts import (
    Branch,
    Function,
    Kind,
    Scope,
    Span,
    enclosing,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.times.fates import PARTS, TELLS, fates, uses_of
from rules.meaning.vocabulary import words
from rules.tracing.answered import HANDED_ON, only_shown_by_callers

WRITTEN_OUT = TELLS | PARTS | frozenset("format response respond ok success dto jsonify serialize valid parse".split())
"""Words of calls that put a date into the form in which it is shown, or ask it for a part."""
CHARGED = frozenset("billing payment charge renewal invoice billed".split())
DEFAULTS = re.compile(
    r"\b(?:default|defaultValue|default_factory|\$defaultFn)\s*[:=(]\s*(?:async\s+)?(?:function\b|\(|lambda\b)"
)


def only_shown(code: Code, span: Span, scope: Scope, held: str = "") -> bool:
    """Whether a date goes into nothing but the answer to a request: what is shown as the next invoice, and is no invoice."""
    found = fates(code, span, scope, held) if code.elsewhere.whole else frozenset()
    if not found or found - HANDED_ON or handed_over(code, span, scope, held):
        return False
    return code.context(scope) is Context.REQUEST or only_shown_by_callers(code, scope)


def handed_over(code: Code, span: Span, scope: Scope, held: str) -> bool:
    """Whether a call is given the date that does more with it than write it out."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = uses_of(code, {held} if held else set(), span, function)
    return any(
        argument.span.holds(use) and not call.constructs and not WRITTEN_OUT & set(words(call.method))
        for call in code.facts.calls if within(call.scope, function)
        for argument in call.arguments for use in uses
    )  # fmt: skip


def is_default(code: Code, scope: Scope) -> bool:
    """Whether a model gives the date to a row for which whoever makes it gives none: `default: () => inAMonth()`."""
    function = enclosing(scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if not code.elsewhere.whole or function is None or not isinstance(head, Function) or head.name not in ("", "default"):
        return False
    return DEFAULTS.search(code.facts.source.decode(errors="replace").split("\n")[function.span.line - 1]) is not None


def after_given(code: Code, span: Span, scope: Scope) -> bool:
    """Whether it is left for a last resort: a branch before it answers with the date that a provider or a row has."""
    function = enclosing(scope, Kind.FUNCTION)
    if not code.elsewhere.whole or function is None:
        return False
    return any(
        one.value is not None
        and one.span.end < span.start
        and one.scope.kind is Kind.BRANCH
        and within(one.scope, function)
        and not one.scope.span.holds(span)
        and asks_for_due(one.scope, function)
        for one in code.facts.returns
    )


def asks_for_due(branch: Scope, function: Scope) -> bool:
    """`if (info.next_billing_time)`, in the branch or in one around it."""
    while branch is not function and branch.parent is not None:
        test = branch.head.test if isinstance(branch.head, Branch) else None
        if any(names_due(name_of(part)) for part in walk(test)):
            return True
        branch = branch.parent
    return False


def names_due(name: str) -> bool:
    said = set(words(name))
    return said >= {"period", "end"} or ("next" in said and bool(said & CHARGED))
