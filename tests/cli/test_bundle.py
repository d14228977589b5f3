"""Bundles: several files in one text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.bundle import BundleError, read_bundle, write_bundle

ANY = st.characters(exclude_categories=("Cs",))
HEADINGS = ["--- a.py ---", "---- a.py ---", "------- a.py ---", "--- a ---\r", "---", "--- ---", "", "\r", "\u2028", "\x0c"]
TEXTS = st.lists(st.text(ANY, max_size=12) | st.sampled_from(HEADINGS), max_size=6).map("\n".join)


def is_path(text: str) -> bool:
    return not set(text) & {"\n", "\r"} and not text.endswith("/")


ODD_PATHS = ["src/a.py", "a --- b", "--- x ---", " leading.py", "trailing.py "]
PATHS = st.text(ANY, min_size=1, max_size=12).filter(is_path) | st.sampled_from(ODD_PATHS)


@given(st.dictionaries(PATHS, TEXTS, min_size=1, max_size=4))
@example({"a.py": "", "b.py": "\n"})
@example({"a.py": "--- b.py ---\n---- b.py ---\n"})
def test_what_was_written_is_read_again_byte_for_byte(files: dict[str, str]) -> None:
    read = read_bundle(write_bundle(files))

    assert files == read
    assert list(files) == list(read)


def test_a_bundle_made_by_hand_is_read() -> None:
    text = "Please look at this.\n\n--- src/a.py ---\nx = 1\n--- b/c.ts ---\r\nlet y\n"

    assert read_bundle(text) == {"src/a.py": "x = 1", "b/c.ts": "let y"}


def test_a_source_line_with_one_dash_more_is_given_back_as_it_was() -> None:
    assert read_bundle("--- a.sql ---\n---- old ---\nselect 1\n") == {"a.sql": "--- old ---\nselect 1"}


def test_a_text_without_a_heading_is_refused_with_what_to_do() -> None:
    with pytest.raises(BundleError, match=r"no heading: put a line like `--- src/usage.py ---`"):
        read_bundle("x = 1\n")


def test_a_path_that_comes_twice_is_refused_with_its_line() -> None:
    with pytest.raises(BundleError, match=r"line 3 .* 'a\.py' a second time"):
        read_bundle("--- a.py ---\nx\n--- a.py ---\ny\n")


@pytest.mark.parametrize("path", ["", "a\nb.py", "a.py\r", "src/"])
def test_a_path_that_fits_no_heading_is_refused(path: str) -> None:
    with pytest.raises(BundleError, match="does not fit into a heading"):
        write_bundle({path: "x"})
