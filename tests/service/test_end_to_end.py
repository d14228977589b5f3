"""Signed deliveries of the stand-in, through the real receiver, queue and worker, and back to the stand-in."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bot.demo.standin import CheckRun, PullRequest, Repository, StandIn
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.jobs.database import Database, connect
from bot.jobs.queue import ask_for_review
from bot.jobs.worker import Timings, Work, run_worker
from bot.memory import Memory
from bot.review import Reviewer
from bot.reviewers import work_of
from bot.web.app import create_app
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report
from tests.github.hostile_github import new_key
from tests.service.stand import Query, make_settings, running, until

SECRET = "a secret of at least sixteen bytes"
QUICK = Timings(heartbeat=0.2, stalled_after=1.0, sweep="* * * * * */1", poll=0.1, backoff=0, drain=1.0, restart=0.1)
DEFECT = """import stripe


def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""


@dataclass
class Whole:
    """Our whole program on one side, GitHub on the other."""

    github: StandIn
    url: str
    repo: Repository
    pull: PullRequest
    judging: asyncio.Event
    """While it is cleared, no review comes to an end."""
    reached: asyncio.Event
    """Some change has been read and waits to be judged."""

    def shown(self) -> CheckRun | None:
        """The newest check run of the head."""
        head = self.github.head(self.pull)
        runs = [run for run in self.github.check_runs(self.repo) if run.head_sha == head]
        return runs[-1] if runs else None

    async def says(self, conclusion: str, runs: int = 0) -> bool:
        shown = self.shown()
        return shown is not None and shown.conclusion == conclusion and len(self.github.check_runs(self.repo)) >= runs


@pytest.fixture
async def whole(address: str, database: Database, tmp_path: Path) -> AsyncIterator[Whole]:
    key = new_key()
    public = load_pem_private_key(key.encode(), None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    judging = asyncio.Event()
    judging.set()
    reached = asyncio.Event()

    async def judged(change: Change, options: Options) -> Report:
        reached.set()
        await judging.wait()
        return examine(change, options, "0")

    with StandIn() as github:
        app = github.register_app(public.decode(), webhook_secret=SECRET, app_id=7)
        repo = github.add_repository("acme/api", tmp_path / "api.git")
        github.push(repo, "main", {"README.md": "# API\n"})
        github.push(repo, "feature", {"usage.py": DEFECT}, start="main")
        repo.roles["wendy"] = "write"
        github.install(app, [repo])
        pull = github.open_pull_request(repo, "feature")
        settings = make_settings(webhook_secrets=(SECRET.encode(),), github_api_url=github.url)
        web = create_app(settings, lambda: connect(address), push_pause=timedelta(0))
        async with GitHub(AppCredentials("7", (key,)), github.url) as client, running(web) as url:
            queue = partial(ask_for_review, database)
            work = work_of(Reviewer(client, judged, Memory(database.pool), queue))
            task = asyncio.create_task(run_worker(database, Work(work.review, work.errand, work.announce), timings=QUICK))
            yield Whole(github, f"{url}/webhook", repo, pull, judging, reached)
            judging.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert [] == github.violations


async def test_from_the_webhook_to_the_check_and_from_a_command_to_another(whole: Whole, query: Query) -> None:
    opened = await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=whole.pull)
    await until(lambda: whole.says("failure"))
    said = whole.github.say(whole.pull, "wendy", "/meteraudit ignore MTR-201 reason: the meter takes the last value")
    await whole.github.deliver_async(whole.url, "issue_comment", "created", said=said, sender="wendy")
    await until(lambda: whole.says("success"))

    assert 202 == opened.status
    assert ["eyes", "+1"] == whole.github.reactions(said)
    again = await asyncio.to_thread(whole.github.redeliver, opened.guid)
    assert (200, "duplicate\n") == (again.status, again.answer)
    assert {("done",)} == set(await query("SELECT state FROM meteraudit_delivery"))


async def test_rerun_draft_ready_and_close_each_end_in_the_right_check(whole: Whole) -> None:
    await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=whole.pull)
    await until(lambda: whole.says("failure"))
    await whole.github.deliver_async(whole.url, "check_run", "rerequested", check=whole.shown())
    await until(lambda: whole.says("failure", runs=2))
    whole.pull.draft = True
    await whole.github.deliver_async(whole.url, "pull_request", "converted_to_draft", pull=whole.pull)
    await until(lambda: whole.says("neutral", runs=3))
    whole.pull.draft = False
    await whole.github.deliver_async(whole.url, "pull_request", "ready_for_review", pull=whole.pull)
    await until(lambda: whole.says("failure", runs=4))

    assert 1 == len(whole.github.comments(whole.repo, whole.pull.number))
    assert {"completed"} == {run.status for run in whole.github.check_runs(whole.repo)}


async def test_a_merge_group_gets_its_check(whole: Whole) -> None:
    await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=whole.pull)
    await until(lambda: whole.says("failure"))
    branch = f"gh-readonly-queue/main/pr-{whole.pull.number}-0a1b2c3d"
    base = whole.github.push(whole.repo, "main", {"more.md": "x\n"})
    group = whole.github.push(whole.repo, branch, {"merged.md": "x\n"}, start="feature")

    await whole.github.deliver_async(
        whole.url, "merge_group", "checks_requested", repo=whole.repo, ref=branch, before=base, after=group
    )

    async def decided() -> bool:
        return any(run.head_sha == group and run.conclusion for run in whole.github.check_runs(whole.repo))

    await until(decided)
    [run] = [run for run in whole.github.check_runs(whole.repo) if run.head_sha == group]
    assert "failure" == run.conclusion


async def test_a_review_that_has_to_wait_shows_a_queued_check_within_five_seconds(whole: Whole) -> None:
    whole.judging.clear()
    pulls = [whole.pull]
    for name in ("second", "third"):
        whole.github.push(whole.repo, name, {f"{name}.py": DEFECT}, start="main")
        pulls.append(whole.github.open_pull_request(whole.repo, name))
    for pull in pulls[:2]:
        await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=pull)

    def statuses() -> list[str]:
        return [run.status for run in whole.github.check_runs(whole.repo)]

    async def both_run() -> bool:
        return statuses() == ["in_progress", "in_progress"]

    await until(both_run)
    sent = time.monotonic()
    await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=pulls[2])

    async def waits() -> bool:
        return statuses() == ["in_progress", "in_progress", "queued"]

    await until(waits)
    assert time.monotonic() - sent < 5
    whole.judging.set()

    async def all_done() -> bool:
        return statuses() == ["completed"] * 3

    await until(all_done)
    assert whole.github.head(pulls[2]) == whole.github.check_runs(whole.repo)[-1].head_sha


async def test_a_push_during_a_review_shows_a_queued_check_on_the_new_head(whole: Whole) -> None:
    whole.judging.clear()
    await whole.github.deliver_async(whole.url, "pull_request", "opened", pull=whole.pull)
    async with asyncio.timeout(15):
        await whole.reached.wait()
    whole.github.push(whole.repo, "feature", {"more.py": DEFECT})
    await whole.github.deliver_async(whole.url, "pull_request", "synchronize", pull=whole.pull)

    async def waits() -> bool:
        shown = whole.shown()
        return shown is not None and shown.status == "queued"

    await until(waits)
    whole.judging.set()
    await until(lambda: whole.says("failure"))
    assert ["cancelled", "failure"] == [run.conclusion for run in whole.github.check_runs(whole.repo)]
