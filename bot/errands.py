"""What a delivery can ask for besides the review of one pull request: ids and revisions only, as they wait in the queue."""

from typing import Any

import msgspec


class CommandErrand(msgspec.Struct, frozen=True, tag="command"):
    """Somebody wrote a comment that may be a command; its text is read again when the errand runs."""

    installation_id: int
    repository_id: int
    number: int
    comment_id: int
    on_line: bool
    """A reply in a thread on a line, not a comment of the conversation."""


class ButtonErrand(msgspec.Struct, frozen=True, tag="button"):
    """Somebody pressed a button of our check run, or GitHub's own Re-run (identifier `rerun`, no sender to ask about)."""

    installation_id: int
    repository_id: int
    head_sha: str
    identifier: str
    login: str | None = None


class MergeGroupErrand(msgspec.Struct, frozen=True, tag="merge_group"):
    """A group of the merge queue wants a verdict on its head; `destroyed` takes that back."""

    installation_id: int
    repository_id: int
    head_sha: str
    base_sha: str
    head_ref: str
    destroyed: bool = False


class PushErrand(msgspec.Struct, frozen=True, tag="push"):
    """The configuration may have changed on a branch."""

    installation_id: int
    repository_id: int
    branch: str
    head_sha: str


class InstallationErrand(msgspec.Struct, frozen=True, tag="installation"):
    """An installation, or some repositories of it, came, changed or went."""

    installation_id: int
    active: bool
    gone: bool = False
    """Uninstalled: everything about it is forgotten."""
    added: tuple[int, ...] | None = None
    """None: all repositories of the installation."""
    removed: tuple[int, ...] = ()


Errand = CommandErrand | ButtonErrand | MergeGroupErrand | PushErrand | InstallationErrand


def to_plain(errand: Errand) -> dict[str, Any]:
    """As a job's arguments hold it."""
    plain: dict[str, Any] = msgspec.to_builtins(errand)
    return plain


def from_plain(plain: dict[str, Any]) -> Errand:
    errand: Errand = msgspec.convert(plain, Errand)
    return errand


def lock_of(errand: Errand) -> str | None:
    """Errands of one pull request and its reviews come one after another."""
    if isinstance(errand, CommandErrand):
        return review_lock(errand.repository_id, errand.number)
    if isinstance(errand, MergeGroupErrand):
        return f"merge-group:{errand.repository_id}:{errand.head_sha}"
    return None


def review_lock(repository_id: int, number: int) -> str:
    return f"review:{repository_id}:{number}"
