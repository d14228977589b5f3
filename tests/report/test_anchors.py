"""A comment stands on lines that GitHub accepts, and a suggestion on exactly the lines that it replaces."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.report.anchors import Anchor, anchor
from bot.report.edits import suggested, suggestion_block
from rules.change import Hunk
from rules.report import LineEdit, Suggestion
from tests.report.samples import finding, hunk


def fix(*edits: tuple[int, int, str], safe: bool = True, path: str = "src/usage.ts") -> Suggestion:
    return Suggestion("Fix it", safe, tuple(LineEdit(path, start, end, text) for start, end, text in edits))


def test_a_comment_with_a_suggestion_stands_on_the_lines_of_the_edit() -> None:
    found = finding(line=14, end_line=15, evidence="a\nb", fix=fix((12, 16, "x\n")))
    assert anchor(found, [hunk(10, 10, {14})]) == Anchor("src/usage.ts", "RIGHT", 16, 12)


def test_an_edit_that_leaves_the_hunk_puts_the_comment_on_the_added_lines() -> None:
    found = finding(line=12, end_line=15, evidence="a\nb\nc\nd", fix=fix((12, 25, "x\n")))
    assert anchor(found, [hunk(10, 10, {13, 15})]) == Anchor("src/usage.ts", "RIGHT", 15, 13)


def test_a_comment_on_one_line_has_no_start_line() -> None:
    assert anchor(finding(fix=None), [hunk(10, 10, {14})]) == Anchor("src/usage.ts", "RIGHT", 14, None)


def test_a_finding_on_lines_that_the_change_did_not_add_has_no_place() -> None:
    assert anchor(finding(), [hunk(10, 10, {13})]) is None
    assert anchor(finding(), []) is None


def test_a_finding_about_deleted_code_stands_on_the_left() -> None:
    found = finding(side="left", line=14, end_line=16, fix=None)
    assert anchor(found, [hunk(10, 10, {14}, frozenset({15, 16}))]) == Anchor("src/usage.ts", "LEFT", 16, 15)


def test_a_finding_over_two_hunks_stands_in_the_first() -> None:
    found = finding(line=14, end_line=40, fix=None)
    assert anchor(found, [hunk(35, 10, {36}), hunk(10, 10, {14, 15})]) == Anchor("src/usage.ts", "RIGHT", 15, 14)


ranges = st.integers(1, 60).flatmap(lambda start: st.tuples(st.just(start), st.integers(start, start + 25)))


@st.composite
def hunks(draw: st.DrawFn) -> list[Hunk]:
    found, at = [], 1
    for _ in range(draw(st.integers(1, 4))):
        start, count = at + draw(st.integers(1, 8)), draw(st.integers(1, 15))
        numbers = st.sets(st.integers(start, start + count - 1))
        found.append(hunk(start, count, draw(numbers), frozenset(draw(numbers))))
        at = start + count
    return found


@given(ranges, ranges, hunks(), st.sampled_from(["right", "left"]))
def test_every_anchor_lies_in_one_hunk_and_starts_above_its_end(
    lines: tuple[int, int], edit: tuple[int, int], change: list[Hunk], side: str
) -> None:
    found = replace(finding(side=side, fix=fix((*edit, "x\n"))), line=lines[0], end_line=lines[1])
    chosen = anchor(found, change)
    changed = {line for each in change for line in (each.added if side == "right" else each.deleted)}
    if chosen is None:
        assert not changed & set(range(lines[0], lines[1] + 1))
        return
    assert chosen.start_line is None or chosen.start_line < chosen.line
    first = chosen.start_line or chosen.line
    assert any(each.head_start <= first and chosen.line < each.head_start + each.head_count for each in change)
    if chosen.covers(LineEdit(found.path, *edit, "x\n")):
        assert chosen.line - first < 20


@pytest.mark.parametrize(
    "bad",
    [
        fix((14, 14, "x\n"), safe=False),
        fix((14, 14, "x\n"), path="src/other.ts"),
        fix((14, 14, "x\n"), (16, 16, "y\n")),
        fix((14, 15, "x\n"), (15, 16, "y\n")),
        fix((1, 21, "x\n")),
        fix((14, 14, "  await meter(customer, value)\n")),
        fix((14, 14, "a \u202e b\n")),
        fix((14, 14, 'key = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"\n')),
        fix((14, 14, "x" * 9_000)),
        fix(),
    ],
    ids=["unsafe", "elsewhere", "gap", "overlap", "long", "no-op", "hidden", "secret", "huge", "empty"],
)
def test_such_a_fix_is_never_a_suggestion(bad: Suggestion) -> None:
    assert suggested(finding(fix=bad)) is None


def test_a_finding_about_deleted_code_has_no_suggestion() -> None:
    assert suggested(finding(side="left")) is None


def test_edits_that_touch_are_one_suggestion() -> None:
    edit = suggested(finding(fix=fix((15, 15, "b\n"), (14, 14, "a"))))
    assert edit == LineEdit("src/usage.ts", 14, 15, "a\nb\n")


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("", "```suggestion\n```"),
        ("\n", "```suggestion\n\n```"),
        ("a", "```suggestion\na\n```"),
        ("  a\r\n\tb\r\n", "```suggestion\n  a\r\n\tb\r\n```"),
        ("a ``` b\n", "````suggestion\na ``` b\n````"),
    ],
    ids=["delete", "blank", "no newline", "carriage returns", "backticks"],
)
def test_a_suggestion_is_literal(text: str, block: str) -> None:
    assert suggestion_block(LineEdit("a", 1, 1, text)) == block
