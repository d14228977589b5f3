"""Opens what reviews need for as long as a worker runs: the GitHub client and the sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.jobs.database import Database
from bot.jobs.queue import ask_for_review
from bot.jobs.worker import Work
from bot.memory import Memory
from bot.review import Reviewer, review
from bot.sandbox import Sandbox
from config.settings import Settings
from rules.change import Change
from rules.options import Options
from rules.report import Report

WORKERS = 2
"""As many changes are judged at once as the worker has jobs in hand; each takes a processor."""


@asynccontextmanager
async def open_work(settings: Settings, database: Database) -> AsyncIterator[Work]:
    """Yields what the worker can do."""
    credentials = AppCredentials(str(settings.github_app_id), (settings.github_private_key,))
    with Sandbox(workers=WORKERS) as sandbox:
        async with GitHub(credentials, settings.github_api_url) as github:
            reviewer = Reviewer(
                github,
                partial(judged, sandbox),
                Memory(database.pool),
                partial(ask_for_review, database),
                settings.public_url,
            )
            yield Work(partial(review, reviewer))


async def judged(sandbox: Sandbox, change: Change, options: Options) -> Report:
    return await sandbox.examine_soon(change, options, version("meteraudit"))
