"""What the answers are made from: the analysed code, its findings, and how each report of usage is sent."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from rules.code import Code
from rules.facts import Call, Function, Kind, Scope, Span, enclosing
from rules.meaning.contexts import Context
from rules.meaning.promises import goroutine, left_alone
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.writes import usage_writes
from rules.meaning.vocabulary import OTHER_METERS, words
from rules.project import Project
from rules.report import Evidence, Reported
from rules.rule import Confidence
from rules.trace import MeteredAction, trace_of
from rules.tracing.actions import HOPS
from rules.tracing.graph import Graph, Node, upwards
from rules.tracing.sights import Kind as Seeing
from rules.tracing.sights import Sight
from rules.tracing.whole import Trace

MOST_PLACES = 5
NOT_SERVED = frozenset(
    "seed seeds mock mocks demo fixture fixtures eval evals bench benchmark benchmarks k6 loadtest simulate".split()
)
"""Words of a path whose code nobody is billed by."""
HOLDS = frozenset("usage usages meter metering ledger consumption credit credits quota balance billing user account".split())
RECORDS = frozenset({Seeing.COUNT, Seeing.INSERT})


class Way(StrEnum):
    """How a report of usage leaves; the value is how an answer says it."""

    BROWSER = "from the browser"
    WAITED = "synchronously, in the request"
    BESIDE = "in the background, and nobody waits for it"
    BUFFERED = "from a buffer in memory that the SDK empties in the background"
    WORKER = "from a queue worker"
    WEBHOOK = "while a webhook is handled"
    SCHEDULE = "on a schedule"
    SCRIPT = "by a script that somebody runs"
    CALLED = "synchronously, where the function is called"


OF_CONTEXT = {
    Context.BROWSER: Way.BROWSER,
    Context.REQUEST: Way.WAITED,
    Context.WORKER: Way.WORKER,
    Context.WEBHOOK: Way.WEBHOOK,
    Context.SCHEDULE: Way.SCHEDULE,
    Context.SCRIPT: Way.SCRIPT,
}
ENTERING = frozenset({Context.REQUEST, Context.WORKER, Context.WEBHOOK, Context.SCHEDULE})
"""What a framework calls. A browser that calls a server's function by its name does so through a request."""
AGAIN = frozenset({Way.WORKER, Way.WEBHOOK})
"""Ways on which what failed comes again by itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    text: str
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """One report of usage to a provider, or one write of usage to the project's own store."""

    code: Code
    call: Call | None
    sent: Call | None
    span: Span
    scope: Scope
    title: str
    emission: Emission | None

    @property
    def at(self) -> Evidence:
        return Evidence(self.code.facts.path, self.span.line)

    @property
    def key(self) -> tuple[str, int]:
        return self.code.facts.path, self.span.line


