"""What the tests of the service share: settings, GitHub's side of a webhook, a real web server on a free port."""

import asyncio
import hashlib
import hmac
import io
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from bot.jobs.database import connect
from bot.web.admission import Setup
from bot.web.app import create_app
from config.settings import Settings

SECRET = b"It's a Secret to Everybody"


def make_settings(**changed: Any) -> Settings:
    values: dict[str, Any] = {
        "github_app_id": 1,
        "github_private_keys": ("not used by these tests",),
        "webhook_secrets": (SECRET,),
        "github_api_url": "https://api.github.com",
        "database_url": None,
        "state_dir": Path("unused"),
        "host": "127.0.0.1",
        "port": 0,
        "public_url": None,
    }
    return Settings(**{**values, **changed})


def sign(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def pull_request(action: str, *, number: int = 7, repository: int = 40, **more: Any) -> bytes:
    payload = {
        "action": action,
        "number": number,
        "installation": {"id": 900},
        "repository": {"id": repository, "full_name": "acme/billing"},
        "pull_request": {"number": number, "title": "Charge for tokens 💸", "head": {"sha": "0" * 40}},
    }
    return json.dumps({**payload, **more}).encode()


@dataclass
class Receiver:
    """The receiver under test as GitHub sees it."""

    url: str
    session: aiohttp.ClientSession
    guids: Iterator[str] = field(default_factory=lambda: (f"guid-{number}" for number in itertools.count(1)))

    async def deliver(
        self, body: Any, *, event: str = "pull_request", guid: str | None = None, signature: str | None = None
    ) -> tuple[int, str]:
        """POST `body` as GitHub does; (status, word)."""
        headers = {
            "X-Hub-Signature-256": sign(body) if signature is None else signature,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid or next(self.guids),
            "Content-Type": "application/json",
        }
        async with self.session.post(f"{self.url}/webhook", data=io.BytesIO(body), headers=headers) as response:
            return response.status, (await response.text()).strip()


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[str]:
    """Serve `app` with uvicorn on a free port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none"))
    task = asyncio.create_task(server._serve())
    while not server.started:
        assert not task.done(), "the web server did not start"
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def receiving(
    address: str, *, push_pause: float = 5.0, setup: Setup | None = None, **settings: Any
) -> AsyncIterator[Receiver]:
    pause = timedelta(seconds=push_pause)
    app = create_app(make_settings(**settings), lambda: connect(address), push_pause=pause, setup=setup)
    async with running(app) as url, aiohttp.ClientSession() as session:
        yield Receiver(url, session)


Rows = list[tuple[Any, ...]]
Query = Callable[..., Awaitable[Rows]]


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 15.0) -> None:
    """Wait until `condition` holds; fails the test when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition lives in the database
            await asyncio.sleep(0.05)
