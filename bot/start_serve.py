"""Starts the server of the command line: settings from the environment, GitHub, the sandbox, then web and worker."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.jobs.database import Database
from bot.jobs.worker import Review
from bot.logs import configure_logs
from bot.review import Reviewer, review
from bot.sandbox import Sandbox
from bot.serve import Role, serve
from config.settings import Settings, read_settings
from rules.change import Change
from rules.options import Options
from rules.report import Report

WORKERS = 2
"""As many changes are judged at once as the worker has jobs in hand."""


def start_serve(role: Role, host: str | None, port: int | None) -> int:
    """Serves until it is told to stop. Raises SettingsError, ServeError, EmbeddedDatabaseError and psycopg.Error."""
    settings = read_settings(os.environ)
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    configure_logs()
    asyncio.run(serve(settings, role, open_review, started=announce))
    return 0


def announce(url: str) -> None:
    sys.stdout.write(f"MeterAudit listens on {url}\n")
    sys.stdout.flush()


@asynccontextmanager
async def open_review(settings: Settings, database: Database) -> AsyncIterator[Review]:
    """What a worker needs to review a pull request, held open together."""
    credentials = AppCredentials(str(settings.github_app_id), (settings.github_private_key,))
    with Sandbox(workers=WORKERS) as sandbox:
        async with GitHub(credentials, settings.github_api_url) as github:
            yield partial(review, Reviewer(github, partial(judged, sandbox), settings.public_url))


async def judged(sandbox: Sandbox, change: Change, options: Options) -> Report:
    return await sandbox.examine_soon(change, options, version("meteraudit"))
