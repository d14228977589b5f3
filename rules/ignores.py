"""`meteraudit: ignore MTR-201 reason` in a comment, for its own line or the next statement."""

import re
from dataclasses import dataclass

MARK = re.compile(
    r"(?:#|//|--|/\*|<!--|\{/\*|;|%)[^\n]*?\bmeteraudit:\s*ignore\s+(?P<rule>[A-Za-z][\w-]*)[ \t:,-]*(?P<reason>[^\n]*)"
)
CLOSERS = re.compile(r"\s*(?:\*/\}?|-->)\s*$")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One ignore comment. `lines` are the lines whose findings it silences: its own and the next that holds code."""

    rule: str
    """Id or name as written, in lower case."""
    reason: str
    """Empty: it has no effect."""
    line: int
    lines: frozenset[int]


def ignores(text: str) -> tuple[Ignore, ...]:
    """All ignore comments of a file, in whatever comment syntax it has."""
    if "meteraudit" not in text:
        return ()
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        match = MARK.search(line)
        if match:
            reason = CLOSERS.sub("", match["reason"]).strip()
            alone = not line[: match.start()].strip()
            found.append(Ignore(match["rule"].lower(), reason, number, reach(lines, number, alone)))
    return tuple(found)


def reach(lines: list[str], number: int, alone: bool) -> frozenset[int]:
    """A comment behind code speaks of that line; one that stands alone, of the next line that is neither blank nor comment."""
    if not alone:
        return frozenset({number})
    after = number
    while after < len(lines) and (not lines[after].strip() or lines[after].lstrip().startswith(("#", "//", "--", "/*", "*"))):
        after += 1
    return frozenset({number, after + 1})


def silences(ignore: Ignore, rule: str, name: str, first: int, last: int) -> bool:
    """Whether an ignore comment with a reason speaks of a rule's finding on these lines."""
    if not ignore.reason or ignore.rule not in (rule.lower(), name):
        return False
    return any(first <= line <= last for line in ignore.lines)
