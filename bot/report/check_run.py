"""What the check run shows: title, summary and annotations, within GitHub's limits."""

from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET

from bot.github.drafts import Annotation
from bot.report.markdown import score_table, suppressed_line
from bot.report.masking import masked
from bot.report.meters import mermaid
from bot.report.quoting import clipped, code_span, one_line, permalink, place, prose, table_row, visible, visible_name
from bot.report.verdict import HOW_SCORED, LEGEND, due, gravest_first, headline, number
from rules.report import MeterStep, Report, Reported

LONGEST_TITLE = 80
LONGEST_SUMMARY = 58_000
"""Bytes; GitHub takes 65,535, and what people decided stands before it."""
MOST_ANNOTATIONS = 200
_LONGEST_MESSAGE = 64 * 1024
_LISTED_FILES = 50
_LISTED_METERS = 20
_DRAWN_METERS = 3
_VERDICTS = {"failure": "Fails", "success": "Passes", "neutral": "Does not block", "action_required": "Needs action"}


def check_title(report: Report, files: int | None = None) -> str:
    """At most 80 characters: `Blocked: 6/10 · 1 high, 3 medium`.

    `files` is the number of files of the change; give it where a partial result must be the headline.
    """
    return clipped(one_line(headline(masked(report), files)), LONGEST_TITLE)


@dataclass(frozen=True, slots=True)
class _Room:
    """How far the summary has been shrunk: how many of the ladder's steps, and how many findings may be listed."""

    cut: int = 0
    findings: int = 1_000


def check_summary(report: Report, repository_url: str, head_sha: str, configuration: str) -> str:
    """Markdown of at most 58,000 bytes. `configuration` is the sentence that says which file decided, at which revision.

    What does not fit goes in this order, and the text says what went: the list of fixed findings, diagrams and low
    findings, medium findings, the lists of files, and at last the tail of the findings.
    """
    report = masked(report)
    links = (repository_url, head_sha)
    rooms = [*(_Room(cut) for cut in range(5)), *(_Room(4, 200 >> step) for step in range(8)), _Room(4, 0)]
    for room in rooms:
        summary = _summary(report, links, configuration, room)
        if len(summary.encode()) <= LONGEST_SUMMARY:
            return summary
    return summary.encode()[:LONGEST_SUMMARY].decode(errors="ignore")


