"""The App's delivery log: attempts, their states, and new attempts."""

from __future__ import annotations

import time

from tests.standin.standin_play import Play, Reply
from tests.standin.test_standin_deliveries import Receiver, receiver

__all__ = ["receiver"]


def log(play: Play, query: str = "") -> Reply:
    return play.call("GET", f"/app/hook/deliveries{query}", token=play.jwt())


def test_the_log_shows_the_newest_first_with_its_state(play: Play, receiver: Receiver) -> None:
    play.github.deliver(receiver.url, "ping")
    receiver.status = 503
    failed = play.github.deliver(receiver.url, "pull_request", "opened", pull=play.pull)
    newest, oldest = log(play).json
    assert (newest["guid"], newest["status"], newest["status_code"]) == (failed.guid, "Invalid HTTP Response: 503", 503)
    assert (oldest["event"], oldest["status"]) == ("ping", "OK")


def test_the_filter_for_failures_leaves_out_refused_connections(play: Play, receiver: Receiver) -> None:
    play.github.deliver("http://127.0.0.1:9/webhook", "ping")
    assert log(play, "?status=failure").json == []
    assert [one["status_code"] for one in log(play).json] == [0]


def test_the_log_is_paged_by_cursor(play: Play, receiver: Receiver) -> None:
    for _ in range(3):
        play.github.deliver(receiver.url, "ping")
    first = log(play, "?per_page=2")
    assert 'rel="next"' in first.headers["link"]
    cursor = first.headers["link"].partition("cursor=")[2].partition(">")[0]
    assert len(log(play, f"?per_page=2&cursor={cursor}").json) == 1


def test_a_new_attempt_carries_the_same_guid(play: Play, receiver: Receiver) -> None:
    receiver.status = 503
    failed = play.github.deliver(receiver.url, "ping")
    receiver.status = 200
    assert play.call("POST", f"/app/hook/deliveries/{failed.id}/attempts", token=play.jwt()).status == 202
    for _ in range(200):
        if len(play.github.deliveries) == 2:
            break
        time.sleep(0.01)
    assert [(one.guid, one.outcome) for one in play.github.deliveries][1] == (failed.guid, "OK")
    assert log(play).json[0]["redelivery"] is True


def test_a_delivery_that_never_was_cannot_be_attempted_again(play: Play) -> None:
    assert play.call("POST", "/app/hook/deliveries/1/attempts", token=play.jwt()).status == 404
