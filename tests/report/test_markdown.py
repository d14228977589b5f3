"""The full report has all ten sections, and shows what it was given."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from bot.report.markdown import as_markdown
from bot.report.verdict import SECTIONS
from rules.report import LineEdit, Report, Suggestion
from tests.report.samples import HOSTILE, finding, hostile, report, silent

TITLES = [
    "1. Executive Summary",
    "2. Severity Legend",
    "3. Event Ingestion Reliability",
    "4. Deduplication & Idempotency",
    "5. Aggregation Logic",
    "6. Limits & Overage Handling",
    "7. Customer Transparency",
    "8. Observability & Alerting",
    "9. Prioritized Action List",
    "10. Overall Score",
]


def part(text: str, title: str) -> str:
    """One section of the report."""
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("sample", [report(finding()), report(), silent(), report(sections=())], ids=range(4))
def test_every_report_has_the_ten_sections_in_order(sample: Report) -> None:
    headings = [line[3:] for line in as_markdown(sample).split("\n") if line.startswith("## ")]
    assert headings[:10] == TITLES


def test_a_finding_reads_as_the_contract_says() -> None:
    text = part(as_markdown(report(finding())), TITLES[3])
    assert "**[HIGH] MTR-201 [CERTAIN] [DEFICIENCY]: Meter event without an identifier**" in text
    order = [text.index(label) for label in ("Location: `src/usage.ts:14`", "Evidence:", "Description:", "Remediation:")]
    assert order == sorted(order)
    assert "```typescript\n  await meter(customer, value)\n```" in text


def test_a_fix_is_shown_as_a_diff() -> None:
    assert "-  await meter(customer, value)\n+  await meter(customer, value, request.id)" in as_markdown(report(finding()))


def test_a_question_that_cannot_be_answered_says_so() -> None:
    assert "| what is the key made of? | not visible in this code |" in as_markdown(report(finding()))


def test_a_dimension_that_no_code_touches_says_so() -> None:
    assert "| Aggregation Logic | not touched | 1.5 |" in part(as_markdown(report(finding())), TITLES[9])


def test_code_without_billing_names_the_signals_that_were_looked_for() -> None:
    text = as_markdown(silent())
    assert "no usage-based billing. Signals looked for: `billing SDK imports`, `meter events`" in text
    assert "No score" in part(text, TITLES[9])


def test_actions_are_listed_by_rank() -> None:
    first, second = finding(title="First"), finding(title="Second", fingerprint="cd", path="src/b.ts")
    text = part(as_markdown(report(second, first, actions=(first.fingerprint, second.fingerprint))), TITLES[8])
    assert text.index("1. **[HIGH]** First") < text.index("2. **[HIGH]** Second")


def test_an_ignore_comment_without_a_reason_is_listed_as_having_no_effect() -> None:
    text = as_markdown(report(finding()))
    assert "`src/old.ts:3`: billed by hand" in text
    assert "`src/old.ts:8`: without a reason, so it has no effect" in text


def test_files_that_were_not_analysed_are_named_with_the_reason() -> None:
    assert "- `src/huge.ts`: over 512 kB" in as_markdown(report())


def test_findings_from_before_the_change_are_counted_and_not_told() -> None:
    text = as_markdown(report(finding(title="Old news", state="existing", shown="count")))
    assert "Old news" not in text
    assert "1 finding from before this change." in text


def test_an_audit_tells_every_finding() -> None:
    assert "Old news" in as_markdown(report(finding(title="Old news", state="existing"), mode="audit"))


def test_hostile_text_makes_no_heading_link_image_or_html() -> None:
    sample = report(*map(hostile, HOSTILE), because=HOSTILE[3])
    sample = replace(sample, summary=replace(sample.summary, posture=HOSTILE[0], signals=HOSTILE))
    kinds, headings = set(), 0
    for token in MarkdownIt("commonmark").enable("table").parse(as_markdown(sample)):
        kinds |= {token.type, *(child.type for child in token.children or ())}
        headings += token.type == "heading_open"
        links = [child.attrs["href"] for child in token.children or () if child.type == "link_open"]
        assert all(str(href).startswith("https://meteraudit.example/") for href in links)
    assert not kinds & {"html_block", "html_inline", "image"}
    assert headings == 1 + len(TITLES) + 3


def test_an_edit_of_another_file_names_the_file_and_the_lines() -> None:
    fix = Suggestion("Add an index", False, (LineEdit("schema.sql", 3, 4, "create unique index;"),))
    assert "@@ schema.sql:3-4 @@\n+create unique index;" in as_markdown(report(finding(fix=fix)))


def test_the_sections_of_the_report_are_those_of_the_contract() -> None:
    assert [title.split(". ")[1] for title in TITLES[2:8]] == list(SECTIONS.values())
