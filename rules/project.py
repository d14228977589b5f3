"""What only several files tell: the schema, and which functions of other files record usage and how they fail."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath

from rules.code import Code, Nothing, OwnNames, Recorder
from rules.facts import Call, Function, Scope, chain, fold, within
from rules.judge import may_concern_billing, out_of_bounds
from rules.languages import front_end
from rules.languages.lowering import TooComplexError
from rules.meaning.contexts import TEST_PATH
from rules.meaning.money.reckoning import Reckoning, reckonings_of
from rules.meaning.naming import Meter, Use
from rules.meaning.promises import is_async
from rules.meaning.samples import is_copy
from rules.meaning.usage.losses import keeps_failures, records_by_class
from rules.meaning.usage.writes import calls_procedure, inserts_usage
from rules.meaning.vocabulary import consumes, emits, words
from rules.mentions import Mention, mentions
from rules.rest import Rest
from rules.schema import Schema, Table, looks_like_schema, tables_of
from rules.schema.tables import joined
from rules.tracing.digest import digest_of
from rules.tracing.routines import holder_of
from rules.tracing.sights import Kind
from rules.tracing.whole import Trace, traced

MEASURING = frozenset(
    "posthog analytics telemetry mixpanel amplitude segment statsd prometheus otel opentelemetry gauge histogram span tracer "
    "metrics datadog sentry".split()
)
FILES = 120
"""Context files that are lowered: beyond that the rest is only read for its schema."""
PICKED = 20
"""So many files may have been picked by somebody; of more, nobody has looked at each."""
CONTEXT_SIZE = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What a judged file was before the change: its path in the project at the base, and the lines that are gone."""

    project: "Project | None" = None
    path: str = ""
    deleted: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Project:
    """The texts at one end of a change, changed files and context, by path. Worked out when a rule first asks."""

    texts: Mapping[str, str] = field(default_factory=dict)
    names: OwnNames = OwnNames()
    whole: bool = True
    """Whether all files that matter are at hand, so that what is not there can be said to be missing."""
    complete: frozenset[str] = frozenset()
    """Names of which every file that has them is at hand, where not all files are; folded."""
    judged: Mapping[str, Before] = field(default_factory=dict)
    """The files that are judged, with what they were: all of them are lowered, the others as far as FILES allows."""

    beyond: Mapping[str, str] = field(default_factory=dict)
    """Texts that are only looked through for who calls a function."""
    sought: frozenset[str] = frozenset()
    """Names of which every file that has them is among these texts or the others."""

    shared: dict[str, tuple[str, Code | None]] = field(default_factory=dict)
    """The context files that were lowered: both ends of a change have the same ones."""

    @property
    def swept(self) -> bool:
        return self.whole and len(self.judged) > PICKED

    @cached_property
    def schema(self) -> Schema:
        return joined(table for _, table in self.tables)

    @cached_property
    def tables(self) -> tuple[tuple[str, Table], ...]:
        """What each file says of a table; a later migration comes later."""
        return tuple(tables_of(self.texts))

    @cached_property
    def reckonings(self) -> Mapping[str, tuple[Reckoning, ...]]:
        """By folded field: where money is added up, compared or cut."""
        found: dict[str, list[Reckoning]] = {}
        for code in self.codes:
            for one in reckonings_of(code):
                found.setdefault(one.field, []).append(one)
        return {field: tuple(them) for field, them in found.items()}

    @cached_property
    def recorders(self) -> Mapping[str, tuple[Recorder, ...]]:
        """Functions that record usage, by name.

        What a recorder does is first asked of its own file alone, then once more for those that call the ones of other files.
        """
        holding = [code for code in self.codes if has_recorders(code)]
        found = {code.facts.path: tuple(recorders_in(replace(code, elsewhere=Nothing()))) for code in holding}
        known = by_name(one for them in found.values() for one in them)
        for code in holding:
            hands_on = any(call.method in known and not code.values.functions.get(call.method) for call in code.facts.calls)
            if hands_on and not all(one.swallows for one in found[code.facts.path]):
                found[code.facts.path] = tuple(recorders_in(replace(code, elsewhere=Nothing(recorders=known))))
        return by_name(one for them in found.values() for one in them)

    @cached_property
    def meters(self) -> tuple[Meter, ...]:
        """The meters that any file defines."""
        return tuple(meter for code in self.codes for meter in code.meters)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Keys of stores and names of queues, as far as they are written out."""
        return tuple(use for code in self.codes for use in code.uses)

    @cached_property
    def trace(self) -> Trace:
        """The ways of the meters over all files at hand."""
        return traced((digest_of(code) for code in self.codes), self.schema)

    @cached_property
    def rest(self) -> Rest | None:
        everything = Project({**self.beyond, **self.texts}, self.names)
        return Rest(everything, self.sought, self.code_of) if self.sought and not self.whole else None

    def sees(self, name: str) -> bool:
        return self.whole or fold(name) in self.complete

    def speaks_of(self, name: str, apart_from: frozenset[str]) -> bool:
        """Whether any other text names it, in whatever spelling; tests and the schema, which name everything, left out."""
        spelled = re.compile("[_-]?".join(map(re.escape, words(name))), re.I)
        return any(
            path not in apart_from and not looks_like_schema(path) and not TEST_PATH.search(path) and spelled.search(text)
            for path, text in self.texts.items()
        )

    def naming(self, name: str) -> frozenset[str]:
        """The files that have a name, spelled just so; tests left out."""
        if name not in self._naming:
            spelled = re.compile(rf"\b{re.escape(name)}\b")
            having = (path for path, text in self.texts.items() if name in text and spelled.search(text))
            self._naming[name] = frozenset(path for path in having if not TEST_PATH.search(path) and not is_copy(path))
        return self._naming[name]

    @cached_property
    def _naming(self) -> dict[str, frozenset[str]]:
        return {}

    def mentions(self, name: str) -> tuple[Mention, ...]:
        """The lines that mean a name, where it is not only brought in, handed out or spoken of; tests left out."""
        if name not in self._mentions:
            found = (one for path in sorted(self.naming(name)) for one in mentions(path, self.texts[path], name))
            self._mentions[name] = tuple(found)
        return self._mentions[name]

    @cached_property
    def _mentions(self) -> dict[str, tuple[Mention, ...]]:
        return {}

    def found(self, pattern: re.Pattern[str]) -> frozenset[str]:
        """What the first group of a pattern finds in all texts, tests left out."""
        if pattern not in self._found:
            texts = (text for path, text in self.texts.items() if not TEST_PATH.search(path))
            self._found[pattern] = frozenset(one[1] for text in texts for one in pattern.finditer(text))
        return self._found[pattern]

    @cached_property
    def _found(self) -> dict[re.Pattern[str], frozenset[str]]:
        return {}

    def prepare(self) -> None:
        """Works out what all files ask for, so that processes that are forked off have it."""
        _ = (self.schema, self.recorders, self.meters, self.uses, self.trace.actions, self.trace.seen.of(Kind.EMIT))

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        return tuple(self.all_codes())

    def all_codes(self) -> Iterator[Code]:
        around = 0
        for path, text in sorted(self.texts.items()):
            if path in self.judged:
                code = self.lowered(path)
            elif front_end(path) is None or around >= FILES or len(text) > CONTEXT_SIZE:
                continue
            else:
                around += 1
                code = self.beside(path)
            if code is not None:
                yield code

    def code_of(self, path: str) -> Code | None:
        """The code of a file that was lowered for the trace, judged or not."""
        return self.by_path.get(path)

    @cached_property
    def by_path(self) -> Mapping[str, Code]:
        return {code.facts.path: code for code in self.codes}

    def only_in(self, name: str) -> tuple[str, ...] | None:
        """The files that have a name, however it is spelled; None where others may have it that are not at hand."""
        if not self.sees(name):
            return None
        wanted = fold(name)
        return tuple(path for path, text in self.texts.items() if wanted in fold(text))

    def has(self, code: Code) -> bool:
        """Whether a code is one of this project's own."""
        return self._lowered.get(code.facts.path) is code

    def code_at(self, path: str) -> Code | None:
        """The code of a file that is judged, lowered once. Raises TooComplexError."""
        text = self.texts.get(path)
        if path not in self.judged or text is None:
            return None
        if path not in self._lowered:
            self._lowered[path] = self.made(path, text)
        return self._lowered[path]

    def lowered(self, path: str) -> Code | None:
        try:
            return self.code_at(path) if path in self.judged else self.made(path, self.texts[path])
        except TooComplexError:
            return None

    def beside(self, path: str) -> Code | None:
        """The code of a context file. The other end of the change has the same, where the text is the same."""
        text = self.texts[path]
        if path not in self.shared or self.shared[path][0] is not text:
            self.shared[path] = text, self.lowered(path)
        return self.shared[path][1]

    def made(self, path: str, text: str) -> Code | None:
        lower = front_end(path)
        if lower is None:
            return None
        before = self.judged.get(path)
        if before is None:
            return Code(lower(path, text.encode()), self.names)
        if out_of_bounds(path, text) is not None or not may_concern_billing(f"{path}\n{text}"):
            return None
        base = before.project.lowered(before.path) if before.project is not None and before.path else None
        return Code(lower(path, text.encode()), self.names, base, before.deleted, self)

    @cached_property
    def _lowered(self) -> dict[str, Code | None]:
        return {}


