"""The gate and what becomes a comment: pure decisions over findings, as the report contract gives them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from rules.options import Options
from rules.report import Gate, Reported, Score, Shown
from rules.rule import Confidence, Severity

PER_RULE_AND_FILE = 3


def gravity(finding: Reported) -> tuple[int, int, str, int]:
    """Sorts the gravest first: severity, confidence, path, line."""
    return (Severity(finding.severity).rank, Confidence(finding.confidence).rank, finding.path, finding.line)


def with_shown(findings: Iterable[Reported], options: Options) -> tuple[Reported, ...]:
    """Decides for each finding, gravest first, where a reader meets it."""
    ordered = sorted(findings, key=gravity)
    per_file: Counter[tuple[str, str]] = Counter()
    comments = 0
    decided = []
    for finding in ordered:
        shown: Shown = "count" if finding.state == "existing" else "summary"
        if may_be_comment(finding, options):
            key = (finding.rule, finding.path)
            if comments < options.max_comments and per_file[key] < PER_RULE_AND_FILE:
                shown = "comment"
                comments += 1
                per_file[key] += 1
            else:
                shown = "annotation"
        decided.append(replace(finding, shown=shown))
    return tuple(decided)


def may_be_comment(finding: Reported, options: Options) -> bool:
    return (
        finding.state != "existing"
        and finding.place == "changed_line"
        and finding.classification != "suggestion"
        and Confidence(finding.confidence).rank <= options.min_confidence.rank
        and finding.confidence != Confidence.POSSIBLE
        and Severity(finding.severity).rank <= options.min_severity.rank
    )


def gate(findings: Iterable[Reported], score: Score | None, options: Options, mode: str) -> Gate:
    """Blocking: failure when the threshold is hit. Advisory: neutral."""
    counted = [one for one in findings if mode == "audit" or one.state != "existing"]
    hits = [one for one in counted if hits_threshold(one, options)]
    source = f"fail_on: {options.fail_on}{where(options, 'fail_on')}"
    if hits:
        because = f"{count_by_severity(hits)}; {source}"
    elif options.min_score is not None and score is not None and score.composite < options.min_score:
        because = f"score {score.composite} is under min_score: {options.min_score}{where(options, 'min_score')}"
    else:
        return Gate("success", f"nothing new reaches {source}" if mode == "review" else f"nothing reaches {source}")
    return Gate("failure" if options.blocking else "neutral", because)


def hits_threshold(finding: Reported, options: Options) -> bool:
    return (
        Severity(finding.severity).rank <= options.fail_on.rank
        and finding.confidence != Confidence.POSSIBLE
        and finding.classification != "suggestion"
    )


def where(options: Options, key: str) -> str:
    return f" in {options.reasons[key]}" if key in options.reasons else " by default"


def count_by_severity(findings: list[Reported]) -> str:
    """`2 high findings`, `1 critical and 2 high findings`."""
    counted = Counter(finding.severity for finding in findings)
    parts = [f"{counted[severity]} {severity}" for severity in Severity if counted[severity]]
    return " and ".join(parts) + (" finding" if len(findings) == 1 else " findings")
