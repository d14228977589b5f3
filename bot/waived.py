"""The report without findings that somebody entitled took out of the verdict, with everything that follows from it."""

from collections.abc import Set
from dataclasses import replace

from rules.options import Options
from rules.report import Report, Reported
from rules.score import score
from rules.verdict import gate


def without(report: Report, waived: Set[str], options: Options) -> Report:
    """Findings, counts, score and gate as if the rules had not said what is waived (fingerprints)."""
    if not waived & {one.fingerprint for one in report.findings}:
        return report
    findings = tuple(one for one in report.findings if one.fingerprint not in waived)
    new = tuple(one for one in findings if one.state != "existing")
    touched = {one.id for one in report.score.dimensions if one.score is not None} if report.score else set()
    graded = score(new, frozenset(touched))
    return replace(
        report,
        findings=findings,
        summary=replace(report.summary, counts=counts(new), highest_risk=highest_risk(new)),
        score=graded,
        actions=tuple(one for one in report.actions if one not in waived),
        gate=gate(findings, graded, options, report.mode),
    )


def counts(findings: tuple[Reported, ...]) -> dict[str, int]:
    return {name: sum(one.severity == name for one in findings) for name in ("critical", "high", "medium", "low")}


def highest_risk(findings: tuple[Reported, ...]) -> str | None:
    """The report's findings are in order of gravity."""
    return next((one.fingerprint for one in findings if one.confidence != "possible"), None)
