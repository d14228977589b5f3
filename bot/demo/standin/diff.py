"""What changed between two commits, in the form of GitHub's list of files: one patch a file, starting at its first @@."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bot.demo.standin import git

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
STATUSES = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One entry of the list of files; `patch` is None for binary files, pure renames and too large diffs."""

    filename: str
    previous_filename: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a hunk: `position` counts from the first @@ of the file, which is 0; a side that lacks it is None."""

    position: int
    hunk: int
    left: int | None
    right: int | None


@lru_cache(maxsize=256)
def changed_files(repo: Path, base: str, head: str, patch_bytes: int = 500_000) -> tuple[ChangedFile, ...]:
    """All changed files in the order of their names; patches over `patch_bytes` bytes are left out."""
    span = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "-M", "-l3000", "--diff-algorithm=myers")
    raw = git.run(repo, *span, "--raw", "-z", "--no-abbrev", base, head).decode("utf-8", "replace").split("\0")
    counts = git.run(repo, *span, "--numstat", "-z", base, head).decode("utf-8", "replace").split("\0")
    patches = _patches(git.run(repo, *span, "-p", "-U3", "--full-index", base, head))
    files, at, counted = [], 0, 0
    while at + 1 < len(raw):
        _, _, old, new, letter = raw[at].split()
        moved = letter[0] in "RC"
        before, name = (raw[at + 1], raw[at + 2]) if moved else (None, raw[at + 1])
        at += 3 if moved else 2
        added, deleted, rest = counts[counted].split("\t")
        counted += 1 if rest else 3
        patch = next(patches)
        if letter[0] == "T":  # git writes a deletion and a creation for a changed kind of file, GitHub no patch
            next(patches)
            patch = None
        fitting = patch is not None and len(patch.encode()) <= patch_bytes
        files.append(
            ChangedFile(
                filename=name,
                previous_filename=before,
                status=STATUSES[letter[0]],
                sha=old if letter[0] == "D" else new,
                additions=_number(added),
                deletions=_number(deleted),
                patch=patch if fitting else None,
            )
        )
    return tuple(files)


def _number(text: str) -> int:
    return 0 if text == "-" else int(text)


def _patches(text: bytes) -> Iterator[str | None]:
    """One patch or None for every file of a whole diff; lines inside hunks never start with `diff --git`."""
    for section in re.split(rb"(?m)^diff --git ", text)[1:]:
        start = section.find(b"\n@@ ")
        yield section[start + 1 :].decode("utf-8", "replace").removesuffix("\n") if start >= 0 else None


@lru_cache(maxsize=512)
def rows(patch: str) -> tuple[Row, ...]:
    """The commentable lines of a patch with their numbers on both sides."""
    found, hunk, left, right = [], 0, 0, 0
    for position, line in enumerate(patch.split("\n")):
        head = HUNK.match(line)
        if head:
            hunk, left, right = hunk + 1, int(head[1]), int(head[3])
        elif line.startswith("+"):
            found.append(Row(position, hunk, None, right))
            right += 1
        elif line.startswith("-"):
            found.append(Row(position, hunk, left, None))
            left += 1
        elif not line.startswith("\\"):
            found.append(Row(position, hunk, left, right))
            left, right = left + 1, right + 1
    return tuple(found)


def row_at(patch: str, side: str, line: int) -> Row | None:
    """The line of the diff that a side and a line number name, or None where the diff does not show it."""
    for row in rows(patch):
        if line == (row.left if side == "LEFT" else row.right):
            return row
    return None


def hunk_until(patch: str, position: int) -> str:
    """The text of a hunk from its header to a position, as GitHub stores it with a comment."""
    lines = patch.split("\n")[: position + 1]
    starts = [number for number, line in enumerate(lines) if HUNK.match(line)]
    return "\n".join(lines[starts[-1] :]) if starts else ""


def moved_line(repo: Path, path: str, old: str, new: str, line: int) -> int | None:
    """Where a line of `path` at commit `old` stands at `new`, or None when it was changed or removed."""
    if old == new:
        return line
    text = git.run(repo, "diff", "--no-ext-diff", "--no-textconv", "--no-renames", "-U0", old, new, "--", f":(literal){path}")
    shift = 0
    for head in re.finditer(rf"(?m)^{HUNK.pattern}", text.decode("utf-8", "replace")):
        start, count = int(head[1]), int(head[2] or 1)
        added = int(head[4] or 1)
        if count and start <= line < start + count:
            return None
        if line < start or (count == 0 and line <= start):
            break
        shift += added - count
    return line + shift
