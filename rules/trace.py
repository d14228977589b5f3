"""The way of each metered event from where it happens to the charge, over all files at hand."""

from collections.abc import Iterable

from rules.code import Code
from rules.project import Project
from rules.schema import schema_of
from rules.tracing.actions import metered
from rules.tracing.digest import digest_of
from rules.tracing.graph import Graph, joined
from rules.tracing.sights import MeteredAction

__all__ = ["MeteredAction", "graph_of", "metered_actions"]


def graph_of(codes: Iterable[Code], project: Project | None = None) -> Graph:
    """The judged files and, beside them, the context files of the project."""
    judged = tuple(codes)
    there = {code.facts.path for code in judged}
    around = [code for code in project.codes if code.facts.path not in there] if project is not None else []
    schema = project.schema if project is not None else schema_of({one.facts.path: one.facts.source.decode() for one in judged})
    return joined((digest_of(code) for code in (*judged, *around)), schema)


def metered_actions(codes: Iterable[Code], project: Project | None = None) -> tuple[MeteredAction, ...]:
    """The request handlers and jobs that do what is billed; `recorded` says whether a record of it is reached.

    An unrecorded one uses a priced resource that others use and record. Actions of context files are among them.
    """
    return metered(graph_of(codes, project))
