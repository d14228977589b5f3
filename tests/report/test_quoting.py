"""Text out of a repository can only be read: as code, or as plain words."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.report.quoting import code_span, comment_in, fenced, permalink, prose, table_row, visible
from tests.report.samples import HOSTILE

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
UGLY = st.text(alphabet="ab1 `\\*_[]()<>!-#@|~$&;/:.\n\t", max_size=60)


def inline(markdown: str) -> list[Token]:
    """The inline tokens of a text that must be one paragraph."""
    blocks = MARKDOWN.parse(markdown)
    assert [token.type for token in blocks] == ["paragraph_open", "inline", "paragraph_close"], markdown
    return blocks[1].children or []


def words(markdown: str) -> str:
    """What a reader sees, without the invisible blanks."""
    return "".join(token.content for token in inline(markdown)).replace("\u200b", "")


@given(UGLY.filter(str.strip))
@example("`")
@example(" `a` ")
def test_a_code_span_is_one_code_span_whatever_it_holds(text: str) -> None:
    tokens = inline("x" + code_span(text))
    assert [token.type for token in tokens] == ["text", "code_inline"]
    assert tokens[1].content == text.replace("\n", "[U+000A]").replace("\t", "[U+0009]")


@given(UGLY)
@example("````\n```")
def test_a_fence_is_one_block_whatever_it_holds(text: str) -> None:
    (token,) = MARKDOWN.parse(fenced(text))
    assert token.type == "fence"
    assert token.content == text.removesuffix("\n") + "\n"


@given(UGLY.filter(lambda text: "`" not in text and text.strip()))
@example("<!-- a -->")
@example("# a")
@example("1. a")
@example("---")
def test_prose_without_code_is_nothing_but_its_own_words(text: str) -> None:
    assert all(token.type == "text" or token.type == "text_special" for token in inline(prose(text)))
    assert words(prose(text)) == " ".join(text.split())


@given(UGLY.filter(str.strip))
def test_prose_has_no_markup_but_code_spans(text: str) -> None:
    assert {token.type for token in inline(prose(text))} <= {"text", "text_special", "code_inline"}


@pytest.mark.parametrize(
    "text", ["@org/team", "see #12", "GH-1", "gh-22", "a" * 7, "b" * 40, "http://e.example", "www.e.example"]
)
def test_what_github_would_link_is_broken_by_an_invisible_blank(text: str) -> None:
    shown = "".join(token.content for token in inline(prose(text)))
    assert not re.search(r"@\w|#\d|gh-\d|\b[0-9a-f]{7,40}\b|://|www\.", shown, re.IGNORECASE)


def test_code_spans_of_a_description_stay_code() -> None:
    assert prose("This carries no `idempotency_key` for @you") == "This carries no `idempotency_key` for @&#8203;you"


def test_an_html_comment_in_prose_can_not_be_mistaken_for_our_marker() -> None:
    assert "<!--" not in prose(HOSTILE[0].replace("`", ""))


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\x1b", "\x00", "\ufeff", "\u2028", "\udc80", "\r"])
def test_characters_that_hide_or_turn_text_are_spelt_out(character: str) -> None:
    assert visible(f"a{character}b") == f"a[U+{ord(character):04X}]b"


def test_line_ends_of_windows_are_only_line_ends() -> None:
    assert visible("a\r\nb\tc") == "a\nb\tc"


def test_a_line_of_64_kilobytes_is_cut_in_a_fence() -> None:
    assert len(fenced("x" * 65_536)) < 300


def test_a_long_block_says_how_much_is_missing() -> None:
    assert "… 60 more lines" in fenced("x\n" * 100)


def test_a_pipe_does_not_split_a_cell_even_inside_code() -> None:
    tokens = MARKDOWN.parse("\n".join([table_row("a", "b"), table_row("-", "-"), table_row(code_span("x|y"), prose("p|q"))]))
    assert [token.type for token in tokens].count("td_open") == 2


def test_a_permalink_escapes_what_would_end_the_path() -> None:
    link = permalink("https://github.com/a/b/", "c0ffee", "src/a#b?)(%2F é.py", 3, 5)
    assert link == "https://github.com/a/b/blob/c0ffee/src/a%23b%3F%29%28%252F%20%C3%A9.py#L3-L5"


@pytest.mark.parametrize(
    ("path", "start"), [("a.py", "# "), ("a.ts", "// "), ("a.go", "// "), ("a.sql", "-- "), ("a.vue", "<!-- ")]
)
def test_a_comment_is_written_as_in_the_language_of_the_file(path: str, start: str) -> None:
    assert comment_in(path, "x").startswith(start + "x")
