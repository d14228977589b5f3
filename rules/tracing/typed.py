"""What values a JSON column can have, as those declare it who take them in: a schema of requests, not the table."""

import re

from rules.code import Code
from rules.facts import Assign, Kind, Literal, Name, walk

NAMES = re.compile(r"[A-Za-z_]\w*")
MARKS = re.compile(r"\w+\([^()]*\)")
"""What a type is annotated with besides: `StringConstraints(max_length=28)`."""
STORED = re.compile(r"\bMapped\b|\bColumn\b")
WHOLE = frozenset(
    "dict mapping annotated optional union literal typing str int bool none list strictint strictstr strictbool positiveint "
    "nonnegativeint".split()
)
HOPS = 4


def only_whole(code: Code, column: str) -> bool:
    """Whether the numbers in a column are whole by all that is declared of what comes in, wherever a field is named for it."""
    declared = [
        spelled(there, assign.type)
        for path in sorted({code.facts.path, *code.elsewhere.naming(column)} if column else ())
        if (there := code if path == code.facts.path else code.elsewhere.code_of(path)) is not None
        for assign in there.facts.assigns
        if is_field(assign, column)
    ]
    return bool(declared) and all("int" in names and names <= WHOLE for names in declared)


def is_field(assign: Assign, column: str) -> bool:
    """`user_data: Data`, or `data: Data = Field(alias="user_data")`; the column of a table says only that it is JSON."""
    if not assign.type or STORED.search(assign.type) or assign.scope.kind is not Kind.CLASS:
        return False
    named = any(isinstance(target, Name) and target.text == column for target in assign.targets)
    return named or any(isinstance(part, Literal) and part.value == column for part in walk(assign.value))


def spelled(code: Code, written: str) -> frozenset[str]:
    """The names in a type, in lower case, with what the same file says of those that are its own."""
    known = aliases(code)
    for _ in range(HOPS):
        written = MARKS.sub("", written)
        written = NAMES.sub(lambda found: known.get(found[0], found[0]), written)
    return frozenset(name.lower() for name in NAMES.findall(MARKS.sub("", written)))


def aliases(code: Code) -> dict[str, str]:
    return {
        target.text: code.facts.text(assign.value.span)
        for assign in code.facts.assigns
        if assign.value is not None and assign.scope.kind is Kind.MODULE
        for target in assign.targets
        if isinstance(target, Name)
    }
