"""The client under test, talking to the hostile server, with a clock that only sleeping moves."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.github import AppCredentials, GitHub, RepositoryClient
from tests.github.hostile_github import APP, INSTALLATION, MINT, REPOSITORY, MovedClock, Said, Server, new_key, token_answer


@pytest.fixture(scope="session")
def private_key() -> str:
    return new_key()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def server(clock: MovedClock) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/")).rstrip("/")
        server.says("POST", MINT, token_answer(clock))
        server.says("GET", f"/repositories/{REPOSITORY}", Said(body={"id": REPOSITORY, "full_name": "acme/app"}))
        server.says("GET", "/app", Said(body={"id": APP, "slug": "meteraudit"}))
        yield server


@pytest.fixture
async def github(server: Server, clock: MovedClock, private_key: str) -> AsyncIterator[GitHub]:
    async with GitHub(AppCredentials("Iv1.abc", (private_key,)), server.url, clock=clock.clock()) as github:
        yield github


@pytest.fixture
def repository(github: GitHub) -> RepositoryClient:
    return github.repository(INSTALLATION, REPOSITORY, "acme/app")
