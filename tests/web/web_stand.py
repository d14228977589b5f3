"""A real web server with the pages of the program, and a way to ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from bot.web.app import create_app
from config.settings import Settings


@dataclass
class Site:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **options: Any) -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.get(f"{self.url}{path}", **options) as answer:
            return answer, await answer.text()


def settings(**changed: Any) -> Settings:
    values: dict[str, Any] = {
        "github_app_id": 1,
        "github_private_keys": ("not used by these tests",),
        "webhook_secrets": (b"not used by these tests",),
        "github_api_url": "https://api.github.com",
        "database_url": None,
        "state_dir": Path("unused"),
        "host": "127.0.0.1",
        "port": 0,
        "public_url": None,
    }
    return Settings(**{**values, **changed})


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serves `app` on a free port; yields its address."""
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
async def site(**changed: Any) -> AsyncIterator[Site]:
    app = create_app(settings(**changed), lambda: nullcontext(None))  # type: ignore[arg-type]
    async with served(app) as url, aiohttp.ClientSession() as session:
        yield Site(url, session)
