"""Property and example tests of the diff readers, against real `git diff`."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.patch import FileDiff, PatchError, added_lines, hunks_between, hunks_from_git_diff, parse_patch
from bot.text_before import text_before
from rules.change import Hunk

LINES = st.lists(
    st.sampled_from(
        ["a", "b", "", "--- x", "+++ y", "@@ -1 +1 @@", "\\ No newline", "c\r", "d\f", "e\u2028f", "diff --git a/q b/q"]
    ),
    max_size=14,
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + (end if lines else ""), LINES, st.sampled_from(["", "\n"]))


def git_diff(folder: Path, base: str, head: str, *options: str) -> str:
    (folder / "base").write_bytes(base.encode())
    (folder / "head").write_bytes(head.encode())
    command = [
        "git",
        "diff",
        "--no-index",
        "--no-color",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        *options,
        "base",
        "head",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout.decode()


def patch_of(diff: str) -> str:
    """What GitHub shows as `patch`: the hunks without the file header and without the last line end."""
    at = diff.find("\n@@ ")
    return diff[at + 1 :].removesuffix("\n") if at >= 0 else ""


def split(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


def left_over(text: str, gone: frozenset[int]) -> list[str]:
    return [line for number, line in enumerate(split(text), 1) if number not in gone]


def of_all(hunks: tuple[Hunk, ...], side: str) -> frozenset[int]:
    return frozenset().union(*(getattr(hunk, side) for hunk in hunks))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diff")


@settings(max_examples=150, deadline=None)
@given(base=TEXTS, head=TEXTS)
def test_the_lines_a_patch_leaves_alone_are_the_same_on_both_sides(folder: Path, base: str, head: str) -> None:
    hunks = parse_patch(patch_of(git_diff(folder, base, head)))
    assert left_over(base, of_all(hunks, "deleted")) == left_over(head, of_all(hunks, "added"))


@settings(max_examples=150, deadline=None)
@given(base=TEXTS, head=TEXTS)
def test_added_lines_hold_the_text_of_the_head(folder: Path, base: str, head: str) -> None:
    lines = [line.removesuffix("\n") for line in split(head)]
    added = added_lines(patch_of(git_diff(folder, base, head)))
    assert added == {number: lines[number - 1] for number in added}


@settings(max_examples=300, deadline=None)
@given(base=TEXTS, head=TEXTS)
def test_a_patch_undone_gives_the_text_before(folder: Path, base: str, head: str) -> None:
    assert base == text_before(patch_of(git_diff(folder, base, head)), head)


@settings(max_examples=150, deadline=None)
@given(base=TEXTS, head=TEXTS, other=TEXTS)
def test_a_patch_undone_on_another_text_is_refused_or_touches_other_lines_only(
    folder: Path, base: str, head: str, other: str
) -> None:
    patch = patch_of(git_diff(folder, base, head))
    lines = [line.removesuffix("\n") for line in split(other)]
    fits = all(lines[number - 1 : number] == [text] for number, text in added_lines(patch).items())
    try:
        text_before(patch, other)
    except PatchError:
        return
    assert fits


@settings(max_examples=150, deadline=None)
@given(base=TEXTS, head=TEXTS)
def test_our_own_comparison_is_right_and_empty_only_where_gits_is(folder: Path, base: str, head: str) -> None:
    ours = hunks_between(base, head)
    gits = parse_patch(patch_of(git_diff(folder, base, head, "--patience")))
    assert left_over(base, of_all(ours, "deleted")) == left_over(head, of_all(ours, "added"))
    assert bool(ours) == bool(gits)
    assert len(of_all(ours, "added")) <= len(split(head))


@settings(max_examples=100, deadline=None)
@given(base=TEXTS, lines=st.lists(st.sampled_from(["u", "v", "w"]), min_size=1, max_size=3), at=st.integers(0, 14))
def test_an_inserted_block_is_all_that_our_comparison_adds(base: str, lines: list[str], at: int) -> None:
    before = split(base)
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    head = [*before[:at], *(line + "\n" for line in lines), *before[at:]]
    hunks = hunks_between("".join(before), "".join(head))
    assert (len(of_all(hunks, "added")), of_all(hunks, "deleted")) == (len(lines), frozenset())


@settings(max_examples=100, deadline=None)
@given(base=TEXTS, head=TEXTS)
def test_the_ranges_of_our_hunks_are_what_git_would_print_in_a_header(base: str, head: str) -> None:
    shift = 0
    for hunk in hunks_between(base, head):
        base_before = hunk.base_start - (hunk.base_count > 0)
        head_before = hunk.head_start - (hunk.head_count > 0)
        assert head_before - base_before == shift
        assert hunk.base_count - len(hunk.deleted) == hunk.head_count - len(hunk.added)
        assert hunk.added <= frozenset(range(hunk.head_start, hunk.head_start + hunk.head_count))
        assert hunk.deleted <= frozenset(range(hunk.base_start, hunk.base_start + hunk.base_count))
        shift += hunk.head_count - hunk.base_count


def test_two_large_hostile_texts_are_compared_in_bounded_time() -> None:
    base, head = "a\nb\n" * 50_000, "b\nb\na\n" * 40_000
    hunks = hunks_between(base, head)
    assert left_over(base, of_all(hunks, "deleted")) == left_over(head, of_all(hunks, "added"))


def test_a_missing_count_is_one() -> None:
    assert parse_patch("@@ -0,0 +1 @@\n+x") == (Hunk(0, 0, 1, 1, frozenset({1}), frozenset()),)


def test_a_missing_newline_marker_counts_as_no_line() -> None:
    patch = "@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file"
    assert parse_patch(patch) == (Hunk(1, 1, 1, 1, frozenset({1}), frozenset({1})),)


def test_lines_that_look_like_file_headers_are_content_inside_a_hunk() -> None:
    assert added_lines("@@ -1,2 +1,2 @@\n--- old comment\n+++ counter\n x") == {1: "++ counter"}


def test_an_empty_patch_has_no_hunks() -> None:
    assert parse_patch("") == ()


@pytest.mark.parametrize("patch", ["@@ -1,3 +1,3 @@\n a\n+b", "a/file b/file", "@@ -1 +1 @@\n?x", "@@ -1,0 +1 @@\n a"])
def test_what_is_not_a_complete_patch_is_refused(patch: str) -> None:
    with pytest.raises(PatchError):
        parse_patch(patch)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for command in (["init", "-q"], ["config", "user.email", "a@example.com"], ["config", "user.name", "a"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def commit_and_diff(repository: Path, *options: str) -> dict[str, FileDiff]:
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    command = ["git", "diff", "--cached", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", *options]
    out = subprocess.run(command, cwd=repository, capture_output=True, check=True).stdout
    subprocess.run(["git", "commit", "-qm", "x"], cwd=repository, check=True)
    return hunks_from_git_diff(out.decode("utf-8", "surrogateescape"))


ODD_NAMES = [
    "plain.py",
    "two words.py",
    "ä.py",
    'quo"te.py',
    "tab\there.py",
    "a b/c b/d.py",
    "back\\slash.py",
    "b/b/x.py",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_file_name_is_read_from_an_added_an_empty_and_a_renamed_file(repository: Path, name: str) -> None:
    file = repository / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    assert commit_and_diff(repository)[name] == FileDiff(name, None, "added", mode="100644")
    file.write_bytes(b"one\ntwo\nthree\n")
    assert commit_and_diff(repository)[name].hunks[0].added == {1, 2, 3}
    file.chmod(0o755)
    assert commit_and_diff(repository)[name] == FileDiff(name, name, "modified", mode="100755")
    file.rename(repository / ("new " + file.name))
    renamed = commit_and_diff(repository, "-M")["new " + file.name]
    assert (renamed.status, renamed.base_path, renamed.hunks) == ("renamed", name, ())


def test_a_removed_file_keeps_its_base_path(repository: Path) -> None:
    (repository / "gone.py").write_text("a\n")
    commit_and_diff(repository)
    (repository / "gone.py").unlink()
    gone = commit_and_diff(repository)["gone.py"]
    assert (gone.status, gone.base_path, gone.hunks[0].deleted) == ("removed", "gone.py", {1})


@pytest.mark.parametrize("options", [[], ["--binary"]])
def test_a_binary_file_is_named_and_has_no_hunks(repository: Path, options: list[str]) -> None:
    (repository / "logo.png").write_bytes(bytes(range(256)) * 4)
    (repository / "z.py").write_text("a\n")
    files = commit_and_diff(repository, *options)
    assert (files["logo.png"].binary, files["logo.png"].hunks) == (True, ())
    assert files["z.py"].hunks[0].added == {1}


def test_a_file_that_became_a_symbolic_link_is_one_modified_entry(repository: Path) -> None:
    (repository / "a.py").write_text("a\n")
    commit_and_diff(repository)
    (repository / "a.py").unlink()
    (repository / "a.py").symlink_to("/etc/passwd")
    link = commit_and_diff(repository)["a.py"]
    assert (link.status, link.mode) == ("modified", "120000")


def test_a_line_that_looks_like_a_diff_header_stays_inside_its_file(repository: Path) -> None:
    (repository / "a.patch").write_text("diff --git a/evil b/evil\n@@ -1 +1 @@\n-x\n+y\n")
    assert list(commit_and_diff(repository)) == ["a.patch"]
