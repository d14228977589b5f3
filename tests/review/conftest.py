"""A repository on the stand-in for GitHub, our App installed on it, and the real review over real HTTP."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.deliveries import PullRequestJob
from bot.demo.standin import CheckRun, Comment, PullRequest, Repository, StandIn
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.github.clock import Clock
from bot.jobs.database import Database
from bot.memory import Memory
from bot.review import Reviewer, review
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report

SECRET = "a secret of at least sixteen bytes"


@dataclass
class Scene:
    """One repository with our App, and what came of reviewing it."""

    github: StandIn
    repository: Repository
    installation: int
    reviewer: Reviewer
    queued: list[PullRequestJob]

    def pull(self, files: dict[str, str | None], base: dict[str, str] | None = None, **about: object) -> PullRequest:
        """A pull request that changes these files of `base`."""
        if base:
            self.github.push(self.repository, "main", dict(base))
        self.github.push(self.repository, "feature", dict(files), start="main")
        return self.github.open_pull_request(self.repository, "feature", **about)  # type: ignore[arg-type]

    async def review(self, pull: PullRequest) -> None:
        await review(self.reviewer, PullRequestJob(self.installation, self.repository.id, pull.number))

    async def work_off(self) -> None:
        """Runs the reviews that were asked for, as the queue would."""
        while self.queued:
            await review(self.reviewer, self.queued.pop(0))

    async def settle(self) -> None:
        """Waits until the stand-in has sent what it was asked to send again."""
        for thread in threading.enumerate():
            if thread.name == "redelivery":
                await asyncio.to_thread(thread.join)

    def check(self) -> CheckRun:
        """The newest check run."""
        return self.github.check_runs(self.repository)[-1]

    def comments(self, pull: PullRequest) -> list[Comment]:
        return self.github.comments(self.repository, pull.number)

    def writes(self) -> list[str]:
        """Tokens and questions in GraphQL are POSTs too, and write nothing."""
        sent = (one for one in self.github.exchanges if one.method in ("POST", "PATCH", "DELETE"))
        kept = (one for one in sent if not one.path.endswith("/access_tokens"))
        return [
            f"{one.method} {one.path}" for one in kept if not (one.given or {}).get("query", "").strip().startswith("query")
        ]


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Skipping:
    """A clock that does not wait: GitHub is the stand-in, which nobody else has to share, and has the same clock."""

    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.ahead += seconds
        await asyncio.sleep(0)


@pytest.fixture
def skipping() -> Skipping:
    return Skipping()


@pytest.fixture
def github(skipping: Skipping) -> Iterator[StandIn]:
    with StandIn(lambda: datetime.fromtimestamp(skipping.now(), UTC)) as standin:
        yield standin
        assert [] == standin.violations


@pytest.fixture
async def scene(
    github: StandIn, key: rsa.RSAPrivateKey, tmp_path: Path, database: Database, skipping: Skipping
) -> AsyncIterator[Scene]:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    app = github.register_app(public.decode(), webhook_secret=SECRET, app_id=7)
    repository = github.add_repository("acme/api", tmp_path / "api.git")
    github.push(repository, "main", {"README.md": "# API\n"})
    installation = github.install(app, [repository])
    queued: list[PullRequestJob] = []

    async def queue(job: PullRequestJob) -> None:
        queued.append(job)

    async with GitHub(
        AppCredentials("7", (private.decode(),)), github.url, clock=Clock(skipping.now, skipping.sleep)
    ) as client:
        reviewer = Reviewer(client, judged, Memory(database.pool), queue)
        yield Scene(github, repository, installation.id, reviewer, queued)


async def judged(change: Change, options: Options) -> Report:
    return examine(change, options, "0")
