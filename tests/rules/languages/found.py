"""Finds the one call or assignment of a file that a test is about."""

from rules.facts import Assign, Call, Facts, dotted


def call_ending(facts: Facts, name: str) -> Call:
    """By its dotted name, or by the end of it."""
    found = [one for one in facts.calls if one.name == name or one.name.endswith(f".{name}")]
    assert len(found) == 1, [one.name for one in facts.calls]
    return found[0]


def call_named(facts: Facts, name: str) -> Call:
    found = [one for one in facts.calls if one.name == name]
    assert len(found) == 1, [one.name for one in facts.calls]
    return found[0]


def assigned(facts: Facts, target: str) -> Assign:
    found = [one for one in facts.assigns if dotted(one.targets[-1]) == target]
    assert len(found) == 1
    return found[0]
