"""Functions that a project keeps in its database, written in its migrations: which of them take only where there is room."""

import re
from collections.abc import Iterator

from rules.code import Elsewhere

DEFINED = re.compile(
    r"(\bcreate\s+(?:or\s+replace\s+)?(?:function|procedure)\s+(?:[\w\"]+\.)?\"?\w+\"?\s*\((?:[^$]|\$(?![\w]*\$)){0,4000}?"
    r"\$(?P<mark>\w*)\$.{0,20000}?\$(?P=mark)\$)",
    re.I | re.S,
)
NAME = re.compile(r"(?:function|procedure)\s+(?:[\w\"]+\.)?\"?(\w+)", re.I)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
CALLED = re.compile(
    r"[\"'`](?:\w+\.)?(\w+)[\"'`]|\b(?:select|call|perform|exec|execute|from)\s+(?:\*\s+from\s+)?(?:\w+\.)?(\w+)\s*\(", re.I
)
"""How a program names one: `rpc("take_credits", …)`, `SELECT take_credits($1, $2)`."""
UPDATE = re.compile(r"\bupdate\s+(?:only\s+)?[\w.\"]+(?:\s+(?:as\s+)?(?!set\b)\w+)?\s+set\s+([^;]*?)\bwhere\b([^;]*)", re.I)
MOVED = re.compile(r"\"?(\w+)\"?\s*=\s*[^,;=]*?[-+]")
LOOKED_AT = re.compile(r"\b(?:not|if|return|when)\s+found\b|\bfound\s*;|\brow_count\b|\breturning\b", re.I)
LOCKED = re.compile(r"\bfor\s+(?:no\s+key\s+)?update\b|\bpg_(?:try_)?advisory_(?:xact_)?lock\b|\block\s+table\b", re.I)
REFUSAL = re.compile(r"\bif\b([^;]*?)\bthen\b[^;]*?\b(?:raise|return)\b", re.I)
SIGN = re.compile(r"(?<![-<>])(?:<=?|>=?)(?![<>])")
AND_OR = re.compile(r"\b(?:and|or)\b", re.I)
NUMBER = re.compile(r"\s*\(?\s*-?\d+(?:\.\d+)?\s*\)*\s*$")


def bodies(elsewhere: Elsewhere, name: str) -> Iterator[str]:
    """What the project's definitions of a procedure say, older ones included; comments left out."""
    wanted = name.lower()
    for text in elsewhere.found(DEFINED):
        said = NAME.search(text)
        if said is not None and said[1].lower() == wanted:
            yield COMMENT.sub(" ", text)


def called_in(text: str) -> frozenset[str]:
    """What may be the names of procedures in a piece of a program."""
    return frozenset(name for one in CALLED.finditer(text) if (name := one[1] or one[2]))


def procedures(elsewhere: Elsewhere) -> frozenset[str]:
    """The names of all that are defined, in lower case."""
    found = (NAME.search(text) for text in elsewhere.found(DEFINED))
    return frozenset(one[1].lower() for one in found if one is not None)


def by_procedures(elsewhere: Elsewhere, text: str) -> Iterator[str]:
    """The bodies of the procedures that a piece of a program calls."""
    known = procedures(elsewhere)
    for name in {one.lower() for one in called_in(text)} & known:
        yield from bodies(elsewhere, name)


def takes_in_one_step(elsewhere: Elsewhere, text: str) -> bool:
    """Whether a piece of a program takes by a procedure that refuses where there is no room, whoever else runs at once.

    Of several definitions one that refuses is enough: which of them was applied last is out of view, and unsure is quiet.
    """
    return any(is_guarded(body) or (LOCKED.search(body) and refuses(body)) for body in by_procedures(elsewhere, text))


def is_guarded(body: str) -> bool:
    """`UPDATE … SET credits = credits - n WHERE credits >= n`, and whether a row was found is looked at."""
    for found in UPDATE.finditer(body):
        moved = {name.lower() for name in MOVED.findall(found[1])}
        for part in AND_OR.split(found[2]):
            if SIGN.search(part) and moved & set(re.findall(r"\w+", part.lower())):
                return LOOKED_AT.search(body, found.start()) is not None
    return False


def refuses(body: str) -> bool:
    """`IF balance < n THEN RAISE`; `IF n <= 0 THEN RAISE` asks only whether the amount makes sense."""
    return any(compares_two(part) for found in REFUSAL.finditer(body) for part in AND_OR.split(found[1]))


def compares_two(text: str) -> bool:
    sides = SIGN.split(text)
    return len(sides) == 2 and (NUMBER.match(sides[1]) is None or re.search(r"\w\s*[-+]\s*\w", sides[0]) is not None)
