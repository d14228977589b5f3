"""What becomes of what a function answers: somebody goes by it, or it is only handed on to whoever looks at it."""

import re

from rules.code import Code
from rules.facts import Call, Kind, Scope, enclosing, within
from rules.meaning.contexts import Context
from rules.meaning.times.fates import Fate, fates
from rules.schema import looks_like_schema

HOPS = 4
HANDED_ON = frozenset({Fate.GIVEN, Fate.TOLD, Fate.ASKED})


def only_shown_by_callers(code: Code, scope: Scope, hops: int = HOPS) -> bool:
    """Whether all of a program is at hand, and every way from the function ends in the answer to a request that holds what it
    found against nothing."""
    function = enclosing(scope, Kind.FUNCTION)
    name = code.function_name(scope)
    if not code.elsewhere.whole or hops == 0 or function is None or not name or decides(code, function):
        return False
    calling = calls_of(code, name)
    return bool(calling) and all(shows(there, call, name, hops) for there, call in calling)


def decides(code: Code, function: Scope) -> bool:
    """Whether a function limits, counts or bills itself."""
    return (
        any(one.function is function for one in code.limits)
        or any(within(one.scope, function) for one in code.counters)
        or any(within(one.call.scope, function) for one in code.emissions)
    )


def calls_of(code: Code, name: str) -> list[tuple[Code, Call]]:
    """The calls of a function over all files; none where one of the files is not at hand."""
    found: list[tuple[Code, Call]] = []
    for path in {code.facts.path, *code.elsewhere.naming(name)}:
        there = code if path == code.facts.path else code.elsewhere.code_of(path)
        if there is None:
            return []
        found += [(there, call) for call in there.facts.calls if call.method == name]
    return found


def shows(code: Code, call: Call, name: str, hops: int) -> bool:
    found = fates(code, call.span, call.scope)
    if not found or found - HANDED_ON:
        return False
    asked = code.context(call.scope) is Context.REQUEST or Fate.GIVEN not in found
    # A wrapper of the same name is found by the same mentions.
    return asked or code.function_name(call.scope) == name or only_shown_by_callers(code, call.scope, hops - 1)


def read_again(code: Code, column: str) -> bool:
    """Whether a column is named anywhere but where rows are written and described; yes where not all files are at hand."""
    if not code.elsewhere.whole:
        return True
    written = re.compile(rf"\b{re.escape(column)}\b[\"'`]?\s*\??\s*:")
    return any(not looks_like_schema(one.path) and not written.search(one.text) for one in code.elsewhere.mentions(column))
