"""The check run's conclusion where more than the findings decides: errors of the configuration, parts not analysed."""

from dataclasses import dataclass
from typing import Literal

from bot.configuration import InForce
from bot.reading import Reading
from bot.report.quoting import code_span
from bot.sandbox import incomplete
from rules.report import Report

Conclusion = Literal["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`title` is None where the report's own headline says it; `preface` stands before the report's summary."""

    conclusion: Conclusion
    title: str | None = None
    preface: str = ""


def verdict_of(report: Report, configuration: InForce, reading: Reading) -> Verdict:
    """The findings decide, unless the configuration is broken or too much could not be looked at."""
    if configuration.errors:
        first = configuration.errors[0]
        listed = "\n".join(f"- {code_span(str(error))}" for error in configuration.errors)
        preface = f"The configuration on the base branch has errors, so the defaults are in force:\n\n{listed}\n\n"
        title = f"Configuration error in {first.path} line {first.line}"
        return Verdict("action_required", title, preface)
    partial = reading.cut or reading.left_out or incomplete(report)
    if partial and report.gate.conclusion == "success":
        title = f"Partial: {reading.missing(report)} of {reading.total} files not analysed"
        preface = (
            "This could not be looked at whole, so it is no pass. Split the pull request, or set `on_partial: neutral`.\n\n"
        )
        return Verdict(configuration.configuration.on_partial, title, preface)
    return Verdict(report.gate.conclusion)
