"""The web application: which path goes where, and what an error looks like from outside."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.jobs.database import Database
from bot.jobs.queue import PUSH_PAUSE
from bot.web import audits, badge, pages, rules, status
from bot.web import setup as setting_up
from bot.web.admission import Setup
from bot.web.auditor import Auditor
from bot.web.pages import SecurityHeaders
from bot.web.receiver import LARGEST_BODY, receive
from config.settings import Settings

SMALL_BODY = 64 * 1024
LARGEST_CLOCK_DIFFERENCE = timedelta(seconds=60)
"""GitHub refuses App tokens whose times are off by more than this."""
READY_SECONDS = 2.0

log = structlog.get_logger(__name__)


def create_app(
    settings: Settings,
    database: Callable[[], AbstractAsyncContextManager[Database]],
    *,
    push_pause: timedelta = PUSH_PAUSE,
    auditor: Auditor | None = None,
    setup: Setup | None = None,
) -> Starlette:
    """The application; `database` is opened when it starts and closed when it stops. Without `auditor`, / audits nothing.

    `setup` is the set-up that this process has just gone through, whose browser may see how the installation goes.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Database]]:
        async with database() as opened:
            yield {"database": opened}

    app = Starlette(
        routes=[
            Route("/webhook", receive, methods=["POST"], max_body_size=LARGEST_BODY),
            Route("/healthz", _healthz, max_body_size=SMALL_BODY),
            Route("/readyz", _readyz, max_body_size=SMALL_BODY),
            *setting_up.routes(),
            *status.routes(),
            *badge.routes(),
            *without_app(auditor),
        ],
        middleware=[Middleware(SecurityHeaders)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.state.settings = settings
    app.state.push_pause = push_pause
    app.state.auditor = auditor
    app.state.setup = setup
    return app


def create_setup_app(settings: Settings, setup: Setup, auditor: Auditor | None = None) -> Starlette:
    """The application while no App is registered: setting up, and the pages that need none."""
    app = Starlette(
        routes=[
            Route("/webhook", _not_yet, methods=["POST"], max_body_size=LARGEST_BODY),
            Route("/healthz", _healthz, max_body_size=SMALL_BODY),
            Route("/readyz", _not_yet, max_body_size=SMALL_BODY),
            *setting_up.routes(),
            *without_app(auditor),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.state.settings = settings
    app.state.auditor = auditor
    app.state.setup = setup
    return app


def create_page_app(settings: Settings, auditor: Auditor | None) -> Starlette:
    """The pages alone, for everybody who has no GitHub App: they need no database and no secret."""
    app = Starlette(
        routes=[
            Route("/healthz", _healthz, max_body_size=SMALL_BODY),
            Route("/readyz", _healthz, max_body_size=SMALL_BODY),
            *without_app(auditor),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.state.settings = settings
    app.state.auditor = auditor
    return app


def without_app(auditor: Auditor | None) -> list[BaseRoute]:
    """The pages that have nothing to do with GitHub."""
    return [*audits.routes(auditor), *rules.routes(), *pages.routes()]


async def _not_yet(request: Request) -> Response:
    """GitHub counts it as failed, and the sweep asks for it again when there is an App."""
    return PlainTextResponse("not set up\n", status_code=503)


async def _healthz(request: Request) -> Response:
    """The process answers; says nothing about anything else."""
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    """Deliveries can be stored and the clock is right. The key was proved when the settings were read."""
    database: Database = request.state.database
    try:
        async with asyncio.timeout(READY_SECONDS), database.pool.connection(timeout=READY_SECONDS) as connection:
            row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    except (psycopg.Error, TimeoutError):
        return PlainTextResponse("database\n", status_code=503)
    if row is None or abs(datetime.now(UTC) - row[0]) > LARGEST_CLOCK_DIFFERENCE:
        return PlainTextResponse("clock\n", status_code=503)
    return PlainTextResponse("ok\n")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return PlainTextResponse(f"{status}\n", status_code=status)


async def _server_error(request: Request, error: Exception) -> Response:
    # Starlette logs the error itself; from outside nothing of it is seen.
    return PlainTextResponse("500\n", status_code=500)
