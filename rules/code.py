"""One file with all that is known about it: what every rule is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from rules.facts import Call, Expression, Facts, Function, Kind, Scope, enclosing, fold, within
from rules.meaning.contexts import Context, context_of
from rules.meaning.limits.limits import Limit, limits_of
from rules.meaning.naming import Meter, Use, meters_of, uses_of
from rules.meaning.sql import Statement, statements_of
from rules.meaning.times.periods import Boundary, Held, boundaries_of, expressions
from rules.meaning.times.ranges import Bound, bounds_of
from rules.meaning.usage.counters import Counter, counters_of
from rules.meaning.usage.emissions import Emission, emissions_of, outer_calls
from rules.meaning.values import Origin, Values, origins, values_of
from rules.meaning.vocabulary import evidence
from rules.schema.tables import Schema, Table

if TYPE_CHECKING:
    from rules.meaning.money.reckoning import Reckoning
    from rules.tracing.whole import Trace


@dataclass(frozen=True, slots=True)
class OwnNames:
    """The project's own functions by role, folded; from the configuration."""

    emit: frozenset[str] = frozenset()
    aggregate: frozenset[str] = frozenset()
    limit: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recorder:
    """A function of the project that records usage, wherever it lies."""

    name: str
    path: str
    line: int
    asynchronous: bool
    swallows: bool
    """It never fails towards its caller: what is lost is lost in it."""
    measures: bool
    """It feeds product analytics or telemetry, and nothing that is billed."""


class Elsewhere(Protocol):
    """What other files tell; `rules.project.Project` is it."""

    @property
    def schema(self) -> Schema: ...

    @property
    def tables(self) -> tuple[tuple[str, Table], ...]:
        """What each file says of a table; a later migration comes later."""
        ...

    @property
    def reckonings(self) -> "Mapping[str, tuple[Reckoning, ...]]":
        """By folded field: where money is added up, compared or cut."""
        ...

    @property
    def recorders(self) -> Mapping[str, Recorder]: ...

    @property
    def meters(self) -> tuple[Meter, ...]: ...

    @property
    def uses(self) -> tuple[Use, ...]:
        """Keys of stores and queues by name, those of the file that is judged included."""
        ...

    @property
    def trace(self) -> "Trace | None": ...

    @property
    def whole(self) -> bool:
        """Whether all of the project is at hand: only then is what nobody reads known."""
        ...

    def code_at(self, path: str) -> "Code | None":
        """The code of a file, if it is at hand."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """A file that stands alone: pasted code, an example."""

    schema: Schema = Schema()
    tables: tuple[tuple[str, Table], ...] = ()
    reckonings: "Mapping[str, tuple[Reckoning, ...]]" = field(default_factory=dict)
    recorders: Mapping[str, Recorder] = field(default_factory=dict)
    meters: tuple[Meter, ...] = ()
    uses: tuple[Use, ...] = ()
    trace: "Trace | None" = None
    whole: bool = False

    def code_at(self, path: str) -> "Code | None":
        return None


@dataclass(frozen=True, eq=False)
class Code:
    """A file's facts and their meaning. What is expensive is worked out when a rule first asks for it."""

    facts: Facts
    names: OwnNames = OwnNames()
    base: "Code | None" = None
    """The same file before the change, in a review; None for a new file and in an audit."""
    deleted: frozenset[int] = frozenset()
    """Lines of the base that the change takes away."""
    elsewhere: Elsewhere = Nothing()
    """The rest of the project, as far as it was handed over."""

    @cached_property
    def values(self) -> Values:
        return values_of(self.facts)

    @cached_property
    def expressions(self) -> Held:
        """Every outermost expression with its scope: most rules walk them all."""
        return expressions(self.facts)

    @cached_property
    def outer(self) -> dict[int, Call]:
        """For each call, by identity, the call of whose callee or arguments it is a part."""
        return outer_calls(self.facts)

    @cached_property
    def emissions(self) -> tuple[Emission, ...]:
        found = emissions_of(self.facts, self.values, self.outer, lambda name: is_one_of(name, self.names.emit))
        return tuple(one for one in found if one.certain or not self.only_measured(one.call))

    def only_measured(self, call: Call) -> bool:
        """Whether another file of the project shows that the recorder called here feeds no bill."""
        if self.values.functions.get(call.method) or is_one_of(call.name, self.names.emit):
            return False
        recorder = self.elsewhere.recorders.get(call.method)
        return recorder is not None and recorder.measures

    @cached_property
    def counters(self) -> tuple[Counter, ...]:
        return counters_of(self.facts, self.values) if self.billing else ()

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        return limits_of(self.facts, self.values) if self.billing else ()

    @cached_property
    def boundaries(self) -> tuple[Boundary, ...]:
        return boundaries_of(self.facts, self.values, self.expressions) if self.billing else ()

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        return statements_of(self.facts, self.expressions) if self.billing else ()

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        return bounds_of(self.facts, self.statements, self.expressions) if self.billing else ()

    @cached_property
    def meters(self) -> tuple[Meter, ...]:
        return tuple(meters_of(self.facts, self.values))

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        return tuple(uses_of(self.facts, self.values))

    @cached_property
    def evidence(self) -> tuple[int, int]:
        """How many different strong and weak billing words the file and its path have."""
        return evidence(self.facts.path + "\n" + self.facts.source.decode(errors="replace"))

    @cached_property
    def billing(self) -> bool:
        """Whether the file speaks of billing: one strong word, or two weak ones, or an emission of a known provider."""
        strong, weak = self.evidence
        return strong > 0 or weak > 1 or any(emission.direct for emission in self.emissions)

    @cached_property
    def _contexts(self) -> dict[Scope, Context]:
        return {}

    def context(self, scope: Scope) -> Context:
        """In what situation the function around a scope runs."""
        function = enclosing(scope, Kind.FUNCTION, Kind.MODULE) or scope
        if function not in self._contexts:
            self._contexts[function] = context_of(self.facts, function)
        return self._contexts[function]

    def origins(self, expression: Expression, scope: Scope, at: int | None = None) -> tuple[Origin, ...]:
        return origins(self.values, expression, scope, at)

    def calls_in(self, scope: Scope | None) -> Iterator[Call]:
        """The calls inside a scope, nested functions included, in evaluation order."""
        if scope is None:
            yield from self.facts.calls
            return
        for call in self.facts.calls:
            if within(call.scope, scope):
                yield call

    def function_name(self, scope: Scope) -> str:
        """The name of the function around a scope, for messages and fingerprints; empty at the top of a file."""
        while scope is not None and scope.parent is not None:
            if isinstance(scope.head, Function) and scope.head.name:
                return scope.head.name
            scope = scope.parent
        return ""


def is_one_of(name: str, names: frozenset[str]) -> bool:
    """Whether a dotted name is, or ends in, one of the configured ones."""
    if not names:
        return False
    folded = fold(name)
    return any(folded == own or folded.endswith("." + own) for own in names)
