"""Colours code for a web page: safe HTML, a line at a time, with classes only, so that no page needs inline styles."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType, is_token_subtype
from pygments.util import ClassNotFound

from bot.report.quoting import visible

CLASSES = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
    (Name.Class, "t"),
    (Name.Decorator, "d"),
    (Name.Attribute, "d"),
    (Name.Tag, "t"),
)
"""Eight hues tell apart what matters; the rest has the colour of the text."""

Piece = tuple[str | None, str]
"""A class, or None, and the text as it stands in the code."""


def pieces(code: str, language: str) -> list[list[Piece]]:
    """The pieces of each line; joined they are the line. A language that is not known is one piece.

    Regular expressions run over the code: whoever shows code that nobody vouches for clips it before.
    """
    lines: list[list[Piece]] = [[]]
    # Without the lexer's preparation, which drops and replaces characters: columns must stay what they are.
    named = [(name_of(kind), value) for _, kind, value in lexer_of(language).get_tokens_unprocessed(code + "\n")]
    if "".join(value for _, value in named) != code + "\n":
        # A lexer that loses characters would show other code than was judged.
        named = [(None, code)]
    for name, run in groupby(named, key=itemgetter(0)):
        for position, part in enumerate("".join(value for _, value in run).split("\n")):
            if position:
                lines.append([])
            if part:
                lines[-1].append((name, part))
    return lines[: code.count("\n") + 1]


def cut(line: Sequence[Piece], first: int, last: int) -> Iterator[Piece]:
    """What stands from column `first` up to `last`, counted from 0 in code points."""
    at = 0
    for name, text in line:
        inside = text[max(0, first - at) : max(0, last - at)]
        at += len(text)
        if inside:
            yield name, inside


def drawn(line: Iterable[Piece]) -> Markup:
    """As HTML; what is invisible is spelt out."""
    return Markup("").join(
        Markup('<span class="h-{}">{}</span>').format(name, visible(text)) if name else escape(visible(text))
        for name, text in line
    )


def coloured_lines(code: str, language: str, first: int, marked: frozenset[int]) -> Iterator[tuple[int, Markup, bool]]:
    """Number, code and whether the line is marked; `first` is the number of the first line."""
    for number, line in enumerate(pieces(code.removesuffix("\n"), language), first):
        yield number, drawn(line), number in marked


def name_of(kind: _TokenType) -> str | None:
    return next((name for parent, name in CLASSES if is_token_subtype(kind, parent)), None)


@cache
def lexer_of(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, startinline=language == "php")
    except ClassNotFound:
        return get_lexer_by_name("text")
