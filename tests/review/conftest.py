"""A repository on the stand-in for GitHub, our App installed on it, and the real review over real HTTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.deliveries import PullRequestJob
from bot.demo.standin import CheckRun, Comment, PullRequest, Repository, StandIn
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
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

    def pull(self, files: dict[str, str | None], base: dict[str, str] | None = None, **about: object) -> PullRequest:
        """A pull request that changes these files of `base`."""
        if base:
            self.github.push(self.repository, "main", dict(base))
        self.github.push(self.repository, "feature", dict(files), start="main")
        return self.github.open_pull_request(self.repository, "feature", **about)  # type: ignore[arg-type]

    async def review(self, pull: PullRequest) -> None:
        await review(self.reviewer, PullRequestJob(self.installation, self.repository.id, pull.number))

    def check(self) -> CheckRun:
        """The newest check run."""
        return self.github.check_runs(self.repository)[-1]

    def comments(self, pull: PullRequest) -> list[Comment]:
        return self.github.comments(self.repository, pull.number)

    def writes(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.github.exchanges if one.method in ("POST", "PATCH", "DELETE")]


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def github() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin
        assert [] == standin.violations


@pytest.fixture
async def scene(github: StandIn, key: rsa.RSAPrivateKey, tmp_path: Path) -> AsyncIterator[Scene]:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    app = github.register_app(public.decode(), webhook_secret=SECRET, app_id=7)
    repository = github.add_repository("acme/api", tmp_path / "api.git")
    github.push(repository, "main", {"README.md": "# API\n"})
    installation = github.install(app, [repository])
    async with GitHub(AppCredentials("7", (private.decode(),)), github.url) as client:
        yield Scene(github, repository, installation.id, Reviewer(client, judged))


async def judged(change: Change, options: Options) -> Report:
    return examine(change, options, "0")
