"""The check run's conclusion where more than the findings decides: configuration, parts not analysed, what people decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.configuration import InForce
from bot.github.drafts import Annotation
from bot.memory import Decision
from bot.preview import Preview
from bot.reading import Reading
from bot.report.quoting import code_span, one_line, place, prose, visible_name
from bot.report.verdict import headline
from bot.sandbox import incomplete
from config.repository import ConfigurationError
from rules.report import Report, Suppressed

Conclusion = Literal["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"]
_MOST_LISTED = 10
LONGEST_PREFACE = 4_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`title` is None where the report's own headline says it; `preface` stands before the report's summary."""

    conclusion: Conclusion
    title: str | None = None
    preface: str = ""
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything but the findings that a verdict depends on."""

    configuration: InForce
    reading: Reading
    preview: Preview | None = None
    ignored: Mapping[str, Decision] | None = None
    """By fingerprint: what a command has taken out of the verdict."""
    resolved: frozenset[str] = frozenset()
    """Fingerprints that a human has put away by resolving the thread."""
    dismissed: int = 0
    """How many comments were deleted by humans."""
    override: Decision | None = None


def verdict_of(report: Report, whole: Report, around: Circumstances) -> Verdict:
    """The findings decide, unless the configuration is broken or too much could not be looked at; then people."""
    base = without_people(report, whole, around)
    parts = [*overridden(around.override, base), base.preface, *told(whole, around)]
    annotations = config_annotations(around.preview.errors) if around.preview else ()
    preface = "".join(f"{part.strip()}\n\n" for part in fitting(parts))
    if around.override is not None and base.conclusion != "success":
        return Verdict("success", f"Overridden by {around.override.login}", preface, annotations)
    return Verdict(base.conclusion, base.title, preface, annotations)


def without_people(report: Report, whole: Report, around: Circumstances) -> Verdict:
    configuration, reading = around.configuration.configuration, around.reading
    if around.configuration.errors:
        first = around.configuration.errors[0]
        errors = listed(around.configuration.errors)
        preface = f"The configuration on the base branch has errors; what was valid last decides:\n\n{errors}"
        title = f"Configuration error in {first.path} line {first.line}"
        # A tolerated error must not let through what the configuration that is in force would block.
        tolerated = configuration.on_config_error == "neutral" and report.gate.conclusion == "failure"
        return Verdict("failure" if tolerated else configuration.on_config_error, title, preface)
    partial = reading.cut or reading.left_out or incomplete(report)
    missing = f"{reading.missing(report)} of {reading.total} files not analysed"
    if report.gate.conclusion != "success":
        return Verdict(report.gate.conclusion, f"{headline(report)} · partial", missing + ".") if partial else plain(report)
    if partial:
        title = f"Partial: {missing}"
        preface = "This could not be looked at whole, so it is no pass. Split the pull request, or set `on_partial: neutral`."
        return Verdict(configuration.on_partial, title, preface)
    if around.preview is not None and around.preview.errors:
        first = around.preview.errors[0]
        return Verdict(configuration.on_config_error, f"This change breaks {first.path} in line {first.line}")
    fresh = new_suppressions(whole, reading)
    if fresh and configuration.suppressions == "require_approval":
        title = f"{len(fresh)} new ignore comment{'s' if len(fresh) > 1 else ''} to be approved"
        return Verdict("action_required", title, "A maintainer approves them with the command `override reason: …`.")
    return plain(report)


def plain(report: Report) -> Verdict:
    return Verdict(report.gate.conclusion)


def fitting(parts: Iterable[str]) -> Iterable[str]:
    """As many parts as there is room for: the report's own summary needs the rest of it."""
    room = LONGEST_PREFACE
    for part in parts:
        room -= len(part.encode())
        if part.strip() and room >= 0:
            yield part


def overridden(decision: Decision | None, base: Verdict) -> list[str]:
    if decision is None:
        return []
    would = f" Without it the check would say {base.conclusion}." if base.conclusion != "success" else ""
    return [f"> **Overridden** for this commit by {code_span(decision.login)} ([reason]({decision.comment_url})).{would}"]


def told(whole: Report, around: Circumstances) -> list[str]:
    """What people did about findings, in the code and in comments; and what the change would do to the configuration."""
    said: list[str] = []
    if around.preview is not None and around.preview.errors:
        said.append(f"This pull request would break the configuration:\n\n{listed(around.preview.errors)}")
    elif around.preview is not None:
        said.append(prose(around.preview.sentence))
    fresh = new_suppressions(whole, around.reading)
    if fresh:
        rows = [f"- {code_span(f'{one.path}:{one.line}')}: {prose(one.reason or 'no reason, no effect', 200)}" for one in fresh]
        said.append(f"New ignore comments in this change: {len(fresh)}\n\n" + "\n".join(rows[:_MOST_LISTED]))
    rows = list(ignored_rows(whole, around.ignored or {}))
    if rows:
        said.append(f"Ignored by command, for this pull request only: {len(rows)}\n\n" + "\n".join(rows[:_MOST_LISTED]))
    if around.resolved:
        said.append(f"Resolved threads that do not count (`resolved_threads: ignore`): {len(around.resolved)}")
    if around.dismissed:
        said.append(f"Findings whose comment was deleted, not said again: {around.dismissed}")
    return said


def ignored_rows(whole: Report, ignored: Mapping[str, Decision]) -> Iterable[str]:
    for finding in whole.findings:
        decision = ignored.get(finding.fingerprint)
        if decision is not None:
            by = f"by {code_span(decision.login)} ([reason]({decision.comment_url}))"
            yield f"- {finding.rule} in {code_span(place(finding))}, {by}"


def new_suppressions(whole: Report, reading: Reading) -> Sequence[Suppressed]:
    """Ignore comments on lines that the change adds: a pull request must not silence its own gate unseen."""
    added = {file.path: file.added for file in reading.change.files}
    seen: set[tuple[str, int]] = set()
    fresh = []
    for one in whole.suppressed:
        if one.line in added.get(one.path, frozenset()) and (one.path, one.line) not in seen:
            seen.add((one.path, one.line))
            fresh.append(one)
    return fresh


def listed(errors: Sequence[ConfigurationError]) -> str:
    return "\n".join(f"- {code_span(str(error))}" for error in errors[:_MOST_LISTED])


def config_annotations(errors: Sequence[ConfigurationError]) -> tuple[Annotation, ...]:
    """Of the file at the head, which is the one that people see beside them."""
    return tuple(
        Annotation(visible_name(one.path), one.line, one.line, "failure", one_line(one.message), "Configuration error")
        for one in errors[:_MOST_LISTED]
    )
