"""Whether a check and what is called after it are seen to read and to write one store: a column, or a table."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, fold
from rules.meaning.usage.takings import Taking
from rules.schema.tables import key
from rules.tracing.counted import WRITES, at, behind
from rules.tracing.held import texts
from rules.tracing.procedures import by_procedures

TABLE = r"[\"'`]?(?:\w+[\"'`]?\.[\"'`]?)?(\w+)"
WRITTEN = (
    re.compile(
        rf"\b(?:update\s+(?:only\s+)?|insert\s+into\s+){TABLE}[\"'`]?\s+(?:(?:as\s+)?\w+\s+)?(?:set\b|\(|values\b|select\b)",
        re.I,
    ),
    re.compile(
        r"\.(?:from|table|collection|into)\(\s*[\"'`](\w+)[\"'`][^;]{0,200}?\.(?:update|insert|upsert|add|set)\w*\(", re.I
    ),
    re.compile(r"\bupdate\s+[\w.\"]+\s+set\s+\"?(\w+)", re.I),
    re.compile(r"[\w)\]](?:\.|->)(\w+)\s*-="),
    re.compile(r"[\w)\]](?:\.|->)(\w+)\s*\+="),
    re.compile(r"\b(?:\w+(?:\.|->))+(\w+)\s*=\s*(?:\w+(?:\.|->))+\1\s*[-+]"),
)
"""What a piece of a program, or of a procedure, is seen to write."""
BOOKKEEPING = frozenset("updatedat modifiedat version lastusedat lastseenat metadata status".split())
"""Written with every row, whatever it is about."""
EVERYDAY = frozenset("amount count value total used usage credit credits number data".split())
NAMED = re.compile(r"\w+")
EVERYDAY_NAMED = re.compile(r"(?:\.|->|[\"'`])(\w+)")


def share_store(code: Code, check: Call, taking: Taking) -> bool:
    """Whether something that a taking writes, itself or behind it, is named where the check is made."""
    read = "\n".join(reached(code, check))
    names = {taking.counter.name} if taking.counter is not None else set()
    names |= written(code, taking.call) if taking.call is not None and taking.counter is None else set()
    return bool(read) and any(is_read(name, read) for name in names)


def reached(code: Code, call: Call) -> Iterator[str]:
    """The text of the functions behind a call, and of the procedures that they call in the database."""
    for text in texts(code, call):
        yield text
        yield from by_procedures(code.elsewhere, text)


def written(code: Code, call: Call) -> frozenset[str]:
    own = code.facts.text(call.span)
    whole = (own, *by_procedures(code.elsewhere, own), *reached(code, call))
    said = (name for text in whole for one in WRITTEN for name in one.findall(text))
    return frozenset(name for name in (*said, *seen(code, call)) if fold(name) not in BOOKKEEPING)


def seen(code: Code, call: Call) -> Iterator[str]:
    """The counters and tables that the trace saw written at the call or behind it."""
    trace = code.elsewhere.trace
    if trace is None:
        return
    there = (one for node in behind(trace, code.facts.path, call) for one in trace.seen.by_node.get(node, ()))
    for one in (*at(trace, code.facts.path, call.span), *there):
        if one.kind in WRITES:
            yield from (name for name in (one.name, one.owner) if name)


def is_read(name: str, text: str) -> bool:
    """Whether a text names a column or a table, in whatever spelling; a word of everyday only as a field or in quotes."""
    found = EVERYDAY_NAMED if fold(name) in EVERYDAY else NAMED
    return any(key(one) == key(name) for one in found.findall(text))
