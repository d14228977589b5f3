"""What the stand-in remembers: Apps, installations, repositories, pull requests, reviews, comments and check runs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.demo.standin import diff, git

if TYPE_CHECKING:
    from bot.demo.standin.deliveries import Delivery
    from bot.demo.standin.manifests import Made

LEVELS = {"read": 1, "write": 2, "admin": 3}


@dataclass(slots=True)
class Person:
    """An account: `kind` is User, Organization or Bot."""

    id: int
    login: str
    kind: str = "User"


@dataclass(slots=True)
class App:
    """A registered GitHub App; `permissions` is what it asks for."""

    id: int
    client_id: str
    slug: str
    public_key: str
    webhook_secret: str
    permissions: dict[str, str]
    events: list[str]
    owner: Person
    bot: Person
    created_at: datetime
    hook_id: int
    name: str = ""
    """Empty: the slug is the name."""
    hook_url: str | None = None
    """Where deliveries go that the stand-in sends of itself."""
    html_url: str | None = None
    more_keys: list[str] = field(default_factory=list)
    """Public keys besides the first, while one replaces another."""
    host: str | None = None
    """The host that a GitHub Enterprise Server names in its deliveries."""


@dataclass(slots=True)
class Repository:
    """A repository over a bare git folder; `former_names` still answer, by redirection; `roles` by login."""

    id: int
    owner: Person
    name: str
    path: Path
    default_branch: str
    private: bool
    created_at: datetime
    archived: bool = False
    former_names: set[str] = field(default_factory=set)
    roles: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


@dataclass(slots=True)
class Installation:
    """An App on an account: `repositories` are ids, `permissions` what the owner granted."""

    id: int
    app: App
    account: Person
    repositories: set[int]
    permissions: dict[str, str]
    created_at: datetime
    suspended_at: datetime | None = None


@dataclass(slots=True)
class PullRequest:
    """A pull request by branch names; `announced` is the head that the last delivery spoke of."""

    id: int
    number: int
    repo: Repository
    title: str
    body: str | None
    author: Person
    head_ref: str
    head_owner: Person
    base_ref: str
    created_at: datetime
    head_sha: str
    announced: str
    fork: Repository | None = None
    fork_deleted: bool = False
    draft: bool = False
    locked: bool = False
    labels: list[str] = field(default_factory=list)
    state: str = "open"
    closed_at: datetime | None = None
    merged: bool = False


@dataclass(slots=True)
class Review:
    """A review; `state` is PENDING, COMMENTED, APPROVED, CHANGES_REQUESTED or DISMISSED."""

    id: int
    pull: PullRequest
    author: Person
    body: str
    state: str
    commit_id: str
    submitted_at: datetime | None


@dataclass(slots=True)
class Comment:
    """A review comment as it was made; where it stands now is worked out when it is read.

    `resolved_by` is the thread's, kept on its first comment.
    """

    id: int
    pull: PullRequest
    review: Review
    author: Person
    body: str
    path: str
    commit_id: str
    subject_type: str
    side: str
    line: int | None
    start_side: str | None
    start_line: int | None
    position: int | None
    diff_hunk: str
    created_at: datetime
    updated_at: datetime
    in_reply_to: int | None = None
    minimized: str | None = None
    resolved_by: Person | None = None


@dataclass(slots=True)
class IssueComment:
    """A comment in the conversation of a pull request."""

    id: int
    pull: PullRequest
    author: Person
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None


@dataclass(slots=True)
class Reaction:
    """A reaction to a comment of either kind, by the comment's id."""

    id: int
    comment: int
    author: Person
    content: str
    created_at: datetime


@dataclass(slots=True)
class CheckRun:
    """A check run; `suite` is one a commit and App."""

    id: int
    repo: Repository
    app: App
    suite: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    started_at: str | None
    completed_at: str | None
    details_url: str | None
    external_id: str
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Grant:
    """An installation token: what it may touch and until when."""

    token: str
    installation: Installation
    repositories: set[int]
    narrowed: bool
    permissions: dict[str, str]
    expires_at: datetime


@dataclass(slots=True)
class Limits:
    """Sizes at which GitHub cuts or refuses; tests lower them."""

    files: int = 3000
    compare_files: int = 300
    patch_bytes: int = 500_000
    contents_bytes: int = 1_048_576
    tree_entries: int = 100_000
    hourly: int = 5000


@dataclass(slots=True)
class World:
    """Everything behind one stand-in; handlers and the Python API hold `lock` while they read or change it."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    api_url: str = "http://127.0.0.1"
    site: str = "http://127.0.0.1"
    """Where the pages for people are."""
    enterprise: bool = False
    reach: dict[str, str] = field(default_factory=dict)
    """Public address -> the address on this machine that it leads to."""
    made: dict[str, Made] = field(default_factory=dict)
    """Apps that were registered by a manifest, by their one-time code."""
    limits: Limits = field(default_factory=Limits)
    apps: dict[int, App] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    pulls: dict[tuple[int, int], PullRequest] = field(default_factory=dict)
    reviews: dict[int, Review] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    talk: dict[int, IssueComment] = field(default_factory=dict)
    reactions: list[Reaction] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    suites: dict[tuple[int, str, int], int] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    used: int = 0
    hour: int | None = None
    """The hour since the epoch that `used` is about."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1001))

    def person(self, login: str, kind: str = "User") -> Person:
        """The account of that login, made on first use."""
        if login not in self.people:
            self.people[login] = Person(next(self.ids), login, kind)
        return self.people[login]

    def pulls_of(self, repo: Repository) -> list[PullRequest]:
        """The pull requests of a repository, newest first."""
        return sorted((pull for pull in self.pulls.values() if pull.repo is repo), key=lambda pull: -pull.number)

    def suite(self, repo: Repository, sha: str, app: App) -> int:
        """The check suite of an App on a commit."""
        return self.suites.setdefault((repo.id, sha, app.id), next(self.ids))


def stamp(moment: datetime) -> str:
    """A time as GitHub writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def head(pull: PullRequest) -> str:
    """The head of an open pull request, read from its branch now; a closed one keeps its last."""
    if pull.state == "open":
        source = pull.fork.path if pull.fork is not None and not pull.fork_deleted else pull.repo.path
        found = git.resolve(source, pull.head_ref)
        if found is not None and found != pull.head_sha:
            if source != pull.repo.path:
                git.run(pull.repo.path, "fetch", "--quiet", str(source), f"+refs/heads/{pull.head_ref}:{ref(pull)}")
            pull.head_sha = found
            git.run(pull.repo.path, "update-ref", ref(pull), found)
    return pull.head_sha


def ref(pull: PullRequest) -> str:
    """The ref under which the base repository keeps the head of a pull request, also of a deleted fork."""
    return f"refs/pull/{pull.number}/head"


def base(pull: PullRequest) -> str:
    """The tip of the base branch, or the empty tree where the branch is gone."""
    return git.resolve(pull.repo.path, pull.base_ref) or git.EMPTY_TREE


def merge_base(pull: PullRequest, commit: str) -> str:
    """What a commit of the pull request is compared with: its merge base with the base branch."""
    return git.merge_base(pull.repo.path, base(pull), commit) or git.EMPTY_TREE


def changed(world: World, pull: PullRequest, commit: str | None = None) -> tuple[diff.ChangedFile, ...]:
    """The files of the pull request at its head, or at an earlier commit of it."""
    at = commit or head(pull)
    return diff.changed_files(pull.repo.path, merge_base(pull, at), at, world.limits.patch_bytes)
