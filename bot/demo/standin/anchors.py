"""Where a review comment may stand, and where it stands after later pushes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from bot.demo.standin import diff, git, state
from bot.demo.standin.state import Comment, PullRequest, World

SIDES = ("LEFT", "RIGHT")
NOT_IN_DIFF = "Line could not be resolved"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place that was found in the diff at `commit_id`."""

    path: str
    commit_id: str
    side: str
    line: int | None
    start_side: str | None
    start_line: int | None
    position: int | None
    diff_hunk: str
    subject_type: str = "line"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a comment stands now; all but `commit_id` None once it is outdated."""

    commit_id: str
    line: int | None
    start_line: int | None
    position: int | None


def in_pull(world: World, pull: PullRequest, commit: str) -> bool:
    """Whether a commit is one of the pull request's at its head of now."""
    head = state.head(pull)
    tip = state.base(pull)
    return commit == head or (tip != git.EMPTY_TREE and commit in git.commits_between(pull.repo.path, tip, head))


def find(world: World, pull: PullRequest, commit: str, given: dict[str, Any]) -> Anchor | str:
    """The anchor that the fields of a comment name, or GitHub's words for why there is none."""
    path = given.get("path")
    file = next((one for one in state.changed(world, pull, commit) if one.filename == path), None)
    if file is None:
        return "Path could not be resolved"
    if given.get("subject_type") == "file":
        return Anchor(file.filename, commit, "RIGHT", None, None, None, None, "", "file")
    if "position" in given and "line" not in given:
        return _by_position(file, commit, given["position"])
    side, line = given.get("side", "RIGHT"), given.get("line")
    if side not in SIDES or not _is_line(line):
        return NOT_IN_DIFF
    end = diff.row_at(file.patch or "", side, line)
    if end is None:
        return NOT_IN_DIFF
    first = _start(file, side, line, end, given)
    if isinstance(first, str):
        return first
    hunk = diff.hunk_until(file.patch or "", end.position)
    return Anchor(file.filename, commit, side, line, first[0], first[1], end.position, hunk)


def _by_position(file: diff.ChangedFile, commit: str, position: Any) -> Anchor | str:
    for row in diff.rows(file.patch or ""):
        if row.position == position:
            side, line = ("LEFT", row.left) if row.right is None else ("RIGHT", row.right)
            hunk = diff.hunk_until(file.patch or "", row.position)
            return Anchor(file.filename, commit, side, line, None, None, row.position, hunk)
    return "Position could not be resolved"


def _start(
    file: diff.ChangedFile, side: str, line: int, end: diff.Row, given: dict[str, Any]
) -> tuple[str | None, int | None] | str:
    """The start of a range (None, None for a single line), or why it is refused."""
    start, start_side = given.get("start_line"), given.get("start_side")
    if start is None and start_side is None:
        return None, None
    if start is None or start_side is None:
        return "Start line and start side must be given together"
    if start_side not in SIDES or not _is_line(start):
        return "Start line could not be resolved"
    if start_side == side and start >= line:
        return "Start line must precede the end line."
    first = diff.row_at(file.patch or "", start_side, start)
    if first is None:
        return "Start line could not be resolved"
    if first.hunk != end.hunk:
        return "Start line must be part of the same hunk as the line."
    if first.position >= end.position:
        return "Start line must precede the end line."
    return start_side, start


def _is_line(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def place_now(world: World, comment: Comment) -> Place:
    """Where a comment stands at the head of now: moved with its line, or outdated when the line left the diff."""
    pull, head = comment.pull, state.head(comment.pull)
    outdated = Place(comment.commit_id, None, None, None)
    if comment.subject_type == "file":
        listed = any(file.filename == comment.path for file in state.changed(world, pull))
        return Place(head, None, None, 1) if listed else outdated
    if head == comment.commit_id:
        return Place(head, comment.line, comment.start_line, comment.position)
    line = _follow(pull, comment, comment.side, comment.line)
    start = _follow(pull, comment, comment.start_side or comment.side, comment.start_line)
    file = next((one for one in state.changed(world, pull) if one.filename == comment.path), None)
    if line is None or file is None or file.patch is None or (comment.start_line is not None and start is None):
        return outdated
    row = diff.row_at(file.patch, comment.side, line)
    return Place(head, line, start, row.position) if row is not None else outdated


def _follow(pull: PullRequest, comment: Comment, side: str, line: int | None) -> int | None:
    if line is None:
        return None
    old, new = comment.commit_id, state.head(pull)
    if side == "LEFT":
        old, new = state.merge_base(pull, old), state.merge_base(pull, new)
    return diff.moved_line(pull.repo.path, comment.path, old, new, line)
