"""Edits of source text by byte range. Each keeps every byte it is not about."""

from rules.facts import Call, Facts, Object, Span
from rules.idioms import Idioms
from rules.meaning.arguments import Given
from rules.rule import Edit


def added_field(facts: Facts, call: Call, event: Given, name: str, value: str) -> Edit | None:
    """Gives an event one more field: an entry of its literal, or a keyword argument of the call."""
    if event.literal is not None:
        return added_entry(facts, event.literal, name, value)
    keywords = [argument for argument in call.arguments if argument.name is not None]
    if not keywords or not facts.idioms.keyword:
        return None
    return added_after(facts, keywords[-1].span, call.span.end, facts.idioms.keyword.format(name, value))


def added_entry(facts: Facts, literal: Object, name: str, value: str) -> Edit | None:
    """One more entry at the end of an object literal, in the layout the others have. None where there is none to follow."""
    if not literal.entries:
        return None
    if facts.traits.builders:
        return added_link(facts, literal, name, value)
    return added_after(facts, literal.entries[-1].span, literal.span.end, entry(facts.idioms, name, value))


def added_link(facts: Facts, literal: Object, name: str, value: str) -> Edit | None:
    """One more method in the chain of a builder, after the last one that sets something."""
    last = literal.entries[-1].span
    close = facts.source.find(b")", last.end, literal.span.end)
    if not literal.type or close < 0 or not name.isidentifier() or facts.source[last.end : close].strip():
        return None
    line = facts.source[facts.source.rfind(b"\n", 0, last.start) + 1 : last.start]
    indent = line[: len(line) - len(line.lstrip())].decode()
    lead = f"\n{indent}" if line.lstrip().startswith(b".") else ""
    return Edit(close + 1, close + 1, f"{lead}.{name}({value})")


def added_after(facts: Facts, last: Span, end: int, written: str) -> Edit:
    """Adds one item after the `last` of a list that ends at byte `end`, on a line of its own where the last has one."""
    source = facts.source
    indent = source[source.rfind(b"\n", 0, last.start) + 1 : last.start]
    own_line = not indent.strip()
    after = source[last.end : end]
    comma = after.lstrip().startswith(b",")
    at = last.end + (after.index(b",") + 1 if comma else 0)
    lead = ("" if comma else ",") + ("\n" + indent.decode() if own_line else " ")
    return Edit(at, at, lead + written + ("," if comma and own_line else ""))


def entry(idioms: Idioms, name: str, value: str) -> str:
    if idioms.shorthand and name == value:
        return name
    return idioms.entry.format(name, value.replace(".", idioms.joint))
