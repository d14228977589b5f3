"""How messages write names of fields, titles and statements, in the idioms of the code that they are about."""

import re

from rules.facts import fold
from rules.idioms import Case, Idioms


def throw_again(idioms: Idioms, bound: str) -> str:
    """The statement that throws what its `catch` bound."""
    return idioms.throw_again.format(bound.removeprefix(idioms.sign))


def cased(folded: str, text: str) -> str:
    """A field `records.errorcode` with the capitals that `text` has for its parts; a part that is not in it stays."""
    spellings = {fold(word): word for word in re.findall(r"\w+", text)}
    return ".".join(spellings.get(part, part) for part in folded.split("."))


def column(idioms: Idioms, folded: str) -> str:
    """A folded column of a moment, `deletedat`, as the language's models write it."""
    parts = re.sub(r"(?<=ed)at$|(?<=event)at$|(?<=event|usage)time$|(?<=^is)(?=[a-z])", r" \g<0>", folded).split()
    if len(parts) < 2:
        return folded
    if idioms.case is Case.SNAKE:
        return "_".join(parts)
    joined = "".join(part.capitalize() for part in parts)
    return joined if idioms.case is Case.PASCAL else joined[:1].lower() + joined[1:]


def capital(title: str) -> str:
    return title[:1].upper() + title[1:]
