"""Yes-or-no fields that are asked whether they are there, instead of what they say."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Compare, Literal, Member, Name, Scope, Span
from rules.meaning.values import root_of
from rules.meaning.vocabulary import words

ASKING = frozenset("is has can".split())
GIVEN = frozenset(
    "params param args query filter filters data body update updates input payload patch options opts request req dto form "
    "values changes props config settings kwargs".split()
)
"""What a caller hands over may leave a flag out, and asking whether it did is right."""


def compared_with_nothing(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    """`customer.is_deleted is not None`, `plan.isActive !== null`: true whatever the flag says."""
    for test in code.facts.tests:
        for part in parts_of(test.value):
            if not isinstance(part.left, Member) or not isinstance(part.right, Literal) or part.right.value is not None:
                continue
            said = words(part.left.name)
            root = root_of(part.left)
            given = isinstance(root, Name) and bool(GIVEN & set(words(root.text)))
            read = any(one is not part and getattr(one.left, "name", "") == part.left.name for one in parts_of(test.value))
            given = given or read
            if len(said) > 1 and said[0] in ASKING and not given and not may_be_missing(code, part.left.name):
                yield part.span, test.scope, part.left.name


def parts_of(value: object) -> Iterator[Compare]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Compare) and one.operator in ("is", "is not", "==", "!="):
            yield one
        waiting += [inner for name in ("left", "right", "value") if (inner := getattr(one, name, None)) is not None]


def may_be_missing(code: Code, name: str) -> bool:
    """A field that any file at hand declares as optional, or sets to nothing."""
    absent = re.compile(rf"\b{re.escape(name)}\b\s*(\?:|[:=].*(None|null|undefined|Optional))")
    others = (code.elsewhere.code_of(path) for path in code.elsewhere.only_in(name) or ())
    return any(absent.search(one.facts.source.decode(errors="replace")) for one in (code, *others) if one is not None)
