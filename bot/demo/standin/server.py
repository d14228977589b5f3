"""The stand-in as tests and the demo hold it: a stage with a running server, and the deliveries it sent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack

import uvicorn

from bot.demo.standin import deliveries, hook, payloads
from bot.demo.standin.deliveries import Delivery
from bot.demo.standin.door import Door, Exchange
from bot.demo.standin.faults import Rule
from bot.demo.standin.stage import Stage
from bot.demo.standin.state import App, Installation
from bot.demo.standin.subject import About, Subject, repository_of


class StandIn(Stage):
    """A GitHub on 127.0.0.1; see the package's docstring for how it is used."""

    def __init__(self, clock: Callable[[], datetime] | None = None, *, enterprise: bool = False) -> None:
        super().__init__(clock, enterprise=enterprise)
        self.door = Door(self.world)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> str:
        """Starts the server in a thread of its own on a free port; answers its address."""
        config = uvicorn.Config(
            self.door,
            host="127.0.0.1",
            port=0,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="github-standin", daemon=True)
        self._thread.start()
        limit = time.monotonic() + 10
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > limit:
                raise RuntimeError("the stand-in for GitHub did not start")
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.world.site = f"http://127.0.0.1:{port}"
        self.world.api_url = self.world.site + ("/api/v3" if self.world.enterprise else "")
        return self.world.api_url

    def stop(self) -> None:
        """Stops the server and waits for its thread."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """The address of the interface, to be used where `https://api.github.com` would be."""
        return self.world.api_url

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt at a delivery, oldest first."""
        return self.world.deliveries

    @property
    def faults(self) -> list[Rule]:
        """What goes wrong next; append to it."""
        return self.door.faults

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request with its answer, oldest first."""
        return self.door.exchanges

    def deliver(
        self,
        url: str,
        event: str,
        action: str | None = None,
        *,
        app: App | None = None,
        installation: Installation | None = None,
        sender: str = "ada",
        guid: str | None = None,
        **about: Unpack[About],
    ) -> Delivery:
        """Builds the body of an event, signs it and POSTs it to `url`; the answer's status is in the result.

        `about` names what it is about (`pull`, `repo`, `check`, `comment`, `repositories`, `body`, `ref`, `before`,
        `after`) and may hold `extra`, keys of the body to be replaced. It blocks: inside a running event loop that also
        serves the receiver, use `deliver_async`.
        """
        with self.world.lock:
            signed_by = app or next(iter(self.world.apps.values()))
            person = self.world.person(sender)
            named = installation or self._installation(signed_by, about)
            subject = Subject(self.world, signed_by, named, action, person, **about)
            payload = payloads.build(event, subject)
        return hook.keep(self.world, deliveries.send(signed_by, url, event, payload, guid))

    async def deliver_async(self, url: str, event: str, action: str | None = None, **about: Any) -> Delivery:
        """`deliver` in a thread of its own."""
        return await asyncio.to_thread(self.deliver, url, event, action, **about)

    def redeliver(self, guid: str) -> Delivery:
        """Sends the last attempt of that GUID again, byte for byte."""
        last = next(one for one in reversed(self.deliveries) if one.guid == guid)
        return hook.keep(self.world, deliveries.repeat(last))

    def _installation(self, app: App, about: About) -> Installation | None:
        """The installation of the App that reaches the repository in question; else the only one there is."""
        repo = repository_of(about)
        mine = [one for one in self.world.installations.values() if one.app is app]
        if repo is not None:
            return next((one for one in mine if repo.id in one.repositories), None)
        return mine[0] if mine else None