def by_name(recorders: Iterable[Recorder]) -> Mapping[str, tuple[Recorder, ...]]:
    found: dict[str, list[Recorder]] = {}
    for one in recorders:
        found.setdefault(one.name, []).append(one)
    return {name: tuple(them) for name, them in found.items()}


def has_recorders(code: Code) -> bool:
    if TEST_PATH.search(code.facts.path) or is_copy(code.facts.path):
        return False
    return any(says_recorder(scope) for scope in code.facts.scopes)


def says_recorder(scope: Scope) -> bool:
    return isinstance(scope.head, Function) and (emits(scope.head.name) or consumes(scope.head.name) or records_by_class(scope))


def recorders_in(code: Code) -> Iterator[Recorder]:
    """The functions of a file that say by their name that they record usage, and what becomes of it in them."""
    for function in code.facts.scopes:
        head = function.head
        if isinstance(head, Function) and says_recorder(function):
            yield Recorder(
                head.name,
                holder_of(function),
                code.facts.path,
                function.span.line,
                is_async(head) or gives_promise(code, function),
                swallows=keeps_failures(code, function),
                measures=only_measures(code, function),
            )


def own_function(scope: Scope) -> Scope | None:
    return next((one for one in chain(scope) if isinstance(one.head, Function)), None)


def gives_promise(code: Code, function: Scope) -> bool:
    """Whether a function that says nothing of its result returns that of another call, which may be a promise."""
    returned = (one.value for one in code.facts.returns if own_function(one.scope) is function)
    assert isinstance(function.head, Function)
    return not function.head.returns and any(isinstance(value, Call) for value in returned)


def only_measures(code: Code, function: Scope) -> bool:
    """Whether what is recorded goes to product analytics or telemetry and nowhere else: nobody is billed from there."""
    file = code.facts
    calls = [call for call in file.calls if within(call.scope, function)]
    about = {*words(PurePosixPath(file.path).parent.name), *words(PurePosixPath(file.path).stem)}
    if not MEASURING & about and not any(MEASURING & set(words(call.name)) for call in calls):
        return False
    written = {id(one.call) for one in code.counters} | {id(one.call) for one in code.emissions if one.direct}
    return not any(id(call) in written or inserts_usage(call) or calls_procedure(call) for call in calls)
