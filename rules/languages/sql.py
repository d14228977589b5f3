"""SQL files lowered to facts: each statement is a call `sql(text)`, so that what reads SQL in strings reads files too."""

import re
from bisect import bisect_right

from rules.facts import Argument, Call, Comment, Facts, Kind, Literal, Name, Scope, Span, Start, Use
from rules.languages.sql_traits import IDIOMS, TRAITS

SUFFIXES = (".sql",)

PIECE = re.compile(
    rb"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    rb"|(?P<text>'(?:[^']|'')*'?|\"[^\"]*\"?|`[^`]*`?|(?P<dollar>\$\w*\$).*?(?:(?P=dollar)|\Z))"
    rb"|(?P<end>;)",
    re.S,
)
"""What may hold a semicolon that ends nothing, and the one that ends a statement."""


def lower(path: str, source: bytes) -> Facts:
    """A statement runs to the next semicolon outside quotes; comments before it belong to nobody. Never raises."""
    breaks = [match.start() for match in re.finditer(rb"\n", source)]
    root = Scope(Kind.MODULE, Span(1, len(breaks) + 1, 0, len(source)))
    calls: list[Call] = []
    comments: list[Comment] = []
    start = 0
    for piece in PIECE.finditer(source):
        if piece["comment"] is not None:
            comments.append(
                Comment(span(breaks, piece.start(), piece.end()), piece[0].decode(errors="replace").strip("-/* \n"))
            )
            if not source[start : piece.start()].strip():
                start = piece.end()
        elif piece["end"] is not None:
            calls.extend(statement(source, breaks, start, piece.start(), root))
            start = piece.end()
    calls.extend(statement(source, breaks, start, len(source), root))
    none: tuple[()] = ()
    lists = (tuple(calls), none, none, none, none, none, tuple(comments))
    return Facts(path, "sql", TRAITS, IDIOMS, source, root, (root,), *lists)


def statement(source: bytes, breaks: list[int], start: int, end: int, root: Scope) -> list[Call]:
    """The call for one statement; none for white space."""
    body = source[start:end]
    start += len(body) - len(body.lstrip())
    body = body.strip()
    if not body:
        return []
    where = span(breaks, start, start + len(body))
    argument = Argument(where, None, Literal(where, body.decode(errors="replace")))
    return [Call(where, "sql", "sql", Name(where, "sql"), (argument,), root, Use.DISCARDED, Start.PLAIN, method="sql")]


def span(breaks: list[int], start: int, end: int) -> Span:
    return Span(bisect_right(breaks, start - 1) + 1, bisect_right(breaks, end - 1) + 1, start, end)
