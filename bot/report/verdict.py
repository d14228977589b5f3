"""The words that every form of the report shares: severities, sections, the headline and the order of findings."""

from collections.abc import Iterable, Mapping

from rules.report import Report, Reported
from rules.rule import Confidence, Severity
from rules.sections import TITLES

LEGEND = {
    "critical": "usage lost or double-counted in production",
    "high": "will cause billing disputes",
    "medium": "a gap with real revenue impact",
    "low": "a defensive improvement",
}
SECTIONS = TITLES
"""Sections 3 to 8 of every report, in order, as the engine names them."""
SUMS_UP = "severity high, CWE-20, ISO/IEC 25010 functional correctness"
"""What the check `usage-billing-accurate` counts as."""
HOW_SCORED = (
    "A dimension starts at 10 and loses, for each finding, severity (critical 4, high 2, medium 1, low 0.5) times confidence "
    "(certain 1, likely 0.75, possible 0.25), down to 1. The score is the weighted mean of the dimensions that this code "
    "touches, at most 6 with a likely critical finding and at most 4 with a certain one."
)


def gravest_first(findings: Iterable[Reported]) -> list[Reported]:
    """By severity, confidence, path and line."""
    return sorted(findings, key=_rank)


def _rank(finding: Reported) -> tuple[int, int, str, int, int, str, str]:
    severity, confidence = Severity(finding.severity).rank, Confidence(finding.confidence).rank
    return severity, confidence, finding.path, finding.line, finding.column, finding.rule, finding.fingerprint


def due(report: Report) -> list[Reported]:
    """The findings that the verdict is about, gravest first: in a review those that the change brought, in an audit all."""
    return gravest_first(f for f in report.findings if report.mode == "audit" or f.state != "existing")


def counted(counts: Mapping[str, int]) -> str:
    """`1 high, 3 medium`, or `no findings`."""
    return ", ".join(f"{counts[severity]} {severity}" for severity in LEGEND if counts.get(severity)) or "no findings"


def number(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def headline(report: Report, files: int | None = None) -> str:
    """`Blocked: 6/10 · 1 high, 3 medium`. `files` is how many the change has, given where what was not analysed matters."""
    conclusion = report.gate.conclusion
    if conclusion != "failure" and files is not None and report.not_analyzed:
        return f"Partial: {len(report.not_analyzed)} of {files} files not analysed"
    if conclusion == "action_required":
        return f"Action required: {report.gate.because}"
    if report.score is None and conclusion == "success" and not any(report.summary.counts.values()):
        return f"Nothing metered in this {'change' if report.mode == 'review' else 'code'}"
    score = f"{report.score.composite}/10 · " if report.score else ""
    word = {"failure": "Blocked", "neutral": "Advisory", "success": "Passed"}[conclusion]
    return f"{word}: {score}{counted(report.summary.counts)}"
