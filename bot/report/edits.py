"""A finding's fix as people see it: the lines before and after, and whether GitHub can apply it with one click."""

from itertools import pairwise

from bot.report.masking import mask
from bot.report.quoting import code_lines, fence, fenced, visible, visible_name
from rules.report import LineEdit, Reported

MOST_SUGGESTED = 20
"""Lines that one suggestion may replace: more is a rewrite, to be read in an editor."""
_LONGEST_TEXT = 8_000


def new_lines(edit: LineEdit) -> list[str]:
    """The lines that the edit puts in place; none if it deletes. A carriage return at the end of a line is kept."""
    return edit.text.removesuffix("\n").split("\n") if edit.text else []


def old_lines(finding: Reported, edit: LineEdit) -> list[str] | None:
    """The lines that the edit replaces, where the evidence shows them; else None."""
    evidence = finding.evidence.removesuffix("\n").split("\n")
    whole = len(evidence) == finding.end_line - finding.line + 1
    if not whole or edit.path != finding.path or edit.start_line < finding.line or edit.end_line > finding.end_line:
        return None
    return evidence[edit.start_line - finding.line : edit.end_line - finding.line + 1]


def diff_lines(finding: Reported) -> list[str]:
    """The fix in the manner of a diff; lines that the evidence does not show are named by number. Empty without a fix."""
    lines: list[str] = []
    for edit in finding.fix.edits if finding.fix else ():
        old = old_lines(finding, edit)
        until = f"-{edit.end_line}" if edit.end_line > edit.start_line else ""
        lines.append(f"@@ {visible_name(edit.path)}:{edit.start_line}{until} @@")
        lines += [f"-{line}" for line in code_lines("\n".join(old))] if old else []
        lines += [f"+{line}" for line in code_lines(edit.text)] if edit.text else []
    return lines


def diff_block(finding: Reported) -> str:
    """The same, fenced."""
    return fenced("\n".join(diff_lines(finding)), "diff", most_lines=80)


def suggested(finding: Reported) -> LineEdit | None:
    """The fix as one edit of one run of lines, where it may be offered as a GitHub suggestion; else None.

    GitHub replaces exactly the commented lines, literally. So: a safe fix, in the finding's own file at the head, without
    gaps, of at most twenty lines, that changes something, and whose text neither hides characters nor shows a secret.
    """
    if finding.side != "right" or finding.fix is None or not finding.fix.safe or not finding.fix.edits:
        return None
    edits = sorted(finding.fix.edits, key=lambda edit: edit.start_line)
    gaps = [after.start_line - before.end_line for before, after in pairwise(edits)]
    if any(edit.path != finding.path for edit in edits) or any(gap != 1 for gap in gaps):
        return None
    text = "".join(f"{line}\n" for edit in edits for line in new_lines(edit))
    whole = LineEdit(finding.path, edits[0].start_line, edits[-1].end_line, text)
    if not 0 < whole.end_line - whole.start_line + 1 <= MOST_SUGGESTED or len(text) > _LONGEST_TEXT:
        return None
    if visible(text) != text.replace("\r\n", "\n") or mask(text) != text:
        return None
    return None if old_lines(finding, whole) == new_lines(whole) else whole


def suggestion_block(edit: LineEdit) -> str:
    """GitHub's suggestion: the content is literal, and an empty one deletes the lines."""
    content = "".join(f"{line}\n" for line in new_lines(edit))
    marks = fence(content)
    return f"{marks}suggestion\n{content}{marks}"
