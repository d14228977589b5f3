"""Workflow commands: the runner reads them line by line, so no text may start a line of its own."""

import pytest

from bot.report.workflow import as_commands, escaped, escaped_property
from tests.report.samples import HOSTILE, finding, hostile, many, report, silent


def commands(text: str, level: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith(f"::{level} ")]


def test_a_finding_is_one_command() -> None:
    (command,) = commands(as_commands(report(finding())), "error")
    assert command == (
        "::error file=src/usage.ts,line=14,endLine=14,col=3,endColumn=30,"
        "title=[HIGH] MTR-201%3A Meter event without an identifier::"
        "This meter event carries no `identifier`, so a retry is billed twice.%0A"
        "Pass `identifier` with the id of the request."
    )


def test_separators_are_escaped_where_they_separate() -> None:
    assert escaped("a,b:c%\r\n") == "a,b:c%25%0D%0A"
    assert escaped_property("a,b:c%\r\n") == "a%2Cb%3Ac%25%0D%0A"


@pytest.mark.parametrize(
    ("severity", "level"), [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "notice")]
)
def test_the_level_follows_the_severity(severity: str, level: str) -> None:
    assert len(commands(as_commands(report(finding(severity=severity))), level)) == 1


@pytest.mark.parametrize("changes", [{"confidence": "possible"}, {"classification": "suggestion"}])
def test_a_guess_or_a_suggestion_is_a_notice(changes: dict[str, str]) -> None:
    assert len(commands(as_commands(report(finding(**changes))), "notice")) == 1


def test_at_most_ten_of_a_level_are_shown_and_the_rest_is_counted() -> None:
    text = as_commands(report(*many(15, "high"), *many(12, "medium"), *many(11, "low")))
    assert [len(commands(text, level)) for level in ("error", "warning", "notice")] == [10, 10, 10]
    assert commands(text, "notice")[-1].startswith("::notice title=MeterAudit::9 more findings not shown here")


def test_the_gravest_come_first() -> None:
    first, second = commands(as_commands(report(*many(1, "high"), *many(1, "critical"))), "error")
    assert "critical0" in first
    assert "high0" in second


def test_findings_from_before_the_change_are_no_commands() -> None:
    assert commands(as_commands(report(finding(state="existing"))), "error") == []


def test_a_deleted_line_is_named_in_the_message_and_has_no_line() -> None:
    (command,) = commands(as_commands(report(finding(side="left"))), "error")
    assert "line=" not in command
    assert "::Deleted line src/usage.ts:14%0A" in command


def test_silence_says_the_verdict() -> None:
    assert as_commands(silent()) == "MeterAudit: Nothing metered in this change\n"


@pytest.mark.parametrize("text", HOSTILE, ids=["marker", "secret", "long", "markup"])
def test_hostile_text_starts_no_line(text: str) -> None:
    lines = as_commands(
        report(hostile(f"{text}\r\n::stop-commands::x\n##[error]x"), because=f"a\n::error::{text}")
    ).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "MeterAudit:", "Not"]
