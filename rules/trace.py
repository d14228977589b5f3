"""The way of each metered event from where it happens to the charge, over all files at hand."""

from collections.abc import Iterable

from rules.code import Code
from rules.project import Project
from rules.report import Meter, MeterStep
from rules.schema import schema_of
from rules.tracing.digest import digest_of
from rules.tracing.graph import Graph
from rules.tracing.meters import missing
from rules.tracing.sights import MeteredAction
from rules.tracing.trails import Trail
from rules.tracing.whole import Trace, traced

__all__ = ["MeteredAction", "graph_of", "metered_actions", "meters_of", "trace_of"]

METERS = 50
"""In a report; the fullest come first."""


def trace_of(codes: Iterable[Code], project: Project | None = None) -> Trace:
    """The judged files and, beside them, the context files of the project."""
    judged = tuple(codes)
    if project is not None and all(project.has(code) for code in judged):
        return project.trace
    there = {code.facts.path for code in judged}
    around = [code for code in project.codes if code.facts.path not in there] if project is not None else []
    schema = project.schema if project is not None else schema_of({one.facts.path: one.facts.source.decode() for one in judged})
    return traced((digest_of(code) for code in (*judged, *around)), schema)


def graph_of(codes: Iterable[Code], project: Project | None = None) -> Graph:
    """Who calls whom in these files and in those around them."""
    return trace_of(codes, project).graph


def metered_actions(codes: Iterable[Code], project: Project | None = None) -> tuple[MeteredAction, ...]:
    """The request handlers and jobs that do what is billed; `recorded` says whether a record of it is reached.

    An unrecorded one uses a priced resource that others use and record. Actions of context files are among them.
    """
    return trace_of(codes, project).actions


def meters_of(trace: Trace, paths: frozenset[str]) -> tuple[Meter, ...]:
    """The meters that have a place in one of these files, as the report has them."""
    paid = frozenset(place for trail in trace.meters if trail.has("charged") for place in trail.steps["actions"])
    concerned = [one for one in trace.meters if any(path in paths for stage in one.steps.values() for path, _ in stage)]
    return tuple(described(one, paid) for one in concerned[:METERS])


def described(trail: Trail, paid: frozenset[tuple[str, int]]) -> Meter:
    stages = {
        stage: tuple(MeterStep(one.path, one.line, one.sure, one.text) for one in trail.places(stage)) for stage in trail.steps
    }
    return Meter(
        name=trail.title,
        kind=trail.sort,
        provider=trail.owner if trail.sort == "event" else None,
        missing=missing(trail, paid),
        **stages,
    )
