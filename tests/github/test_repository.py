"""Reading and writing one repository, with the names, bodies and pages that break a careless client."""

import base64
import hashlib
from typing import Any

import pytest

from bot.github import GitHub, RepositoryClient
from bot.github.drafts import Annotation, CheckAction, CheckOutput, CheckRunDraft, CommentDraft
from bot.github.errors import NotFound, Rejected, RepositoryGone, RevisionGone, TooLarge, Unexpected
from bot.github.repository_calls import quoted_path
from tests.github.hostile_github import APP, INSTALLATION, REPOSITORY, Heard, MovedClock, Said, Server, pull_request

BASE, HEAD = "b" * 40, "a" * 40
HERE = "/repos/acme/app"
FILES = f"{HERE}/pulls/1/files?per_page=100"
RAW = {"content-type": "application/vnd.github.raw+json; charset=utf-8"}


def entry(name: str) -> dict[str, Any]:
    return {"filename": name, "status": "modified", "sha": HEAD, "patch": "@@ -1 +1 @@\n-a\n+b", "raw_url": "x"}


def contents(data: bytes, **changes: Any) -> Said:
    whole = {"type": "file", "sha": HEAD, "size": len(data), "encoding": "base64"}
    return Said(body=whole | {"content": base64.encodebytes(data).decode()} | changes)


def blob_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


async def test_every_page_of_the_files_is_read_along_the_link_header(server: Server, repository: RepositoryClient) -> None:
    second = f"/repositories/{REPOSITORY}/pulls/1/files?per_page=100&page=2"
    link = f'<{server.url}{second}>; rel="next", <{server.url}{second}>; rel="last"'
    server.says("GET", FILES, Said(body=[entry(f"{n}.py") for n in range(100)], headers={"link": link}))
    server.says("GET", second, Said(body=[entry("last.py")]))
    files = await repository.files(1, 101)
    assert (len(files.entries), files.entries[-1].filename, files.cut) == (101, "last.py", False)


