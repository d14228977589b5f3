"""Deliveries: signed, with GitHub's headers, and in GitHub's form (the fixture validates every one)."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bot.demo.standin import git
from bot.demo.standin.deliveries import sign
from tests.standin.standin_play import Play


@dataclass
class Receiver:
    """Keeps what is delivered to it and answers `status`."""

    url: str
    status: int = 202
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}/webhook")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_signature_is_that_of_githubs_test_vector() -> None:
    found = sign("It's a Secret to Everybody", b"Hello, World!")
    assert found == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_a_delivery_is_signed_over_the_bytes_that_are_sent(play: Play, receiver: Receiver) -> None:
    delivery = play.github.deliver(receiver.url, "pull_request", "opened", pull=play.pull)
    headers, body = receiver.got[0]
    digest = hmac.new(play.app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    assert delivery.status == 202
    assert headers["x-hub-signature-256"] == f"sha256={digest}"
    assert headers["x-github-event"] == "pull_request"
    assert headers["x-github-delivery"] == delivery.guid
    assert headers["x-github-hook-id"] == str(play.app.hook_id)
    assert json.loads(body)["installation"]["id"] == play.installation.id


def test_a_redelivery_carries_the_same_guid_and_bytes(play: Play, receiver: Receiver) -> None:
    receiver.status = 503
    first = play.github.deliver(receiver.url, "pull_request", "opened", pull=play.pull)
    receiver.status = 202
    again = play.github.redeliver(first.guid)
    assert (first.status, again.status, again.redelivery) == (503, 202, True)
    assert receiver.got[0] == receiver.got[1]


async def test_a_delivery_does_not_block_the_loop_of_its_caller(play: Play, receiver: Receiver) -> None:
    assert (await play.github.deliver_async(receiver.url, "ping")).status == 202


def test_a_receiver_that_is_down_has_no_status(play: Play) -> None:
    assert play.github.deliver("http://127.0.0.1:9/webhook", "ping").status is None


def test_synchronize_carries_the_head_before_and_after(play: Play, receiver: Receiver) -> None:
    opened = play.github.deliver(receiver.url, "pull_request", "opened", pull=play.pull)
    head = play.github.push(play.repo, "feature", {"more.py": "m = 1\n"})
    payload = play.github.deliver(receiver.url, "pull_request", "synchronize", pull=play.pull).payload
    assert (payload["before"], payload["after"]) == (opened.payload["pull_request"]["head"]["sha"], head)


@pytest.mark.parametrize(
    "action", ["opened", "reopened", "ready_for_review", "converted_to_draft", "labeled", "edited", "locked"]
)
def test_a_pull_request_is_delivered_in_githubs_form(play: Play, receiver: Receiver, action: str) -> None:
    play.pull.labels = ["billing"]
    play.pull.draft, play.pull.locked = action == "converted_to_draft", action == "locked"
    assert play.github.deliver(receiver.url, "pull_request", action, pull=play.pull).status == 202


def test_a_changed_base_is_told_in_changes(play: Play, receiver: Receiver) -> None:
    changes = {"base": {"ref": {"from": "old"}, "sha": {"from": "0" * 40}}}
    payload = play.github.deliver(receiver.url, "pull_request", "edited", pull=play.pull, extra={"changes": changes}).payload
    assert payload["changes"]["base"]["ref"]["from"] == "old"


def test_a_closed_pull_request_is_delivered_with_its_time(play: Play, receiver: Receiver) -> None:
    play.github.close(play.pull, merged=True)
    payload = play.github.deliver(receiver.url, "pull_request", "closed", pull=play.pull).payload
    assert payload["pull_request"]["merged"] is True
    assert payload["pull_request"]["closed_at"] is not None


def test_a_pull_request_of_a_deleted_fork_is_delivered(play: Play, receiver: Receiver) -> None:
    pull = play.github.open_pull_request(play.repo, "feature", deleted_fork="eve")
    payload = play.github.deliver(receiver.url, "pull_request", "opened", pull=pull).payload
    assert payload["pull_request"]["head"]["repo"] is None


@pytest.mark.parametrize("action", ["rerequested", "requested_action"])
def test_a_button_of_a_check_run_is_delivered(play: Play, receiver: Receiver, action: str) -> None:
    play.check(conclusion="failure", external_id="v1")
    (run,) = play.github.check_runs(play.repo)
    payload = play.github.deliver(receiver.url, "check_run", action, check=run, body="rerun").payload
    assert payload["check_run"]["app"]["id"] == play.app.id
    assert payload.get("requested_action") == ({"identifier": "rerun"} if action == "requested_action" else None)


@pytest.mark.parametrize("action", ["requested", "rerequested"])
def test_a_check_suite_is_delivered(play: Play, receiver: Receiver, action: str) -> None:
    play.check(conclusion="failure")
    (run,) = play.github.check_runs(play.repo)
    payload = play.github.deliver(receiver.url, "check_suite", action, check=run).payload
    assert payload["check_suite"]["head_sha"] == play.github.head(play.pull)


@pytest.mark.parametrize("action", ["checks_requested", "destroyed"])
def test_a_merge_group_is_delivered(play: Play, receiver: Receiver, action: str) -> None:
    base = git.resolve(play.repo.path, "main")
    branch = "gh-readonly-queue/main/pr-1-x"
    sha = play.github.push(play.repo, branch, {"src/a.py": "merged\n"})
    about = {"repo": play.repo, "ref": branch, "before": base, "after": sha}
    payload = play.github.deliver(receiver.url, "merge_group", action, **about).payload
    assert payload["merge_group"]["head_sha"] == sha


def test_a_comment_in_the_conversation_is_delivered(play: Play, receiver: Receiver) -> None:
    about = {"pull": play.pull, "body": "@meteraudit help", "sender": "ada"}
    payload = play.github.deliver(receiver.url, "issue_comment", "created", **about).payload
    assert payload["issue"]["pull_request"]["url"].endswith("/pulls/1")


def test_a_reply_and_a_resolved_thread_are_delivered(play: Play, receiver: Receiver) -> None:
    play.review({"path": "src/a.py", "line": 3, "body": "Here"})
    (top,) = play.github.comments(play.repo, 1)
    reply = play.github.reply(top, "ada", "ignore")
    created = play.github.deliver(receiver.url, "pull_request_review_comment", "created", comment=reply).payload
    assert created["comment"]["in_reply_to_id"] == top.id
    resolved = play.github.deliver(receiver.url, "pull_request_review_thread", "resolved", comment=top).payload
    assert len(resolved["thread"]["comments"]) == 2


def test_a_push_is_delivered_with_its_paths(play: Play, receiver: Receiver) -> None:
    before = git.resolve(play.repo.path, "main")
    after = play.github.push(play.repo, "main", {".meteraudit.yml": "version: 1\n", "gone.py": None})
    about = {"repo": play.repo, "ref": "main", "before": before, "after": after}
    payload = play.github.deliver(receiver.url, "push", **about).payload
    assert (payload["commits"][0]["added"], payload["commits"][0]["removed"]) == ([".meteraudit.yml"], ["gone.py"])


@pytest.mark.parametrize("action", ["created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"])
def test_an_installation_is_delivered(play: Play, receiver: Receiver, action: str) -> None:
    play.github.suspend(play.installation, action == "suspend")
    payload = play.github.deliver(receiver.url, "installation", action, repositories=(play.repo,)).payload
    assert payload["installation"]["id"] == play.installation.id


@pytest.mark.parametrize("action", ["added", "removed"])
def test_repositories_of_an_installation_are_delivered(play: Play, receiver: Receiver, action: str) -> None:
    payload = play.github.deliver(receiver.url, "installation_repositories", action, repositories=(play.repo,)).payload
    assert [one["id"] for one in payload[f"repositories_{action}"]] == [play.repo.id]


@pytest.mark.parametrize("action", ["renamed", "archived", "privatized"])
def test_a_repository_is_delivered(play: Play, receiver: Receiver, action: str) -> None:
    play.repo.archived = action == "archived"
    payload = play.github.deliver(receiver.url, "repository", action, repo=play.repo, body="old").payload
    assert payload["repository"]["id"] == play.repo.id
