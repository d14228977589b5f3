"""Whether anybody pays by a date that is computed, where all of a program is at hand to tell what becomes of it.

A date that is only shown renews nothing, and one that stands in for what a provider or a row says is nearly never used.
"""

import re

from rules.code import Code
from rules.facts import (
    Branch,
    Function,
    Kind,
    Object,
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


PAGES = re.compile(r"\.(tsx|jsx|vue|svelte)$|(^|/)(components|widgets|hooks)/.*\.[jt]s$")
"""Files of the interface, which refuses nobody."""
JUDGES = r"\b(?:is_?before|is_?after|is_?past|Date\.now|has_?expired|is_?expired)\b"
"""What on a line holds a date against another."""


def only_shown(code: Code, span: Span, scope: Scope, held: str = "") -> bool:
    """Whether a date goes into nothing but the answer to a request: what is shown as the next invoice, and is no invoice."""
    found = fates(code, span, scope, held) if code.elsewhere.whole else frozenset()
    if not found or found - HANDED_ON or handed_over(code, span, scope, held):
        return False
    return (
        code.context(scope) is Context.REQUEST or only_shown_by_callers(code, scope) or only_on_pages(code, span, scope, held)
    )


def only_on_pages(code: Code, span: Span, scope: Scope, held: str) -> bool:
    """Whether the date is answered under a name that nothing but components of the interface read, to put it into words."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = [span, *uses_of(code, {held} if held else set(), span, function)]
    answered = [one.value for one in code.facts.returns if one.value is not None and within(one.scope, function)]
    given = [whole for whole in answered if any(whole.span.holds(use) for use in uses)]
    names = {
        entry.name for whole in given for part in walk(whole) if isinstance(part, Object)
        for entry in part.entries if entry.name and any(entry.value.span.holds(use) for use in uses)
        and not isinstance(entry.value, Object)
    }  # fmt: skip
    return bool(names) and all(read_on_pages(code, name) for name in names)


def read_on_pages(code: Code, name: str) -> bool:
    read = re.compile(rf"[.\])]\??\.?{re.escape(name)}\b|\b{re.escape(name)}\b(?![\"'`]?\s*\??\s*:)")
    asked = re.compile(rf"\b{re.escape(name)}\b[^;{{}}]*\s[<>]=?\s|\s[<>]=?\s[^;{{}}]*\b{re.escape(name)}\b|{JUDGES}")
    found = [
        one for one in code.elsewhere.mentions(name)
        if (re.search(rf"\.{re.escape(name)}\b", one.text) if one.path == code.facts.path else read.search(one.text))
    ]  # fmt: skip
    ours = [one for one in found if of_billing(code, one.path)]
    return bool(ours) and all(PAGES.search(one.path) and not asked.search(one.text) for one in ours)


def of_billing(code: Code, path: str) -> bool:
    there = code.elsewhere.code_of(path)
    return PAGES.search(path) is not None or (there is not None and there.billing)


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
