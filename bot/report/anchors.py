"""Where on the diff a finding's comment goes: GitHub refuses a whole review for one line outside the hunks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bot.report.edits import suggested
from rules.change import Hunk
from rules.report import LineEdit, Reported


@dataclass(frozen=True, slots=True)
class Anchor:
    """The lines of a review comment, in the terms of GitHub's API."""

    path: str
    side: Literal["RIGHT", "LEFT"]
    line: int
    start_line: int | None
    """Strictly below `line`, in the same hunk; None for a single line."""

    def covers(self, edit: LineEdit) -> bool:
        """Whether a suggestion here would replace exactly the lines of this edit."""
        start = self.line if self.start_line is None else self.start_line
        return self.side == "RIGHT" and (self.path, start, self.line) == (edit.path, edit.start_line, edit.end_line)


def anchor(finding: Reported, hunks: Iterable[Hunk]) -> Anchor | None:
    """The lines to comment on, or None if the change did not touch the finding's lines.

    `hunks` are those of the finding's file. A line of the finding itself must be added (deleted, for the left side): code
    that the change did not write gets no comment. The edit's lines if a suggestion can be made there, else the finding's.
    """
    lines = range(finding.line, finding.end_line + 1)
    for hunk in sorted(hunks, key=lambda hunk: (hunk.head_start, hunk.base_start)):
        changed = [line for line in (hunk.added if finding.side == "right" else hunk.deleted) if line in lines]
        if not changed:
            continue
        edit = suggested(finding)
        if edit and hunk.head_start <= edit.start_line and edit.end_line < hunk.head_start + hunk.head_count:
            return _anchor(finding, edit.start_line, edit.end_line)
        return _anchor(finding, min(changed), max(changed))
    return None


def _anchor(finding: Reported, start: int, end: int) -> Anchor:
    side: Literal["RIGHT", "LEFT"] = "RIGHT" if finding.side == "right" else "LEFT"
    return Anchor(finding.path, side, end, start if start < end else None)
