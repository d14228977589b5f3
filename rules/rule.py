"""What a rule is made of: a module with a docstring, `ABOUT`, `check(code)` and `EXAMPLES`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rules.code import Code
from rules.facts import Span


class Severity(StrEnum):
    """What it costs: see the severity legend of every report."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 is the gravest."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How sure a finding is. CERTAIN: no code elsewhere could make it right. POSSIBLE is never a comment."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """0 is the surest."""
        return list(Confidence).index(self)


class Classification(StrEnum):
    VULNERABILITY = "vulnerability"
    DEFICIENCY = "deficiency"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Variant:
    """A named form of a rule with a title of its own, and where they differ a severity, classes and the like."""

    title: str
    severity: Severity | None = None
    classes: tuple[str, ...] = ()
    cwe: tuple[str, ...] = ()
    classification: Classification | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What a rule says of itself. Its name is its file's, its section its folder's, its languages its examples'."""

    id: str
    title: str
    severity: Severity
    classification: Classification
    classes: tuple[str, ...]
    """Of the public taxonomy of defects, most telling first."""
    cwe: tuple[str, ...] = ()
    iso_25010: str = ""
    variants: Mapping[str, Variant] = field(default_factory=dict)
    gives_way_to: tuple[str, ...] = ()
    """Names of rules that say the same cause better: one finding per cause."""
    unprompted: bool = False
    """Whether it was mostly right in the code of whole projects, of which nobody had picked a part for it. Others are only
    possible there: among thousands of good files, a rule that is seldom wrong is wrong more often than right."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the bytes from `start` to `end` of the finding's file."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together. A safe one changes nothing beyond the finding and may be applied with one click."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """Another place that explains the finding."""

    span: Span
    note: str
    path: str | None = None
    """None: the finding's own file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one place. `span` is the statement a reader should look at first."""

    span: Span
    description: str
    """What is wrong here and what it costs, with the names that stand in this code."""
    remediation: str
    confidence: Confidence
    severity: Severity | None = None
    """Where it differs from the rule's."""
    variant: str | None = None
    trace: tuple[Step, ...] = ()
    fix: Fix | None = None
    cause: Span | None = None
    """The call or write that is at fault, where that is not `span`; of several findings with one cause, one is kept."""
    at_base: bool = False
    """The span is in the base text: the finding is anchored on a deleted line."""


@dataclass(frozen=True, slots=True)
class Example:
    """Code for a rule's page and its test. Lines that must be found end in the comment `<- finding`; none is good code."""

    language: str
    """As in a Markdown fence: python, typescript, tsx, javascript, go, sql."""
    code: str
    path: str = ""
    """Where the example lies, if that matters to the rule."""
    before: str = ""
    """The code before the change, for a rule about what was taken away; then the marks stand in it."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Other files by path."""


Check = Callable[[Code], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule module, read."""

    about: About
    name: str
    """Kebab-case: `missing-idempotency-key`."""
    section: str
    page: str
    """The module's docstring."""
    check: Check
    examples: tuple[Example, ...]
