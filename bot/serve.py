"""The long-running program: web and worker in one process, started together and stopped together."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Literal

import structlog
import uvicorn
from starlette.applications import Starlette

from bot.jobs.database import Database, open_database
from bot.jobs.worker import USUAL, Timings, Work, run_worker
from bot.web.app import create_app, create_page_app
from bot.web.auditor import Auditor
from config.settings import Settings

Role = Literal["web", "worker", "both"]
OpenWork = Callable[[Settings, Database], AbstractAsyncContextManager[Work]]
WEB_DRAIN_SECONDS = 10

log = structlog.get_logger(__name__)


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
) -> None:
    """Run until SIGTERM or SIGINT, then finish what is running.

    `open_work` is entered only where there is a worker. `started` is told the address that the web listens on. Without
    `auditor`, the page at / audits nothing.
    Raises ServeError, EmbeddedDatabaseError and psycopg.Error when it cannot start, and an ExceptionGroup when
    `open_work`, web or worker fail.
    """
    stop = asyncio.Event()
    listener = _listen(settings) if role != "worker" else None
    # A task group: if one of the two dies, the other does not go on alone.
    async with open_database(settings) as database, _stopped_by_signals(stop), asyncio.TaskGroup() as group:
        if listener is not None:
            app = create_app(settings, lambda: nullcontext(database), auditor=auditor)
            group.create_task(_web(app, listener, stop, started))
        if role != "web":
            group.create_task(_worker(settings, database, open_work, timings, stop))
        log.info("serving", role=role)
    log.info("stopped", role=role)


async def serve_page(settings: Settings, auditor: Auditor | None, started: Callable[[str], None] | None = None) -> None:
    """The pages alone until SIGTERM or SIGINT: no App, no database, no worker. Raises ServeError."""
    stop = asyncio.Event()
    listener = _listen(settings)
    async with _stopped_by_signals(stop):
        await _web(create_page_app(settings, auditor), listener, stop, started)


def _listen(settings: Settings) -> socket.socket:
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
async def _stopped_by_signals(stop: asyncio.Event) -> AsyncIterator[None]:
    """Set `stop` on SIGTERM or SIGINT; uvicorn raises them again when it has ended, which then does nothing more."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _web(
    app: Starlette,
    listener: socket.socket,
    stop: asyncio.Event,
    started: Callable[[str], None] | None,
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
    server = uvicorn.Server(config)
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
            running.cancel()
            await asyncio.wait({running})
    if not running.cancelled():
        # It ends by being cancelled only; anything else is an error that must not look like a clean stop.
        running.result()
