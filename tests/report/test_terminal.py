"""The report at a terminal and in a pipe."""

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from bot.report import FORMATS
from bot.report.terminal import as_text, print_report
from bot.report.verdict import SECTIONS
from rules.report import Report
from tests.report.samples import HOSTILE, finding, hostile, report, silent


def at_terminal(sample: Report, width: int = 60, colours: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=True, color_system="standard" if colours else None, legacy_windows=False
    )
    print_report(sample, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_verdict_comes_first() -> None:
    assert as_text(report(finding())).startswith("Blocked: 6/10 · 1 high\n1 high finding; fail_on: high in .meteraudit.yml:4\n")


def test_a_finding_shows_place_rule_code_what_and_how() -> None:
    assert (
        "src/usage.ts\n"
        "  high src/usage.ts:14:3 MTR-201 Meter event without an identifier\n"
        "    14 |   await meter(customer, value)\n"
        "       |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "    This meter event carries no `identifier`, so a retry is billed twice.\n"
        "    Pass `identifier` with the id of the request.\n"
    ) in as_text(report(finding()))


def test_carets_stand_under_their_columns_after_tabs_and_wide_characters() -> None:
    text = as_text(report(finding(evidence="\t計('a')", column=2, end_column=3)))
    assert "    14 |     計('a')\n       |     ^^^\n" in text


def test_a_fix_is_shown_as_a_diff() -> None:
    assert "      -  await meter(customer, value)\n      +  await meter(customer, value, request.id)\n" in as_text(
        report(finding())
    )


def test_findings_are_grouped_by_file() -> None:
    text = as_text(report(finding(path="b.py"), finding(path="a.py"), finding(path="b.py", line=2, end_line=2)))
    assert [line for line in text.split("\n") if line in {"a.py", "b.py"}] == ["a.py", "b.py"]


def test_a_pipe_gets_no_colours() -> None:
    assert "\x1b" not in as_text(report(finding()))


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[1;31mBlocked" in at_terminal(report(finding()), colours=True)


def test_no_line_is_wider_than_the_terminal() -> None:
    text = at_terminal(report(finding(evidence="計" * 200, description="word " * 100)), width=50)
    assert max(cell_len(line) for line in text.split("\n")) <= 50


def test_a_line_stays_one_line_in_a_pipe() -> None:
    assert "word " * 99 + "word\n" in as_text(report(finding(description="word " * 100)))


def test_silence_says_what_was_looked_at() -> None:
    text = as_text(silent())
    assert text.startswith("Nothing metered in this change\n")
    assert "with 85 rules." in text
    assert "Looked for: billing SDK imports, meter events" in text


def test_what_was_left_out_and_suppressed_is_listed() -> None:
    text = as_text(report())
    assert "Not analysed: 1\n  src/huge.ts: over 512 kB\n" in text
    assert "  src/old.ts:8: without a reason, so it has no effect\n" in text


def test_findings_from_before_the_change_are_counted() -> None:
    assert "2 findings fixed, 1 finding from before\n" in as_text(report(finding(state="existing"), fixed=("a", "b")))


def test_a_dimension_that_no_code_touches_says_so() -> None:
    assert "Aggregation Logic            not touched\n" in as_text(report(finding()))


@pytest.mark.parametrize("text", HOSTILE, ids=["marker", "secret", "long", "markup"])
def test_hostile_text_cannot_steer_the_terminal(text: str) -> None:
    shown = at_terminal(replace(report(hostile(f"{text}\x1b]0;owned\x07 [red]x[/red]")), not_analyzed=()))
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_markup_of_rich_is_text() -> None:
    assert "[red]x[/red] :smile:" in as_text(report(finding(title="[red]x[/red] :smile:")))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_text_for_the_same_report_and_ends_in_a_newline(name: str) -> None:
    sample = report(finding())
    assert FORMATS[name](sample) == FORMATS[name](sample)
    assert FORMATS[name](sample).endswith("\n")
    assert not FORMATS[name](sample).endswith("\n\n")


def test_a_review_stays_short_and_an_audit_has_the_ten_sections_in_order() -> None:
    headings = [line for line in as_text(report(finding(), mode="audit")).split("\n") if re.match(r"\d+\. [A-Z]", line)]

    assert "1. Executive Summary" not in as_text(report(finding()))
    assert [line.split(". ")[1] for line in headings] == [
        "Executive Summary",
        "Severity Legend",
        *SECTIONS.values(),
        "Prioritized Action List",
        "Overall Score",
    ]


def test_what_is_only_possible_is_one_line_after_what_is_said() -> None:
    doubted = finding(confidence="possible", severity="critical", path="src/early.ts", description="Perhaps so.")
    lines = as_text(report(doubted, finding(), mode="audit")).split("\n")

    at = next(number for number, line in enumerate(lines) if line.startswith("  critical src/early.ts:14:3 MTR-201"))
    assert lines[at].endswith("(possible)")
    assert "Perhaps so." not in "\n".join(lines)
    assert any(line.startswith("  high src/usage.ts:14:3 MTR-201") for line in lines[:at])


def test_an_audit_answers_its_questions_with_confidence_and_place() -> None:
    text = as_text(report(finding(), mode="audit"))

    assert "  a stable idempotency key? no src/usage.ts:14\n" in text
    assert "  what is the key made of? not visible in this code\n" in text
    assert "  usage-billing-accurate: fail (3 of 4 metered actions recorded). POST /generate records no usage\n" in text
    assert "  1. high src/usage.ts:14 MTR-201 Meter event without an identifier\n" in text


def test_an_audit_of_code_without_billing_stays_short() -> None:
    assert as_text(silent(mode="audit", meters=())).count("\n") < 8
