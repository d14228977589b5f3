"""The report as SARIF 2.1.0, for GitHub code scanning and every other reader of that format."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from bot import rule_pages
from bot.report.edits import new_lines
from bot.report.masking import masked
from bot.report.quoting import clipped, visible, visible_name
from rules import catalog
from rules.report import LineEdit, Report, Reported
from rules.rule import Rule, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.5"}
"""What GitHub shows as critical (over 9.0), high (7.0 to 8.9), medium (4.0 to 6.9) and low."""
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_PRECISION = {"certain": "very-high", "likely": "high", "possible": "low"}
_NOTIFICATIONS = {
    "not-analyzed": "A file that was not analysed, and why",
    "suppressed": "A finding that an ignore comment silences, or an ignore comment without effect",
}

Object = dict[str, Any]


def as_sarif(report: Report) -> str:
    """One run; UTF-8, indented by two, with a newline at the end; the same report gives the same bytes.

    What an ignore comment silences is a notification and no result: GitHub does not honour `suppressions` and would open an
    alert for it (github/codeql-action, issue 1230). Every result says with an empty list that it is not suppressed.
    """
    clean = masked(report)
    rules = named_rules(clean.findings)
    index = {rule.about.id: position for position, rule in enumerate(rules)}
    # Columns are counted in the code as it stands: a mask may be longer or shorter than what it hides.
    results = [result(shown, whole, index) for shown, whole in zip(clean.findings, report.findings, strict=True)]
    if report.mode == "audit":
        for one in results:
            del one["baselineState"]
    driver = {
        "name": "MeterAudit",
        "semanticVersion": clean.tool.version,
        "rules": [described(rule, clean.findings) for rule in rules],
        "notifications": [{"id": name, "shortDescription": {"text": text}} for name, text in _NOTIFICATIONS.items()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"meteraudit/{clean.mode}/"},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(notifications(clean))}],
        "results": results,
        "properties": {
            "conclusion": clean.gate.conclusion,
            "because": visible(clean.gate.because),
            "score": clean.score.composite if clean.score else None,
            "checks": [{"id": one.id, "result": one.result, "detail": visible(one.detail)} for one in clean.checks],
            "fixed": list(clean.fixed),
        },
    }
    text = json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
    # Lone surrogates of file names that are not UTF-8.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") + "\n"


def named_rules(findings: Iterable[Reported]) -> list[Rule]:
    """The rules that the findings name, by id. A rule that is not of this catalogue has only its id in its results."""
    wanted = sorted({finding.rule for finding in findings})
    return [rule for one in wanted if (rule := catalog.rule(one)) is not None]


def described(rule: Rule, findings: Iterable[Reported]) -> Object:
    about = rule.about
    address = next((one.help for one in findings if one.rule == about.id and one.help), None) or standard(about.cwe)
    level = "note" if about.classification == "suggestion" else _LEVELS[about.severity]
    weaknesses = [f"external/cwe/{cwe.lower()}" for cwe in about.cwe]
    return {
        "id": about.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": " ".join(rule.page.split("\n\n")[0].split())},
        "help": {"text": rule.page, "markdown": rule_pages.page(rule)},
        **({"helpUri": address} if address else {}),
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["billing", rule.section, *(["security", *weaknesses] if weaknesses else [])],
            "precision": precision(one.confidence for one in findings if one.rule == about.id),
            "problem.severity": {"error": "error", "warning": "warning", "note": "recommendation"}[level],
            # GitHub takes this number only together with the tag `security`, which we give to what CWE has a number for.
            **({"security-severity": SECURITY_SEVERITY[about.severity]} if weaknesses else {}),
            "classes": list(about.classes),
            "iso_25010": about.iso_25010,
        },
    }


def precision(confidences: Iterable[str]) -> str:
    """Of a rule, as its least sure finding has it: GitHub hides what is imprecise, and must not hide what is sure less."""
    found = set(confidences)
    return _PRECISION[next((one for one in _PRECISION if one in found), "likely")]


def standard(cwe: tuple[str, ...]) -> str | None:
    """The weakness's own page, where no server shows ours."""
    return f"https://cwe.mitre.org/data/definitions/{cwe[0].removeprefix('CWE-')}.html" if cwe else None


