"""Colouring changes nothing of the code but its colours."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.highlight import cut, drawn, pieces
from bot.report.quoting import LANGUAGES, visible

KNOWN = sorted({*LANGUAGES.values(), "", "no such language"})


def text_of(line: object) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", str(line)))


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab \t\r\n\"'`<>&/*#$(){}[]=:;\\0\u202e\ufeff\x85\u2028é𝄞"), max_size=60), st.sampled_from(KNOWN)
)
def test_every_line_is_the_line_of_the_code(code: str, language: str) -> None:
    lines = pieces(code, language)

    assert code.split("\n") == ["".join(text for _, text in line) for line in lines]
    assert [visible(line) for line in code.split("\n")] == [text_of(drawn(line)) for line in lines]


@settings(deadline=None)
@given(st.text("ab('é𝄞 ", max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_a_piece_is_cut_at_its_columns(code: str, first: int, last: int) -> None:
    (line,) = pieces(code, "python")

    assert code[first:last] == "".join(text for _, text in cut(line, first, last))


def test_markup_in_code_stays_text() -> None:
    (line,) = pieces("x = '<script>' # <b>&", "python")

    assert "<script>" not in drawn(line)
    assert '<span class="h-s">&#39;&lt;script&gt;&#39;</span>' in drawn(line)


@pytest.mark.parametrize(("code", "language", "kind"), [("return 1", "python", "k"), ("// a", "go", "c"), ("'a'", "sql", "s")])
def test_what_tells_apart_has_a_colour(code: str, language: str, kind: str) -> None:
    assert f'class="h-{kind}"' in drawn(pieces(code, language)[0])
