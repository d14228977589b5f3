"""Which lines of a file a change adds, as far as its text before the change tells."""

from collections import Counter
from weakref import WeakKeyDictionary

from rules.code import Code
from rules.facts import Span

BEFORE: WeakKeyDictionary[Code, Counter[bytes]] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""


def is_added(code: Code, span: Span) -> bool:
    """Whether the span begins on a line that was not in the file before. Without a base, nothing counts as added.

    Moved and repeated lines count as old: the answer only picks the place for a finding that is made either way.
    """
    if code.base is None:
        return False
    if code.base not in BEFORE:
        BEFORE[code.base] = Counter(line.strip() for line in code.base.facts.source.split(b"\n"))
    lines = code.facts.source.split(b"\n")
    return lines[span.line - 1].strip() not in BEFORE[code.base]
