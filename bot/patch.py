"""Reads unified diffs: GitHub's header-less `patch` of one file, whole `git diff` output, or two texts compared by us.

Lines end at `\\n` and nowhere else: form feeds, U+2028 and lone carriage returns are part of a line, as for git.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rules.change import Hunk

Status = Literal["added", "removed", "modified", "renamed", "copied"]

_HEADER = re.compile(r"@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@")
_CONTEXT = 3
_COMPARISONS = 2_000_000


class PatchError(ValueError):
    """The text is not a unified diff, or it stops inside a hunk. The message names a line number, never code."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file of a whole `git diff`."""

    path: str
    """At the head; for a removed file, at the base."""
    base_path: str | None
    """At the base; None for an added file."""
    status: Status
    hunks: tuple[Hunk, ...] = ()
    binary: bool = False
    mode: str | None = None
    """Git's file mode where the diff tells it: `120000` is a symbolic link, `160000` a submodule."""


def parse_patch(patch: str) -> tuple[Hunk, ...]:
    """The hunks of one file's `patch` as GitHub's files API returns it; an empty patch has none.

    Raises PatchError for anything that is not a complete sequence of hunks.
    """
    return tuple(hunk for hunk, _ in _hunks(patch))


def added_lines(patch: str) -> dict[int, str]:
    """Head line number -> text of each `+` line (no sign, no line end, a carriage return is kept).

    What a fetched blob must hold at these lines if it belongs to the same head as the patch.
    """
    return {number: text for _, added in _hunks(patch) for number, text in added.items()}


def _hunks(patch: str) -> Iterator[tuple[Hunk, dict[int, str]]]:
    lines = patch.split("\n")
    if lines[-1] == "":
        lines.pop()
    at = 0
    while at < len(lines):
        hunk, added, at = _read_hunk(lines, at)
        yield hunk, added


def _read_hunk(lines: Sequence[str], at: int) -> tuple[Hunk, dict[int, str], int]:
    """The hunk whose header is line `at`, the text of its `+` lines, and the index after it.

    The counts of the header decide where the hunk ends: inside it `--- x`, `+++ x` and `diff --git` are content.
    """
    base, base_count, head, head_count = header_of(lines, at)
    added, deleted, at = _read_body(lines, at + 1, (base, base + base_count), (head, head + head_count))
    while at < len(lines) and lines[at].startswith("\\"):
        at += 1
    return Hunk(base, base_count, head, head_count, frozenset(added), deleted), added, at


def header_of(lines: Sequence[str], at: int) -> tuple[int, int, int, int]:
    """Start and count at the base, start and count at the head. Raises PatchError."""
    header = _HEADER.match(lines[at])
    if header is None:
        raise PatchError(f"line {at + 1} of the patch is not a hunk header")
    base, base_count, head, head_count = (1 if n is None else int(n) for n in header.groups())
    return base, base_count, head, head_count


def _read_body(
    lines: Sequence[str], at: int, base_range: tuple[int, int], head_range: tuple[int, int]
) -> tuple[dict[int, str], frozenset[int], int]:
    """The added lines with their text, the numbers of the deleted ones, and the index after the last line."""
    (base, base_end), (head, head_end) = base_range, head_range
    added: dict[int, str] = {}
    deleted: set[int] = set()
    while base < base_end or head < head_end:
        if at >= len(lines):
            raise PatchError(f"the patch ends inside the hunk before line {at + 1}")
        sign, text = lines[at][:1], lines[at][1:]
        if sign == "+":
            added[head] = text
            head += 1
        elif sign == "-":
            deleted.add(base)
            base += 1
        elif sign in {" ", ""}:
            # Mail and clipboard tools strip the blank of an empty context line; nothing else can be meant by it.
            base, head = base + 1, head + 1
        elif sign != "\\":
            raise PatchError(f"line {at + 1} of the patch belongs to no hunk")
        at += 1
    if base > base_end or head > head_end:
        raise PatchError(f"the hunk that ends before line {at + 1} is longer than its header says")
    return added, frozenset(deleted), at


