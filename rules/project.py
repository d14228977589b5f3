"""What only several files tell: the schema, and which functions of other files record usage and how they fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rules.code import Code, OwnNames, Recorder
from rules.facts import Function, Kind, Scope, enclosing
from rules.languages import front_end
from rules.languages.lowering import TooComplexError
from rules.meaning.naming import Meter, Use
from rules.meaning.outcomes import LOST, Outcome, outcome
from rules.meaning.vocabulary import consumes, emits
from rules.schema import Schema, schema_of

FILES = 120
"""Context files that are lowered: beyond that the rest is only read for its schema."""


@dataclass(frozen=True, eq=False)
class Project:
    """The texts at one end of a change, changed files and context, by path. Worked out when a rule first asks."""

    texts: Mapping[str, str] = field(default_factory=dict)
    names: OwnNames = OwnNames()

    @cached_property
    def schema(self) -> Schema:
        return schema_of(self.texts)

    @cached_property
    def recorders(self) -> Mapping[str, Recorder]:
        """Functions that record usage, by name; a name that several files define is left out, since a call may mean either."""
        found: dict[str, Recorder | None] = {}
        for code in self.codes:
            for recorder in recorders_in(code):
                found[recorder.name] = None if recorder.name in found else recorder
        return {name: one for name, one in found.items() if one is not None}

    @cached_property
    def meters(self) -> tuple[Meter, ...]:
        """The meters that any file defines."""
        return tuple(meter for code in self.codes for meter in code.meters)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Keys of stores and names of queues, as far as they are written out."""
        return tuple(use for code in self.codes for use in code.uses)

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        return tuple(self.lowered())

    def lowered(self) -> Iterator[Code]:
        lowered = 0
        for path, text in sorted(self.texts.items()):
            lower = front_end(path)
            if lower is None or lowered >= FILES or len(text) > 200_000:
                continue
            lowered += 1
            try:
                yield Code(lower(path, text.encode()), self.names)
            except TooComplexError:
                continue


def recorders_in(code: Code) -> Iterator[Recorder]:
    """The functions of a file that report usage to a provider or write a counter, and say so by their name."""
    if not code.billing:
        return
    writes = [(one.call.span, one.scope) for one in code.emissions if one.direct]
    writes += [(one.span, one.scope) for one in code.counters]
    seen: set[Scope] = set()
    for span, scope in writes:
        function = enclosing(scope, Kind.FUNCTION)
        while function is not None and isinstance(function.head, Function) and not function.head.name:
            function = enclosing(function.parent, Kind.FUNCTION)
        if function is None or function in seen or not isinstance(function.head, Function):
            continue
        seen.add(function)
        name = function.head.name
        if emits(name) or consumes(name):
            yield Recorder(name, code.facts.path, span.line, function.head.asynchronous, swallows(code, function))


def swallows(code: Code, function: Scope) -> bool:
    """Whether a failure inside never reaches the caller: then the place to mend is there and not at each call."""
    handlers = [
        scope for scope in code.facts.scopes if scope.kind is Kind.HANDLER and enclosing(scope, Kind.FUNCTION) is function
    ]
    return any(outcome(code.facts, handler) in LOST | {Outcome.STATUS} for handler in handlers)
