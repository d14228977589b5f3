"""What a delivery speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from bot.demo.standin.state import App, CheckRun, Comment, Installation, IssueComment, Person, PullRequest, Repository, World

NOWHERE = "0" * 40


class About(TypedDict, total=False):
    """What a caller may say a delivery is about; the names are those of `Subject`."""

    repo: Repository | None
    pull: PullRequest | None
    check: CheckRun | None
    comment: Comment | None
    said: IssueComment | None
    repositories: tuple[Repository, ...]
    body: str
    ref: str
    before: str
    after: str
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a delivery speaks of; an event reads the fields it needs. `extra` replaces keys of the finished body."""

    world: World
    app: App
    installation: Installation | None
    action: str | None
    sender: Person
    repo: Repository | None = None
    pull: PullRequest | None = None
    check: CheckRun | None = None
    comment: Comment | None = None
    said: IssueComment | None = None
    repositories: tuple[Repository, ...] = ()
    body: str = ""
    ref: str = ""
    before: str = NOWHERE
    after: str = NOWHERE
    extra: dict[str, Any] = field(default_factory=dict)


def repository_of(about: About) -> Repository | None:
    """The repository that a delivery is about, named outright or by a pull request, check run or comment in it."""
    for owner in (about.get("pull"), about.get("check")):
        if owner is not None:
            return owner.repo
    said = about.get("said")
    if said is not None:
        return said.pull.repo
    comment = about.get("comment")
    return comment.pull.repo if comment is not None else about.get("repo")


def repo_of(subject: Subject) -> Repository:
    """The repository of a delivery that needs one; raises ValueError."""
    named = repository_of(
        {
            "repo": subject.repo,
            "pull": subject.pull,
            "check": subject.check,
            "comment": subject.comment,
            "said": subject.said,
        }
    )
    if named is None:
        raise ValueError("this event needs a repository, a pull request, a check run or a comment")
    return named


def pull_of(subject: Subject) -> PullRequest:
    """The pull request of a delivery that needs one; raises ValueError."""
    if subject.pull is None:
        raise ValueError("this event needs a pull request")
    return subject.pull


def check_of(subject: Subject) -> CheckRun:
    """The check run of a delivery that needs one; raises ValueError."""
    if subject.check is None:
        raise ValueError("this event needs a check run")
    return subject.check
