"""What is checked of every request, the limits of the hour, and faults to order."""

from __future__ import annotations

import asyncio
import http.client
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from bot.demo.standin import Fault, Incoming, secondary_limit
from tests.standin.standin_play import Play


def test_a_proper_request_is_no_violation(play: Play) -> None:
    play.get("/pulls/1/files?per_page=100")
    assert play.github.violations == []


def test_a_request_without_a_user_agent_is_refused(play: Play) -> None:
    assert play.get("", User_Agent=None).status == 403
    assert "User-Agent" in play.github.violations[0]


@pytest.mark.parametrize(
    ("path", "headers", "words"),
    [
        ("/pulls?per_page=101", {}, "per_page=101"),
        ("/pulls", {"X_GitHub_Api_Version": None}, "X-GitHub-Api-Version is missing"),
        ("/pulls", {"Accept": "*/*"}, "Accept"),
        ("/pulls?access_token=abc", {}, "token in it"),
        ("/contents/../x", {}, "climbs"),
        ("/stargazers", {}, "no such operation"),
    ],
)
def test_what_a_client_should_not_do_is_written_down(play: Play, path: str, headers: dict[str, str | None], words: str) -> None:
    play.get(path, **headers)
    assert len(play.github.violations) == 1
    assert words in play.github.violations[0]


def test_a_violation_does_not_repeat_the_token(play: Play) -> None:
    play.get(f"/pulls?access_token={play.token()}")
    assert play.token() not in play.github.violations[0]


def test_an_unknown_version_of_the_interface_is_refused(play: Play) -> None:
    assert play.get("", X_GitHub_Api_Version="1999-01-01").status == 400


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(play: Play, body: bytes) -> None:
    assert play.call("POST", "/repos/acme/api/check-runs", body).status == 400


def test_every_answer_tells_what_is_left_of_the_hour(play: Play) -> None:
    first = play.get("")
    second = play.get("/pulls/99")
    assert first.headers["x-ratelimit-limit"] == "5000"
    assert first.headers["x-ratelimit-resource"] == "core"
    assert int(first.headers["x-ratelimit-reset"]) > play.clock().timestamp()
    assert int(second.headers["x-ratelimit-remaining"]) == int(first.headers["x-ratelimit-remaining"]) - 1


def test_answers_are_dated_by_the_clock_of_the_stand_in(play: Play) -> None:
    play.clock.ahead = timedelta(days=-1)
    dated = parsedate_to_datetime(play.get("/pulls").headers["date"])
    assert abs((dated - play.clock()).total_seconds()) < 5


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/pulls/1/comments", {"body": "x", "in_reply_to": []}),
        ("/pulls/1/reviews", {"event": "COMMENT", "body": [], "comments": 7}),
        ("/check-runs", {"name": "n", "head_sha": "feature\0"}),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(play: Play, path: str, given: dict[str, Any]) -> None:
    assert play.post(path, **given).status == 422


def test_an_address_with_a_null_byte_is_not_found(play: Play) -> None:
    assert play.get("/contents/a%00b").status == 404


async def test_many_requests_at_once_are_all_answered(play: Play) -> None:
    play.token()
    paths = ["/pulls/1/files", "/pulls/1", "/compare/main...feature", "/contents/src/a.py"] * 6
    answers = await asyncio.gather(*(asyncio.to_thread(play.get, path) for path in paths))
    assert {answer.status for answer in answers} == {200}


def test_the_hour_can_be_used_up(play: Play) -> None:
    play.github.limits.hourly = 1
    play.get("")
    answer = play.get("")
    assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "rate limit exceeded" in answer.words


def test_a_fault_answers_once_and_then_lets_pass(play: Play) -> None:
    play.github.faults.append(Fault("/pulls/1$", "GET", status=502, body=b"<html>"))
    assert (play.get("/pulls/1").status, play.get("/pulls/1").status) == (502, 200)


def test_a_fault_may_wait_for_the_second_request(play: Play) -> None:
    play.github.faults.append(Fault("/pulls/1$", skip=1, status=500))
    assert [play.get("/pulls/1").status for _ in range(3)] == [200, 500, 200]


def test_a_secondary_limit_says_when_to_come_back(play: Play) -> None:
    play.github.faults.append(secondary_limit("/reviews", retry_after=3))
    answer = play.review()
    assert (answer.status, answer.headers["retry-after"]) == (403, "3")
    assert "secondary rate limit" in answer.words


def test_a_fault_may_be_worked_out(play: Play) -> None:
    def on_writes(incoming: Incoming) -> Fault | None:
        return Fault("", status=520) if incoming.method == "POST" else None

    play.token()
    play.github.faults.append(on_writes)
    assert (play.check().status, play.get("").status) == (520, 200)


def test_a_connection_dropped_before_the_request_leaves_nothing(play: Play) -> None:
    play.token()
    play.github.faults.append(Fault("/check-runs", "POST", drop="before"))
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        play.check()
    assert play.github.check_runs(play.repo) == []


def test_a_connection_dropped_after_the_request_leaves_what_was_written(play: Play) -> None:
    play.token()
    play.github.faults.append(Fault("/check-runs", "POST", drop="after"))
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        play.check()
    assert len(play.github.check_runs(play.repo)) == 1
    assert play.check().status == 201


def test_a_fault_may_push_in_the_middle_of_reading(play: Play) -> None:
    before = play.get("/pulls/1").json["head"]["sha"]
    pushed = Fault("/files", run=lambda: play.github.push(play.repo, "feature", {"late.py": "l = 1\n"}))
    play.github.faults.append(pushed)
    assert "late.py" in [one["filename"] for one in play.get("/pulls/1/files").json]
    assert play.get("/pulls/1").json["head"]["sha"] != before


def test_a_delayed_answer_comes_late(play: Play) -> None:
    play.token()
    play.github.faults.append(Fault("/pulls/1$", delay=0.3))
    start = time.monotonic()
    assert play.get("/pulls/1").status == 200
    assert time.monotonic() - start >= 0.3


def test_every_exchange_is_kept(play: Play) -> None:
    play.check()
    last = play.github.exchanges[-1]
    assert (last.method, last.status, last.given["name"]) == ("POST", 201, "MeterAudit")
