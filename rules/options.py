"""What a team may decide about a review; whoever calls the engine translates its configuration into this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.rule import Confidence, Severity


@dataclass(frozen=True, slots=True)
class Names:
    """The project's own functions, by the role it gave them."""

    emit: tuple[str, ...] = ()
    aggregate: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """The defaults are those of `.meteraudit.yml`."""

    rules: Mapping[str, Literal["off"] | Severity] = field(default_factory=dict)
    """By rule id."""
    names: Names = Names()
    blocking: bool = True
    fail_on: Severity = Severity.HIGH
    min_score: int | None = None
    min_confidence: Confidence = Confidence.LIKELY
    min_severity: Severity = Severity.MEDIUM
    max_comments: int = 10
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Where a setting was made, for the sentence that explains the verdict: `fail_on` -> `.meteraudit.yml:4`."""
    help_url: str | None = None
    """Where the rules' pages are, without the rule: `https://host/rules`."""
