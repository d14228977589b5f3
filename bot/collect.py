"""Collects what matters for billing out of a folder into one bundle: by part and budget, with what was left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.audit import code_below, name
from bot.bundle import write_bundle
from bot.git import LocalError
from bot.local import Excluded
from bot.local_files import UnreadableError, read_file, text_of
from bot.report.quoting import comment_in, one_line, visible_name
from rules.answers.context import context_of
from rules.answers.seen import Seen, seen_of
from rules.code import OwnNames
from rules.judge import judge, may_concern_billing
from rules.project import Project
from rules.relevance import Part, part_of, part_of_text
from rules.schema import looks_like_schema

BUDGET = 30_000
FIRST_LINES = 100
LEFT_OUT = "left out/"
"""The heading of the list at the end. It ends in a slash, and so heads no file."""
MOST_NAMED = 40
LIST_ROOM = 2_500
"""Characters that the list of what was left out may take."""
SMALLEST = 4_000
Tick = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file that may go into the bundle."""

    path: str
    text: str
    part: Part
    weight: int
    lines: int | None = None
    """How many lines of it are kept; None for all."""

    @property
    def order(self) -> tuple[int, int, int, str]:
        return self.part, -self.weight, len(self.text), self.path

    @property
    def is_long(self) -> bool:
        return self.text.count("\n") > FIRST_LINES

    @property
    def kept(self) -> str:
        if self.lines is None:
            return self.text
        first = "\n".join(self.text.split("\n")[: self.lines])
        rest = self.text.count("\n") + 1 - self.lines
        return f"{first}\n{comment_in(self.path, f'cut here: {rest} more lines')}\n"

    @property
    def size(self) -> int:
        return len(write_bundle({self.path: self.kept}))


def collect(folder: Path, budget: int, excluded: Excluded, names: OwnNames, tick: Tick = lambda path: None) -> str:
    """The bundle of a folder, of about `budget` characters at most. Raises LocalError where there is nothing to collect."""
    if budget < SMALLEST:
        raise LocalError(f"A bundle of {budget} characters holds no code: give --budget at least {SMALLEST}.")
    texts, unread, silent = texts_below(folder, excluded, tick)
    candidates, seen = ranked(texts, names)
    if not candidates:
        raise LocalError(f"Nothing to collect: no file below {folder} speaks of billing.")
    head = heading(context_of(seen))
    kept, dropped = chosen(candidates, budget - len(head) - LIST_ROOM)
    tail = left_out(kept, dropped, unread, silent)
    return head + write_bundle({one.path: one.kept for one in kept}) + tail


def texts_below(folder: Path, excluded: Excluded, tick: Tick) -> tuple[dict[str, str], dict[str, str], int]:
    """Texts of the files that may matter, the reasons of those that cannot be read, and how many say nothing of billing."""
    top = folder.resolve()
    texts: dict[str, str] = {}
    unread: dict[str, str] = {}
    silent = 0
    for file in code_below(folder):
        path = name(file, top)
        if excluded(path) is not None:
            continue
        tick(path)
        try:
            text = text_of(read_file(file, follow=False))
        except UnreadableError as error:
            unread[path] = str(error)
            continue
        if may_concern_billing(f"{path}\n{text}") or looks_like_schema(path):
            texts[path] = text
        else:
            silent += 1
    return texts, unread, silent


def ranked(texts: Mapping[str, str], names: OwnNames) -> tuple[list[Candidate], Seen]:
    """All candidates, the most important first."""
    codes = {path: code for path, text in texts.items() if (code := judge(path, text, (), names, path).code) is not None}
    seen = seen_of(codes.values(), (), Project(texts, names))
    found = []
    for path, text in texts.items():
        part, weight = part_of(seen, codes[path]) if path in codes else (part_of_text(path), 0)
        if part is Part.OTHER and looks_like_schema(path):
            part = Part.SCHEMA
        found.append(Candidate(path, text, part, weight))
    if all(one.part in (Part.SCHEMA, Part.OTHER) for one in found) and not any(code.billing for code in codes.values()):
        return [], seen
    return sorted(found, key=lambda one: one.order), seen


def chosen(candidates: list[Candidate], room: int) -> tuple[list[Candidate], list[Candidate]]:
    """What fits: the least important long files are cut first, then the least important files go.

    What then has room again is given back in full, the most important first.
    """
    kept = list(candidates)
    sizes = {one.path: one.size for one in kept}
    total = sum(sizes.values())
    for at in range(len(kept) - 1, -1, -1):
        if total <= room:
            break
        if kept[at].is_long:
            kept[at] = replace(kept[at], lines=FIRST_LINES)
            total += kept[at].size - sizes[kept[at].path]
            sizes[kept[at].path] = kept[at].size
    while len(kept) > 1 and total > room:
        total -= sizes[kept.pop().path]
    for at, one in enumerate(kept):
        more = replace(one, lines=None).size - sizes[one.path]
        if one.lines is not None and total + more <= room:
            kept[at] = replace(one, lines=None)
            total += more
    there = {one.path for one in kept}
    return kept, [one for one in candidates if one.path not in there]


def heading(context: Mapping[str, str]) -> str:
    """Stands before the first file, where a reader of bundles passes over everything."""
    lines = [f"{label}: {one_line(text, 400)}" for label, text in context.items()]
    return "\n".join(["Collected by meteraudit collect; read it with meteraudit audit -", "", *lines, "", ""])


def left_out(kept: list[Candidate], dropped: list[Candidate], unread: Mapping[str, str], silent: int) -> str:
    """The list at the end. Empty if everything is there in full."""
    cut = [(one.path, one.lines + 1, one.text.count("\n") + 1) for one in kept if one.lines is not None]
    lines = [f"{visible_name(path)}: lines {first} to {last}" for path, first, last in cut]
    lines += [f"{visible_name(one.path)}: all of it ({one.part.name.lower()})" for one in dropped]
    lines += [f"{visible_name(path)}: {reason}" for path, reason in unread.items()]
    shown: list[str] = []
    for line in lines[:MOST_NAMED]:
        if sum(map(len, shown)) + len(line) > LIST_ROOM - 200:
            break
        shown.append(one_line(line, 300))
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more files")
    if silent:
        shown.append(f"{silent} file{'' if silent == 1 else 's'} without a word of billing")
    return "".join(f"{line}\n" for line in [f"--- {LEFT_OUT} ---", *shown]) if shown else ""
