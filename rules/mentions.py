"""Where a name stands in a text, apart from where it is only brought in, handed out or spoken of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

BROUGHT_IN = re.compile(
    r"""
      ^[ \t]*(?:import|export)(?:[ \t]+type)?(?:[ \t]+\w+[ \t]*,)?[ \t]*\{[^}]*\}(?:[ \t]*from\b[^\n]*)?
    | ^[ \t]*import[ \t][^\n{]*$
    | ^[ \t]*from[ \t]+\S+[ \t]+import[ \t]*(?:\([^)]*\)|[^\n]*)
    | ^[ \t]*(?:const|let|var)[ \t]*\{[^}=]*\}[ \t]*=[ \t]*(?:await[ \t]+)?(?:require|import)\b[^\n]*
    | ^use[ \t][^;]*;
    | ^[ \t]*module\.exports[ \t]*=[ \t]*\{[^{}]*\}
    | ^__all__[^=\n]*=[ \t]*[\[(][^\])]*[\])]
    """,
    re.M | re.X,
)
"""Imports and lists of exports, over all their lines."""
SPOKEN = re.compile(r"^\s*(?://|#(?!\[)|\*(?:[\s/]|$)|/\*|--|<!--)")
AFTER = re.compile(r"\s(?://|#) .*")
"""A comment at the end of a line."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A line of a file that has a name."""

    path: str
    line: int
    text: str


def mentions(path: str, text: str, name: str) -> Iterator[Mention]:
    """The lines that have a name, spelled just so. One that is brought in under another name is named there."""
    spelled = re.compile(rf"\b{re.escape(name)}\b")
    other = re.compile(rf"\b{re.escape(name)}\s*(?:\bas\b|:)|:\s*{re.escape(name)}\b")

    def without(found: re.Match[str]) -> str:
        return found[0] if other.search(found[0]) else "\n" * found[0].count("\n")

    for number, line in enumerate(BROUGHT_IN.sub(without, text).split("\n"), 1):
        if name in line and not SPOKEN.match(line) and spelled.search(AFTER.sub("", line)):
            yield Mention(path, number, line)
