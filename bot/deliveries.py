"""What a webhook delivery asks for: one table from event and action to a job, without any input or output."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from bot import payloads
from bot.commands import is_command
from bot.errands import ButtonErrand, CommandErrand, Errand, InstallationErrand, MergeGroupErrand, PushErrand

CONFIGURATION = ".meteraudit.yml"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PullRequestJob:
    """A pull request to look at: ids only, the newest head is read when the job runs."""

    installation_id: int
    repository_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Interpretation:
    """`job` is None where a delivery asks for nothing; `word` is what the receiver answers."""

    job: PullRequestJob | Errand | None
    word: str


class PayloadError(Exception):
    """A payload lacks a field that GitHub always sends; the text names the field and quotes nothing else."""


IGNORED = Interpretation(None, "ignored")
STORED = "stored"


def interpret(event: str, action: str, payload: bytes) -> Interpretation:
    """What the delivery of `event`.`action` (`X-GitHub-Event` and the payload's `action`) asks for.

    `payload` is the JSON object as GitHub sent it. New events and actions appear over time; unknown ones are ignored.
    Raises PayloadError when a known event lacks its ids.
    """
    read = EVENTS.get((event, action))
    if read is None:
        return IGNORED
    try:
        asked = read(payload)
    except msgspec.DecodeError as error:
        # msgspec's text names the field and the expected type, never the value.
        raise PayloadError(str(error)) from None
    return IGNORED if asked is None else Interpretation(asked, STORED)


def _read(payload: bytes, shape: type[T]) -> T:
    return msgspec.json.decode(payload, type=shape)


def _review(payload: bytes) -> PullRequestJob:
    read = _read(payload, payloads.PullRequestPayload)
    return PullRequestJob(read.installation.id, read.repository.id, read.pull_request.number)


def _review_if_retargeted(payload: bytes) -> PullRequestJob | None:
    changes = _read(payload, payloads.PullRequestPayload).changes
    return None if changes is None or changes.base is msgspec.UNSET else _review(payload)


def _review_if_by_a_person(payload: bytes) -> PullRequestJob | None:
    """Our own resolving of a thread comes back as a delivery, too."""
    sender = _read(payload, payloads.PullRequestPayload).sender
    return None if sender is not None and sender.type == "Bot" else _review(payload)


def _command(payload: bytes) -> CommandErrand | None:
    read = _read(payload, payloads.IssueCommentPayload)
    if read.issue.pull_request is None or read.sender.type == "Bot" or not is_command(read.comment.body or "", False):
        return None
    return CommandErrand(read.installation.id, read.repository.id, read.issue.number, read.comment.id, on_line=False)


def _reply(payload: bytes) -> CommandErrand | None:
    read = _read(payload, payloads.ReviewCommentPayload)
    on_line = read.comment.in_reply_to_id is not None
    if read.sender.type == "Bot" or not is_command(read.comment.body or "", on_line):
        return None
    return CommandErrand(read.installation.id, read.repository.id, read.pull_request.number, read.comment.id, on_line=True)


def _rerun(payload: bytes) -> ButtonErrand:
    read = _read(payload, payloads.CheckRunPayload)
    return ButtonErrand(read.installation.id, read.repository.id, read.check_run.head_sha, "rerun")


def _rerun_suite(payload: bytes) -> ButtonErrand:
    read = _read(payload, payloads.CheckSuitePayload)
    return ButtonErrand(read.installation.id, read.repository.id, read.check_suite.head_sha, "rerun")


def _button(payload: bytes) -> ButtonErrand | None:
    read = _read(payload, payloads.CheckRunPayload)
    if read.requested_action is None:
        return None
    ids = (read.installation.id, read.repository.id, read.check_run.head_sha)
    return ButtonErrand(*ids, read.requested_action.identifier, read.sender.login)


def _merge_group(payload: bytes, destroyed: bool = False) -> MergeGroupErrand:
    read = _read(payload, payloads.MergeGroupPayload)
    group = read.merge_group
    return MergeGroupErrand(read.installation.id, read.repository.id, group.head_sha, group.base_sha, group.head_ref, destroyed)


def _push(payload: bytes) -> PushErrand | None:
    """Only branches whose push names the configuration; GitHub names the files of at most 2,048 commits."""
    read = _read(payload, payloads.PushPayload)
    branch = read.ref.removeprefix("refs/heads/")
    named = {path for commit in read.commits for path in (*commit.added, *commit.modified, *commit.removed)}
    if read.deleted or branch == read.ref or CONFIGURATION not in named:
        return None
    return PushErrand(read.installation.id, read.repository.id, branch, read.after)


def _installation(active: bool, gone: bool = False) -> Callable[[bytes], InstallationErrand]:
    return lambda payload: InstallationErrand(_read(payload, payloads.InstallationPayload).installation.id, active, gone)


def _repositories(payload: bytes) -> InstallationErrand:
    read = _read(payload, payloads.InstallationPayload)
    added, removed = ([one.id for one in some] for some in (read.repositories_added, read.repositories_removed))
    return InstallationErrand(read.installation.id, True, added=tuple(added), removed=tuple(removed))


def _repository_gone(payload: bytes) -> InstallationErrand:
    read = _read(payload, payloads.OfRepository)
    return InstallationErrand(read.installation.id, True, added=(), removed=(read.repository.id,))


Reader = Callable[[bytes], PullRequestJob | Errand | None]
EVENTS: dict[tuple[str, str], Reader] = {
    **{
        ("pull_request", action): _review
        for action in (
            "opened",
            "reopened",
            "ready_for_review",
            "synchronize",
            # These end or change what the check says; the job reads which.
            "converted_to_draft",
            "closed",
            "labeled",
            "unlabeled",
        )
    },
    ("pull_request", "edited"): _review_if_retargeted,
    ("pull_request_review_thread", "resolved"): _review_if_by_a_person,
    ("pull_request_review_thread", "unresolved"): _review_if_by_a_person,
    ("issue_comment", "created"): _command,
    ("pull_request_review_comment", "created"): _reply,
    ("check_run", "rerequested"): _rerun,
    ("check_run", "requested_action"): _button,
    ("check_suite", "rerequested"): _rerun_suite,
    ("merge_group", "checks_requested"): _merge_group,
    ("merge_group", "destroyed"): lambda payload: _merge_group(payload, destroyed=True),
    ("push", ""): _push,
    ("installation", "created"): _installation(active=True),
    ("installation", "new_permissions_accepted"): _installation(active=True),
    ("installation", "unsuspend"): _installation(active=True),
    ("installation", "suspend"): _installation(active=False),
    ("installation", "deleted"): _installation(active=False, gone=True),
    ("installation_repositories", "added"): _repositories,
    ("installation_repositories", "removed"): _repositories,
    ("repository", "archived"): _repository_gone,
}
"""Event and action -> reader of the payload. Another event is another line.

`repository.renamed` and `transferred` need nothing: everything is kept by id, and names are looked up.
"""
