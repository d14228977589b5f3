"""The score of a report, in exact fractions, as the report contract gives it."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

from rules.report import Dimension, Reported, Score

COST = {"critical": Fraction(4), "high": Fraction(2), "medium": Fraction(1), "low": Fraction(1, 2)}
SURENESS = {"certain": Fraction(1), "likely": Fraction(3, 4), "possible": Fraction(1, 4)}
DIMENSIONS = (
    ("ingestion", "Event Reliability", Fraction(3, 2)),
    ("deduplication", "Deduplication", Fraction(3, 2)),
    ("aggregation", "Aggregation Accuracy", Fraction(3, 2)),
    ("limits", "Limits & Overage", Fraction(3, 2)),
    ("observability", "Observability", Fraction(1)),
    ("transparency", "Customer Transparency", Fraction(3, 4)),
)


def score(findings: Iterable[Reported], touched: frozenset[str]) -> Score | None:
    """None where nothing metered was analysed. `touched` holds the sections that the analysed code touches."""
    counted = [finding for finding in findings if finding.classification != "suggestion"]
    sections = touched | {finding.section for finding in counted}
    if not sections:
        return None
    parts = {section: dimension(counted, section) for section, _, _ in DIMENSIONS if section in sections}
    weights = {section: weight for section, _, weight in DIMENSIONS}
    mean = sum(parts[one] * weights[one] for one in parts) / sum(weights[one] for one in parts)
    composite = min(max(1, floor(mean + Fraction(1, 2))), ceiling(counted))
    return Score(
        tuple(shown(counted, parts.get(section), section, title, weight) for section, title, weight in DIMENSIONS), composite
    )


def dimension(findings: list[Reported], section: str) -> Fraction:
    lost = sum((cost(finding) for finding in findings if finding.section == section), Fraction(0))
    return max(Fraction(1), 10 - lost)


def cost(finding: Reported) -> Fraction:
    return COST[finding.severity] * SURENESS[finding.confidence]


def ceiling(findings: list[Reported]) -> int:
    """An average must not hide lost revenue: 4 with a certain critical finding, 6 with a likely one."""
    critical = {finding.confidence for finding in findings if finding.severity == "critical"}
    return 4 if "certain" in critical else 6 if "likely" in critical else 10


def shown(findings: list[Reported], value: Fraction | None, section: str, title: str, weight: Fraction) -> Dimension:
    if value is None:
        return Dimension(section, title, None, float(weight), "not touched")
    mine = [finding for finding in findings if finding.section == section]
    lost = ", ".join(f"{finding.rule} -{float(cost(finding)):g}" for finding in mine)
    return Dimension(section, title, floor(value + Fraction(1, 2)), float(weight), lost or "no findings")
