"""A worker that is killed (SIGKILL) while it talks to GitHub, again and again: another one ends with everything said once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bot.deliveries import PullRequestJob
from bot.demo.standin import Fault, PullRequest, Repository, StandIn
from bot.jobs.database import Database
from bot.jobs.queue import ask_for_review
from bot.report.comments import is_retired
from tests.github.hostile_github import new_key
from tests.service.stand import Query, until
from tests.service.test_end_to_end import DEFECT, SECRET

PROGRAM = Path(__file__).with_name("killed_review.py")
FIRST = [("POST", r"/check-runs$"), ("POST", r"/reviews$"), ("PATCH", r"/check-runs/\d+$")]
SECOND = [("PATCH", r"/pulls/comments/\d+$"), ("POST", r"/graphql$"), ("PATCH", r"/check-runs/\d+$")]


class Worker:
    """A worker process that is started again whenever it dies, as any supervisor would."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self.process: asyncio.subprocess.Process | None = None
        self.deaths = 0

    def kill(self) -> None:
        """From the thread of the stand-in, in the middle of a request."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def live(self) -> None:
        while True:
            self.process = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), *self.arguments)
            await self.process.wait()
            self.deaths += 1


class Scene:
    """One pull request, and who reviews it."""

    def __init__(self, github: StandIn, repo: Repository, pull: PullRequest, installation: int, worker: Worker) -> None:
        self.github, self.repo, self.pull, self.worker = github, repo, pull, worker
        self.job = PullRequestJob(installation, repo.id, pull.number)

    def killing_at(self, requests: list[tuple[str, str]], applied: bool) -> None:
        """At the first such request of each kind the worker dies; GitHub may have carried it out all the same."""
        for method, path in requests:
            self.github.faults.append(Fault(path, method, run=self.worker.kill, drop=None if applied else "before"))

    def conclusions(self) -> list[str | None]:
        head = self.github.head(self.pull)
        return [run.conclusion for run in self.github.check_runs(self.repo) if run.head_sha == head]

    async def concludes(self, conclusion: str) -> bool:
        found = self.conclusions()
        return bool(found) and found[-1] == conclusion and None not in found

    def live_comments(self) -> int:
        return sum(not is_retired(one.body) for one in self.github.comments(self.repo, self.pull.number))


@asynccontextmanager
async def living(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.live())
    try:
        yield
    finally:
        task.cancel()
        worker.kill()
        await asyncio.gather(task, return_exceptions=True)
        if worker.process is not None:
            await worker.process.wait()


@pytest.fixture
async def scene(address: str, database: Database, tmp_path: Path) -> AsyncIterator[Scene]:
    key = new_key()
    (tmp_path / "key.pem").write_text(key)
    public = load_pem_private_key(key.encode(), None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with StandIn() as github:
        app = github.register_app(public.decode(), webhook_secret=SECRET, app_id=7)
        repo = github.add_repository("acme/api", tmp_path / "api.git")
        github.push(repo, "main", {"README.md": "# API\n"})
        github.push(repo, "feature", {"usage.py": DEFECT}, start="main")
        installation = github.install(app, [repo])
        pull = github.open_pull_request(repo, "feature")
        worker = Worker(address, github.url, str(tmp_path / "key.pem"))
        async with living(worker):
            yield Scene(github, repo, pull, installation.id, worker)
        assert [] == github.violations


@pytest.mark.parametrize("applied", [False, True], ids=["before GitHub has it", "after GitHub has it"])
async def test_a_worker_killed_at_each_write_of_a_review_leaves_one_comment_and_one_verdict(
    scene: Scene, database: Database, query: Query, applied: bool
) -> None:
    scene.killing_at(FIRST, applied)

    await ask_for_review(database, scene.job)
    await until(lambda: scene.concludes("failure"), seconds=120)
    await until(lambda: quiet(query), seconds=120)

    assert len(FIRST) == scene.worker.deaths
    assert 1 == scene.live_comments() == len(scene.github.comments(scene.repo, scene.pull.number))
    assert ["failure"] == [one for one in scene.conclusions() if one != "cancelled"]


@pytest.mark.parametrize("applied", [False, True], ids=["before GitHub has it", "after GitHub has it"])
async def test_a_worker_killed_while_it_retires_a_comment_leaves_it_retired_once(
    scene: Scene, database: Database, query: Query, applied: bool
) -> None:
    await ask_for_review(database, scene.job)
    await until(lambda: scene.concludes("failure"), seconds=120)
    await until(lambda: quiet(query), seconds=120)
    scene.github.push(scene.repo, "feature", {"usage.py": None})
    scene.killing_at(SECOND, applied)

    await ask_for_review(database, scene.job)
    await until(lambda: scene.concludes("success"), seconds=120)
    await until(lambda: quiet(query), seconds=120)

    assert len(SECOND) == scene.worker.deaths
    assert (0, 1) == (scene.live_comments(), len(scene.github.comments(scene.repo, scene.pull.number)))
    assert ["success"] == [one for one in scene.conclusions() if one != "cancelled"]


async def quiet(query: Query) -> bool:
    """Whether nothing waits and nothing runs."""
    [[left]] = await query("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return left == 0
