"""Random scenarios of pushes, kills, faults, redeliveries and people: whatever happens, in the end all is said, and once.

Every step is real HTTP against the strict stand-in over real git, with a real database. A kill is a cancelled task, in the
middle of whichever request to GitHub, so that nothing after it runs. `make test` plays as many scenarios as fit into a
minute; `pytest tests/review/test_scenarios.py --hypothesis-profile=long` plays a hundred, of at least thirty steps each.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bot import reconcile
from bot.deliveries import PullRequestJob
from bot.demo.standin import Comment, Fault, Incoming, PullRequest, Repository, StandIn, secondary_limit
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.github.clock import Clock
from bot.jobs.database import connect
from bot.memory import Memory
from bot.report.comments import is_retired, read_marker
from bot.review import Reviewer, review
from tests.review.conftest import SECRET, Skipping, judged
from tests.review.test_review import EMISSION, EXPORT, KEYED

BOX_SECONDS = 60.0
STEPS = 30

FILES = {
    "defect": {"usage.py": EMISSION, "export.ts": None},
    "moved": {"usage.py": "import os\n\n" + EMISSION, "export.ts": None},
    "two": {"usage.py": EMISSION, "export.ts": EXPORT},
    "fixed": {"usage.py": KEYED, "export.ts": None},
    "none": {"usage.py": None, "export.ts": None},
}
DEFECTS = {"defect": 1, "moved": 1, "two": 2, "fixed": 0, "none": 0}
PATHS = (r"/reviews$", r"/comments", r"/check-runs", r"/graphql", r"/files", r"/blobs/", r"/pulls/\d+$", r"/access_tokens")
NUMBERS = itertools.count(1)
BRANCHES = ("one", "two")


@dataclass
class World:
    """What all scenarios share: one GitHub, one database, one client; each scenario has a repository of its own."""

    github: StandIn
    skipping: Skipping
    runner: asyncio.Runner
    folder: Path
    installation: object
    reviewer: Reviewer
    queued: list[PullRequestJob]
    ends: float


class Scenario(RuleBasedStateMachine):
    world: World

    @initialize()
    def begin(self) -> None:
        self.over = time.monotonic() > self.world.ends
        self.waiting: set[int] = set()
        self.texts = dict.fromkeys(BRANCHES, "defect")
        self.touched: set[int] = set()
        if self.over:
            return
        github, number = self.world.github, next(NUMBERS)
        self.repo: Repository = github.add_repository(f"acme/api{number}", self.world.folder / f"{number}.git")
        github.push(self.repo, "main", {"README.md": "# API\n"})
        github.push(self.repo, "release", {}, start="main")
        self.world.installation.repositories.add(self.repo.id)  # type: ignore[attr-defined]
        self.pulls: list[PullRequest] = []
        for branch, base in (("one", "main"), ("two", "main"), ("one", "release")):
            github.push(self.repo, branch, {"usage.py": EMISSION}, start=None if base == "main" else branch)
            self.pulls.append(github.open_pull_request(self.repo, branch, base))
        self.waiting = {pull.number for pull in self.pulls}

    def job(self, pull: PullRequest) -> PullRequestJob:
        return PullRequestJob(self.world.installation.id, self.repo.id, pull.number)  # type: ignore[attr-defined]

    @rule(branch=st.sampled_from(BRANCHES), text=st.sampled_from(sorted(FILES)), heard=st.booleans(), forced=st.booleans())
    def push(self, branch: str, text: str, heard: bool, forced: bool) -> None:
        """`heard`: the delivery arrives; otherwise only our own looking after finds the push."""
        if self.over:
            return
        noise = {"noise.md": f"{next(NUMBERS)}\n"}
        self.world.github.push(self.repo, branch, {**FILES[text], **noise}, start="main" if forced else None)
        self.texts[branch] = text
        if heard:
            self.waiting |= {pull.number for pull in self.pulls if pull.head_ref == branch}

    @rule(which=st.integers(0, 2))
    def redelivery(self, which: int) -> None:
        if not self.over:
            self.waiting.add(self.pulls[which].number)

    @rule()
    def work(self) -> None:
        """The worker takes the jobs that wait."""
        for pull in [] if self.over else self.pulls:
            if pull.number in self.waiting:
                self.run(pull)

    @rule(which=st.integers(0, 2), after=st.integers(1, 40), fate=st.sampled_from(["before", "after", None]))
    def kill(self, which: int, after: int, fate: str | None) -> None:
        """The worker is killed at its `after`-th request to GitHub, which may or may not have been applied."""
        if self.over:
            return
        counted = itertools.count(1)

        def rule_(incoming: Incoming) -> Fault | None:
            return Fault(".", run=self.cancel, drop=fate) if next(counted) == after else None  # type: ignore[arg-type]

        self.world.github.faults.append(rule_)
        self.run(self.pulls[which])
        self.world.github.faults.remove(rule_)

    def cancel(self) -> None:
        task = self.running
        task.get_loop().call_soon_threadsafe(task.cancel)

    @rule(
        path=st.sampled_from(PATHS),
        kind=st.sampled_from(["500", "html", "before", "after", "slow", "secondary", "422", "push"]),
        skip=st.integers(0, 2),
    )
    def fault(self, path: str, kind: str, skip: int) -> None:
        if self.over:
            return
        faults = {
            "500": Fault(path, skip=skip, status=500, body={"message": "Server Error"}),
            "html": Fault(path, skip=skip, times=2, status=502, body=b"<html>"),
            "before": Fault(path, skip=skip, drop="before"),
            "after": Fault(path, skip=skip, drop="after"),
            "slow": Fault(path, skip=skip, delay=0.05),
            "secondary": secondary_limit(path, retry_after=30),
            "422": Fault(r"/reviews$", "POST", skip=skip, status=422, body={"message": "Unprocessable", "errors": ["No line"]}),
            "push": Fault(path, skip=skip, run=lambda: self.push("one", "moved", True, False)),
        }
        self.world.github.faults.append(faults[kind])

    @rule(which=st.integers(0, 2), what=st.sampled_from(["delete", "resolve", "reply", "close", "reopen", "draft", "ready"]))
    def people(self, which: int, what: str) -> None:
        if self.over:
            return
        pull = self.pulls[which]
        ours = self.ours(pull)
        if what in ("delete", "resolve", "reply") and ours:
            self.touched.add(pull.number)
            if what == "delete":
                self.world.github.delete_comment(ours[0])
            elif what == "resolve":
                self.world.github.resolve(ours[0], "ada")
            else:
                self.world.github.reply(ours[0], "ada", "Really?")
        elif what == "close":
            self.world.github.close(pull)
            self.waiting.add(pull.number)
        elif what == "reopen" and pull.state == "closed":
            self.world.github.reopen(pull)
            self.waiting.add(pull.number)
        elif what in ("draft", "ready"):
            pull.draft = what == "draft"
            self.waiting.add(pull.number)

    def run(self, pull: PullRequest) -> None:
        """One job. Whatever ends it early leaves it in the queue, as the engine does."""

        async def attempt() -> None:
            self.running = asyncio.create_task(review(self.world.reviewer, self.job(pull)))
            await self.running

        try:
            self.world.runner.run(attempt())
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - that is what the worker's edge does, too
            self.waiting.add(pull.number)
            return
        self.waiting.discard(pull.number)
        self.waiting |= {job.number for job in self.world.queued if job.repository_id == self.repo.id}
        self.world.queued.clear()

    def ours(self, pull: PullRequest) -> list[Comment]:
        """Our comments that open a thread."""
        said = self.world.github.comments(self.repo, pull.number)
        return [one for one in said if one.author.kind == "Bot" and one.in_reply_to is None]

    @invariant()
    def nothing_is_done_that_github_refuses_on_principle(self) -> None:
        assert [] == self.world.github.violations

    def teardown(self) -> None:
        if getattr(self, "over", True):
            return
        self.world.github.faults.clear()
        self.world.skipping.ahead += 1000.0
        self.settle()
        for pull in self.pulls:
            self.check_of(pull)
            self.comments_of(pull)
        # GitHub says nothing of a comment that somebody deletes: the next review notices, and the one after it is silent.
        self.look_at_all()
        before = len(self.writes())
        self.look_at_all()
        assert [] == self.writes()[before:]

    def look_at_all(self) -> None:
        self.waiting = {pull.number for pull in self.pulls if pull.state == "open"}
        self.work()

    def settle(self) -> None:
        """Everything that waits is run, and what was missed is found by our own looking after."""
        for _ in range(8):
            ids = (self.world.installation.id, self.repo.id)  # type: ignore[attr-defined]
            self.world.runner.run(reconcile.catch_up_repository(self.world.reviewer, *ids))
            self.waiting |= {job.number for job in self.world.queued}
            self.world.queued.clear()
            if not self.waiting:
                return
            self.work()
        raise AssertionError("the work never ends")

    def check_of(self, pull: PullRequest) -> None:
        runs = [run for run in self.world.github.check_runs(self.repo) if run.head_sha == self.world.github.head(pull)]
        assert [] == [run for run in self.world.github.check_runs(self.repo) if run.status != "completed"]
        if pull.state != "open":
            return
        shown = max(runs, key=lambda run: run.id)
        sharing = [one for one in self.pulls if one.state == "open" and one.head_ref == pull.head_ref]
        defects = DEFECTS[self.texts[pull.head_ref]] if any(not one.draft for one in sharing) else 0
        drafts = any(one.draft for one in sharing)
        assert ("failure" if defects else "neutral" if drafts else "success") == shown.conclusion

    def comments_of(self, pull: PullRequest) -> None:
        ours = self.ours(pull)
        marks = [mark.fingerprint for one in ours if (mark := read_marker(one.body))]
        assert len(marks) == len(set(marks)) == len(ours)
        if pull.state != "open" or pull.draft or pull.number in self.touched:
            return
        live = [one for one in ours if not is_retired(one.body)]
        assert DEFECTS[self.texts[pull.head_ref]] == len(live)

    def writes(self) -> list[str]:
        sent = (one for one in self.world.github.exchanges if one.method in ("POST", "PATCH", "DELETE"))
        kept = (one for one in sent if not one.path.endswith("/access_tokens"))
        return [
            f"{one.method} {one.path}" for one in kept if not (one.given or {}).get("query", "").strip().startswith("query")
        ]


@pytest.fixture
def world(address: str, key: rsa.RSAPrivateKey, tmp_path: Path) -> Iterator[World]:
    skipping = Skipping()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    with StandIn(lambda: datetime.fromtimestamp(skipping.now(), UTC)) as github, asyncio.Runner() as runner:
        app = github.register_app(public.decode(), webhook_secret=SECRET, app_id=7)
        first = github.add_repository("acme/first", tmp_path / "first.git")
        installation = github.install(app, [first])
        github.limits.hourly = 10**9
        queued: list[PullRequestJob] = []

        async def queue(job: PullRequestJob) -> None:
            queued.append(job)

        client = GitHub(AppCredentials("7", (private.decode(),)), github.url, clock=Clock(skipping.now, skipping.sleep))
        opened = connect(address)
        database = runner.run(opened.__aenter__())
        runner.run(client.__aenter__())
        reviewer = Reviewer(client, judged, Memory(database.pool), queue)
        box = BOX_SECONDS if settings.get_current_profile_name() != "long" else 1e9
        yield World(github, skipping, runner, tmp_path, installation, reviewer, queued, time.monotonic() + box)
        runner.run(client.__aexit__(None, None, None))
        runner.run(opened.__aexit__(None, None, None))


def test_whatever_happens_all_is_said_once_in_the_end(world: World) -> None:
    Scenario.world = world
    long = settings.get_current_profile_name() == "long"
    chosen = settings(
        max_examples=100,
        stateful_step_count=40 if long else STEPS,
        derandomize=not long,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Scenario, settings=chosen)
