"""Which deliveries ask for a review."""

import json

import pytest
from stand import pull_request

from bot.deliveries import PayloadError, PullRequestJob, interpret


@pytest.mark.parametrize("action", ["opened", "reopened", "ready_for_review", "synchronize"])
def test_a_new_or_changed_pull_request_is_reviewed(action: str) -> None:
    asked = interpret("pull_request", action, pull_request(action, number=3))

    assert asked.job == PullRequestJob(installation_id=900, repository_id=40, number=3)


def test_a_pull_request_moved_to_another_base_is_reviewed() -> None:
    payload = pull_request("edited", changes={"base": {"ref": {"from": "main"}, "sha": {"from": "0" * 40}}})

    assert interpret("pull_request", "edited", payload).job == PullRequestJob(900, 40, 7)


@pytest.mark.parametrize("changes", [{"title": {"from": "Old"}}, {"body": {"from": ""}}, {}])
def test_a_pull_request_with_another_title_or_text_is_ignored(changes: dict[str, object]) -> None:
    assert interpret("pull_request", "edited", pull_request("edited", changes=changes)).job is None


@pytest.mark.parametrize(
    ("event", "action"),
    [("pull_request", "labeled"), ("pull_request", "enqueued"), ("check_suite", "requested"), ("invented", "tomorrow")],
)
def test_an_unknown_event_or_action_is_ignored_whatever_it_holds(event: str, action: str) -> None:
    asked = interpret(event, action, json.dumps({"action": action}).encode())

    assert (asked.job, asked.word) == (None, "ignored")


def test_a_missing_installation_is_named_without_quoting_the_payload() -> None:
    payload = json.dumps({"action": "opened", "repository": {"id": 1}, "pull_request": {"number": 1, "body": "secret"}})

    with pytest.raises(PayloadError) as caught:
        interpret("pull_request", "opened", payload.encode())

    assert "installation" in str(caught.value)
    assert "secret" not in str(caught.value)
