"""The text of a file before a change, from the text after it and the patch: one request to GitHub less for every file."""

from collections.abc import Sequence

from bot.patch import PatchError, header_of, with_ends

MISFIT = "the patch belongs to another text"


def text_before(patch: str, head: str) -> str:
    """`head` with the patch undone. Raises PatchError for a patch that is none, or of another text."""
    after, before = with_ends(head), list[str]()
    lines = patch.split("\n")
    at = read = 0
    while at < len(lines) and lines[at]:
        _, base_count, start, count = header_of(lines, at)
        # An empty side is numbered by the line before it.
        first = start - (count > 0)
        if not read <= first <= first + count <= len(after):
            raise PatchError(MISFIT)
        before += after[read:first]
        undone, at = undo(lines, at + 1, after[first : first + count], base_count)
        before += undone
        read = first + count
    return "".join(before + after[read:])


def undo(lines: Sequence[str], at: int, after: Sequence[str], base_count: int) -> tuple[list[str], int]:
    """The lines before the change of one hunk, whose lines after it are `after`, and the index after the hunk."""
    before: list[str] = []
    read = 0
    sign = ""
    while at < len(lines) and (read < len(after) or len(before) < base_count or lines[at].startswith("\\")):
        previous, sign, text = sign, lines[at][:1], lines[at][1:]
        if sign == "\\":
            if previous == "-":
                before[-1] = before[-1].removesuffix("\n")
        elif sign == "-":
            before.append(text + "\n")
        elif read < len(after) and sign in ("+", " ", "") and after[read].removesuffix("\n") == text:
            # A context line without a line end has none on either side.
            before += [after[read]] if sign != "+" else []
            read += 1
        else:
            raise PatchError(MISFIT)
        at += 1
    if read < len(after) or len(before) != base_count:
        raise PatchError(MISFIT)
    return before, at
