"""A stand-in whose every answer and delivery is held against GitHub's schemas when a test ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.demo.standin import StandIn
from bot.demo.standin.stage import Stage
from tests.standin.conformance import problems_of, problems_of_delivery
from tests.standin.standin_play import AFTER, BEFORE, Clock, Play, pem_of


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    return pem_of(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that every test gets a copy of: main, and feature with three changed files."""
    stage = Stage()
    repo = stage.add_repository("acme/api", tmp_path_factory.mktemp("origin") / "api.git")
    stage.push(repo, "main", {"src/a.py": BEFORE, "gone.py": "x = 1\ny = 2\n", "logo.png": b"\x89PNG\0\1"})
    stage.push(repo, "feature", {"src/a.py": AFTER, "gone.py": None, "logo.png": b"\x89PNG\0\2"})
    return repo.path


@pytest.fixture
def play(tmp_path: Path, keys: tuple[str, str], origin: Path) -> Iterator[Play]:
    clock = Clock()
    with StandIn(clock) as github:
        app = github.register_app(keys[1], webhook_secret="It's a Secret to Everybody", app_id=7)
        repo = github.add_repository("acme/api", shutil.copytree(origin, tmp_path / "api.git"))
        installation = github.install(app, [repo])
        pull = github.open_pull_request(repo, "feature")
        yield Play(github, keys[0], clock, app, repo, installation, pull)
        assert [problem for exchange in github.exchanges for problem in problems_of(exchange)] == []
        assert [problem for one in github.deliveries for problem in problems_of_delivery(one)] == []


@pytest.fixture
def github(play: Play) -> StandIn:
    return play.github
