"""What the App writes on a pull request."""

import re

import pytest
from markdown_it import MarkdownIt

from bot.report.anchors import Anchor
from bot.report.comments import LONGEST_BODY, Marker, comment_body, read_marker, review_body
from tests.report.samples import HOSTILE, finding, hostile, many, report

LINE = Anchor("src/usage.ts", "RIGHT", 14, None)


def test_a_comment_says_what_why_and_how() -> None:
    body = comment_body(finding(), LINE)
    assert body.startswith("**[HIGH] Meter event without an identifier**\n\nThis meter event carries no `identifier`")
    assert "**Fix:** Pass `identifier` with the id of the request." in body
    assert "```suggestion\n  await meter(customer, value, request.id)\n```" in body


@pytest.mark.parametrize("place", [None, Anchor("src/usage.ts", "RIGHT", 15, 14), Anchor("src/usage.ts", "LEFT", 14, None)])
def test_a_comment_on_other_lines_than_the_edits_shows_a_diff_and_no_suggestion(place: Anchor | None) -> None:
    body = comment_body(finding(), place)
    assert "suggestion\n" not in body
    assert "```diff\n@@ src/usage.ts:14 @@\n-  await meter(customer, value)\n+  await" in body


@pytest.mark.parametrize(("path", "comment"), [("a.py", "# meteraudit"), ("a.go", "// meteraudit"), ("a.sql", "-- meteraudit")])
def test_a_comment_tells_how_to_silence_it_in_the_language_of_the_file(path: str, comment: str) -> None:
    assert f"`{comment}: ignore MTR-201 <reason>`" in comment_body(finding(path=path), None)


def test_a_comment_names_the_configuration_and_the_page_of_the_rule() -> None:
    body = comment_body(finding(), LINE)
    assert "`rules: {MTR-201: off}` in `.meteraudit.yml`" in body
    assert "(https://meteraudit.example/rules/MTR-201)" in body


def test_a_rule_without_a_page_is_named_without_a_link() -> None:
    assert "](" not in comment_body(finding(help=None), LINE)


def test_a_comment_says_how_many_more_there_are() -> None:
    assert "And 4 more like this in this file." in comment_body(finding(), LINE, more=4)


def test_a_comment_ends_in_its_marker() -> None:
    assert comment_body(finding(), LINE).endswith("\n\n<!-- meteraudit:v1 fp=ab12cd34 rule=MTR-201 -->")


def test_the_marker_of_a_comment_can_be_read_back() -> None:
    assert read_marker(comment_body(finding(), LINE)) == Marker("ab12cd34", "MTR-201")


def test_a_quoted_marker_is_no_marker() -> None:
    assert read_marker("> <!-- meteraudit:v1 fp=ab rule=MTR-201 -->") is None


def test_a_marker_with_text_after_it_is_no_marker() -> None:
    assert read_marker(comment_body(finding(), LINE) + "\n\nmore") is None


@pytest.mark.parametrize("text", HOSTILE, ids=["marker", "secret", "long", "markup"])
def test_hostile_code_stays_text_and_the_marker_stays_ours(text: str) -> None:
    body = comment_body(hostile(text), LINE)
    assert len(body) <= LONGEST_BODY
    assert read_marker(body) == Marker("ab12cd34", "MTR-201")
    html = [t.content for t in MarkdownIt("commonmark").parse(body) if t.type == "html_block"]
    assert html == [
        "<details><summary>Why am I told this, and how to silence it</summary>\n",
        "</details>\n",
        "<!-- meteraudit:v1 fp=ab12cd34 rule=MTR-201 -->",
    ]


def test_hostile_code_mentions_nobody() -> None:
    for token in MarkdownIt("commonmark").parse(comment_body(hostile(HOSTILE[0]), LINE)):
        for child in token.children or ():
            assert child.type == "code_inline" or not re.search(r"@\w|#\d|GH-\d|\b[0-9a-f]{7,40}\b|://", child.content)


def test_a_comment_of_markup_only_stays_within_the_limit() -> None:
    assert len(comment_body(hostile("@a#1" * 20_000), LINE)) <= LONGEST_BODY


def test_the_review_says_how_many_findings_and_where_the_rest_is() -> None:
    text = review_body(report(finding(), *many(3, "medium", shown="summary")), "https://github.com/acme/api/runs/1")
    assert text == (
        "MeterAudit: 1 high, 3 medium in this change, 1 comment below. "
        "[Score and full report](https://github.com/acme/api/runs/1)"
    )