async def test_fewer_files_than_the_pull_request_has_are_called_cut(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", FILES, Said(body=[entry("a.py")]))
    assert (await repository.files(1, 2)).cut


async def test_the_three_thousandth_file_is_the_last_and_the_list_counts_as_cut(
    server: Server, repository: RepositoryClient
) -> None:
    for page in range(1, 32):
        path = FILES if page == 1 else f"{FILES}&page={page}"
        link = {"link": f'<{server.url}{FILES}&page={page + 1}>; rel="next"'}
        server.says("GET", path, Said(body=[entry(f"{page}-{n}.py") for n in range(100)], headers=link))
    files = await repository.files(1)
    assert (len(files.entries), files.cut) == (3000, True)


async def test_a_next_page_on_another_host_is_refused(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", FILES, Said(body=[], headers={"link": '<http://127.0.0.1:1/x>; rel="next"'}))
    with pytest.raises(Unexpected):
        await repository.files(1)


async def test_a_list_without_end_is_refused(server: Server, repository: RepositoryClient) -> None:
    path = f"{HERE}/pulls/1/comments?per_page=100"
    server.says("GET", path, Said(body=[], headers={"link": f'<{server.url}{path}>; rel="next"'}))
    with pytest.raises(Unexpected):
        await repository.review_comments(1)


@pytest.mark.parametrize(
    ("name", "on_the_wire"),
    [
        ("a#b?.py", "a%23b%3F.py"),
        ("{x}.py", "%7Bx%7D.py"),
        ("a%2F.py", "a%252F.py"),
        ("src/ä b+c.py", "src/%C3%A4%20b%2Bc.py"),
        ("a\\b&c=d;e.py", "a%5Cb%26c%3Dd%3Be.py"),
        ("...", "..."),
    ],
)
async def test_an_odd_file_name_goes_over_the_wire_escaped_once(
    server: Server, repository: RepositoryClient, name: str, on_the_wire: str
) -> None:
    path = f"{HERE}/contents/{on_the_wire}?ref={HEAD}"
    server.says("GET", path, contents(b"version: 1\n"))
    assert await repository.file_at(name, HEAD) == b"version: 1\n"


@pytest.mark.parametrize("name", ["..", "../../user", "a/../b", "./a", "/etc/passwd", "a//b", "", "a\0b", "\ud800"])
async def test_a_path_that_no_tree_can_hold_is_absent_without_asking(
    server: Server, repository: RepositoryClient, name: str
) -> None:
    assert await repository.file_at(name, HEAD) is None
    assert server.heard == []


@pytest.mark.parametrize("revision", ["main", "../x", "a" * 39, "A" * 40, "a" * 40 + "\n"])
async def test_what_is_no_full_object_name_is_refused_before_asking(
    server: Server, repository: RepositoryClient, revision: str
) -> None:
    with pytest.raises(ValueError, match="object name"):
        await repository.file_at("a.py", revision)
    assert server.heard == []


async def test_latin_1_bytes_of_a_blob_arrive_as_they_are(server: Server, repository: RepositoryClient) -> None:
    data = "Gebühr\r\n".encode("latin-1") + b"\x00\xff"
    server.says("GET", f"{HERE}/git/blobs/{blob_name(data)}", Said(body=data, headers=RAW))
    assert await repository.blob(blob_name(data), 1000) == data
    assert server.heard[-1].headers["accept"] == "application/vnd.github.raw+json"


async def test_a_blob_with_other_bytes_than_its_name_says_is_refused(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", f"{HERE}/git/blobs/{HEAD}", Said(body=b"something else", headers=RAW))
    with pytest.raises(Unexpected):
        await repository.blob(HEAD, 1000)


async def test_a_huge_blob_is_cut_off_at_the_limit(server: Server, repository: RepositoryClient) -> None:
    data = b"x" * 300_000
    server.says("GET", f"{HERE}/git/blobs/{blob_name(data)}", Said(body=data, headers=RAW))
    with pytest.raises(TooLarge):
        await repository.blob(blob_name(data), 100_000)


async def test_a_file_over_one_megabyte_is_read_as_a_blob(server: Server, repository: RepositoryClient) -> None:
    data = b"y" * 1_100_000
    large = contents(b"", sha=blob_name(data), size=len(data), encoding="none")
    server.says("GET", f"{HERE}/contents/big.py?ref={HEAD}", large)
    server.says("GET", f"{HERE}/git/blobs/{blob_name(data)}", Said(body=data, headers=RAW))
    assert await repository.file_at("big.py", HEAD, 2_000_000) == data


@pytest.mark.parametrize("kind", ["dir", "symlink", "submodule"])
async def test_what_is_no_regular_file_has_no_bytes(server: Server, repository: RepositoryClient, kind: str) -> None:
    server.says("GET", f"{HERE}/contents/a?ref={HEAD}", contents(b"target", type=kind))
    assert await repository.file_at("a", HEAD) is None


async def test_a_missing_file_is_none_and_a_missing_revision_is_not(server: Server, repository: RepositoryClient) -> None:
    path = f"{HERE}/contents/a.yml?ref={HEAD}"
    server.says("GET", path, Said(404, {"message": "Not Found"}), Said(404, {"message": f"No commit found for the ref {HEAD}"}))
    assert await repository.file_at("a.yml", HEAD) is None
    with pytest.raises(RevisionGone):
        await repository.file_at("a.yml", HEAD)


async def test_a_deleted_repository_is_not_taken_for_a_missing_file(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", f"/repositories/{REPOSITORY}", Said(404, {"message": "Not Found"}))
    with pytest.raises(RepositoryGone):
        await repository.file_at("a.yml", HEAD)


async def test_a_name_that_was_not_given_is_looked_up_by_id_once(server: Server, github: GitHub) -> None:
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request()))
    repository = github.repository(INSTALLATION, REPOSITORY)
    await repository.pull_request(1)
    await repository.pull_request(1)
    assert len(server.requests(f"/repositories/{REPOSITORY}")) == 1


async def test_a_404_under_an_old_name_is_asked_again_under_the_new_one(server: Server, github: GitHub) -> None:
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request()))
    assert (await github.repository(INSTALLATION, REPOSITORY, "acme/old").pull_request(1)).number == 1


async def test_a_redirect_makes_us_look_up_the_name_again(server: Server, github: GitHub) -> None:
    target = f"/repositories/{REPOSITORY}/pulls/1"
    server.says("GET", "/repos/acme/old/pulls/1", Said(301, {}, {"location": server.url + target}))
    server.says("GET", target, Said(body=pull_request()))
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request()))
    repository = github.repository(INSTALLATION, REPOSITORY, "acme/old")
    await repository.pull_request(1)
    await repository.pull_request(1)
    assert len(server.requests("/repos/acme/old/pulls/1")) == 1


