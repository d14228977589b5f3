"""One file with all that is known about it: what every rule is given."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from rules.facts import Call, Expression, Facts, Function, Kind, Scope, enclosing, fold, within
from rules.meaning.contexts import Context, context_of
from rules.meaning.limits.limits import Limit, limits_of
from rules.meaning.naming import Meter, Use, meters_of, uses_of
from rules.meaning.origins import Origin, origins
from rules.meaning.sql import Statement, statements_of
from rules.meaning.times.periods import Boundary, Held, boundaries_of, expressions
from rules.meaning.times.ranges import Bound, bounds_of
from rules.meaning.usage.counters import Counter, counters_of
from rules.meaning.usage.emissions import Emission, emissions_of, outer_calls
from rules.meaning.values import Values, values_of
from rules.meaning.vocabulary import consumes, emits, evidence
from rules.mentions import Mention
from rules.schema.tables import Schema, Table

if TYPE_CHECKING:
    from rules.meaning.money.reckoning import Reckoning
    from rules.rest import Rest
    from rules.tracing.whole import Trace


INDEX = re.compile(r"/(index|__init__|mod)$")
"""A file that stands for its folder in an import."""
SHORT = 3
"""A receiver's name of so few letters tells no class."""


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
    holder: str
    """The class around it, if any."""
    path: str
    line: int
    asynchronous: bool
    swallows: bool
    """It never fails towards its caller: what is lost is lost in it."""
    measures: bool
    """It feeds product analytics or telemetry, and nothing that is billed."""

    def meant(self, before: str) -> bool:
        """Whether what stands before the dot of a call, imports resolved, names the class or the file."""
        last = fold(before.rpartition(".")[2].removesuffix("()"))
        if self.holder and len(last) > SHORT and last in fold(self.holder):
            return True
        folded = fold(before.rpartition("@")[2].strip("/").replace("/", "."))
        place = fold(INDEX.sub("", self.path.rpartition(".")[0]).replace("/", "."))
        longer, shorter = sorted((folded, place), key=len, reverse=True)
        return bool(shorter) and f".{longer}".endswith(f".{shorter}")


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
    def recorders(self) -> Mapping[str, tuple[Recorder, ...]]: ...

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

    @property
    def swept(self) -> bool:
        """Whether a project is judged as it stands, and nobody has picked the files or just written them."""
        ...

    @property
    def rest(self) -> "Rest | None":
        """What is looked through for who calls a function, where not all of the project is at hand."""
        ...

    def sees(self, name: str) -> bool:
        """Whether all files are at hand that have a name."""
        ...

    def code_at(self, path: str) -> "Code | None":
        """The code of a file, if it is at hand."""
        ...

    def speaks_of(self, name: str, apart_from: frozenset[str]) -> bool:
        """Whether any other text names it."""
        ...

    def naming(self, name: str) -> frozenset[str]:
        """The files that have a name, spelled just so; tests left out."""
        ...

    def mentions(self, name: str) -> tuple[Mention, ...]:
        """The lines that mean a name, where it is not only brought in, handed out or spoken of; tests left out."""
        ...

    def found(self, pattern: re.Pattern[str]) -> frozenset[str]:
        """What the first group of a pattern finds in all texts, tests left out."""
        ...

    def code_of(self, path: str) -> "Code | None":
        """The same of a file that is not judged: one that calls or is called."""
        ...

    def only_in(self, name: str) -> tuple[str, ...] | None:
        """The files that have a name, however it is spelled; None where others may have it that are not at hand."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """A file that stands alone: pasted code, an example."""

    schema: Schema = Schema()
    tables: tuple[tuple[str, Table], ...] = ()
    reckonings: "Mapping[str, tuple[Reckoning, ...]]" = field(default_factory=dict)
    recorders: Mapping[str, tuple[Recorder, ...]] = field(default_factory=dict)
    meters: tuple[Meter, ...] = ()
    uses: tuple[Use, ...] = ()
    trace: "Trace | None" = None
    whole: bool = False
    swept: bool = False
    rest: "Rest | None" = None

    def sees(self, name: str) -> bool:
        return False

    def code_at(self, path: str) -> "Code | None":
        return None

    def speaks_of(self, name: str, apart_from: frozenset[str]) -> bool:
        return False

    def naming(self, name: str) -> frozenset[str]:
        return frozenset()

    def mentions(self, name: str) -> tuple[Mention, ...]:
        return ()

    def found(self, pattern: re.Pattern[str]) -> frozenset[str]:
        return frozenset()

    def code_of(self, path: str) -> "Code | None":
        return None

    def only_in(self, name: str) -> tuple[str, ...] | None:
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
        found = self.recorders(call)
        return bool(found) and all(one.measures for one in found)

    def recorders(self, call: Call) -> tuple[Recorder, ...]:
        """The functions of other files that a call may mean: those by what stands before the dot, else all so called."""
        found = self.elsewhere.recorders.get(call.method, ())
        before = call.name.rpartition(".")[0]
        meant = tuple(one for one in found if one.meant(before))
        return meant or (found if emits(call.method) or consumes(call.method) else ())

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
