"""The report for people at a terminal, or for a pipe: the verdict first, then the findings by file.

A review stays short: it is read while one works. An audit has the ten sections, unless there is no billing to speak of.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bot.report.edits import diff_lines
from bot.report.masking import masked
from bot.report.meters import tree
from bot.report.quoting import clipped, code_lines, one_line, visible, visible_name
from bot.report.verdict import LEGEND, SECTIONS, due, headline, number
from rules.report import Evidence, Report, Reported
from rules.rule import Confidence
from rules.sections import UNSEEN

_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_VERDICTS = {"failure": "bold red", "action_required": "bold yellow", "neutral": "bold yellow", "success": "bold green"}
_MOST_LISTED = 20
_MOST_DRAWN = 5


def as_text(report: Report) -> str:
    """Without colours and without a width: lines are as long as they need to be, as in a pipe."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=False, legacy_windows=False)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def print_report(report: Report, console: Console) -> None:
    """Prints to the given console, which knows whether there are colours and how wide a line may be."""
    report = masked(report)
    _line(console, Text(one_line(headline(report)), _VERDICTS[report.gate.conclusion]))
    _line(console, Text(one_line(report.gate.because)))
    if report.mode == "audit" and report.summary.applies:
        _ten_sections(report, console)
        _left_out(report, console)
        return
    found = sorted(due(report), key=lambda f: (f.path, f.line, f.column))
    if not found:
        _looked_at(report, console)
    for path, findings in groupby(found, key=lambda f: f.path):
        console.print()
        _line(console, Text(visible_name(path), "bold underline"))
        for finding in findings:
            _finding(finding, console)
    _meters(report, console)
    _score(report, console)
    _left_out(report, console)


def _ten_sections(report: Report, console: Console) -> None:
    _heading(console, "1. Executive Summary")
    for fact in _facts(report):
        _line(console, Text(fact), 2)
    _meters(report, console)
    _heading(console, "2. Severity Legend")
    for severity, meaning in LEGEND.items():
        _line(console, Text.assemble((f"{severity:<9}", _COLOURS[severity]), meaning), 2)
    for position, (section, title) in enumerate(SECTIONS.items(), 3):
        _heading(console, f"{position}. {title}")
        _section(report, section, console)
    _heading(console, "9. Prioritized Action List")
    known = {finding.fingerprint: finding for finding in report.findings}
    chosen = [known[one] for one in report.actions if one in known]
    for rank, finding in enumerate(chosen, 1):
        where = f"{visible_name(finding.path)}:{finding.line}"
        _line(
            console,
            Text.assemble(f"{rank}. ", (finding.severity, _COLOURS[finding.severity]), f" {where} {_title(finding)}"),
            2,
        )
    if not chosen:
        _line(console, Text("Nothing critical or high to do."), 2)
    _heading(console, "10. Overall Score")
    _dimensions(report, console)


def _heading(console: Console, title: str) -> None:
    console.print()
    _line(console, Text(title, "bold"))


def _facts(report: Report) -> Iterator[str]:
    summary = report.summary
    yield f"Architecture: {one_line(summary.architecture)}"
    yield f"Providers: {one_line(', '.join(summary.providers)) or UNSEEN}"
    yield f"Posture: {one_line(summary.posture)}"
    for check in report.checks:
        counts = ""
        if check.metered_actions is not None and check.recorded is not None:
            counts = f" ({check.recorded} of {number(check.metered_actions, 'metered action')} recorded)"
        yield f"{one_line(check.id)}: {check.result}{counts}. {one_line(check.detail)}"


def _section(report: Report, section: str, console: Console) -> None:
    described = next((one for one in report.sections if one.id == section), None)
    for answer in described.answers if described is not None else ():
        question = one_line(answer.question, 300)
        if answer.confidence is None:
            _line(console, Text.assemble(f"{question} ", (UNSEEN, "dim")), 2)
        else:
            where = f" {_places(answer.evidence)}" if answer.evidence else ""
            sure = "" if answer.confidence == "certain" else f" ({answer.confidence})"
            _line(console, Text.assemble(f"{question} ", (one_line(answer.answer, 500), "bold"), sure, (where, "dim")), 2)
    here = [finding for finding in due(report) if finding.section == section]
    for finding in sorted(here, key=lambda one: one.confidence == Confidence.POSSIBLE):
        _finding(finding, console)


def _places(evidence: Iterable[Evidence]) -> str:
    shown = [f"{visible_name(at.path)}:{at.line}" for at in evidence]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def _title(finding: Reported) -> str:
    return f"{finding.rule} {one_line(finding.title, 300)}"


def _line(console: Console, text: Text, indent: int = 0) -> None:
    """Wrapped with its indent on a terminal; in a pipe one line stays one line, for other programs."""
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent).append_text(text), soft_wrap=True)


def _code(console: Console, text: Text, indent: int) -> None:
    """Code is never wrapped: on a terminal, what does not fit is cut."""
    whole = Text(" " * indent).append_text(text)
    if console.is_terminal:
        console.print(whole, no_wrap=True, overflow="ellipsis")
    else:
        console.print(whole, soft_wrap=True)


