"""Reads the examples of rule modules: the code without its marks, and the lines that must be found."""

import re
from dataclasses import dataclass

from rules.code import Code
from rules.languages import front_end, path_for
from rules.rule import Edit, Example, Finding, Rule

MARK = re.compile(r"[ \t]*(?:\{/\*|/\*|#|//|--) <- finding(?: \*/\}?)?[ \t]*$")


@dataclass(frozen=True)
class Marked:
    """An example's code as a reader would write it, and the lines that are marked."""

    path: str
    text: str
    lines: list[int]


def marked(example: Example) -> Marked:
    lines = example.code.strip("\n").split("\n")
    found = [number for number, line in enumerate(lines, 1) if MARK.search(line)]
    return Marked(example.path or path_for(example.language), "\n".join(MARK.sub("", line) for line in lines) + "\n", found)


def code_of(path: str, text: str) -> Code:
    lower = front_end(path)
    assert lower is not None, path
    return Code(lower(path, text.encode()))


def found_by(rule: Rule, code: Code) -> list[Finding]:
    return list(rule.check(code))


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    source = text.encode()
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    return source.decode()