@dataclass(frozen=True, eq=False)
class Seen:
    """Worked out when an answer first asks."""

    codes: tuple[Code, ...]
    """Without tests and examples, which bill nobody."""
    findings: tuple[Reported, ...]
    """Without those that are only possible."""
    project: Project | None

    @cached_property
    def billing(self) -> tuple[Code, ...]:
        """The billing code of the server, without scripts that somebody runs by hand."""
        apart = (Context.BROWSER, Context.SCRIPT)
        return tuple(
            code
            for code in self.codes
            if code.billing and code.context(code.facts.root) not in apart and not code.facts.renders
        )

    @cached_property
    def trace(self) -> Trace:
        return trace_of(self.codes, self.project)

    @property
    def graph(self) -> Graph:
        return self.trace.graph

    @cached_property
    def actions(self) -> tuple[MeteredAction, ...]:
        """The metered actions of the analysed files; those of other files are another report's matter."""
        here = {code.facts.path for code in self.codes}
        return tuple(one for one in self.trace.actions if one.path in here and one.sure != "possible")

    @cached_property
    def reports(self) -> tuple[Sent, ...]:
        """Usage that goes to a provider, each call once."""
        return tuple(
            Sent(code, one.call, one.sent, one.call.span, one.scope, one.title, one)
            for code in self.codes
            for one in code.emissions
            if one.record is not None
        )

    @cached_property
    def stored(self) -> tuple[Sent, ...]:
        """Usage that is written to the project's own store on the server: what the trace takes for a count or a row."""
        reported = {id(one.call) for one in self.reports}
        kept = {(one.path, one.line) for one in self.records}
        return tuple(
            Sent(code, one.call, one.sent, one.span, one.scope, one.title, None)
            for code in self.billing
            for one in usage_writes(code)
            if one.call is not None and id(one.call) not in reported and (code.facts.path, one.span.line) in kept
        )

    @cached_property
    def records(self) -> tuple[Sight, ...]:
        """The counters and rows of the billing code; what only feeds a dashboard of the operator is none."""
        here = {code.facts.path for code in self.billing if not is_telemetry(code)}
        sent = {one.key for one in self.reports}
        return tuple(
            one for one in self.sights if one.kind in RECORDS and one.path in here and (one.path, one.line) not in sent
        )

    def is_table(self, name: str) -> bool:
        """Whether the schema knows it, or it says by its name that it holds usage; a variable's name says nothing."""
        known = self.project is not None and self.project.schema.table(name) is not None
        return bool(name) and (known or (name[:1] != "_" and bool(HOLDS & set(words(name)))))

    @property
    def sights(self) -> Iterator[Sight]:
        return (one for digest in self.graph.digests for one in digest.sights)

    @cached_property
    def nodes(self) -> dict[tuple[str, int], Node]:
        """The routine in which a record stands, by path and line."""
        return {
            (one.path, one.line): (position, one.routine)
            for position, digest in enumerate(self.graph.digests)
            for one in digest.sights
            if one.routine >= 0
        }

    @cached_property
    def recorded(self) -> tuple[Sent, ...]:
        """The reports to a provider, or where there are none the own writes."""
        return self.reports or self.stored

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[Reported]]:
        found: dict[tuple[str, str], list[Reported]] = {}
        for finding in self.findings:
            found.setdefault((finding.path, finding.name), []).append(finding)
        return found

    def named(self, *names: str) -> list[Reported]:
        """The findings of some rules, in the order of the report."""
        return [finding for finding in self.findings if finding.name in names]

    def says(self, name: str, sent: Sent) -> bool:
        """Whether a rule has a finding at a place."""
        found = self._by_place.get((sent.code.facts.path, name), ())
        return any(one.line <= sent.span.end_line and sent.span.line <= one.end_line for one in found)

    def way(self, sent: Sent) -> Way:
        """How it leaves, by the function that it stands in, else by the handlers that lead to it."""
        record = sent.emission.record if sent.emission else None
        context = sent.code.context(sent.scope)
        if context is Context.BROWSER:
            return Way.BROWSER
        if record is not None and record.returns == "void_buffered":
            return Way.BUFFERED
        if self.is_beside(sent):
            return Way.BESIDE
        if context in OF_CONTEXT:
            return OF_CONTEXT[context]
        return self.led(sent)

    def led(self, sent: Sent) -> Way:
        """By the handlers and jobs from which it is reached, where they are of one kind, or of several that are at once."""
        node = self.nodes.get(sent.key)
        found = {
            OF_CONTEXT[context]
            for one in (upwards(self.graph, node, HOPS) if node is not None else ())
            if one.sure != "possible" and (routine := self.graph.routine(one.node)) is not None
            and (context := Context(routine.context)) in ENTERING
        }  # fmt: skip
        if len(found) == 1:
            return found.pop()
        return Way.WAITED if Way.WAITED in found and found <= {Way.WAITED, Way.WEBHOOK} else Way.CALLED

    def is_beside(self, sent: Sent) -> bool:
        if self.says("emit-not-awaited", sent) or left_alone(sent.scope) is not None:
            return True
        return goroutine(sent.code, sent.scope) is not None


def seen_of(codes: Iterable[Code], findings: Iterable[Reported], project: Project | None = None) -> Seen:
    ordered = sorted(codes, key=lambda code: code.facts.path)
    plain = tuple(code for code in ordered if code.context(code.facts.root) is not Context.TEST and is_served(code))
    return Seen(plain, tuple(one for one in findings if one.confidence != Confidence.POSSIBLE), project)


def is_served(code: Code) -> bool:
    """Not `prisma/seedUsageLog.ts` or `k6/load.js`."""
    *folders, name = code.facts.path.split("/")
    return not NOT_SERVED & {*folders, *words(name)[:1]}


def is_telemetry(code: Code) -> bool:
    measures = any(OTHER_METERS & set(words(package)) for package in code.facts.packages)
    return measures and bool({"metrics", "telemetry", "prometheus"} & set(code.facts.path.replace(".", "/").split("/")))


def places(sent: Iterable[Sent]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(one.at for one in sent))[:MOST_PLACES]


def of_findings(findings: Iterable[Reported]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(Evidence(one.path, one.line) for one in findings))[:MOST_PLACES]


def at(code: Code, span: Span) -> Evidence:
    return Evidence(code.facts.path, span.line)


def surest(findings: Iterable[Reported]) -> Confidence:
    return min((Confidence(one.confidence) for one in findings), key=lambda one: one.rank, default=Confidence.LIKELY)


def shares(counts: Counter[str]) -> str:
    """`a`, or `2 of 3 a, 1 b`, the most frequent first."""
    if len(counts) == 1:
        return next(iter(counts))
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    first, *rest = [f"{count} {text}" for text, count in ordered]
    return "; ".join([first.replace(" ", f" of {total} ", 1), *rest])


def called(action: MeteredAction) -> str:
    """What an action is called: its route or name, else its file."""
    return action.title if action.title not in ("", "function", "default") else action.path.rpartition("/")[2]


def functions(code: Code) -> Iterator[tuple[Scope, Function]]:
    """The functions of a file that have a name or a registration of their own."""
    for scope in code.facts.scopes:
        if scope.kind is Kind.FUNCTION and isinstance(scope.head, Function) and (scope.head.name or scope.head.registered_as):
            yield scope, scope.head


def same_function(one: Scope, other: Scope) -> bool:
    return enclosing(one, Kind.FUNCTION) is enclosing(other, Kind.FUNCTION)
