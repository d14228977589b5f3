"""Edits of source text by byte range. Each keeps every byte it is not about."""

from rules.facts import Call, Facts, Object, Span
from rules.meaning.arguments import Given
from rules.rule import Edit

KEYWORDS = {"python": "{0}={1}", "ruby": "{0}: {1}"}
"""How a keyword argument is written."""


def added_field(facts: Facts, call: Call, event: Given, name: str, value: str) -> Edit | None:
    """Gives an event one more field: an entry of its literal, or a keyword argument of the call."""
    if event.literal is not None:
        return added_entry(facts, event.literal, name, value)
    keywords = [argument for argument in call.arguments if argument.name is not None]
    if not keywords or facts.language not in KEYWORDS:
        return None
    return added_after(facts, keywords[-1].span, call.span.end, KEYWORDS[facts.language].format(name, value))


def added_entry(facts: Facts, literal: Object, name: str, value: str) -> Edit | None:
    """One more entry at the end of an object literal, in the layout the others have. None where there is none to follow."""
    if not literal.entries:
        return None
    if facts.language in CHAINED:
        return added_link(facts, literal, name, value)
    return added_after(facts, literal.entries[-1].span, literal.span.end, entry(facts.language, name, value))


CHAINED = frozenset({"java", "kotlin"})
"""Languages whose SDKs take what a builder makes."""


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


def entry(language: str, name: str, value: str) -> str:
    if language == "python":
        return f'"{name}": {value}'
    if language == "php":
        return f"'{name}' => ${value.replace('.', '->')}"
    if language == "ruby":
        return f"{name}: {value}"
    if language == "csharp":
        return f"{name} = {value}"
    return name if name == value else f"{name}: {value}"