def hunks_from_git_diff(text: str) -> dict[str, FileDiff]:
    """The files of `git diff` output by path, in its order.

    Expects `--no-color --no-ext-diff --src-prefix=a/ --dst-prefix=b/`, decoded with `surrogateescape`. A file that
    became a symbolic link (git prints a removal and an addition of one path) is one modified entry.
    Raises PatchError for combined diffs and cut output.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    files: dict[str, FileDiff] = {}
    at = 0
    while at < len(lines):
        if lines[at].startswith(("diff --cc ", "diff --combined ")):
            raise PatchError(f"line {at + 1} starts a combined diff")
        if not lines[at].startswith("diff --git "):
            at += 1
            continue
        file, at = _read_file(lines, at)
        before = files.get(file.path)
        if before is not None:
            file = replace(file, base_path=file.path, status="modified", hunks=before.hunks + file.hunks)
        files[file.path] = file
    return files


def _read_file(lines: Sequence[str], at: int) -> tuple[FileDiff, int]:
    headers: dict[str, str] = {}
    binary = False
    both = lines[at].removeprefix("diff --git ")
    at += 1
    while at < len(lines) and not lines[at].startswith(("diff --", "@@ ")):
        line = lines[at]
        binary = binary or line.startswith(("Binary files ", "GIT binary patch"))
        for name in _FILE_HEADERS:
            if line.startswith(name):
                headers.setdefault(name, line[len(name) :])
        at += 1
    hunks: list[Hunk] = []
    while at < len(lines) and lines[at].startswith("@@ "):
        hunk, _, at = _read_hunk(lines, at)
        hunks.append(hunk)
    return _file(both, headers, tuple(hunks), binary), at


_FILE_HEADERS = (
    "new file mode ",
    "deleted file mode ",
    "new mode ",
    "index ",
    "rename from ",
    "rename to ",
    "copy from ",
    "copy to ",
    "--- ",
    "+++ ",
)


def _file(both: str, headers: dict[str, str], hunks: tuple[Hunk, ...], binary: bool) -> FileDiff:
    status: Status = "modified"
    mode = headers.get("new mode ") or headers.get("index ", "").partition(" ")[2] or None
    if "new file mode " in headers:
        status, mode = "added", headers["new file mode "]
    elif "deleted file mode " in headers:
        status, mode = "removed", headers["deleted file mode "]
    for word, done in (("rename", "renamed"), ("copy", "copied")):
        if f"{word} to " in headers:
            base_path, path = _unquoted(headers[f"{word} from "]), _unquoted(headers[f"{word} to "])
            return FileDiff(path, base_path, "renamed" if done == "renamed" else "copied", hunks, binary, mode)
    path = _plain_path(both, headers)
    return FileDiff(path, None if status == "added" else path, status, hunks, binary, mode)


def _plain_path(both: str, headers: dict[str, str]) -> str:
    """The path of a file that kept its name."""
    for name, prefix in (("+++ ", "b/"), ("--- ", "a/")):
        # After a path with a blank git writes a tab, so that `patch` sees where it ends.
        path = _unquoted(headers.get(name, "/dev/null").removesuffix("\t"))
        if path != "/dev/null":
            return path.removeprefix(prefix)
    # No content changed (mode, binary, empty file): only the first line has the name, twice and of equal length.
    half = both[: len(both) // 2]
    if len(both) % 2 == 0 or both[len(half)] != " ":
        raise PatchError("a `diff --git` line does not name one file twice")
    return _unquoted(half).removeprefix("a/")


_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


def _unquoted(path: str) -> str:
    """The path behind git's C-style quoting, which works on bytes: `"\\303\\244.py"` is `ä.py`."""
    if not (len(path) >= 2 and path.startswith('"') and path.endswith('"')):
        return path

    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 0xFF]) if len(code) == 3 else _ESCAPED.get(code, code)

    raw = path[1:-1].encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(byte, raw).decode("utf-8", "surrogateescape")


def hunks_between(base_text: str, head_text: str) -> tuple[Hunk, ...]:
    """The hunks that turn one text into the other, three lines of context as git has, for files without a `patch`.

    Always right, mostly minimal: lines that are unique in both texts are matched first (patience), small gaps by their
    longest common subsequence; a gap too large for that counts as replaced, so time stays bounded on any input.
    """
    base, head = with_ends(base_text), with_ends(head_text)
    changes: list[tuple[int, int, int, int]] = []
    base_at = head_at = 0
    for i, j in [*_matches(base, head), (len(base), len(head))]:
        if i > base_at or j > head_at:
            changes.append((base_at, i, head_at, j))
        base_at, head_at = i + 1, j + 1
    groups: list[list[tuple[int, int, int, int]]] = []
    for change in changes:
        if groups and change[0] - groups[-1][-1][1] <= 2 * _CONTEXT:
            groups[-1].append(change)
        else:
            groups.append([change])
    return tuple(_hunk(group, len(base)) for group in groups)


