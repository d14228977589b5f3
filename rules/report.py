"""The report: what every door of the program shows. Field names are those of the JSON contract, `meteraudit/report/1`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rules.change import NotAnalyzed

State = Literal["new", "existing", "reappeared"]
Place = Literal["changed_line", "changed_file", "elsewhere"]
Shown = Literal["comment", "annotation", "summary", "count"]


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    version: str
    rules: int
    """How many were loaded."""


@dataclass(frozen=True, slots=True)
class Subject:
    repository: str | None
    pull_request: int | None
    base: str | None
    head: str | None
    """None for a working tree."""


@dataclass(frozen=True, slots=True)
class Summary:
    architecture: str
    providers: tuple[str, ...]
    posture: str
    counts: Mapping[str, int]
    """Findings by severity, all four always there. In a review, new ones only."""
    highest_risk: str | None
    applies: bool
    """Whether there is usage-based billing in the analysed code or its context."""
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TracePoint:
    path: str
    line: int
    note: str


@dataclass(frozen=True, slots=True)
class LineEdit:
    """Replaces the lines from `start_line` to `end_line`, inclusive; an empty text deletes them."""

    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    title: str
    safe: bool
    edits: tuple[LineEdit, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """One finding. Lines and columns are 1-based, in Unicode code points, ends inclusive."""

    rule: str
    name: str
    variant: str | None
    title: str
    section: str
    classes: tuple[str, ...]
    severity: str
    confidence: str
    classification: str
    path: str
    side: Literal["right", "left"]
    line: int
    end_line: int
    column: int
    end_column: int
    evidence: str
    description: str
    remediation: str
    trace: tuple[TracePoint, ...]
    fix: Suggestion | None
    cwe: tuple[str, ...]
    iso_25010: str
    help: str | None
    fingerprint: str
    state: State
    place: Place
    shown: Shown


@dataclass(frozen=True, slots=True)
class FileDone:
    """What one file contributed, told while others still wait. The report may sort and show its findings otherwise."""

    path: str
    number: int
    """From 1 to `of`. It begins again at 1 where the analysis has to be repeated without a file that stopped it."""
    of: int
    findings: tuple[Reported, ...]
    not_analyzed: tuple[NotAnalyzed, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    question: str
    answer: str
    confidence: str | None
    """None where the answer is not visible in this code."""
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    touched: bool
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class MeterStep:
    """One place on the way of a meter."""

    path: str
    line: int
    confidence: Literal["certain", "likely", "possible"] = "certain"
    """How sure it is that this place is on the way."""
    note: str = ""
    """What stands there: a route, a call, a comparison."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What is counted, and its way from the metered action to the charge."""

    name: str
    """An event's name, `User.credits`, a key of a store, a table."""
    emitted: tuple[MeterStep, ...] = ()
    stored: tuple[MeterStep, ...] = ()
    aggregated: tuple[MeterStep, ...] = ()
    charged: tuple[MeterStep, ...] = ()
    kind: Literal["event", "counter", "table"] = "event"
    provider: str | None = None
    """Of an event: who sums and charges it. None for the project's own counters and tables."""
    actions: tuple[MeterStep, ...] = ()
    """The request handlers and jobs that set it off."""
    transported: tuple[MeterStep, ...] = ()
    """Queues, topics and jobs on the way, both ends."""
    limited: tuple[MeterStep, ...] = ()
    missing: tuple[str, ...] = ()
    """Stages that such a meter needs and that the analysed code does not show."""


@dataclass(frozen=True, slots=True)
class Dimension:
    id: str
    title: str
    score: int | None
    """None where no analysed code touches it."""
    weight: float
    notes: str


@dataclass(frozen=True, slots=True)
class Score:
    dimensions: tuple[Dimension, ...]
    composite: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    id: str
    result: Literal["pass", "fail", "skip"]
    detail: str
    metered_actions: int | None
    recorded: int | None


@dataclass(frozen=True, slots=True)
class Suppressed:
    fingerprint: str | None
    """None for an ignore comment that has no effect."""
    reason: str | None
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Gate:
    conclusion: Literal["success", "failure", "neutral", "action_required"]
    because: str


@dataclass(frozen=True, slots=True)
class Report:
    schema: str
    tool: Tool
    mode: Literal["review", "audit"]
    subject: Subject
    summary: Summary
    findings: tuple[Reported, ...]
    fixed: tuple[str, ...]
    sections: tuple[Section, ...]
    meters: tuple[Meter, ...]
    score: Score | None
    checks: tuple[CheckResult, ...]
    actions: tuple[str, ...]
    suppressed: tuple[Suppressed, ...]
    not_analyzed: tuple[NotAnalyzed, ...]
    gate: Gate
