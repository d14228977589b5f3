"""The names that a change touches: what it counts, sends, sums and defines. By the words of its lines, without parsing.

Other files that have these names say who calls what was changed, and who reads what is written; see `bot/users.py`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

from rules.change import ChangedFile
from rules.judge import WORK, may_concern_billing
from rules.meaning.vocabulary import (
    BILLING_NOUNS,
    COUNTED_UP,
    USAGE_NOUNS,
    checks_limit,
    consumes,
    emits,
    names_counter,
    releases,
    words,
)

OF_A_KIND = 8
"""Names of one kind, so that no kind pushes out the others in a large change."""
LINES = 2000
"""Changed lines of one file that are looked at."""
CHARACTERS = 1000
"""Of one line."""
DEFINITION = 300
"""Characters of a line that may define a function."""
TOTAL = 2_000_000
"""Characters of all texts: what a change touches beyond that is not looked for elsewhere."""
SHORTEST = 6

IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*(?=(\s*\()?)")
TEXT = re.compile(r"""["'`]([A-Za-z][\w.:-]{5,60})["'`]""")
PRICED = re.compile("|".join(re.escape(name) for name in sorted(WORK) if "." in name), re.I)
IMPORT = re.compile(r"^\s*(?:import|from|require|use|using|package|export\s+(?:\*|\{[^}]*\})\s+from)\b")
COMMENT = re.compile(r"^\s*(?://|#|\*|/\*|--)")
DEFINED = re.compile(
    r"^\s*(?:[\w@]+\s+)*?(?:def|fn|fun|func|function)\s+(?:\([^)]*\)\s*)?(?:self\.)?([A-Za-z_]\w*)"
    r"|^\s*(?:export\s+)?(?:const|let|var)\s+(\w+)\s*(?::[^=]+)?=\s*(?:async\b|function\b|\(|\w+\s*=>)"
    r"|^\s+(?:(?:public|private|protected|internal|static|async|override|final|suspend)\s+)*(?:[\w<>\[\],.?]+\s+)?"
    r"([A-Za-z_]\w*)\s*\([^;]*\{$"
)
STATEMENTS = frozenset("if for while switch catch return else do try with match when foreach elseif elif".split())
COUNTED = BILLING_NOUNS | USAGE_NOUNS | COUNTED_UP


class Sort(IntEnum):
    """What a name stands for, most telling first."""

    COUNTER = 0
    EVENT = 1
    RECORDER = 2
    FUNCTION = 3
    WORK = 4


def touched_names(files: Iterable[ChangedFile]) -> tuple[str, ...]:
    """The names to look for elsewhere, at most OF_A_KIND of each kind; those of files that may concern billing."""
    found: dict[Sort, dict[str, None]] = {sort: {} for sort in Sort}
    beside: dict[str, None] = {}
    room = TOTAL
    for file in files:
        for text, changed in ((file.head, file.added), (file.base, file.deleted)):
            if text is None or not changed or len(text) > room or not may_concern_billing(f"{file.path}\n{text}"):
                continue
            room -= len(text)
            lines = text.split("\n")
            told = list(names_in(lines, sorted(changed)[:LINES]))
            for sort, name in told:
                found[sort].setdefault(name)
            if any(sort is Sort.COUNTER for sort, _ in told):
                beside |= dict.fromkeys(counters_in(lines[:LINES]))
    # What is counted beside it shows what becomes of a counter here: billed, limited, shown.
    found[Sort.COUNTER] |= beside
    return tuple(dict.fromkeys(name for sort in Sort for name in list(found[sort])[:OF_A_KIND]))


def counters_in(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if not COMMENT.match(line):
            yield from (name for sort, name in named_on(line[:CHARACTERS]) if sort is Sort.COUNTER)


def names_in(lines: Sequence[str], changed: Iterable[int]) -> Iterator[tuple[Sort, str]]:
    around = functions(lines)
    for number in changed:
        line = lines[number - 1][:CHARACTERS] if number <= len(lines) else ""
        if not line.strip() or IMPORT.match(line) or COMMENT.match(line):
            continue
        told = list(named_on(line))
        yield from told
        name = around[number - 1]
        if name is not None and (told or set(words(name)) & COUNTED):
            yield Sort.FUNCTION, name


def named_on(line: str) -> Iterator[tuple[Sort, str]]:
    """What one line counts, sends, checks or uses."""
    for found in IDENTIFIER.finditer(line):
        name = found[0]
        if found[1] is not None:
            if is_telling(name) and (emits(name) or consumes(name) or releases(name) or checks_limit(name)):
                yield Sort.RECORDER, name
        elif is_telling(name) and names_counter(name):
            yield Sort.COUNTER, name
    for text in TEXT.findall(line):
        if is_telling(text) and set(words(text)) & COUNTED:
            yield Sort.EVENT, text
    for work in PRICED.findall(line):
        yield Sort.WORK, work


def is_telling(name: str) -> bool:
    """`usage`, `credits` and `record` stand in every other file: a name of two words is somebody's."""
    return len(name) >= SHORTEST and len(words(name)) > 1


def functions(lines: Sequence[str]) -> list[str | None]:
    """For each line the innermost function around it, by the indentation; None where it has no name that is its own."""
    found: list[str | None] = []
    around: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        # A brace alone belongs to the line before, as most write it in C# and PHP.
        if line.strip() not in ("", "{"):
            depth = indented(line)
            while around and around[-1][0] >= depth:
                around.pop()
            brace = " {" if number + 1 < len(lines) and lines[number + 1].strip() == "{" else ""
            if (name := defined_by(line[:DEFINITION].rstrip() + brace)) is not None:
                around.append((depth, name))
        found.append(around[-1][1] if around and is_telling(around[-1][1]) else None)
    return found


def defined_by(line: str) -> str | None:
    found = DEFINED.match(line)
    name = next(filter(None, found.groups()), None) if found is not None else None
    return None if name in STATEMENTS else name


def indented(line: str) -> int:
    return len(line) - len(line.lstrip())