def result(finding: Reported, whole: Reported, index: dict[str, int]) -> Object:
    """`whole` is the finding before masking."""
    text = f"{finding.title}. {finding.description}\n\n{finding.remediation}"
    where = {"physicalLocation": place(finding, whole)}
    if finding.side == "left":
        where["message"] = {"text": f"Deleted: it was line {finding.line} of the base."}
    made: Object = {
        "ruleId": finding.rule,
        **({"ruleIndex": index[finding.rule]} if finding.rule in index else {}),
        "kind": "fail",
        "level": level(finding),
        "message": {"text": clipped(visible(text), 4_000)},
        "locations": [where],
        "partialFingerprints": {"meteraudit/v1": finding.fingerprint, "primaryLocationLineHash": finding.fingerprint},
        "baselineState": "unchanged" if finding.state == "existing" else "new",
        "suppressions": [],
    }
    if finding.trace:
        steps = [{**spot(step.path, step.line), "message": {"text": visible(step.note)}} for step in finding.trace]
        made["relatedLocations"] = [{"id": number, **step} for number, step in enumerate(steps, 1)]
        # The last step is the finding: readers follow a flow to its end.
        flow = [*steps, {**where, "message": {"text": visible(finding.title)}}]
        made["codeFlows"] = [{"threadFlows": [{"locations": [{"location": step} for step in flow]}]}]
    if finding.fix is not None:
        made["fixes"] = [
            {
                "description": {"text": visible(finding.fix.title)},
                "artifactChanges": artifact_changes(finding.fix.edits),
                "properties": {"safe": finding.fix.safe},
            }
        ]
    made["properties"] = {
        "name": finding.name,
        "variant": finding.variant,
        "section": finding.section,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "classification": finding.classification,
        "classes": list(finding.classes),
        "cwe": list(finding.cwe),
        "iso_25010": finding.iso_25010,
        "state": finding.state,
        "place": finding.place,
        "side": finding.side,
    }
    return made


def level(finding: Reported) -> str:
    """A guess or a suggestion must not look like a failure."""
    quiet = finding.confidence == "possible" or finding.classification == "suggestion"
    return "note" if quiet else _LEVELS[Severity(finding.severity)]


def place(finding: Reported, whole: Reported) -> Object:
    """Where it is at the head. A deleted line has no region there: the result then speaks of the file."""
    if finding.side == "left":
        return {"artifactLocation": artifact(finding.path)}
    lines = whole.evidence.split("\n")
    region: Object = {"startLine": finding.line, "endLine": finding.end_line}
    region["startColumn"] = utf16(lines[0][: finding.column - 1]) + 1
    if len(lines) > finding.end_line - finding.line:
        # SARIF's end is the column behind the last one. Evidence that was cut short leaves it open: the end of the line.
        region["endColumn"] = utf16(lines[finding.end_line - finding.line][: finding.end_column]) + 1
    region["snippet"] = {"text": clipped(finding.evidence, 8_000)}
    return {"artifactLocation": artifact(finding.path), "region": region}


def utf16(text: str) -> int:
    """How many UTF-16 code units a text has."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def spot(path: str, line: int) -> Object:
    return {"physicalLocation": {"artifactLocation": artifact(path), "region": {"startLine": line}}}


def artifact(path: str) -> Object:
    """Below the root by a relative reference; an audit may name files outside of it, by absolute path."""
    address = quote(path, safe="/", errors="surrogateescape")
    return {"uri": f"file://{address}"} if path.startswith("/") else {"uri": address, "uriBaseId": ROOT}


def artifact_changes(edits: tuple[LineEdit, ...]) -> list[Object]:
    """Edits by file, whole lines. Deleting takes the line's end, too; replacing leaves it."""
    changes: dict[str, list[Object]] = {}
    for edit in edits:
        deleted = {"startLine": edit.start_line, "startColumn": 1}
        if edit.text:
            inserted = {"insertedContent": {"text": "\n".join(new_lines(edit))}}
            replacement: Object = {"deletedRegion": {**deleted, "endLine": edit.end_line}, **inserted}
        else:
            replacement = {"deletedRegion": {**deleted, "endLine": edit.end_line + 1, "endColumn": 1}}
        changes.setdefault(edit.path, []).append(replacement)
    return [{"artifactLocation": artifact(path), "replacements": made} for path, made in changes.items()]


def notifications(report: Report) -> Iterable[Object]:
    for unread in report.not_analyzed:
        yield {
            "descriptor": {"id": "not-analyzed"},
            "level": "warning",
            "message": {"text": f"Not analysed: {visible_name(unread.path)}: {visible(unread.reason)}"},
            "locations": [{"physicalLocation": {"artifactLocation": artifact(unread.path)}}],
        }
    for one in report.suppressed:
        without = "An ignore comment without a reason: it has no effect."
        yield {
            "descriptor": {"id": "suppressed"},
            "level": "note" if one.reason else "warning",
            "message": {"text": f"Ignored: {visible(one.reason)}" if one.reason else without},
            "locations": [spot(one.path, one.line)],
            **({"properties": {"fingerprint": one.fingerprint}} if one.fingerprint else {}),
        }
