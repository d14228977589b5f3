"""What is judged: the files of one change, before and after, and nothing about where they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk of a unified diff. Line numbers are 1-based."""

    base_start: int
    base_count: int
    head_start: int
    head_count: int
    added: frozenset[int]
    """Head line numbers of the `+` lines."""
    deleted: frozenset[int]
    """Base line numbers of the `-` lines."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of the change. A text is None where that side does not exist."""

    path: str
    """At the head; for a deleted file, at the base."""
    base: str | None
    head: str | None
    hunks: tuple[Hunk, ...] = ()
    base_path: str | None = None
    """At the base, where it differs from `path` or the file existed there; None for an added file."""

    @property
    def added(self) -> frozenset[int]:
        return frozenset().union(*(hunk.added for hunk in self.hunks))

    @property
    def deleted(self) -> frozenset[int]:
        return frozenset().union(*(hunk.deleted for hunk in self.hunks))


@dataclass(frozen=True, slots=True)
class NotAnalyzed:
    """A file that was not judged, and why: silence must mean clean."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """Everything one review or audit may look at. Judging it calls nothing outward."""

    mode: Literal["review", "audit"]
    files: tuple[ChangedFile, ...]
    repository: str | None = None
    pull_request: int | None = None
    base: str | None = None
    head: str | None = None
    """Revisions, None for a working tree and for pasted code."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Head texts of files that did not change, by path, from which project facts are read."""
    base_context: Mapping[str, str] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    """Names of which every file of the repository that has them is among the files or in the context."""
    partial: bool = False
    """An audit of some files of a project: what is not among them may well be there."""
    rest: Mapping[str, str] = field(default_factory=dict)
    """Of a partial audit: texts that are looked through for who calls what, and for nothing else."""
    sought: frozenset[str] = frozenset()
    """Names of functions and classes of which every file that has them is among the files, the context or the rest."""
    not_analyzed: tuple[NotAnalyzed, ...] = ()
    """What the door that made the change already had to leave out."""
