"""Which parts of metering the analysed lines touch: emission, aggregation, limits."""

from collections.abc import Iterator

from rules.code import Code, is_one_of
from rules.facts import Kind, Scope, Span, enclosing


def touched(code: Code, lines: frozenset[int] | None) -> frozenset[str]:
    """The sections that these lines concern; None means the whole file.

    A line concerns what stands in the function around it, and what a function calls that it stands in: a changed helper
    matters to its callers in the same file.
    """
    found: set[str] = set()
    for section, span, scope in metering(code):
        if section not in found and (lines is None or concerns(code, lines, span, scope)):
            found.add(section)
    return frozenset(found)


def metering(code: Code) -> Iterator[tuple[str, Span, Scope]]:
    for emission in code.emissions:
        yield "ingestion", emission.call.span, emission.scope
        yield "deduplication", emission.call.span, emission.scope
    for counter in code.counters:
        yield "aggregation", counter.span, counter.scope
    for limit in code.limits:
        yield "limits", limit.span, limit.scope
    for call in code.facts.calls:
        if is_one_of(call.name, code.names.aggregate):
            yield "aggregation", call.span, call.scope
        elif is_one_of(call.name, code.names.limit):
            yield "limits", call.span, call.scope


def concerns(code: Code, lines: frozenset[int], span: Span, scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    around = function.span if function is not None else span
    if any(around.line <= line <= around.end_line for line in lines):
        return True
    return any(
        any(one.span.line <= line <= one.span.end_line for line in lines)
        for call in code.calls_in(function)
        for one in code.values.functions.get(call.method, ())
    )


def signals(code: Code) -> Iterator[str]:
    """Where usage-based billing shows, most telling first."""
    for emission in code.emissions:
        if emission.certain:
            yield f"{emission.call.name} in {code.facts.path}:{emission.call.span.line}"
    for counter in code.counters:
        yield f"{counter.name} written in {code.facts.path}:{counter.span.line}"
    for limit in code.limits:
        yield f"limit tested in {code.facts.path}:{limit.span.line}"
