"""The full report in Markdown: the ten sections, always all of them."""

from collections.abc import Iterable

from bot.report.edits import diff_block
from bot.report.masking import masked
from bot.report.meters import mermaid
from bot.report.quoting import code_span, fenced, language_of, place, prose, table_row
from bot.report.verdict import HOW_SCORED, LEGEND, SECTIONS, SUMS_UP, due, headline, number
from rules.report import Answer, Evidence, MeterStep, Report, Reported, Section

_NOT_VISIBLE = "not visible in this code"
_DRAWN = 8
"""Meters of which a diagram is drawn."""
_CLASSES = {"vulnerability": "VULNERABILITY", "deficiency": "DEFICIENCY", "suggestion": "SUGGESTION"}


def as_markdown(report: Report) -> str:
    """Ends in a newline. What a review found to be there before is counted, not told: the JSON has every finding."""
    report = masked(report)
    parts = ["# MeterAudit report", *_executive_summary(report), *_legend()]
    for position, (section, title) in enumerate(SECTIONS.items(), start=3):
        parts += [f"## {position}. {title}", *_section(report, section)]
    parts += [*_actions(report), *_score(report), *_left_out(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _executive_summary(report: Report) -> list[str]:
    summary = report.summary
    parts = ["## 1. Executive Summary", f"**{prose(headline(report))}**", prose(f"{report.gate.because}", 500)]
    parts.append("\n".join(f"- {line}" for line in [*_subject(report), *_facts(report)]))
    parts.append(_table(("Severity", "Findings"), [(name.title(), str(summary.counts.get(name, 0))) for name in LEGEND]))
    if not summary.applies:
        looked = ", ".join(code_span(signal) for signal in summary.signals) or "none given"
        parts.append(f"This code has no usage-based billing. Signals looked for: {looked}.")
    elif summary.signals:
        parts.append("Signals:\n\n" + "\n".join(f"- {prose(signal, 300)}" for signal in summary.signals))
    return [*parts, *_meters(report)]


def _meters(report: Report) -> Iterable[str]:
    """Every meter with its places, and the first ones drawn."""
    if not report.meters:
        return
    yield "Meters, from the metered action to the charge:"
    stages = ("actions", "emitted", "transported", "stored", "aggregated", "limited", "charged")
    rows = [(code_span(one.name), *(_places(getattr(one, stage)) for stage in stages)) for one in report.meters]
    yield _table(("Meter", *(stage.title() for stage in stages)), rows)
    for one in report.meters[:_DRAWN]:
        yield f"The way of {code_span(one.name)}:"
        yield mermaid(one)


def _subject(report: Report) -> Iterable[str]:
    subject = report.subject
    if subject.repository:
        pull_request = f", pull request {subject.pull_request}" if subject.pull_request is not None else ""
        yield f"{report.mode.title()} of {code_span(subject.repository)}{pull_request}"
    if subject.base or subject.head:
        base, head = code_span(subject.base or "unknown"), code_span(subject.head) if subject.head else "the working tree"
        yield f"From {base} to {head}"
    yield f"By {report.tool.name} {report.tool.version} with {number(report.tool.rules, 'rule')}"


def _facts(report: Report) -> Iterable[str]:
    summary = report.summary
    yield f"Architecture: {prose(summary.architecture)}"
    yield f"Providers: {', '.join(prose(provider, 200) for provider in summary.providers) or _NOT_VISIBLE}"
    yield f"Posture: {prose(summary.posture)}"
    risk = next((f for f in report.findings if f.fingerprint == summary.highest_risk), None)
    yield f"Highest risk: {f'{prose(risk.title, 200)} in {code_span(place(risk))}' if risk else 'none'}"
    for check in report.checks:
        counts = ""
        if check.metered_actions is not None and check.recorded is not None:
            counts = f" ({check.recorded} of {number(check.metered_actions, 'metered action')} recorded)"
        yield f"{code_span(check.id)} ({SUMS_UP}): **{check.result}**{counts}. {prose(check.detail, 500)}"


def _legend() -> list[str]:
    return ["## 2. Severity Legend", _table(("Severity", "Meaning"), [(name.title(), text) for name, text in LEGEND.items()])]


def _section(report: Report, section: str) -> Iterable[str]:
    described = next((s for s in report.sections if s.id == section), None)
    yield _answers(described)
    of_section = [f for f in report.findings if f.section == section]
    shown = [f for f in due(report) if f.section == section]
    for finding in shown:
        yield from finding_parts(finding)
    before = len(of_section) - len(shown)
    rest = f" {number(before, 'finding')} from before this change." if before else ""
    yield f"{'No findings.' if not shown else ''}{rest}".strip()


def _answers(section: Section | None) -> str:
    if section is None or not section.answers:
        return f"The questions of this section: {_NOT_VISIBLE}."
    untouched = "" if section.touched else "No analysed code touches this section.\n\n"
    return untouched + _table(("Question", "Answer", "Confidence", "Evidence"), map(_answer, section.answers))


def _answer(answer: Answer) -> tuple[str, str, str, str]:
    if answer.confidence is None:
        return prose(answer.question, 300), _NOT_VISIBLE, "", ""
    return prose(answer.question, 300), prose(answer.answer, 500), answer.confidence, _places(answer.evidence)


def finding_parts(finding: Reported) -> list[str]:
    """One finding, as paragraphs."""
    rank, sure, kind = finding.severity.upper(), finding.confidence.upper(), _CLASSES[finding.classification]
    state = " (back again)" if finding.state == "reappeared" else ""
    side = ", a deleted line of the base" if finding.side == "left" else ""
    rule = f"[{code_span(finding.name)}]({finding.help})" if finding.help else code_span(finding.name)
    parts = [
        f"**[{rank}] {finding.rule} [{sure}] [{kind}]: {prose(finding.title, 300)}**{state}",
        f"Location: {code_span(f'{place(finding)}')}{side}, rule {rule}{_standards(finding)}",
        "Evidence:",
        fenced(finding.evidence, language_of(finding.path)),
        f"Description: {prose(finding.description)}",
        f"Remediation: {prose(finding.remediation)}",
    ]
    if finding.trace:
        steps = [f"- {code_span(f'{step.path}:{step.line}')}: {prose(step.note, 500)}" for step in finding.trace]
        parts.append("How it comes about:\n\n" + "\n".join(steps))
    if finding.fix:
        safety = "safe to apply" if finding.fix.safe else "to be read before it is applied"
        parts += [f"Fix, {safety}: {prose(finding.fix.title, 300)}", diff_block(finding)]
    return parts


def _standards(finding: Reported) -> str:
    named = [*finding.classes, *finding.cwe, *([finding.iso_25010] if finding.iso_25010 else [])]
    return f" ({prose(', '.join(named), 300)})" if named else ""


def _actions(report: Report) -> Iterable[str]:
    yield "## 9. Prioritized Action List"
    known = {finding.fingerprint: finding for finding in report.findings}
    chosen = [known[fingerprint] for fingerprint in report.actions if fingerprint in known]
    lines = [
        f"{rank}. **[{f.severity.upper()}]** {prose(f.title, 300)}, {code_span(place(f))}: {prose(f.remediation, 500)}"
        for rank, f in enumerate(chosen, start=1)
    ]
    yield "\n".join(lines) or "Nothing critical or high to do."


def _score(report: Report) -> Iterable[str]:
    yield "## 10. Overall Score"
    if report.score is None:
        yield "No score: nothing metered was analysed."
        return
    counted = " Only new findings count." if report.mode == "review" else ""
    yield f"**{report.score.composite}/10**"
    yield score_table(report)
    yield f"{HOW_SCORED}{counted}"


def score_table(report: Report) -> str:
    """The dimensions of the score; empty without one."""
    rows = [
        (prose(d.title, 100), "not touched" if d.score is None else f"{d.score}/10", f"{d.weight:g}", prose(d.notes, 300))
        for d in (report.score.dimensions if report.score else ())
    ]
    return _table(("Dimension", "Score", "Weight", "Notes"), rows) if rows else ""


def _left_out(report: Report) -> Iterable[str]:
    yield "## Not analysed"
    yield "\n".join(f"- {code_span(n.path)}: {prose(n.reason, 300)}" for n in report.not_analyzed) or "Nothing was left out."
    yield "## Suppressed"
    yield "\n".join(f"- {suppressed_line(s.path, s.line, s.reason, s.fingerprint)}" for s in report.suppressed) or "Nothing."
    if report.mode == "review":
        yield "## Fixed by this change"
        yield number(len(report.fixed), "finding") + "."
        before = sum(finding.state == "existing" for finding in report.findings)
        yield f"{number(len(due(report)), 'finding')} of this change, {before} from before it."


def suppressed_line(path: str, line: int, reason: str | None, fingerprint: str | None) -> str:
    """One ignore comment. One that has no effect is listed too, or its author would believe in it."""
    where = code_span(f"{path}:{line}")
    if reason is None:
        return f"{where}: without a reason, so it has no effect"
    return f"{where}: {prose(reason, 300)}" + (" (nothing to ignore there)" if fingerprint is None else "")


def _places(evidence: Iterable[Evidence | MeterStep]) -> str:
    shown = [code_span(f"{at.path}:{at.line}") for at in evidence]
    rest = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + rest


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([table_row(*head), table_row(*("---" for _ in head)), *(table_row(*row) for row in rows)])
