"""Reads the examples of rule modules: the code without its marks, and the lines that must be found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.patch import hunks_between
from rules.code import Code, Nothing
from rules.examples import unmarked
from rules.languages import front_end, path_for
from rules.project import Project
from rules.rule import Edit, Example, Finding, Rule


@dataclass(frozen=True)
class Marked:
    """An example's code as a reader would write it, before and after, and the lines that are marked."""

    path: str
    text: str
    lines: list[int]
    before: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def marked(example: Example) -> Marked:
    text, lines = unmarked(example.code)
    before, gone = unmarked(example.before)
    return Marked(example.path or path_for(example.language), text, lines + gone, before, example.context)


def code_of(path: str, text: str, before: str = "", context: Mapping[str, str] | None = None) -> Code:
    """`context` are other files of the project by path, as a review hands them over."""
    lower = front_end(path)
    assert lower is not None, path
    elsewhere = Project({**context, path: text}) if context else Nothing()
    if not before:
        return Code(lower(path, text.encode()), elsewhere=elsewhere)
    deleted = frozenset().union(*(hunk.deleted for hunk in hunks_between(before, text)))
    return Code(lower(path, text.encode()), base=Code(lower(path, before.encode())), deleted=deleted, elsewhere=elsewhere)


def found_by(rule: Rule, code: Code) -> list[Finding]:
    return list(rule.check(code))


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    source = text.encode()
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    return source.decode()
