"""What a webhook delivery asks for: one table from event and action to a job, without any input or output."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec

GitHubId = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
"""GitHub's numeric ids; the upper bound is PostgreSQL's bigint."""
Number = Annotated[int, msgspec.Meta(gt=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class PullRequestJob:
    """A pull request to look at: ids only, the newest head is read when the job runs."""

    installation_id: int
    repository_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Interpretation:
    """`job` is None where a delivery asks for nothing; `word` is what the receiver answers."""

    job: PullRequestJob | None
    word: str


class PayloadError(Exception):
    """A payload lacks a field that GitHub always sends; the text names the field and quotes nothing else."""


class Identified(msgspec.Struct):
    id: GitHubId


class PullRequestNumber(msgspec.Struct):
    number: Number


class Retarget(msgspec.Struct):
    """`changes` of `pull_request.edited`; `base` is there only when the base branch changed."""

    base: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class PullRequestPayload(msgspec.Struct):
    installation: Identified
    repository: Identified
    pull_request: PullRequestNumber
    changes: Retarget | None = None


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
        return read(payload)
    except msgspec.DecodeError as error:
        # msgspec's text names the field and the expected type, never the value.
        raise PayloadError(str(error)) from None


def _review(payload: bytes) -> Interpretation:
    return _asked_by(msgspec.json.decode(payload, type=PullRequestPayload))


def _review_if_retargeted(payload: bytes) -> Interpretation:
    read = msgspec.json.decode(payload, type=PullRequestPayload)
    if read.changes is None or read.changes.base is msgspec.UNSET:
        return IGNORED
    return _asked_by(read)


def _asked_by(read: PullRequestPayload) -> Interpretation:
    return Interpretation(PullRequestJob(read.installation.id, read.repository.id, read.pull_request.number), STORED)


EVENTS: dict[tuple[str, str], Callable[[bytes], Interpretation]] = {
    ("pull_request", "opened"): _review,
    ("pull_request", "reopened"): _review,
    ("pull_request", "ready_for_review"): _review,
    ("pull_request", "synchronize"): _review,
    ("pull_request", "edited"): _review_if_retargeted,
}
"""Event and action -> reader of the payload. Another event is another line."""