def _summary(report: Report, links: tuple[str, str], configuration: str, room: _Room) -> str:
    parts = [f"**{_VERDICTS[report.gate.conclusion]}**: {prose(report.gate.because, 500)}", *_score(report), _counts(report)]
    parts += [
        *_checks(report),
        *_meters(report, room),
        *_findings(report, links, room),
        *_fixed(report, room),
        *_lists(report, room),
    ]
    parts += [_cut(report, room), prose(configuration, 1_000)]
    parts.append("Re-run this check with its Re-run button, or push: the newest commit is always judged.")
    parts.append(f"{report.tool.name} {report.tool.version}, {number(report.tool.rules, 'rule')}, head {code_span(links[1])}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _score(report: Report) -> list[str]:
    if report.score is None:
        looked = ", ".join(prose(signal, 100) for signal in report.summary.signals[:20])
        return ["No score: nothing metered was analysed." + (f" Looked for: {looked}." if looked else "")]
    return [f"**Score {report.score.composite}/10**", score_table(report), f"{HOW_SCORED} Only new findings count."]


def _counts(report: Report) -> str:
    new, old = due(report), [f for f in report.findings if f.state == "existing"]
    names = list(LEGEND)
    rows = [("New", new), ("Still open", old)]
    lines = [table_row("", *(name.title() for name in names), "All"), table_row(*["---"] * (len(names) + 2))]
    lines += [
        table_row(label, *(str(sum(f.severity == name for f in found)) for name in names), str(len(found)))
        for label, found in rows
    ]
    blank = [""] * len(names)
    ignored = sum(s.fingerprint is not None for s in report.suppressed)
    return "\n".join(
        [*lines, table_row("Fixed", *blank, str(len(report.fixed))), table_row("Suppressed", *blank, str(ignored))]
    )


def _checks(report: Report) -> list[str]:
    return [f"{code_span(check.id)}: **{check.result}**. {prose(check.detail, 500)}" for check in report.checks]


def _meters(report: Report, room: _Room) -> list[str]:
    """From where a metered event happens to the charge, as far as the analysed code shows it."""
    if not report.meters or room.cut >= 4:
        return []
    stages = ("actions", "emitted", "stored", "aggregated", "limited", "charged")
    rows = [
        table_row(code_span(one.name), *(_first_places(getattr(one, stage)) for stage in stages))
        for one in report.meters[:_LISTED_METERS]
    ]
    head = [table_row("Meter", *(stage.title() for stage in stages)), table_row(*["---"] * (len(stages) + 1))]
    rest = [f"\nAnd {len(report.meters) - _LISTED_METERS} more meters."] if len(report.meters) > _LISTED_METERS else []
    drawn = [f"The way of {code_span(one.name)}:\n\n{mermaid(one)}" for one in report.meters[:_DRAWN_METERS]]
    return ["\n".join([*head, *rows, *rest]), *(drawn if room.cut < 2 else [])]


def _first_places(evidence: tuple[MeterStep, ...]) -> str:
    shown = ", ".join(code_span(f"{one.path}:{one.line}") for one in evidence[:3])
    return shown + (f" and {len(evidence) - 3} more" if len(evidence) > 3 else "") or "not visible here"


def _findings(report: Report, links: tuple[str, str], room: _Room) -> list[str]:
    found = _listed(report, room)
    if not found:
        return []
    head = [table_row("Severity", "Rule", "Where", "What", "Shown"), table_row(*["---"] * 5)]
    return ["\n".join([*head, *(_row(finding, links) for finding in found)])]


def _listed(report: Report, room: _Room) -> list[Reported]:
    dropped = {"low"} if room.cut == 2 else {"low", "medium"} if room.cut > 2 else set()
    return [finding for finding in due(report) if finding.severity not in dropped][: room.findings]


def _row(finding: Reported, links: tuple[str, str]) -> str:
    where = code_span(place(finding))
    if finding.side == "right":
        where = f"[{where}]({permalink(*links, finding.path, finding.line, finding.end_line)})"
    else:
        where += " (deleted)"
    rule = f"[{finding.rule}]({finding.help})" if finding.help else finding.rule
    shown = "on the line" if finding.shown in {"comment", "annotation"} else "here"
    back = " (back again)" if finding.state == "reappeared" else ""
    return table_row(f"{finding.severity}, {finding.confidence}", rule, where, prose(finding.title, 200) + back, shown)


def _fixed(report: Report, room: _Room) -> list[str]:
    if not report.fixed or room.cut >= 1:
        return []
    return ["Fixed: " + ", ".join(code_span(fingerprint[:12]) for fingerprint in report.fixed)]


def _lists(report: Report, room: _Room) -> list[str]:
    unread, ignored = report.not_analyzed, report.suppressed
    parts: list[str] = []
    if unread:
        rows = [f"- {code_span(clipped(n.path, 300))}: {prose(n.reason, 200)}" for n in unread]
        parts.append(_list(f"Not analysed: {number(len(unread), 'file')}", rows, room))
    if ignored:
        rows = [f"- {suppressed_line(clipped(s.path, 300), s.line, s.reason, s.fingerprint)}" for s in ignored]
        parts.append(_list(f"Ignore comments: {len(ignored)}", rows, room))
    return parts


def _list(title: str, rows: list[str], room: _Room) -> str:
    if room.cut >= 4:
        return title
    rest = [f"- and {len(rows) - _LISTED_FILES} more"] if len(rows) > _LISTED_FILES else []
    return f"{title}\n\n" + "\n".join([*rows[:_LISTED_FILES], *rest])


def _cut(report: Report, room: _Room) -> str:
    """Names what is missing from this text; empty if nothing is."""
    missing = [f"the list of {number(len(report.fixed), 'fixed finding')}"] if report.fixed and room.cut >= 1 else []
    found = due(report)
    listed = _listed(report, room)
    for name in reversed(LEGEND):
        left = sum(f.severity == name for f in found) - sum(f.severity == name for f in listed)
        missing += [number(left, f"{name} finding")] if left else []
    missing += ["the diagrams of the meters"] if report.meters and room.cut >= 2 else []
    if room.cut >= 4 and (report.not_analyzed or report.suppressed):
        missing.append("the lists of files")
    return f"Left out, as GitHub takes no more text: {', '.join(missing)}. `meteraudit review` shows all." if missing else ""


def annotations(report: Report) -> tuple[Annotation, ...]:
    """One for each finding that is to be shown so, gravest first, at most 200; a deleted line cannot have one."""
    chosen = [f for f in masked(report).findings if f.shown == "annotation" and f.side == "right"]
    return tuple(_annotation(finding) for finding in gravest_first(chosen)[:MOST_ANNOTATIONS])


def _annotation(finding: Reported) -> Annotation:
    one = finding.line == finding.end_line
    message = visible(f"{finding.description}\n\n{finding.remediation}" + (f"\n\n{finding.help}" if finding.help else ""))
    return Annotation(
        path=visible_name(finding.path),
        start_line=finding.line,
        end_line=finding.end_line,
        annotation_level="failure" if finding.severity in {"critical", "high"} else _quieter(finding),
        message=message.encode()[:_LONGEST_MESSAGE].decode(errors="ignore"),
        title=one_line(f"[{finding.severity.upper()}] {finding.rule}: {finding.title}", 255),
        start_column=finding.column if one else UNSET,
        end_column=finding.end_column if one else UNSET,
    )


def _quieter(finding: Reported) -> Literal["warning", "notice"]:
    return "warning" if finding.severity == "medium" else "notice"
