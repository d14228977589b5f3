"""Draws reports for the page. Runs in the sandbox: a report may come back from a browser, changed by anybody."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from bot.report import FORMATS, html
from bot.report.document import as_json
from bot.report.masking import masked, masked_finding
from bot.report.schema import VERSION
from bot.report.verdict import due
from bot.web.pages import environment
from rules import catalog
from rules.report import Report, Reported
from rules.rule import Classification, Confidence, Severity

MOST_CARDS = 1_000
"""Findings that are drawn; the report itself has all."""


class NoReportError(ValueError):
    """The text is no report of ours."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A report for the page: its JSON, and each part as a piece of HTML."""

    document: str
    parts: dict[str, str]


def cards(findings: Sequence[Reported], base: str) -> str:
    """The findings of one file."""
    return part("cards", [linked(masked_finding(one), base) for one in findings])


def drawn(report: Report, base: str) -> Drawn:
    clean = masked(report)
    listed = [linked(one, base) for one in due(clean)[:MOST_CARDS]]
    parts = {name: part(name, clean) for name in ("side", "summary", "rest")}
    left = len(due(clean)) - len(listed)
    findings = part("cards", listed) + (part("undrawn", left) if left else "")
    return Drawn(as_json(report).decode(), {**parts, "findings": findings})


def part(macro: str, value: object) -> str:
    return html.encodable(str(getattr(environment().get_template("_result.html").module, macro)(value)))


def drawn_again(document: bytes, base: str) -> Drawn:
    return drawn(read_report(document), base)


def exported(document: bytes, form: str) -> str:
    return FORMATS[form](read_report(document))


def read_report(document: bytes) -> Report:
    """A report as `as_json` writes it. Raises NoReportError."""
    try:
        report = msgspec.json.decode(document, type=Report)
        for one in report.findings:
            # The types hold any text, the contract only these.
            Severity(one.severity), Confidence(one.confidence), Classification(one.classification)
    except (msgspec.MsgspecError, ValueError) as error:
        raise NoReportError from error
    if report.schema != VERSION:
        raise NoReportError
    return report


def linked(finding: Reported, base: str) -> Reported:
    """With the page of its rule on this server, wherever the report says that it is."""
    return replace(finding, help=f"{base}/rules/{finding.rule}" if catalog.rule(finding.rule) else None)
