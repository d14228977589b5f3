"""The long-running program: web and worker in one process, started together and stopped together."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import structlog
import uvicorn
from starlette.applications import Starlette

from bot.jobs.database import Database, open_database
from bot.jobs.worker import USUAL, Timings, Work, run_worker
from bot.web.admission import Setup
from bot.web.app import create_app, create_page_app, create_setup_app
from bot.web.auditor import Auditor
from config.settings import Settings

Role = Literal["web", "worker", "both"]
OpenWork = Callable[[Settings, Database], AbstractAsyncContextManager[Work]]
WEB_DRAIN_SECONDS = 10
LAST_WORDS_SECONDS = 3.0
"""What a worker may take beyond its drain to put jobs back and say goodbye."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SetUp:
    """A set-up at work: what it serves on and what stops it go over to the server that follows."""

    setup: Setup
    listener: socket.socket
    stop: asyncio.Event


class ServeError(Exception):
    """The program cannot start; the text says why and what to do."""


async def serve(
    settings: Settings,
    role: Role,
    open_work: OpenWork,
    *,
    timings: Timings = USUAL,
    started: Callable[[str], None] | None = None,
    auditor: Auditor | None = None,
    before: SetUp | None = None,
) -> None:
    """Run until SIGTERM or SIGINT, then finish what is running.

    `open_work` is entered only where there is a worker. `started` is told the address that the web listens on. Without
    `auditor`, the page at / audits nothing. `before` is the set-up that went before, at the same address.
    Raises ServeError, EmbeddedDatabaseError and psycopg.Error when it cannot start, and an ExceptionGroup when
    `open_work`, web or worker fail.
    """
    listener = before.listener if before else listen(settings) if role != "worker" else None
    until: AbstractAsyncContextManager[asyncio.Event] = nullcontext(before.stop) if before else stopped_by_signals()
    # A task group: if one of the two dies, the other does not go on alone.
    async with until as stop, open_database(settings) as database, asyncio.TaskGroup() as group:
        if listener is not None:
            setup = before.setup if before else None
            app = create_app(settings, lambda: nullcontext(database), auditor=auditor, setup=setup)
            group.create_task(_web(app, listener, stop, started))
        if role != "web":
            group.create_task(_worker(settings, database, open_work, timings, stop))
        log.info("serving", role=role)
    log.info("stopped", role=role)


async def set_up(settings: Settings, one: SetUp, auditor: Auditor | None, started: Callable[[str], None]) -> bool:
    """Serve what there is without an App until there is one; whether there is. The listener stays open."""
    end = asyncio.Event()
    app = create_setup_app(settings, one.setup, auditor)
    # uvicorn closes what it is given; who connects in between waits for the server that comes next.
    web = asyncio.create_task(_web(app, one.listener.dup(), end, started, one.setup.closing.set))
    done, stopping = asyncio.create_task(one.setup.done.wait()), asyncio.create_task(one.stop.wait())
    try:
        await asyncio.wait({web, done, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done.cancel()
        stopping.cancel()
        end.set()
        await web
    return one.setup.done.is_set()


async def serve_page(settings: Settings, auditor: Auditor | None, started: Callable[[str], None] | None = None) -> None:
    """The pages alone until SIGTERM or SIGINT: no App, no database, no worker. Raises ServeError."""
    listener = listen(settings)
    async with stopped_by_signals() as stop:
        await _web(create_page_app(settings, auditor), listener, stop, started)


def listen(settings: Settings) -> socket.socket:
    """Bound here and not by uvicorn, which ends the process where we want to say what is wrong."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise ServeError(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}): stop the program that does, or"
            " set METERAUDIT_HOST or METERAUDIT_PORT."
        ) from error


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[asyncio.Event]:
    """Set on SIGTERM or SIGINT; uvicorn raises them again when it has ended, which then does nothing more."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class Closing(uvicorn.Server):
    """Says when it stops listening, while it still answers what it was asked."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing()
        await super().shutdown(sockets)


async def _web(
    app: Starlette,
    listener: socket.socket,
    stop: asyncio.Event,
    started: Callable[[str], None] | None,
    closing: Callable[[], None] = lambda: None,
) -> None:
    # The Server header and access lines are left out: the first helps nobody, the second would hold addresses. Whose word on
    # a client's address counts is a setting of ours, and uvicorn's own would believe every program of this machine.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=WEB_DRAIN_SECONDS,
    )
    server = Closing(config, closing)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        if started is not None:
            # The socket already listens: who connects now waits a moment and is served.
            host, port = listener.getsockname()[:2]
            started(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await running
    # However the server ended, nothing goes on without it.
    stop.set()


async def _worker(settings: Settings, database: Database, open_work: OpenWork, timings: Timings, stop: asyncio.Event) -> None:
    async with open_work(settings, database) as work:
        running = asyncio.create_task(run_worker(database, work, timings=timings))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            # A cancellation can be lost in a library that was just calling the database.
            while not running.done():
                running.cancel()
                await asyncio.wait({running}, timeout=timings.drain + LAST_WORDS_SECONDS)
    if not running.cancelled():
        # It ends by being cancelled only; anything else is an error that must not look like a clean stop.
        running.result()