async def test_a_pull_request_of_a_repository_that_took_the_old_name_is_not_ours(server: Server, github: GitHub) -> None:
    stranger = {"id": 666, "full_name": "acme/old"}
    theirs = pull_request(base={"sha": BASE, "ref": "main", "repo": stranger})
    server.says("GET", "/repos/acme/old/pulls/1", Said(body=theirs))
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request()))
    pull = await github.repository(INSTALLATION, REPOSITORY, "acme/old").pull_request(1)
    assert pull.base.repo is not None
    assert pull.base.repo.id == REPOSITORY


async def test_a_missing_pull_request_is_not_found(repository: RepositoryClient) -> None:
    with pytest.raises(NotFound):
        await repository.pull_request(404)


async def test_a_file_without_patch_and_a_deleted_fork_are_read(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", FILES, Said(body=[{"filename": "a.png", "status": "added", "sha": None, "changes": 0}]))
    assert (await repository.files(1)).entries[0].patch is None
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request(user=None)))
    assert (await repository.pull_request(1)).head.repo is None


async def test_the_merge_base_is_what_the_comparison_says(server: Server, repository: RepositoryClient) -> None:
    answer = Said(body={"merge_base_commit": {"sha": "c" * 40}, "files": []})
    server.says("GET", f"{HERE}/compare/{BASE}...{HEAD}?per_page=1", answer)
    assert await repository.merge_base(BASE, HEAD) == "c" * 40


async def test_a_deleted_branch_has_no_tip(server: Server, repository: RepositoryClient) -> None:
    tip = Said(body={"ref": "refs/heads/a#b/c", "object": {"sha": HEAD, "type": "commit"}})
    server.says("GET", f"{HERE}/git/ref/heads/a%23b/c", tip)
    assert await repository.branch_tip("a#b/c") == HEAD
    assert await repository.branch_tip("gone") is None


async def test_the_paths_of_a_tree_are_its_blobs(server: Server, repository: RepositoryClient) -> None:
    entries = [
        {"path": "src", "mode": "040000", "type": "tree", "sha": BASE},
        {"path": "src/a.py", "mode": "100644", "type": "blob", "sha": HEAD, "size": 3},
        {"path": "lib", "mode": "160000", "type": "commit", "sha": BASE},
    ]
    server.says("GET", f"{HERE}/git/trees/{HEAD}?recursive=1", Said(body={"sha": HEAD, "tree": entries, "truncated": True}))
    tree = await repository.tree(HEAD)
    assert (tree.paths, tree.truncated) == (("src/a.py",), True)


def annotations(count: int) -> tuple[Annotation, ...]:
    return tuple(Annotation("a.py", n + 1, n + 1, "failure", "lost usage") for n in range(count))


def run(**changes: Any) -> dict[str, Any]:
    return {"id": 8, "name": "MeterAudit", "head_sha": HEAD, "status": "completed", "app": {"id": APP}} | changes


def sent_annotations(requests: list[Heard]) -> list[int]:
    return [len(one.body["output"].get("annotations", ())) for one in requests]


async def test_annotations_go_out_fifty_at_a_time_and_the_last_request_completes_the_run(
    server: Server, repository: RepositoryClient
) -> None:
    server.says("POST", f"{HERE}/check-runs", Said(201, run()))
    server.says("PATCH", f"{HERE}/check-runs/8", Said(200, run()))
    output = CheckOutput("Blocked", "summary", annotations=annotations(101))
    draft = CheckRunDraft(
        name="MeterAudit",
        head_sha=HEAD,
        status="completed",
        conclusion="failure",
        output=output,
        actions=(CheckAction("Re-run", "Review again", "rerun"),),
    )
    await repository.create_check_run(draft)
    writes = [one for one in server.heard if "/check-runs" in one.path]
    assert sent_annotations(writes) == [50, 50, 1]
    assert [one.body.get("conclusion") for one in writes] == [None, None, "failure"]
    assert writes[0].body["status"] == "in_progress"
    assert "head_sha" not in writes[-1].body


async def test_a_check_run_sends_only_what_was_set(server: Server, repository: RepositoryClient) -> None:
    server.says("PATCH", f"{HERE}/check-runs/8", Said(200, run()))
    await repository.update_check_run(8, CheckRunDraft(status="in_progress"))
    assert server.heard[-1].body == {"status": "in_progress"}


