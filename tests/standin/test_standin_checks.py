"""Check runs, and what GitHub refuses about them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standin.standin_play import Play

OUTPUT = {"title": "Passed", "summary": "Fine"}
NOTE = {"path": "src/a.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
BUTTON = {"label": "Re-run", "description": "Again", "identifier": "rerun"}


def test_a_check_run_goes_from_queued_to_completed(play: Play) -> None:
    made = play.check(external_id="v1:1:x")
    assert (made.status, made.json["status"], made.json["conclusion"]) == (201, "queued", None)
    path = f"/repos/acme/api/check-runs/{made.json['id']}"
    assert play.call("PATCH", path, {"status": "in_progress"}).json["status"] == "in_progress"
    done = play.call("PATCH", path, {"conclusion": "success", "output": OUTPUT}).json
    assert (done["status"], done["conclusion"], done["output"]["title"]) == ("completed", "success", "Passed")
    assert done["completed_at"] is not None
    assert done["external_id"] == "v1:1:x"
    assert play.call("GET", path).json == done


def test_a_check_run_names_the_pull_requests_at_its_commit(play: Play) -> None:
    assert [one["number"] for one in play.check().json["pull_requests"]] == [1]


def test_annotations_are_added_and_never_replaced(play: Play) -> None:
    made = play.check(output={**OUTPUT, "annotations": [NOTE] * 50}).json
    path = f"/repos/acme/api/check-runs/{made['id']}"
    again = play.call("PATCH", path, {"output": {**OUTPUT, "annotations": [NOTE]}}).json
    assert again["output"]["annotations_count"] == 51
    assert len(play.get(f"/check-runs/{made['id']}/annotations?per_page=100").json) == 51


@pytest.mark.parametrize(
    "given",
    [
        {"head_sha": "0" * 40},
        {"head_sha": "feature"},
        {"head_sha": None},
        {"name": ""},
        {"status": "completed"},
        {"status": "waiting"},
        {"status": "done"},
        {"conclusion": "stale"},
        {"conclusion": "maybe"},
        {"status": "in_progress", "conclusion": "success"},
        {"started_at": "yesterday"},
        {"details_url": "ftp://example.com"},
        {"output": {"title": "only"}},
        {"output": {"summary": "only"}},
        {"output": {**OUTPUT, "summary": "x" * 65_536}},
        {"output": {**OUTPUT, "text": "x" * 65_536}},
        {"output": {**OUTPUT, "annotations": [NOTE] * 51}},
        {"output": {**OUTPUT, "annotations": [{**NOTE, "end_line": 2, "start_column": 1}]}},
        {"output": {**OUTPUT, "annotations": [{**NOTE, "annotation_level": "error"}]}},
        {"output": {**OUTPUT, "annotations": [{**NOTE, "start_line": 2}]}},
        {"output": {**OUTPUT, "annotations": [{**NOTE, "title": "x" * 256}]}},
        {"output": {**OUTPUT, "annotations": [{**NOTE, "message": "x" * 65_537}]}},
        {"output": {**OUTPUT, "annotations": [{"path": "src/a.py"}]}},
        {"actions": [BUTTON] * 4},
        {"actions": [{**BUTTON, "label": "x" * 21}]},
        {"actions": [{**BUTTON, "description": "x" * 41}]},
        {"actions": [{**BUTTON, "identifier": "x" * 21}]},
        {"actions": [{"label": "x"}]},
    ],
)
def test_a_wrong_check_run_is_refused(play: Play, given: dict[str, Any]) -> None:
    assert play.check(**given).status == 422
    assert play.github.check_runs(play.repo) == []


def test_the_refusal_of_an_unknown_commit_names_it(play: Play) -> None:
    assert play.check(head_sha="0" * 40).json["message"] == f"No commit found for SHA: {'0' * 40}"


def test_everything_at_its_limit_is_accepted(play: Play) -> None:
    button = {"label": "x" * 20, "description": "x" * 40, "identifier": "x" * 20}
    output = {**OUTPUT, "summary": "x" * 65_535, "text": "x" * 65_535}
    assert play.check(output=output, actions=[button] * 3).status == 201


def test_a_refused_update_changes_nothing(play: Play) -> None:
    number = play.check().json["id"]
    refused = play.call("PATCH", f"/repos/acme/api/check-runs/{number}", {"status": "completed"})
    assert refused.status == 422
    assert play.github.check_runs(play.repo)[0].status == "queued"


def test_the_latest_run_of_a_name_is_listed(play: Play) -> None:
    sha = play.github.head(play.pull)
    play.check()
    latest = play.check().json["id"]
    play.check(name="Other")
    body = play.get(f"/commits/{sha}/check-runs?check_name=MeterAudit&app_id=7").json
    assert (body["total_count"], [one["id"] for one in body["check_runs"]]) == (1, [latest])
    assert play.get(f"/commits/{sha}/check-runs?filter=all").json["total_count"] == 3
    assert play.get(f"/commits/{sha}/check-runs?app_id=8").json["total_count"] == 0


def test_check_runs_are_found_by_branch(play: Play) -> None:
    play.check()
    assert play.get("/commits/feature/check-runs").json["total_count"] == 1


def test_an_unknown_check_run_is_not_found(play: Play) -> None:
    assert play.get("/check-runs/1").status == 404


def test_a_check_run_of_another_app_is_not_ours_to_change(play: Play) -> None:
    play.check()
    play.github.check_runs(play.repo)[0].app = play.github.register_app("", webhook_secret="s", app_id=8, slug="other")
    number = play.github.check_runs(play.repo)[0].id
    assert play.call("PATCH", f"/repos/acme/api/check-runs/{number}", {"conclusion": "success"}).status == 403
