"""From what the rules say to what counts: decisions of people taken out, and the words of the check put together. Pure."""

from collections.abc import Iterable

from bot.checks import Word
from bot.configuration import InForce
from bot.conversation import Judged, Talk
from bot.desk import Desk
from bot.github.drafts import CheckOutput
from bot.github.payloads import PullRequest
from bot.memory import Decision
from bot.preview import Preview
from bot.reading import Reading
from bot.report.check_run import annotations, check_summary, check_title
from bot.verdict import Circumstances, verdict_of
from bot.waived import without
from rules.report import Report, Reported

SHORTEST_PRINT = 8
"""Characters of a fingerprint that tell one finding from another."""


def left_alone(configuration: InForce, decisions: Iterable[Decision], pull: PullRequest) -> str | None:
    """Why this pull request is not reviewed, if it is not."""
    paused = next((one for one in decisions if one.kind == "pause"), None)
    return f"Paused by {paused.login}" if paused is not None else configuration.leaves_alone(pull)


def weighed(reading: Reading, whole: Report, talk: Talk, configuration: InForce, decisions: tuple[Decision, ...]) -> Judged:
    """The report with what people have put away taken out of it."""
    ignored = ignored_by(whole.findings, decisions)
    resolved = talk.resolved() if configuration.configuration.resolved_threads == "ignore" else frozenset()
    report = without(whole, ignored.keys() | resolved, configuration.options)
    return Judged(reading, whole, report, configuration, decisions, ignored, resolved, talk.dismissed())


def ignored_by(findings: Iterable[Reported], decisions: tuple[Decision, ...]) -> dict[str, Decision]:
    """By fingerprint, the decision that puts a finding away."""
    ignores = [one for one in decisions if one.kind == "ignore"]
    found = {}
    for finding in findings:
        decision = next((one for one in ignores if is_about(one.target, finding)), None)
        if decision is not None:
            found[finding.fingerprint] = decision
    return found


def is_about(target: str, finding: Reported) -> bool:
    if target.upper() == finding.rule or target.lower() == finding.name:
        return True
    return len(target) >= SHORTEST_PRINT and finding.fingerprint.startswith(target.lower())


def word_of(desk: Desk, judged: Judged, report: Report, preview: Preview | None) -> Word:
    """What the check run says."""
    head = desk.pull.head.sha
    overrides = (one for one in judged.decisions if one.kind == "override" and one.target == head)
    around = Circumstances(
        judged.configuration,
        judged.reading,
        preview,
        judged.ignored,
        judged.resolved,
        len(judged.dismissed & {one.fingerprint for one in report.findings}),
        next(overrides, None),
    )
    verdict = verdict_of(report, judged.whole, around)
    url = desk.pull.base.repo.html_url if desk.pull.base.repo else ""
    summary = verdict.preface + check_summary(report, url, head, judged.configuration.source)
    output = CheckOutput(
        title=verdict.title or check_title(report),
        summary=summary,
        annotations=(*verdict.annotations, *annotations(report)),
    )
    return Word(verdict.conclusion, output, report.score.composite if report.score else None, rules_of(report))


def rules_of(report: Report) -> tuple[str, ...]:
    """The rules that have something new to say, in the order of the report."""
    return tuple(dict.fromkeys(one.rule for one in report.findings if one.state != "existing"))
