"""The check run says the verdict and why, within GitHub's limits."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import UNSET

from bot.report.check_run import LONGEST_SUMMARY, annotations, check_summary, check_title
from rules.change import NotAnalyzed
from rules.report import Report, Score
from tests.report.samples import HEAD, HOSTILE, REPOSITORY, finding, hostile, many, report, silent

CONFIGURATION = "Configuration: `.meteraudit.yml` at the base."


def summary(sample: Report) -> str:
    return check_summary(sample, REPOSITORY, HEAD, CONFIGURATION)


def passed(*findings: Any) -> Report:
    return replace(report(*findings, conclusion="success", because="no high finding"), score=Score((), 10))


@pytest.mark.parametrize(
    ("sample", "title"),
    [
        (report(finding(), *many(3, "medium")), "Blocked: 6/10 · 1 high, 3 medium"),
        (passed(), "Passed: 10/10 · no findings"),
        (report(finding(), conclusion="neutral"), "Advisory: 6/10 · 1 high"),
        (silent(), "Nothing metered in this change"),
        (
            report(conclusion="action_required", because=".meteraudit.yml:3 is not valid"),
            "Action required: .meteraudit.yml:3 is not valid",
        ),
    ],
)
def test_the_title_says_the_verdict(sample: Report, title: str) -> None:
    assert check_title(sample) == title


def test_a_partial_result_is_the_headline() -> None:
    sample = report(conclusion="action_required", not_analyzed=tuple(NotAnalyzed(f"a{n}", "too large") for n in range(37)))
    assert check_title(sample, files=412) == "Partial: 37 of 412 files not analysed"


def test_a_blocked_change_stays_blocked_when_it_is_partial() -> None:
    assert check_title(report(finding()), files=412).startswith("Blocked")


def test_a_title_is_never_longer_than_80_characters() -> None:
    assert len(check_title(report(conclusion="action_required", because="x" * 500))) == 80


def test_the_summary_begins_with_the_verdict_and_what_decided_it() -> None:
    assert summary(report(finding())).startswith("**Fails**: 1 high finding; fail\\_on: high in .meteraudit.yml:4\n")


def test_a_finding_is_linked_to_its_lines_at_the_head() -> None:
    assert f"[`src/usage.ts:14`]({REPOSITORY}/blob/{HEAD}/src/usage.ts#L14)" in summary(report(finding()))


def test_a_deleted_line_has_no_link_to_the_head() -> None:
    text = summary(report(finding(side="left")))
    assert "`src/usage.ts:14` (deleted)" in text
    assert "/blob/" not in text


def test_the_table_counts_new_open_fixed_and_suppressed() -> None:
    text = summary(report(finding(), finding(state="existing", shown="count", severity="low"), fixed=("aa", "bb")))
    assert "| New | 0 | 1 | 0 | 0 | 1 |" in text
    assert "| Still open | 0 | 0 | 0 | 1 | 1 |" in text
    assert "| Fixed |  |  |  |  | 2 |" in text
    assert "| Suppressed |  |  |  |  | 1 |" in text


def test_the_summary_names_configuration_and_version() -> None:
    text = summary(report(finding()))
    assert "`.meteraudit.yml` at the base." in text
    assert "meteraudit 0.1.0, 85 rules" in text


def test_a_long_list_of_files_is_capped_and_says_so() -> None:
    text = summary(report(not_analyzed=tuple(NotAnalyzed(f"src/f{n}.ts", "too large") for n in range(60))))
    assert "Not analysed: 60 files" in text
    assert "- and 10 more" in text


def test_nothing_is_said_to_be_left_out_when_all_fits() -> None:
    assert "Left out" not in summary(report(finding(), *many(20, "low"), fixed=("aa",)))


def test_the_list_of_fixed_findings_goes_first() -> None:
    text = summary(report(*many(10, "low"), fixed=tuple(f"{n:012x}" for n in range(5_000))))
    assert "Left out, as GitHub takes no more text: the list of 5000 fixed findings." in text
    assert "src/low9.ts" in text


def test_low_findings_go_before_medium_ones() -> None:
    text = summary(report(*many(200, "low"), *many(150, "medium")))
    assert "200 low findings" in text
    assert "src/medium149.ts" in text
    assert "src/low1.ts" not in text


def test_medium_findings_go_before_high_ones() -> None:
    text = summary(report(*many(50, "low"), *many(300, "medium"), *many(100, "high")))
    assert "Left out, as GitHub takes no more text: 50 low findings, 300 medium findings, the diagrams of the meters." in text
    assert "src/high99.ts" in text


def test_at_last_the_gravest_findings_stay_and_the_rest_is_counted() -> None:
    text = summary(report(*many(5, "critical"), *many(1_000, "high")))
    assert len(text) <= LONGEST_SUMMARY
    assert "src/critical4.ts" in text
    assert "high findings" in text
    assert "the lists of files" in text


@pytest.mark.parametrize("text", HOSTILE, ids=["marker", "secret", "long", "markup"])
def test_a_hostile_report_stays_within_the_limit(text: str) -> None:
    sample = report(*(hostile(text) for _ in range(15)), because=text, not_analyzed=(NotAnalyzed(text, text),) * 300)
    assert len(check_summary(sample, REPOSITORY, HEAD, text)) <= LONGEST_SUMMARY


def test_only_findings_that_are_shown_as_annotations_have_one() -> None:
    made = annotations(report(finding(), finding(shown="summary"), finding(shown="annotation", path="src/b.ts")))
    assert [each.path for each in made] == ["src/b.ts"]


@pytest.mark.parametrize(
    ("severity", "level"), [("critical", "failure"), ("high", "failure"), ("medium", "warning"), ("low", "notice")]
)
def test_the_level_of_an_annotation_follows_the_severity(severity: str, level: str) -> None:
    (made,) = annotations(report(finding(shown="annotation", severity=severity)))
    assert made.annotation_level == level


def test_columns_are_given_on_a_single_line_only() -> None:
    one, many_lines = annotations(
        report(finding(shown="annotation"), finding(shown="annotation", path="src/z.ts", end_line=16))
    )
    assert (one.start_column, one.end_column) == (3, 30)
    assert (many_lines.start_column, many_lines.end_column) == (UNSET, UNSET)


def test_there_are_at_most_200_annotations_and_the_gravest_come_first() -> None:
    made = annotations(report(*many(250, "low", shown="annotation"), *many(3, "high", shown="annotation")))
    assert len(made) == 200
    assert [each.annotation_level for each in made[:4]] == ["failure", "failure", "failure", "notice"]


def test_annotations_stay_within_githubs_limits() -> None:
    (made,) = annotations(report(finding(shown="annotation", title="t" * 900, description="é" * 70_000)))
    assert len(made.message.encode()) <= 64 * 1024
    assert isinstance(made.title, str)
    assert len(made.title) == 255


def test_a_deleted_line_has_no_annotation() -> None:
    assert annotations(report(finding(shown="annotation", side="left"))) == ()
