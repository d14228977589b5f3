"""Reports that replace the figure that the provider has, so that sending one again changes nothing."""

from rules.facts import Conditional, Expression, Literal, Member, Name, walk
from rules.meaning.usage.emissions import Emission
from rules.meaning.vocabulary import words
from rules.providers import Key


def overwrites(emission: Emission, key: Key) -> bool:
    """`action: "set"` replaces the value, so a repeat changes nothing."""
    return any(always(emission.given.named.get(name), frozenset(harmless)) for name, harmless in key.natural_when.items())


def always(value: Expression | None, harmless: frozenset[str]) -> bool:
    """Whether every way that the value can come out is harmless; one that cannot be told counts as harmless."""
    if isinstance(value, Conditional):
        return always(value.then, harmless) and always(value.otherwise, harmless)
    return any(bool(spoken(part) & harmless) for part in walk(value))


def spoken(part: Expression) -> set[str]:
    """The value or last word of a constant: `"set"`, `stripe.UsageRecordActionSet`."""
    if isinstance(part, Literal):
        return {str(part.value).lower()}
    name = part.name if isinstance(part, Member) else part.text if isinstance(part, Name) else ""
    return {words(name)[-1]} if words(name) else set()
