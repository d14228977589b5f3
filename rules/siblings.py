"""Siblings as evidence: the same call elsewhere without the defect says that this one is no habit of the project but a slip."""

from collections.abc import Iterable
from dataclasses import replace

from rules.report import Reported, TracePoint
from rules.rule import Confidence
from rules.tracing.graph import Graph
from rules.tracing.rows import books
from rules.tracing.sights import Kind

SECTIONS = frozenset({"ingestion", "deduplication", "limits"})
"""Where a finding is about a call that others make as well."""
ENOUGH = 2

HEARD = frozenset({"emit-error-swallowed", "emit-not-awaited"})
"""Rules about the failure of a call: a sibling does it right only if its own failure is seen to reach somebody."""

Place = tuple[str, int]


def with_siblings(found: Iterable[Reported], graph: Graph, judged: frozenset[str]) -> list[Reported]:
    """Findings whose siblings do it right name one of them and are surer; the others stay as they are.

    `judged` are the files on which the rules ran: only there does silence mean that it is right.
    """
    findings = list(found)
    calls = recording_calls(graph, judged)
    names = {place: name for name, places in calls.items() for place in places}
    wrong = {(one.rule, one.path, line) for one in findings for line in range(one.line, one.end_line + 1)}
    wrong |= {(one.rule, point.path, point.line) for one in findings for point in one.trace}
    routines = (routine for digest in graph.digests for routine in digest.routines)
    heard = {(routine.path, call.line) for routine in routines for call in routine.calls if call.heard}
    return [judged_beside(one, calls, names, wrong, heard, graph) for one in findings]


def recording_calls(graph: Graph, judged: frozenset[str]) -> dict[str, list[Place]]:
    """Where each recorder of the project, and each emission of a provider, is called."""
    calls: dict[str, list[Place]] = {}
    for digest in graph.digests:
        if digest.test or digest.path not in judged:
            continue
        for routine in digest.routines:
            for call in routine.calls:
                if books(call.method) and not call.before.startswith("@"):
                    calls.setdefault(call.method, []).append((digest.path, call.line))
        for sight in digest.sights:
            if sight.kind is Kind.EMIT:
                calls.setdefault(f"{sight.owner} {sight.text}", []).append((digest.path, sight.line))
    return {name: list(dict.fromkeys(places)) for name, places in calls.items()}


def judged_beside(
    one: Reported,
    calls: dict[str, list[Place]],
    names: dict[Place, str],
    wrong: set[tuple[str, str, int]],
    heard: set[Place],
    graph: Graph,
) -> Reported:
    name = names.get((one.path, one.line))
    if name is None or one.section not in SECTIONS or one.side == "left":
        return one
    others = [place for place in calls[name] if place != (one.path, one.line)]
    right = [place for place in others if (one.rule, *place) not in wrong and (one.name not in HEARD or place in heard)]
    if len(right) < ENOUGH or len(right) <= len(others) - len(right):
        return one
    path, line = next((place for place in right if place[0] != one.path), right[0])
    node = graph.at(path, line)
    routine = graph.routine(node) if node is not None else None
    where = f" in `{routine.title}`" if routine is not None else ""
    more = len(right) - 1
    point = TracePoint(path, line, f"the same call{where} does it right, as {'does' if more == 1 else 'do'} {more} more")
    # What is only possible stays so: nobody is billed by it, or its file does not parse, whatever the siblings do.
    surer = Confidence.CERTAIN.value if one.confidence == Confidence.LIKELY else one.confidence
    return replace(one, confidence=surer, trace=(*one.trace, point))
