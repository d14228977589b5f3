"""Which deliveries ask for what."""

import json

import pytest

from bot.deliveries import PayloadError, PullRequestJob, interpret
from bot.errands import (
    ButtonErrand,
    CommandErrand,
    Errand,
    InstallationErrand,
    MergeGroupErrand,
    PushErrand,
    from_plain,
    lock_of,
    to_plain,
)
from tests.service.stand import pull_request


@pytest.mark.parametrize(
    "action", ["opened", "reopened", "ready_for_review", "synchronize", "converted_to_draft", "closed", "labeled"]
)
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
    [("pull_request", "assigned"), ("pull_request", "enqueued"), ("check_suite", "requested"), ("invented", "tomorrow")],
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


SHA, BASE = "a" * 40, "b" * 40
ADA = {"login": "ada", "type": "User"}
BOT = {"login": "meteraudit[bot]", "type": "Bot"}


def about(**more: object) -> bytes:
    return json.dumps({"installation": {"id": 900}, "repository": {"id": 40}, "sender": ADA, **more}).encode()


def comment(body: str, **more: object) -> dict[str, object]:
    return {"id": 5, "body": body, **more}


ISSUE = {"number": 7, "pull_request": {"url": "…"}}
GROUP = {"head_sha": SHA, "base_sha": BASE, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7-x"}
COMMIT = {"added": [], "modified": [".meteraudit.yml"], "removed": []}


@pytest.mark.parametrize(
    ("event", "action", "payload", "errand"),
    [
        (
            "issue_comment",
            "created",
            about(issue=ISSUE, comment=comment("/meteraudit rerun")),
            CommandErrand(900, 40, 7, 5, on_line=False),
        ),
        (
            "pull_request_review_comment",
            "created",
            about(pull_request={"number": 7}, comment=comment("ignore reason: x", in_reply_to_id=4)),
            CommandErrand(900, 40, 7, 5, on_line=True),
        ),
        ("check_run", "rerequested", about(check_run={"head_sha": SHA}), ButtonErrand(900, 40, SHA, "rerun")),
        ("check_suite", "rerequested", about(check_suite={"head_sha": SHA}), ButtonErrand(900, 40, SHA, "rerun")),
        (
            "check_run",
            "requested_action",
            about(check_run={"head_sha": SHA}, requested_action={"identifier": "explain_config"}),
            ButtonErrand(900, 40, SHA, "explain_config", "ada"),
        ),
        (
            "merge_group",
            "checks_requested",
            about(merge_group=GROUP),
            MergeGroupErrand(900, 40, SHA, BASE, GROUP["head_ref"]),
        ),
        (
            "merge_group",
            "destroyed",
            about(merge_group=GROUP),
            MergeGroupErrand(900, 40, SHA, BASE, GROUP["head_ref"], destroyed=True),
        ),
        ("push", "", about(ref="refs/heads/main", after=SHA, commits=[COMMIT]), PushErrand(900, 40, "main", SHA)),
        ("installation", "created", about(), InstallationErrand(900, True)),
        ("installation", "suspend", about(), InstallationErrand(900, False)),
        ("installation", "deleted", about(), InstallationErrand(900, False, gone=True)),
        (
            "installation_repositories",
            "removed",
            about(repositories_removed=[{"id": 40}]),
            InstallationErrand(900, True, added=(), removed=(40,)),
        ),
        ("repository", "archived", about(), InstallationErrand(900, True, added=(), removed=(40,))),
    ],
)
def test_an_event_asks_for_its_errand(event: str, action: str, payload: bytes, errand: Errand) -> None:
    assert errand == interpret(event, action, payload).job
    assert errand == from_plain(to_plain(errand))


@pytest.mark.parametrize(
    ("event", "action", "payload"),
    [
        ("issue_comment", "created", about(issue={"number": 7}, comment=comment("/meteraudit rerun"))),
        ("issue_comment", "created", about(issue=ISSUE, comment=comment("nice"))),
        ("issue_comment", "created", about(issue=ISSUE, comment=comment("/meteraudit rerun"), sender=BOT)),
        ("issue_comment", "edited", about(issue=ISSUE, comment=comment("/meteraudit rerun"))),
        ("pull_request_review_thread", "resolved", about(pull_request={"number": 7}, sender=BOT)),
        ("push", "", about(ref="refs/heads/main", after=SHA, commits=[{"modified": ["a.py"]}])),
        ("push", "", about(ref="refs/tags/v1", after=SHA, commits=[COMMIT])),
        ("push", "", about(ref="refs/heads/main", after="0" * 40, deleted=True)),
        ("repository", "renamed", about()),
        ("check_run", "completed", about(check_run={"head_sha": SHA})),
    ],
)
def test_an_event_that_concerns_nobody_is_ignored(event: str, action: str, payload: bytes) -> None:
    assert interpret(event, action, payload).job is None


@pytest.mark.parametrize("action", ["resolved", "unresolved"])
def test_a_thread_that_a_human_resolved_is_looked_at(action: str) -> None:
    payload = about(pull_request={"number": 7})

    assert interpret("pull_request_review_thread", action, payload).job == PullRequestJob(900, 40, 7)


def test_a_command_waits_for_the_review_of_its_pull_request() -> None:
    assert lock_of(CommandErrand(900, 40, 7, 5, on_line=False)) == "review:40:7"
