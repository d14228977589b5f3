"""Reviews and review comments, and what GitHub refuses about them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standin.standin_play import AFTER, Play

LINE = {"path": "src/a.py", "line": 3, "body": "Here"}


def nothing_was_posted(play: Play) -> bool:
    return play.github.reviews(play.repo, 1) == [] and play.github.comments(play.repo, 1) == []


def test_a_review_posts_its_comments_at_their_lines(play: Play) -> None:
    answer = play.review(LINE, {"path": "src/a.py", "start_line": 3, "start_side": "RIGHT", "line": 4, "body": "Two"})
    assert (answer.status, answer.json["state"]) == (200, "COMMENTED")
    found = play.get("/pulls/1/comments").json
    assert [(one["line"], one["start_line"], one["side"]) for one in found] == [(3, None, "RIGHT"), (4, 3, "RIGHT")]
    assert found[0]["diff_hunk"].endswith("\n+line 3 new")
    assert found[0]["user"]["login"] == "meteraudit[bot]"


def test_a_deleted_line_is_commented_on_the_left(play: Play) -> None:
    assert play.review({"path": "src/a.py", "line": 30, "side": "LEFT", "body": "Why?"}).status == 200
    assert play.get("/pulls/1/comments").json[0]["side"] == "LEFT"


def test_a_range_may_go_from_a_deleted_to_an_added_line(play: Play) -> None:
    entry = {"path": "src/a.py", "start_line": 3, "start_side": "LEFT", "line": 3, "side": "RIGHT", "body": "Both"}
    assert play.review(entry).status == 200


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"line": 20}, "Line could not be resolved"),
        ({"line": 400}, "Line could not be resolved"),
        ({"line": 4, "side": "MIDDLE"}, "Line could not be resolved"),
        ({"line": 30, "side": "LEFT", "path": "gone.py"}, "Line could not be resolved"),
        ({"line": None}, "Line could not be resolved"),
        ({"path": "untouched.py"}, "Path could not be resolved"),
        ({"path": "logo.png", "line": 1}, "Line could not be resolved"),
        ({"line": 3, "start_line": 3, "start_side": "RIGHT"}, "must precede the end line"),
        ({"line": 3, "start_line": 4, "start_side": "RIGHT"}, "must precede the end line"),
        ({"line": 28, "start_line": 3, "start_side": "RIGHT"}, "same hunk"),
        ({"line": 28, "start_line": 15, "start_side": "RIGHT"}, "Start line could not be resolved"),
        ({"line": 4, "start_line": 3}, "must be given together"),
        ({"line": 4, "start_side": "RIGHT"}, "must be given together"),
        ({"body": " "}, "can't be blank"),
        ({"body": "x" * 65_537}, "too long"),
        ({"subject_type": "file"}, "not a permitted key"),
    ],
)
def test_one_wrong_comment_refuses_the_whole_review(play: Play, entry: dict[str, Any], words: str) -> None:
    answer = play.review(LINE, {**LINE, **entry})
    assert answer.status == 422
    assert words in answer.words
    assert nothing_was_posted(play)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"body": ""}, "Body is required"),
        ({"body": "", "event": "REQUEST_CHANGES"}, "Body is required"),
        ({"body": "x" * 65_537}, "too long"),
        ({"event": "SHOUT"}, "invalid value"),
        ({"commit_id": "0" * 40}, "not part of the pull request"),
    ],
)
def test_a_wrong_review_is_refused(play: Play, given: dict[str, Any], words: str) -> None:
    answer = play.review(**given)
    assert answer.status == 422
    assert words in answer.words
    assert nothing_was_posted(play)


def test_a_review_of_the_base_commit_is_refused(play: Play) -> None:
    base = play.get("/pulls/1").json["base"]["sha"]
    assert play.review(LINE, commit_id=base).status == 422


def test_a_review_with_comments_needs_no_body(play: Play) -> None:
    assert play.review(LINE, body="").status == 200


def test_a_review_without_an_event_is_pending_and_hides_its_comments(play: Play) -> None:
    answer = play.review(LINE, event=None)
    assert answer.json["state"] == "PENDING"
    assert "submitted_at" not in answer.json
    assert play.get("/pulls/1/comments").json == []


@pytest.mark.parametrize("event", ["COMMENT", None])
def test_a_pending_review_stands_in_the_way_of_the_next(play: Play, event: str | None) -> None:
    play.review(event=None)
    answer = play.review(event=event)
    assert answer.status == 422
    assert "one pending review" in answer.words


def test_a_pending_review_stands_in_the_way_of_single_comments(play: Play) -> None:
    play.review(event=None)
    answer = play.post("/pulls/1/comments", commit_id=play.github.head(play.pull), **LINE)
    assert answer.status == 422
    assert "one pending review" in answer.words


def test_a_deleted_pending_review_makes_way(play: Play) -> None:
    number = play.review(LINE, event=None).json["id"]
    assert play.call("DELETE", f"/repos/acme/api/pulls/1/reviews/{number}").status == 200
    assert nothing_was_posted(play)
    assert play.review(LINE).status == 200


def test_a_submitted_review_cannot_be_deleted(play: Play) -> None:
    number = play.review(LINE).json["id"]
    assert play.call("DELETE", f"/repos/acme/api/pulls/1/reviews/{number}").status == 422


def test_the_comments_of_one_review_are_listed(play: Play) -> None:
    number = play.review(LINE).json["id"]
    play.review({**LINE, "line": 4})
    assert [one["line"] for one in play.get(f"/pulls/1/reviews/{number}/comments").json] == [3]
    assert len(play.get("/pulls/1/reviews").json) == 2


@pytest.mark.parametrize("path", ["/pulls/1/reviews", "/pulls/1/comments"])
def test_a_locked_conversation_refuses_words(play: Play, path: str) -> None:
    play.pull.locked = True
    assert play.post(path, body="x", event="COMMENT").status == 403


@pytest.mark.parametrize("path", ["/pulls/1/reviews", "/pulls/1/comments"])
def test_an_archived_repository_refuses_words(play: Play, path: str) -> None:
    play.repo.archived = True
    assert play.post(path, body="x", event="COMMENT").status == 403


def test_a_comment_follows_its_line(play: Play) -> None:
    play.review(LINE)
    head = play.github.push(play.repo, "feature", {"src/a.py": "first\n" + AFTER})
    (comment,) = play.get("/pulls/1/comments").json
    assert (comment["line"], comment["original_line"], comment["commit_id"]) == (4, 3, head)


def test_a_comment_on_a_changed_line_is_outdated(play: Play) -> None:
    play.review(LINE)
    old = play.github.head(play.pull)
    play.github.push(play.repo, "feature", {"src/a.py": AFTER.replace("line 3 new", "line 3 newer")})
    (comment,) = play.get("/pulls/1/comments").json
    assert (comment["line"], comment["position"], comment["original_line"]) == (None, None, 3)
    assert comment["original_commit_id"] == old


def test_a_comment_whose_line_left_the_diff_is_outdated(play: Play) -> None:
    play.review({**LINE, "line": 28})
    play.github.push(play.repo, "feature", {"src/a.py": AFTER.replace("line 29\n", "line 29\nline 30\n")})
    assert play.get("/pulls/1/comments").json[0]["line"] is None


def test_a_comment_on_an_earlier_commit_is_outdated_at_once_where_the_line_changed(play: Play) -> None:
    old = play.github.head(play.pull)
    play.github.push(play.repo, "feature", {"src/a.py": AFTER.replace("line 3 new", "line 3 newer")})
    assert play.review(LINE, commit_id=old).status == 200
    assert play.get("/pulls/1/comments").json[0]["line"] is None


def test_a_force_push_takes_the_old_commit_out_of_the_pull_request(play: Play) -> None:
    old = play.github.head(play.pull)
    play.github.push(play.repo, "feature", {"src/a.py": AFTER}, start="main")
    assert play.github.head(play.pull) != old
    assert play.review(LINE, commit_id=old).status == 422


def test_a_single_comment_may_be_on_a_file(play: Play) -> None:
    head = play.github.head(play.pull)
    answer = play.post("/pulls/1/comments", commit_id=head, path="logo.png", subject_type="file", body="Binary")
    assert (answer.status, answer.json["subject_type"], answer.json["line"]) == (201, "file", None)


@pytest.mark.parametrize(
    "given",
    [{"line": 20}, {"path": "none.py"}, {"commit_id": "0" * 40}, {"commit_id": None}, {"body": ""}, {"body": "x" * 65_537}],
)
def test_a_wrong_single_comment_is_refused(play: Play, given: dict[str, Any]) -> None:
    answer = play.post("/pulls/1/comments", **{"commit_id": play.github.head(play.pull), **LINE, **given})
    assert answer.status == 422
    assert nothing_was_posted(play)


def test_a_reply_joins_the_thread(play: Play) -> None:
    play.review(LINE)
    (top,) = play.github.comments(play.repo, 1)
    answer = play.post(f"/pulls/1/comments/{top.id}/replies", body="Back")
    assert (answer.status, answer.json["in_reply_to_id"]) == (201, top.id)


def test_a_reply_to_a_reply_is_refused(play: Play) -> None:
    play.review(LINE)
    reply = play.github.reply(play.github.comments(play.repo, 1)[0], "ada", "No")
    assert play.post(f"/pulls/1/comments/{reply.id}/replies", body="Yes").status == 422


def test_a_reply_to_nothing_is_not_found(play: Play) -> None:
    assert play.post("/pulls/1/comments/1/replies", body="Hello").status == 404


def test_an_own_comment_is_edited_and_deleted(play: Play) -> None:
    play.review(LINE)
    path = f"/repos/acme/api/pulls/comments/{play.github.comments(play.repo, 1)[0].id}"
    assert play.call("PATCH", path, {"body": "Fixed"}).json["body"] == "Fixed"
    assert play.call("GET", path).json["body"] == "Fixed"
    assert play.call("DELETE", path).status == 204
    assert play.call("PATCH", path, {"body": "Gone"}).status == 404


def test_a_comment_of_a_person_is_not_ours_to_edit(play: Play) -> None:
    comment = play.github.comment_by(play.pull, "eve", "src/a.py", 3, "<!-- forged -->")
    assert play.call("PATCH", f"/repos/acme/api/pulls/comments/{comment.id}", {"body": "x"}).status == 403


def test_a_comment_by_position_lands_on_the_line_it_names(play: Play) -> None:
    assert play.review({"path": "src/a.py", "position": 4, "body": "Old way"}).status == 200
    assert play.get("/pulls/1/comments").json[0]["line"] == 3