def _looked_at(report: Report, console: Console) -> None:
    """Silence means clean, so it says what was looked at."""
    subject = report.subject
    between = (
        f"the change from {subject.base} to {subject.head or 'the working tree'}" if report.mode == "review" else "the code"
    )
    _line(console, Text(one_line(f"Looked at {between} with {number(report.tool.rules, 'rule')}.")))
    if report.summary.applies:
        _line(console, Text(one_line(f"Billing code: {report.summary.architecture}")))
    if report.summary.signals:
        word = "Signals" if report.summary.applies else "Looked for"
        _line(console, Text(one_line(f"{word}: {', '.join(report.summary.signals)}")))


def _finding(finding: Reported, console: Console) -> None:
    title = Text("  ")
    title.append(finding.severity, _COLOURS[finding.severity])
    title.append(f" {visible_name(finding.path)}:{finding.line}:{finding.column} ")
    title.append(finding.rule, "bold")
    sure = "" if finding.confidence == "certain" else f" ({finding.confidence})"
    gone = " (deleted line)" if finding.side == "left" else ""
    title.append(f" {one_line(finding.title, 300)}{sure}{gone}")
    _line(console, title)
    if finding.confidence == Confidence.POSSIBLE:
        # Told in a line, for whoever wants to look; said is only what is surer. Other forms of the report have it whole.
        return
    for line in _marked(finding):
        _code(console, line, 4)
    _line(console, Text(one_line(finding.description)), 4)
    _line(console, Text(one_line(finding.remediation)), 4)
    for step in finding.trace:
        _line(console, Text(f"{visible_name(step.path)}:{step.line}: {one_line(step.note, 500)}", "dim"), 6)
    if finding.fix:
        _fix(finding, finding.fix.title, console)
    if finding.help:
        _line(console, Text(visible_name(finding.help), "dim"), 4)


def _fix(finding: Reported, title: str, console: Console) -> None:
    _line(console, Text(f"Fix: {one_line(title, 300)}", "green"), 4)
    for line in diff_lines(finding):
        _code(console, Text(line, {"+": "green", "-": "red"}.get(line[0], "dim")), 6)


def _marked(finding: Reported) -> list[Text]:
    """The code with line numbers; carets under the columns of a finding on one line."""
    lines = finding.evidence.removesuffix("\n").split("\n")
    whole = len(lines) == finding.end_line - finding.line + 1
    shown = code_lines(finding.evidence, most_lines=12)
    width = len(str(finding.end_line))
    marked = []
    for at, line in enumerate(shown):
        label = str(finding.line + at) if whole and at < len(lines) else ""
        marked.append(Text.assemble((f"{label:>{width}} | ", "dim"), line.expandtabs(4)))
    if whole and len(lines) == 1 and finding.column <= finding.end_column <= len(lines[0]):
        marked.append(Text.assemble((" " * width + " | ", "dim"), (_carets(lines[0], finding), _COLOURS[finding.severity])))
    return marked


def _carets(line: str, finding: Reported) -> str:
    before = cell_len(visible(line[: finding.column - 1]).expandtabs(4))
    until = cell_len(visible(line[: finding.end_column]).expandtabs(4))
    return clipped(" " * before + "^" * max(1, until - before), 240)


def _meters(report: Report, console: Console) -> None:
    """The way of each meter as a tree."""
    if not report.summary.applies:
        return
    for meter in report.meters[:_MOST_DRAWN]:
        head, *branches = tree(meter)
        console.print()
        _line(console, Text(f"Meter {head}", "bold"))
        for branch in branches:
            _code(console, Text(branch), 2)
    if len(report.meters) > _MOST_DRAWN:
        _line(console, Text(f"and {number(len(report.meters) - _MOST_DRAWN, 'more meter')}"))


def _score(report: Report, console: Console) -> None:
    if report.score is None:
        return
    console.print()
    _dimensions(report, console)


def _dimensions(report: Report, console: Console) -> None:
    if report.score is None:
        _line(console, Text("No score: nothing metered was analysed."), 2)
        return
    _line(console, Text(f"Score {report.score.composite}/10", "bold"))
    for dimension in report.score.dimensions:
        score = "not touched" if dimension.score is None else f"{dimension.score}/10"
        notes = f"  {one_line(dimension.notes, 200)}" if dimension.notes else ""
        _line(console, Text(f"{one_line(dimension.title, 60):<28} {score:>11}{notes}"), 2)


def _left_out(report: Report, console: Console) -> None:
    before = sum(finding.state == "existing" for finding in report.findings) if report.mode == "review" else 0
    totals = [(len(report.fixed), "finding fixed", "findings fixed"), (before, "finding from before", "findings from before")]
    said = [f"{count} {one if count == 1 else many}" for count, one, many in totals if count]
    if said:
        console.print()
        _line(console, Text(", ".join(said)))
    _list(console, "Not analysed", [f"{visible_name(n.path)}: {one_line(n.reason, 300)}" for n in report.not_analyzed])
    ignored = [
        f"{visible_name(s.path)}:{s.line}: {one_line(s.reason, 300) if s.reason else 'without a reason, so it has no effect'}"
        for s in report.suppressed
    ]
    _list(console, "Suppressed", ignored)


def _list(console: Console, title: str, rows: list[str]) -> None:
    if not rows:
        return
    console.print()
    _line(console, Text(f"{title}: {len(rows)}", "bold"))
    for row in rows[:_MOST_LISTED]:
        _line(console, Text(row), 2)
    if len(rows) > _MOST_LISTED:
        _line(console, Text(f"and {len(rows) - _MOST_LISTED} more"), 2)
