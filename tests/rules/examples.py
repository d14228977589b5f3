"""Reads the examples of rule modules: the code without its marks, and the lines that must be found."""

import re
from dataclasses import dataclass

from bot.patch import hunks_between
from rules.code import Code
from rules.languages import front_end, path_for
from rules.rule import Edit, Example, Finding, Rule

MARK = re.compile(r"[ \t]*(?:\{/\*|/\*|#|//|--) <- finding(?: \*/\}?)?[ \t]*$")


@dataclass(frozen=True)
class Marked:
    """An example's code as a reader would write it, before and after, and the lines that are marked."""

    path: str
    text: str
    lines: list[int]
    before: str = ""


def marked(example: Example) -> Marked:
    text, lines = unmarked(example.code)
    before, gone = unmarked(example.before)
    return Marked(example.path or path_for(example.language), text, lines + gone, before)


def unmarked(code: str) -> tuple[str, list[int]]:
    if not code:
        return "", []
    lines = code.strip("\n").split("\n")
    found = [number for number, line in enumerate(lines, 1) if MARK.search(line)]
    return "\n".join(MARK.sub("", line) for line in lines) + "\n", found


def code_of(path: str, text: str, before: str = "") -> Code:
    lower = front_end(path)
    assert lower is not None, path
    if not before:
        return Code(lower(path, text.encode()))
    deleted = frozenset().union(*(hunk.deleted for hunk in hunks_between(before, text)))
    return Code(lower(path, text.encode()), base=Code(lower(path, before.encode())), deleted=deleted)


def found_by(rule: Rule, code: Code) -> list[Finding]:
    return list(rule.check(code))


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    source = text.encode()
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    return source.decode()
