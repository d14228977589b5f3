"""Colours code for a web page: safe HTML, a line at a time, with classes only, so that no page needs inline styles."""

from collections.abc import Iterator
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


def coloured(code: str, language: str) -> list[Markup]:
    """One entry a line. What is invisible is spelt out first; a language that is not known stays plain.

    Colouring runs regular expressions over the code: whoever shows code that nobody vouches for clips it before.
    """
    text = visible(code).removesuffix("\n")
    lines = [Markup()]
    named = ((name_of(kind), value) for kind, value in lexer_of(language).get_tokens(text))
    for name, run in groupby(named, key=itemgetter(0)):
        for position, part in enumerate("".join(value for _, value in run).split("\n")):
            if position:
                lines.append(Markup())
            if part:
                lines[-1] += Markup('<span class="h-{}">{}</span>').format(name, part) if name else escape(part)
    wanted = text.count("\n") + 1
    return lines[:wanted] + [Markup()] * (wanted - len(lines))


def name_of(kind: _TokenType) -> str | None:
    return next((name for parent, name in CLASSES if is_token_subtype(kind, parent)), None)


@cache
def lexer_of(language: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False, "startinline": language == "php"}
    try:
        return get_lexer_by_name(language, **options)
    except ClassNotFound:
        return get_lexer_by_name("text", **options)


def coloured_lines(code: str, language: str, first: int, marked: frozenset[int]) -> Iterator[tuple[int, Markup, bool]]:
    """Number, code and whether the line is marked; `first` is the number of the first line."""
    for number, line in enumerate(coloured(code, language), first):
        yield number, line, number in marked
