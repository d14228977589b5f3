"""A real web server with the pages of the program, and a way to ask it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import uvicorn

from bot.web.app import create_page_app
from bot.web.auditor import Auditor
from config.page import PageSettings
from config.settings import Settings, read_page_settings

UNKEYED = """import stripe

def report(customer_id, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer_id, "value": str(tokens)},
    )
"""
Event = tuple[str, dict[str, Any]]


@dataclass
class Site:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **options: Any) -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.get(f"{self.url}{path}", **options) as answer:
            return answer, await answer.text()

    async def post(self, path: str, value: Any, **options: Any) -> tuple[aiohttp.ClientResponse, str]:
        """Posts JSON; `value` is what it stands for, or its text."""
        text = value if isinstance(value, (str, bytes)) else json.dumps(value)
        body = io.BytesIO(text.encode() if isinstance(text, str) else text)
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        async with self.session.post(f"{self.url}{path}", data=body, headers=headers, **options) as answer:
            return answer, await answer.text()

    async def audit(self, **sent: Any) -> list[Event]:
        """All events of one audit."""
        answer, text = await self.post("/audit", sent)
        assert answer.status == 200, text
        return list(events_in(text))


def events_in(text: str) -> Iterator[Event]:
    for part in text.split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in part.splitlines() if not line.startswith(":"))
        if lines:
            yield lines["event"], json.loads(lines["data"])


def settings(page: PageSettings | None = None, **changed: Any) -> Settings:
    return replace(read_page_settings({}), page=page or PageSettings(), **changed)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serves `app` on a free port; yields its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none", proxy_headers=False)
    server = uvicorn.Server(config)
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
async def site(auditor: Auditor | None = None, **changed: Any) -> AsyncIterator[Site]:
    app = create_page_app(settings(auditor.page if auditor else None, **changed), auditor)
    async with served(app) as url, aiohttp.ClientSession() as session:
        yield Site(url, session)
