"""The fields of webhook payloads that the receiver reads; every other field is ignored while decoding."""

from typing import Annotated

import msgspec

GitHubId = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
"""GitHub's numeric ids; the upper bound is PostgreSQL's bigint."""
Number = Annotated[int, msgspec.Meta(gt=0, le=2**31 - 1)]
Sha = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Word = Annotated[str, msgspec.Meta(max_length=200)]
Ref = Annotated[str, msgspec.Meta(max_length=1000)]


class Identified(msgspec.Struct):
    id: GitHubId


class Sender(msgspec.Struct):
    """Whoever did it; `type` is User, Bot or Organization."""

    login: Word
    type: Word = "User"


class Numbered(msgspec.Struct):
    number: Number


class Retarget(msgspec.Struct):
    """`changes` of `pull_request.edited`; `base` is there only when the base branch changed."""

    base: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OfRepository(msgspec.Struct):
    """What every payload about a repository has."""

    installation: Identified
    repository: Identified


class PullRequestPayload(OfRepository):
    pull_request: Numbered
    changes: Retarget | None = None
    sender: Sender | None = None


class Issue(msgspec.Struct):
    """An issue; one with `pull_request` is a pull request."""

    number: Number
    pull_request: dict[str, object] | None = None


class Comment(msgspec.Struct):
    id: GitHubId
    body: str | None = None
    in_reply_to_id: GitHubId | None = None


class IssueCommentPayload(OfRepository):
    issue: Issue
    comment: Comment
    sender: Sender


class ReviewCommentPayload(OfRepository):
    pull_request: Numbered
    comment: Comment
    sender: Sender


class CheckRun(msgspec.Struct):
    head_sha: Sha
    app: Identified | None = None


class Action(msgspec.Struct):
    identifier: Word


class CheckRunPayload(OfRepository):
    check_run: CheckRun
    sender: Sender
    requested_action: Action | None = None


class CheckSuitePayload(OfRepository):
    check_suite: CheckRun
    sender: Sender


class MergeGroup(msgspec.Struct):
    head_sha: Sha
    base_sha: Sha
    head_ref: Ref


class MergeGroupPayload(OfRepository):
    merge_group: MergeGroup


class Commit(msgspec.Struct):
    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class PushPayload(OfRepository):
    ref: Ref
    after: Sha
    deleted: bool = False
    commits: tuple[Commit, ...] = ()


class InstallationPayload(msgspec.Struct):
    installation: Identified
    repositories_added: tuple[Identified, ...] = ()
    repositories_removed: tuple[Identified, ...] = ()
