"""The fields of GitHub's REST payloads that the program uses; every other field is ignored while decoding.

Source of names and nullability: GitHub's OpenAPI description of api.github.com, 2022-11-28.
"""

from typing import Literal

from msgspec import Struct


class Account(Struct, frozen=True):
    """A user, a bot or an organisation."""

    id: int
    login: str
    type: str = "User"


class Repository(Struct, frozen=True):
    """A repository; names change, the id does not."""

    id: int
    full_name: str
    html_url: str = ""
    default_branch: str = "main"
    private: bool = True
    archived: bool = False


class Branch(Struct, frozen=True):
    """One end of a pull request. `repo` is None for a head whose fork was deleted."""

    sha: str
    ref: str
    repo: Repository | None = None


class Label(Struct, frozen=True):
    """A label of a pull request."""

    name: str


class PullRequest(Struct, frozen=True):
    """A pull request; `changed_files` is only told when a single one is read."""

    id: int
    number: int
    state: str
    head: Branch
    base: Branch
    user: Account | None = None
    draft: bool = False
    locked: bool = False
    merged: bool = False
    merged_at: str | None = None
    labels: tuple[Label, ...] = ()
    changed_files: int | None = None


class FileEntry(Struct, frozen=True):
    """One file of a pull request. `patch` is absent for binaries, pure renames and diffs GitHub finds too large."""

    filename: str
    status: Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]
    sha: str | None = None
    previous_filename: str | None = None
    additions: int = 0
    deletions: int = 0
    changes: int = 0
    patch: str | None = None


class TreeEntry(Struct, frozen=True):
    """One entry of a git tree; `type` is blob, tree or commit (a submodule), `mode` git's, `size` bytes of a blob."""

    path: str
    mode: str
    type: str
    sha: str
    size: int | None = None


class Tree(Struct, frozen=True):
    """A git tree. `truncated`: over 100,000 entries or 7 MB, the rest is missing."""

    sha: str
    tree: tuple[TreeEntry, ...]
    truncated: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.tree if entry.type == "blob")


class Commit(Struct, frozen=True):
    """A commit where only its identity matters."""

    sha: str


class CommitMessage(Struct, frozen=True):
    """The part of a commit that people wrote."""

    message: str = ""


class ComparedCommit(Struct, frozen=True):
    """One commit of a comparison."""

    sha: str
    commit: CommitMessage = CommitMessage()


class Comparison(Struct, frozen=True):
    """Two commits compared; GitHub's diffs of a pull request are against this merge base, not against `base.sha`."""

    merge_base_commit: Commit
    commits: tuple[ComparedCommit, ...] = ()
    files: tuple[FileEntry, ...] = ()
    """At most 300."""


class GitObject(Struct, frozen=True):
    """What a git reference points to."""

    sha: str
    type: str = "commit"


class Reference(Struct, frozen=True):
    """A git reference."""

    ref: str
    object: GitObject


class Contents(Struct, frozen=True):
    """A path at a revision; between 1 and 100 MB `content` is empty and `encoding` is `none`."""

    type: str
    sha: str
    size: int = 0
    encoding: str = "none"
    content: str = ""


class App(Struct, frozen=True):
    """A GitHub App; its bot writes as `<slug>[bot]`."""

    id: int
    slug: str | None = None
    permissions: dict[str, str] = {}
    events: tuple[str, ...] = ()


class Installation(Struct, frozen=True):
    """An installation of our App, with the permissions its owner has accepted so far."""

    id: int
    permissions: dict[str, str] = {}
    suspended_at: str | None = None


class InstallationToken(Struct, frozen=True):
    """A freshly minted token. Since 2026 it can be hundreds of characters long."""

    token: str
    expires_at: str
    permissions: dict[str, str] = {}

    def __repr__(self) -> str:
        return "InstallationToken(<hidden>)"


class Delivery(Struct, frozen=True):
    """A webhook delivery in the App's log; failed means `status` is not `OK`, whatever `status_code` says."""

    id: int
    guid: str
    delivered_at: str
    status: str
    event: str
    action: str | None = None
    redelivery: bool = False
    status_code: int = 0
    installation_id: int | None = None
    repository_id: int | None = None


class ShownOutput(Struct, frozen=True):
    """What a check run shows, as far as it tells one verdict from another."""

    title: str | None = None
    summary: str | None = None
    annotations_count: int = 0


class CheckRun(Struct, frozen=True):
    """A check run as GitHub keeps it."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: ShownOutput = ShownOutput()
    app: App | None = None


class CheckRunList(Struct, frozen=True):
    """One page of check runs."""

    check_runs: tuple[CheckRun, ...]


class Review(Struct, frozen=True):
    """A review; one in state PENDING is seen only by its author."""

    id: int
    state: str
    user: Account | None = None
    body: str | None = None
    commit_id: str | None = None
    submitted_at: str | None = None


class ReviewComment(Struct, frozen=True):
    """A comment on a line or a file of a pull request; `line` is None once it is outdated."""

    id: int
    path: str
    body: str
    node_id: str = ""
    user: Account | None = None
    commit_id: str | None = None
    original_commit_id: str | None = None
    line: int | None = None
    original_line: int | None = None
    start_line: int | None = None
    side: str | None = None
    subject_type: str = "line"
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None
    performed_via_github_app: App | None = None
    html_url: str = ""


class RepositoryPermission(Struct, frozen=True):
    """What a collaborator may do; `role_name` also tells maintain and triage."""

    permission: str
    role_name: str = ""


class Reaction(Struct, frozen=True):
    """A reaction to a comment."""

    id: int
    content: str


class IssueComment(Struct, frozen=True):
    """A comment in the conversation of a pull request."""

    id: int
    body: str = ""
    user: Account | None = None
    html_url: str = ""
    performed_via_github_app: App | None = None


class RepositoryList(Struct, frozen=True):
    """One page of the repositories of an installation."""

    repositories: tuple[Repository, ...]
