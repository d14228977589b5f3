"""The fields of records as they are filled in: an entry of a literal, a named argument, a member that is set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Expression, Kind, Member, Object, Scope, Use, dotted, enclosing, walk
from rules.meaning.vocabulary import words

USAGE = frozenset("usage usages metering metered meter consumption".split())
EVENTS = frozenset("event events record records".split())
QUANTITIES = frozenset("quantity units amount value tokens usage consumed properties metric".split())


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field that is filled in, with what else is known of its record."""

    name: str
    value: Expression
    scope: Scope
    record: str
    """The record's type or name, as written; may be empty."""
    beside: frozenset[str]
    """The words of the record's other fields."""

    @property
    def of_usage(self) -> bool:
        """Whether its record is one of usage: called so, or an event that carries how much."""
        said = frozenset(words(self.record))
        return bool(said & USAGE) or bool(said & EVENTS and self.beside & QUANTITIES)


def fields(code: Code) -> Iterator[Field]:
    for whole, scope in code.expressions:
        for part in walk(whole):
            if isinstance(part, Object):
                yield from together([(one.name, one.value) for one in part.entries], scope, part.type)
            elif isinstance(part, Call):
                yield from named(part)
    for call in code.facts.calls:
        if call.use is Use.DISCARDED:
            yield from named(call)
    yield from set_members(code)


def named(call: Call) -> Iterator[Field]:
    """`UsageEvent.create!(quantity: 1)`, `Usage(quantity = 1)`."""
    given = [(argument.name, argument.value) for argument in call.arguments if argument.name]
    yield from together(given, call.scope, call.name)


def together(given: Sequence[tuple[str | None, Expression]], scope: Scope, record: str) -> Iterator[Field]:
    known = [(name, value) for name, value in given if name]
    for name, value in known:
        yield Field(name, value, scope, record, spoken(other for other, _ in known if other != name))


def set_members(code: Code) -> Iterator[Field]:
    """`event.timestamp = …`: a record that is filled in line by line."""
    held: dict[tuple[Scope | None, str], list[tuple[str, Expression, Scope]]] = {}
    for assign in code.facts.assigns:
        target = assign.targets[0]
        if isinstance(target, Member) and assign.value is not None and assign.operator == "=":
            key = (enclosing(assign.scope, Kind.FUNCTION), dotted(target.object))
            held.setdefault(key, []).append((target.name, assign.value, assign.scope))
    for (_, record), given in held.items():
        for name, value, scope in given:
            yield Field(name, value, scope, record, spoken(other for other, _, _ in given if other != name))


def spoken(names: Iterator[str]) -> frozenset[str]:
    return frozenset(word for name in names for word in words(name))