def with_ends(text: str) -> list[str]:
    """The lines with their ends, so that a missing last newline is a difference, as it is for git."""
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


def _hunk(changes: list[tuple[int, int, int, int]], base_length: int) -> Hunk:
    """One hunk around changes given as zero-based half-open ranges (base, base, head, head)."""
    before = min(_CONTEXT, changes[0][0])
    after = min(_CONTEXT, base_length - changes[-1][1])
    base_from, base_to = changes[0][0] - before, changes[-1][1] + after
    head_from, head_to = changes[0][2] - before, changes[-1][3] + after
    return Hunk(
        # An empty side is numbered by the line before it, as in `@@ -0,0 +1 @@`.
        base_start=base_from + (base_to > base_from),
        base_count=base_to - base_from,
        head_start=head_from + (head_to > head_from),
        head_count=head_to - head_from,
        added=frozenset(n + 1 for change in changes for n in range(change[2], change[3])),
        deleted=frozenset(n + 1 for change in changes for n in range(change[0], change[1])),
    )


def _matches(base: list[str], head: list[str]) -> list[tuple[int, int]]:
    """Pairs of equal lines, rising on both sides."""
    found: list[tuple[int, int]] = []
    budget = _COMPARISONS + 4 * (len(base) + len(head))
    gaps = [(0, len(base), 0, len(head))]
    while gaps:
        a, a_end, b, b_end = gaps.pop()
        while a < a_end and b < b_end and base[a] == head[b]:
            found.append((a, b))
            a, b = a + 1, b + 1
        while a < a_end and b < b_end and base[a_end - 1] == head[b_end - 1]:
            a_end, b_end = a_end - 1, b_end - 1
            found.append((a_end, b_end))
        if a == a_end or b == b_end:
            continue
        budget -= a_end - a + b_end - b
        if budget < 0:
            break
        anchors = _anchors(base, head, (a, a_end, b, b_end))
        if anchors:
            for i, j in [*anchors, (a_end, b_end)]:
                gaps.append((a, i, b, j))
                a, b = i, j
        elif (a_end - a) * (b_end - b) <= budget:
            budget -= (a_end - a) * (b_end - b)
            found += [(a + i, b + j) for i, j in _common(base[a:a_end], head[b:b_end])]
    return sorted(found)


def _anchors(base: list[str], head: list[str], gap: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """The longest rising run of lines that occur exactly once on each side of the gap."""
    a, a_end, b, b_end = gap
    once_base, once_head = _once(base, a, a_end), _once(head, b, b_end)
    pairs = [(i, once_head[line]) for line, i in once_base.items() if line in once_head]
    ends: list[int] = []
    tails: list[int] = []
    previous: dict[int, int] = {}
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(ends, j)
        ends[at : at + 1] = [j]
        tails[at : at + 1] = [index]
        previous[index] = tails[at - 1] if at else -1
    run: list[tuple[int, int]] = []
    index = tails[-1] if tails else -1
    while index >= 0:
        run.append(pairs[index])
        index = previous[index]
    return run[::-1]


def _once(lines: list[str], start: int, end: int) -> dict[str, int]:
    """Line -> index of the lines that occur once in the range, in order."""
    seen: dict[str, int] = {}
    for i in range(start, end):
        seen[lines[i]] = -1 if lines[i] in seen else i
    return {line: i for line, i in seen.items() if i >= 0}


def _common(base: list[str], head: list[str]) -> list[tuple[int, int]]:
    """A longest common subsequence as pairs of indexes."""
    longest = [[0] * (len(head) + 1) for _ in range(len(base) + 1)]
    for i in range(len(base) - 1, -1, -1):
        row, below = longest[i], longest[i + 1]
        for j in range(len(head) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if base[i] == head[j] else max(below[j], row[j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(base) and j < len(head):
        if base[i] == head[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