async def test_only_check_runs_of_our_app_and_name_are_ours(server: Server, repository: RepositoryClient) -> None:
    path = f"{HERE}/commits/{HEAD}/check-runs?check_name=MeterAudit&filter=all&app_id={APP}&per_page=100"
    theirs = [run(id=9, app={"id": 1}), run(id=10, app=None), run(id=11, name="Meter")]
    server.says("GET", path, Said(body={"total_count": 4, "check_runs": [run(), *theirs]}))
    assert [one.id for one in await repository.check_runs(HEAD, "MeterAudit")] == [8]


async def test_a_review_always_has_an_event_and_its_commit(server: Server, repository: RepositoryClient) -> None:
    server.says("POST", f"{HERE}/pulls/1/reviews", Said(200, {"id": 5, "state": "COMMENTED"}))
    range_ = CommentDraft("a.py", "text", 9, "RIGHT", 7, "RIGHT")
    await repository.create_review(1, HEAD, "two findings", [CommentDraft("a.py", "text", 3, "RIGHT"), range_])
    sent = server.heard[-1].body
    assert (sent["event"], sent["commit_id"]) == ("COMMENT", HEAD)
    assert sent["comments"] == [
        {"path": "a.py", "body": "text", "line": 3, "side": "RIGHT"},
        {"path": "a.py", "body": "text", "line": 9, "side": "RIGHT", "start_line": 7, "start_side": "RIGHT"},
    ]


async def test_only_a_pending_review_is_deleted(server: Server, repository: RepositoryClient) -> None:
    reviews = [{"id": 1, "state": "APPROVED"}, {"id": 2, "state": "PENDING"}]
    server.says("GET", f"{HERE}/pulls/1/reviews?per_page=100", Said(body=reviews))
    server.says("DELETE", f"{HERE}/pulls/1/reviews/2", Said(200, {}))
    assert await repository.delete_pending_review(1)
    assert [one.path for one in server.heard if one.method == "DELETE"] == [f"{HERE}/pulls/1/reviews/2"]


async def test_deleting_a_comment_that_is_gone_is_no_error(server: Server, repository: RepositoryClient) -> None:
    server.says("DELETE", f"{HERE}/pulls/comments/3", Said(502), Said(404, {"message": "Not Found"}))
    await repository.delete_comment(3)
    assert len(server.requests(f"{HERE}/pulls/comments/3")) == 2


async def test_editing_a_comment_that_a_human_deleted_is_not_found(repository: RepositoryClient) -> None:
    with pytest.raises(NotFound):
        await repository.update_comment(3, "Fixed")


async def test_an_outdated_comment_has_no_line_but_its_original_one(server: Server, repository: RepositoryClient) -> None:
    comment = {"id": 3, "path": "a.py", "body": "x", "line": None, "original_line": 4, "user": None}
    server.says("GET", f"{HERE}/pulls/1/comments?per_page=100", Said(body=[comment]))
    assert [(one.line, one.original_line) for one in await repository.review_comments(1)] == [(None, 4)]


async def test_a_file_comment_names_no_line(server: Server, repository: RepositoryClient) -> None:
    server.says("POST", f"{HERE}/pulls/1/comments", Said(201, {"id": 3, "path": "a.py", "body": "x"}))
    await repository.create_file_comment(1, HEAD, "a.py", "x")
    assert server.heard[-1].body == {"commit_id": HEAD, "path": "a.py", "body": "x", "subject_type": "file"}


async def test_a_force_pushed_head_is_told_apart_from_a_wrong_anchor(server: Server, repository: RepositoryClient) -> None:
    wrong = Said(422, {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]})
    server.says("POST", f"{HERE}/pulls/1/reviews", Said(422, {"message": f"No commit found for SHA: {HEAD}"}), wrong)
    with pytest.raises(RevisionGone):
        await repository.create_review(1, HEAD, "x")
    with pytest.raises(Rejected):
        await repository.create_review(1, HEAD, "x")


def test_quoting_leaves_only_harmless_characters() -> None:
    assert quoted_path("".join(map(chr, range(1, 127))).replace("/", "")) is not None
    assert not set(quoted_path("a?#{}%&+ :@\\\n") or "?") & set("?#{}&+ :@\\\n")


async def test_a_clock_that_stands_still_is_enough_for_a_whole_review(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("GET", f"{HERE}/pulls/1", Said(body=pull_request()))
    server.says("GET", FILES, Said(body=[entry("a.py")]))
    server.says("POST", f"{HERE}/pulls/1/reviews", Said(200, {"id": 5, "state": "COMMENTED"}))
    await repository.pull_request(1)
    await repository.files(1)
    await repository.create_review(1, HEAD, "x")
    assert clock.slept == []
