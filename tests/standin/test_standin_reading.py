"""Reading a change: pull requests, their files, blobs, contents, trees, comparisons."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from bot.demo.standin import git
from tests.standin.standin_play import AFTER, Play


def files_of(play: Play) -> dict[str, dict[str, Any]]:
    return {one["filename"]: one for one in play.get("/pulls/1/files?per_page=100").json}


def test_a_pull_request_names_its_head_and_counts_its_files(play: Play) -> None:
    body = play.get("/pulls/1").json
    assert body["head"]["sha"] == play.github.head(play.pull)
    assert (body["changed_files"], body["additions"], body["deletions"]) == (3, 2, 4)


def test_a_patch_starts_at_its_first_hunk(play: Play) -> None:
    assert files_of(play)["src/a.py"]["patch"].startswith("@@ -1,6 +1,7 @@\n line 1\n")


def test_a_patch_ends_without_a_line_feed(play: Play) -> None:
    assert files_of(play)["gone.py"]["patch"] == "@@ -1,2 +0,0 @@\n-x = 1\n-y = 2"


def test_a_binary_file_has_no_patch(play: Play) -> None:
    assert "patch" not in files_of(play)["logo.png"]


def test_a_pure_rename_has_no_patch_and_names_where_it_came_from(play: Play) -> None:
    play.github.push(play.repo, "feature", {"src/a.py": None, "src/b.py": AFTER})
    play.github.push(play.repo, "main", {"src/a.py": AFTER})
    play.github.push(play.repo, "moved", {"src/a.py": None, "src/b.py": AFTER}, start="main")
    play.github.open_pull_request(play.repo, "moved")
    (file,) = play.get("/pulls/2/files").json
    assert (file["status"], file["previous_filename"], "patch" in file) == ("renamed", "src/a.py", False)


def test_a_diff_over_the_limit_has_no_patch_but_its_counts(play: Play) -> None:
    play.github.limits.patch_bytes = 20
    file = files_of(play)["src/a.py"]
    assert "patch" not in file
    assert file["changes"] == 4


def test_files_are_compared_with_the_merge_base_and_not_the_tip(play: Play) -> None:
    play.github.push(play.repo, "main", {"later.py": "z = 1\n"})
    assert "later.py" not in files_of(play)


def test_a_file_whose_kind_changed_keeps_the_others_patches_in_place(play: Play) -> None:
    path = play.repo.path
    blob = git.run(path, "hash-object", "-w", "--stdin", given=b"target").decode().strip()
    tree = git.run(path, "ls-tree", "feature").decode() + f"120000 blob {blob}\tAlink\n"
    made = git.run(path, "mktree", given=tree.encode()).decode().strip()
    git.run(path, "update-ref", "refs/heads/main", git.run(path, "commit-tree", made, "-m", "l").decode().strip())
    play.github.push(play.repo, "kinds", {"Alink": "target", "src/a.py": AFTER + "more\n"}, start="main")
    play.github.open_pull_request(play.repo, "kinds")
    found = {one["filename"]: one for one in play.get("/pulls/2/files").json}
    assert "patch" not in found["Alink"]
    assert found["src/a.py"]["patch"].endswith("+more")


def test_odd_file_names_come_through(play: Play) -> None:
    names = ["a#b?.py", "{x}.py", "a%2F.py", "ü ß.py", 'quo"te.py']
    play.github.push(play.repo, "feature", dict.fromkeys(names, "1\n"))
    assert set(names) <= set(files_of(play))


def test_pages_are_linked(play: Play) -> None:
    first = play.get("/pulls/1/files?per_page=2")
    assert len(first.json) == 2
    assert f'<{play.github.url}/repos/acme/api/pulls/1/files?page=2&per_page=2>; rel="next"' in first.headers["link"]
    last = play.get("/pulls/1/files?per_page=2&page=2")
    assert len(last.json) == 1
    assert 'rel="next"' not in last.headers["link"]


def test_the_linked_page_keeps_the_query(play: Play) -> None:
    play.check()
    play.check(name="A & B")
    play.check(name="A & B")
    answer = play.get("/commits/feature/check-runs?per_page=1&filter=all&check_name=A%20%26%20B")
    following = answer.headers["link"].partition(">")[0].removeprefix(f"<{play.github.url}")
    assert len(play.call("GET", following).json["check_runs"]) == 1
    assert play.call("GET", following).json["total_count"] == 2


def test_the_list_of_files_is_cut_silently(play: Play) -> None:
    play.github.limits.files = 2
    assert len(play.get("/pulls/1/files").json) == 2
    assert play.get("/pulls/1").json["changed_files"] == 3


def test_only_open_pull_requests_are_listed(play: Play) -> None:
    assert [one["number"] for one in play.get("/pulls?state=open").json] == [1]
    play.github.close(play.pull)
    assert play.get("/pulls").json == []


def test_a_deleted_fork_has_no_head_repository(play: Play) -> None:
    play.github.push(play.repo, "patch-1", {"src/a.py": AFTER}, start="main")
    play.github.open_pull_request(play.repo, "patch-1", deleted_fork="eve")
    body = play.get("/pulls/2").json
    assert body["head"]["repo"] is None
    assert body["head"]["label"] == "eve:patch-1"


def test_the_head_of_a_fork_is_read_through_the_base_repository(play: Play, tmp_path: Path) -> None:
    fork = play.github.add_repository("eve/api", tmp_path / "fork.git", organization=False)
    git.run(fork.path, "fetch", "--quiet", str(play.repo.path), "refs/heads/main:refs/heads/main")
    sha = play.github.push(fork, "patch-1", {"new.py": "n = 1\n"})
    pull = play.github.open_pull_request(play.repo, "patch-1", fork=fork)
    assert play.get(f"/pulls/{pull.number}").json["head"]["sha"] == sha
    assert base64.b64decode(play.get(f"/contents/new.py?ref={sha}").json["content"]) == b"n = 1\n"


def test_a_blob_is_base64_in_short_lines(play: Play) -> None:
    sha = files_of(play)["src/a.py"]["sha"]
    body = play.get(f"/git/blobs/{sha}").json
    assert base64.b64decode(body["content"]).decode() == AFTER
    assert max(len(line) for line in body["content"].split("\n")) == 60


def test_a_blob_is_raw_when_asked_for(play: Play) -> None:
    sha = files_of(play)["logo.png"]["sha"]
    answer = play.get(f"/git/blobs/{sha}", Accept="application/vnd.github.raw+json")
    assert answer.raw == b"\x89PNG\0\2"


def test_an_unknown_blob_is_not_found(play: Play) -> None:
    assert play.get(f"/git/blobs/{'0' * 40}").status == 404


def test_a_short_blob_name_is_refused(play: Play) -> None:
    assert play.get("/git/blobs/abc").status == 422


def test_contents_are_read_at_a_ref(play: Play) -> None:
    old = base64.b64decode(play.get("/contents/src/a.py?ref=main").json["content"])
    assert b"new" not in old
    assert play.get("/contents/src/a.py?ref=feature", Accept="application/vnd.github.raw").raw.decode() == AFTER


@pytest.mark.parametrize("path", ["/contents/none.py", "/contents/none/x.py", "/contents/src/a.py?ref=nowhere"])
def test_missing_contents_are_not_found(play: Play, path: str) -> None:
    assert play.get(path).status == 404


def test_contents_of_a_quoted_path_are_found(play: Play) -> None:
    play.github.push(play.repo, "main", {"d/a#b?%2F.py": "q = 1\n"})
    body = play.get("/contents/d/a%23b%3F%252F.py").json
    assert body["path"] == "d/a#b?%2F.py"


def test_contents_over_a_megabyte_come_raw_only(play: Play) -> None:
    play.github.limits.contents_bytes = 10
    assert play.get("/contents/src/a.py").status == 403
    assert play.get("/contents/src/a.py", Accept="application/vnd.github.raw").status == 200


def test_a_folder_is_listed(play: Play) -> None:
    assert [(one["type"], one["path"]) for one in play.get("/contents/src").json] == [("file", "src/a.py")]


def test_a_tree_descends_only_when_asked(play: Play) -> None:
    flat = [one["path"] for one in play.get("/git/trees/main").json["tree"]]
    deep = play.get("/git/trees/main?recursive=1").json
    assert "src/a.py" not in flat
    assert "src/a.py" in [one["path"] for one in deep["tree"]]
    assert deep["truncated"] is False


def test_a_branch_is_found_by_its_whole_name(play: Play) -> None:
    assert play.get("/git/ref/heads/main").json["object"]["type"] == "commit"
    assert play.get("/git/ref/heads/mai").status == 404


def test_a_tree_over_the_limit_says_that_it_is_cut(play: Play) -> None:
    play.github.limits.tree_entries = 1
    body = play.get("/git/trees/main").json
    assert (len(body["tree"]), body["truncated"]) == (1, True)


def test_a_comparison_names_the_merge_base(play: Play) -> None:
    base = git.resolve(play.repo.path, "main")
    play.github.push(play.repo, "main", {"later.py": "z = 1\n"})
    body = play.get("/compare/main...feature").json
    assert (body["merge_base_commit"]["sha"], body["status"]) == (base, "diverged")
    assert (body["ahead_by"], body["behind_by"], len(body["files"])) == (1, 1, 3)


def test_the_files_of_a_comparison_are_on_its_first_page_only(play: Play) -> None:
    assert "files" not in play.get("/compare/main...feature?page=2").json


def test_a_comparison_with_nothing_is_not_found(play: Play) -> None:
    assert play.get("/compare/main...nowhere").status == 404


def test_every_open_pull_request_that_contains_a_commit_is_listed(play: Play) -> None:
    sha = play.github.head(play.pull)
    play.github.push(play.repo, "stacked", {"more.py": "m = 1\n"}, start="feature")
    play.github.open_pull_request(play.repo, "stacked")
    found = play.get(f"/commits/{sha}/pulls").json
    assert sorted(one["number"] for one in found) == [1, 2]
    assert [one["number"] for one in found if one["head"]["sha"] == sha] == [1]


def test_a_diff_of_a_large_pull_request_is_not_acceptable(play: Play) -> None:
    assert play.get("/pulls/1", Accept="application/vnd.github.diff").raw.startswith(b"diff --git ")
    play.github.push(play.repo, "feature", {f"many/{number}.py": "1\n" for number in range(301)})
    answer = play.get("/pulls/1", Accept="application/vnd.github.diff")
    assert (answer.status, answer.json["errors"][0]["code"]) == (406, "too_large")


def test_a_renamed_repository_redirects_reads_and_writes(play: Play) -> None:
    token = play.token()
    play.github.rename(play.repo, "billing")
    read = play.get("/pulls/1")
    assert (read.status, read.headers["location"]) == (301, f"{play.github.url}/repositories/{play.repo.id}/pulls/1")
    write = play.check()
    assert write.status == 307
    path = write.headers["location"].removeprefix(play.github.url)
    given = {"name": "MeterAudit", "head_sha": play.github.head(play.pull)}
    assert play.call("POST", path, given, token=token).status == 201


def test_a_repository_is_read_by_its_id(play: Play) -> None:
    assert play.call("GET", f"/repositories/{play.repo.id}").json["full_name"] == "acme/api"
