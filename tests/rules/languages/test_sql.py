"""SQL files: statements are found whatever stands in quotes and comments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import Literal
from rules.languages.sql import lower


def statements(text: str) -> list[str]:
    found = []
    for call in lower("a.sql", text.encode()).calls:
        value = call.arguments[0].value
        assert isinstance(value, Literal)
        found.append(str(value.value))
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select 'a;b'; select \"c;d\"", ["select 'a;b'", 'select "c;d"']),
        ("select 'it''s;'; select 2;", ["select 'it''s;'", "select 2"]),
        ("create function f() as $$ begin; end; $$; select 2;", ["create function f() as $$ begin; end; $$", "select 2"]),
        ("-- first; not\nselect 1; /* a;b */ select 2;", ["select 1", "select 2"]),
        ("", []),
        (";;", []),
        ("select 'open", ["select 'open"]),
    ],
)
def test_statements_end_where_they_end(text: str, wanted: list[str]) -> None:
    assert wanted == statements(text)


def test_lines_and_offsets_are_those_of_the_file() -> None:
    source = "-- Übersicht\nselect 1;\n\nselect\n  2;\n".encode()

    spans = [call.span for call in lower("a.sql", source).calls]

    assert [(2, 2), (4, 5)] == [(one.line, one.end_line) for one in spans]
    assert [b"select 1", b"select\n  2"] == [source[one.start : one.end] for one in spans]


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(source: bytes) -> None:
    lower("a.sql", source)
