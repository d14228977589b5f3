"""`meteraudit review` in real repositories."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Meteraudit
from tests.cli.local_repositories import PLAIN, UNKEYED, bare_clone, commit, create, git, put

NEW = ("MTR-201", "usage.py", 4, "new")


def review(meteraudit: Meteraudit, repo: Path, *words: object):
    return meteraudit("review", "--repo", repo, "--format", "json", *words)


def test_a_new_finding_between_two_commits_blocks(meteraudit: Meteraudit, repo: Path) -> None:
    base, head = git(repo, "rev-parse", "HEAD"), commit(repo, {"usage.py": UNKEYED})

    ran = review(meteraudit, repo, "--base", base, "--head", head)

    assert (ran.code, ran.places) == (1, [NEW])
    assert {"repository": None, "pull_request": None, "base": base, "head": head} == ran.report["subject"]
    assert ran.report["findings"][0]["shown"] == "comment"


def test_a_clean_change_passes(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": PLAIN + "\nX = 1\n"})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places, ran.err) == (0, [], "")


def test_a_bare_repository_gives_the_same_report_as_its_work_tree(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED, "src/größe.py": UNKEYED})
    words = ("--base", "HEAD^", "--head", "HEAD")

    ran = review(meteraudit, bare_clone(repo), *words)

    assert len(ran.places) == 2
    assert review(meteraudit, repo, *words).out == ran.out


def test_a_bare_repository_has_no_working_tree_to_review(meteraudit: Meteraudit, repo: Path) -> None:
    ran = review(meteraudit, bare_clone(repo))

    assert ran.code == 2
    assert "is a bare repository and has no working tree: name the revision to review with --head." in ran.err


def test_a_finding_that_was_there_before_does_not_block(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED})
    commit(repo, {"usage.py": "# moved\n\n" + UNKEYED})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places) == (0, [("MTR-201", "usage.py", 6, "existing")])


def test_a_finding_in_a_renamed_and_changed_file_is_not_new(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED})
    commit(repo, {"usage.py": None, "billing/meter.py": UNKEYED + "\nX = 1\n"})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places) == (0, [("MTR-201", "billing/meter.py", 4, "existing")])


def test_a_deleted_file_is_told_as_fixed(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED})
    commit(repo, {"usage.py": None})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places, len(ran.report["fixed"])) == (0, [], 1)


def test_the_parent_of_a_root_commit_is_the_empty_tree(meteraudit: Meteraudit, tmp_path: Path) -> None:
    repo = create(tmp_path / "young")
    commit(repo, {"usage.py": UNKEYED})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places) == (1, [NEW])


def test_the_cut_off_commit_of_a_shallow_clone_is_no_root(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"usage.py": UNKEYED})
    git(repo, "clone", "--quiet", "--depth=1", repo.as_uri(), str(tmp_path / "shallow"))

    ran = review(meteraudit, tmp_path / "shallow", "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, "--base HEAD^ is no revision" in ran.err) == (2, True)


def test_without_a_base_a_branch_is_compared_with_where_it_left_main(meteraudit: Meteraudit, repo: Path) -> None:
    git(repo, "checkout", "--quiet", "-b", "topic")
    parted = git(repo, "rev-parse", "main")
    commit(repo, {"usage.py": UNKEYED})
    git(repo, "checkout", "--quiet", "main")
    commit(repo, {"other.py": UNKEYED})

    ran = review(meteraudit, repo, "--head", "topic")

    assert ([NEW], parted) == (ran.places, ran.report["subject"]["base"])


def test_the_working_tree_is_reviewed_with_its_untracked_files(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {".gitignore": "ignored.py\n"})
    put(repo, {"usage.py": UNKEYED, "fresh.py": UNKEYED, "ignored.py": UNKEYED})

    ran = review(meteraudit, repo)

    assert ran.places == [("MTR-201", "fresh.py", 4, "new"), NEW]
    assert ran.report["subject"]["head"] is None
    assert {"comment"} == {one["shown"] for one in ran.report["findings"]}


def test_the_working_tree_is_reviewed_from_any_folder_in_it(meteraudit: Meteraudit, repo: Path) -> None:
    put(repo, {"usage.py": UNKEYED, "deep/down/x.md": ""})

    ran = meteraudit("review", "--format", "json", folder=repo / "deep/down")

    assert ran.places == [NEW]


def test_a_repository_without_a_commit_is_reviewed_whole(meteraudit: Meteraudit, tmp_path: Path) -> None:
    repo = create(tmp_path / "empty")
    put(repo, {"usage.py": UNKEYED, ".meteraudit.yml": "version: 1\nmode: advisory\n"})

    ran = review(meteraudit, repo)

    assert (ran.code, ran.places, ran.report["gate"]["conclusion"]) == (0, [NEW], "neutral")


def test_a_file_that_was_only_touched_is_no_change(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED})
    os.utime(repo / "usage.py", (1, 1))

    assert review(meteraudit, repo).places == []


def test_reviewing_leaves_the_repository_as_it_was(meteraudit: Meteraudit, repo: Path) -> None:
    put(repo, {"usage.py": UNKEYED})
    os.utime(repo / "notes.md", (1, 1))
    before = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}

    review(meteraudit, repo)
    review(meteraudit, repo, "--base", "HEAD", "--head", "HEAD")

    assert before == {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}


def test_nothing_that_the_repository_configures_is_run(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n")
    trap.chmod(0o755)
    commit(repo, {".gitattributes": "*.py diff=evil\n"})
    for key in ("diff.external", "diff.evil.command", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(repo, "config", key, str(trap))
    put(repo, {"usage.py": UNKEYED})

    ran = review(meteraudit, repo)

    assert (ran.places, (tmp_path / "sprung").exists()) == ([NEW], False)


@pytest.mark.parametrize(
    "setting", ["diff.noprefix", "diff.mnemonicPrefix", "diff.relative", "color.ui", "diff.suppressBlankEmpty"]
)
def test_a_setting_of_the_users_git_changes_nothing(meteraudit: Meteraudit, repo: Path, setting: str) -> None:
    git(repo, "config", setting, "always" if setting == "color.ui" else "true")
    put(repo, {"usage.py": UNKEYED})

    assert review(meteraudit, repo).places == [NEW]


def test_variables_of_a_git_hook_do_not_lead_elsewhere(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    put(repo, {"usage.py": UNKEYED})
    elsewhere = create(tmp_path / "elsewhere")

    ran = meteraudit("review", "--repo", repo, "--format", "json", environ={"GIT_DIR": str(elsewhere / ".git")})

    assert ran.places == [NEW]


def test_a_file_whose_diff_is_switched_off_by_an_attribute_is_judged(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {".gitattributes": "*.py -diff\n"})
    commit(repo, {"usage.py": UNKEYED})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.places, ran.report["findings"][0]["place"]) == ([NEW], "changed_line")


def test_what_cannot_be_judged_is_named_with_its_reason(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    (repo / "link.py").symlink_to("usage.py")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", repo.as_uri(), "inner")
    files = {
        "latin.py": "# gr\xf6\xdfe\nstripe = 1\n".encode("latin-1"),
        "image.png": b"\x89PNG\0\0",
        "pointer.py": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        "huge.py": "stripe = 1\n" * 60_000,
    }
    commit(repo, files)

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert ran.code == 0
    assert ran.left_out == {
        "link.py": "a symbolic link",
        "inner": "a submodule: review it in its own repository",
        "latin.py": "not UTF-8 text at line 1",
        "image.png": "binary",
        "pointer.py": "a Git LFS pointer: the file itself is not in the repository",
        "huge.py": "larger than 512 kB",
    }


def test_what_cannot_be_judged_in_the_working_tree_is_named_too(meteraudit: Meteraudit, repo: Path) -> None:
    put(repo, {"latin.py": b"stripe = '\xf6'\n", "huge.py": "stripe = 1\n" * 60_000})
    (repo / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(repo / "pipe.py")
    create(repo / "inner")
    commit(repo / "inner", {"usage.py": UNKEYED})

    ran = review(meteraudit, repo)

    assert ([], {"latin.py", "huge.py", "link.py", "inner/"}) == (ran.places, set(ran.left_out) - {"pipe.py"})


def test_a_name_that_is_not_utf_8_is_named(meteraudit: Meteraudit, repo: Path) -> None:
    (repo / os.fsdecode(b"gr\xf6\xdfe.py")).write_text(UNKEYED)

    assert review(meteraudit, repo).left_out == {"gr\ufffd\ufffde.py": "its name is not UTF-8"}


def test_a_name_with_quotes_blanks_and_a_line_break_is_read(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {'a "b"\n\tc.py': UNKEYED})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert [one["path"] for one in ran.report["findings"]] == ['a "b"\n\tc.py']


def test_a_blob_that_this_copy_lacks_costs_only_its_file(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"other.py": PLAIN})
    commit(repo, {"usage.py": UNKEYED, "other.py": UNKEYED + "\n"})
    blob = git(repo, "rev-parse", "HEAD^:other.py")
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    missing = "its text is not available here: this copy of the repository does not have it"
    # usage.py and other.py had one text and so one blob.
    assert {"usage.py": missing, "other.py": missing} == ran.left_out


def test_tests_and_generated_files_are_left_alone_and_counted(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {".gitattributes": "made.py linguist-generated\n"})
    commit(repo, {"tests/test_usage.py": UNKEYED, "vendor/x.py": UNKEYED, "made.py": UNKEYED})

    ran = meteraudit("review", "--repo", repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.err) == (0, "Left alone: 3 files (1 generated, 1 test, 1 vendored)\n")
    assert "Not analysed" not in ran.out


def test_gitattributes_count_as_they_are_at_the_base(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {"usage.py": UNKEYED, ".gitattributes": "usage.py linguist-generated\n"})

    assert review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD").places == [NEW]


def test_an_ignore_comment_with_a_reason_silences_its_finding(meteraudit: Meteraudit, repo: Path) -> None:
    said = "    # meteraudit: ignore MTR-201 the gateway adds it\n"
    put(repo, {"usage.py": UNKEYED.replace("    stripe", said + "    stripe")})

    ran = review(meteraudit, repo)

    assert (ran.code, ran.places, [one["reason"] for one in ran.report["suppressed"]]) == (0, [], ["the gateway adds it"])


def test_the_configuration_of_the_base_counts_and_not_that_of_the_head(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {".meteraudit.yml": "version: 1\nfail_on: critical\n"})
    commit(repo, {"usage.py": UNKEYED, ".meteraudit.yml": "version: 1\nrules: {MTR-201: off}\n"})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.places) == (0, [NEW])
    assert "fail_on: critical in .meteraudit.yml:2" in ran.report["gate"]["because"]


def test_for_the_working_tree_the_configuration_of_the_default_branch_counts(meteraudit: Meteraudit, repo: Path) -> None:
    git(repo, "branch", "topic")
    commit(repo, {".meteraudit.yml": "version: 1\nrules:\n  missing-idempotency-key: off\n"})
    git(repo, "checkout", "--quiet", "topic")
    put(repo, {"usage.py": UNKEYED, ".meteraudit.yml": "version: 1\nfail_on: low\n"})

    assert (review(meteraudit, repo).code, review(meteraudit, repo).places) == (0, [])


def test_a_broken_configuration_is_told_and_the_review_goes_on_with_the_defaults(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {".meteraudit.yml": "version: 1\nfail_onn: low\nrules:\n  MTR-000: off\n"})
    commit(repo, {"usage.py": PLAIN + "\nX = 1\n"})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.report["gate"]["conclusion"]) == (1, "action_required")
    assert [line.split(" ")[0] for line in ran.err.splitlines()] == [".meteraudit.yml:2:1:", ".meteraudit.yml:4:3:"]
    assert ran.report["gate"]["because"].startswith(".meteraudit.yml:2:1: ")


def test_more_files_than_the_limit_are_named_and_are_no_pass(meteraudit: Meteraudit, repo: Path) -> None:
    commit(repo, {f"src/f{number}.py": f"x = {number}\n" for number in range(1003)} | {"data.json": "{}\n"})

    ran = review(meteraudit, repo, "--base", "HEAD^", "--head", "HEAD")

    assert (ran.code, ran.report["gate"]["conclusion"]) == (1, "action_required")
    assert (4, {"more than 1,000 files changed"}) == (len(ran.left_out), set(ran.left_out.values()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--base", "nowhere"), "--base nowhere is no revision of"),
        (("--head", "nowhere"), "--head nowhere is no revision of"),
        (("--base=--output=x",), "--base --output=x is no revision of"),
        (("--base", ""), "is no revision of"),
    ],
)
def test_an_unknown_revision_is_named(meteraudit: Meteraudit, repo: Path, words: tuple[str, ...], said: str) -> None:
    ran = review(meteraudit, repo, *words)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_a_folder_without_a_repository_is_named(meteraudit: Meteraudit, tmp_path: Path) -> None:
    ran = review(meteraudit, tmp_path)

    assert (2, f"meteraudit: {tmp_path} is not in a git repository: name one with --repo, or audit files with") == (
        ran.code,
        ran.err.partition(" `")[0],
    )


def test_a_folder_that_is_not_there_is_named(meteraudit: Meteraudit, tmp_path: Path) -> None:
    ran = review(meteraudit, tmp_path / "gone")

    assert (ran.code, f"{tmp_path / 'gone'} is not a folder" in ran.err) == (2, True)


def test_histories_without_a_common_commit_are_told(meteraudit: Meteraudit, repo: Path) -> None:
    git(repo, "checkout", "--quiet", "--orphan", "island")
    commit(repo, {"usage.py": UNKEYED})

    ran = review(meteraudit, repo, "--head", "island")

    assert (ran.code, "no common commit" in ran.err) == (2, True)
