"""What only several files tell: the schema, and which functions of other files record usage and how they fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from rules.code import Code, OwnNames, Recorder
from rules.facts import Function, Scope, within
from rules.languages import front_end
from rules.languages.lowering import TooComplexError
from rules.meaning.contexts import TEST_PATH
from rules.meaning.naming import Meter, Use
from rules.meaning.promises import is_async
from rules.meaning.usage.losses import keeps_failures
from rules.meaning.usage.writes import calls_procedure, inserts_usage
from rules.meaning.vocabulary import consumes, emits, words
from rules.schema import Schema, schema_of

MEASURING = frozenset(
    "posthog analytics telemetry mixpanel amplitude segment statsd prometheus otel opentelemetry gauge histogram span tracer "
    "metrics datadog sentry".split()
)
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
    """The functions of a file that say by their name that they record usage, and what becomes of it in them."""
    if TEST_PATH.search(code.facts.path):
        return
    for function in code.facts.scopes:
        head = function.head
        if isinstance(head, Function) and (emits(head.name) or consumes(head.name)):
            yield Recorder(
                head.name,
                code.facts.path,
                function.span.line,
                is_async(head),
                swallows=keeps_failures(code, function),
                measures=only_measures(code, function),
            )


def only_measures(code: Code, function: Scope) -> bool:
    """Whether what is recorded goes to product analytics or telemetry and nowhere else: nobody is billed from there."""
    file = code.facts
    calls = [call for call in file.calls if within(call.scope, function)]
    about = {*words(PurePosixPath(file.path).parent.name), *words(PurePosixPath(file.path).stem)}
    if not MEASURING & about and not any(MEASURING & set(words(call.name)) for call in calls):
        return False
    written = {id(one.call) for one in code.counters} | {id(one.call) for one in code.emissions if one.direct}
    return not any(id(call) in written or inserts_usage(call) or calls_procedure(call) for call in calls)
