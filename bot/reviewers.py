"""Opens what reviews need for as long as a worker runs: the GitHub client and the sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.jobs.database import Database
from bot.jobs.worker import Review
from bot.review import Reviewer, review
from bot.sandbox import Sandbox
from config.settings import Settings
from rules.change import Change
from rules.options import Options
from rules.report import Report

WORKERS = 2
"""Changes judged at once; each takes a processor."""


@asynccontextmanager
async def open_review(settings: Settings, database: Database) -> AsyncIterator[Review]:
    """Yields the function that reviews one pull request."""
    credentials = AppCredentials(str(settings.github_app_id), (settings.github_private_key,))
    with Sandbox(workers=WORKERS) as sandbox:
        async with GitHub(credentials, settings.github_api_url) as github:
            yield partial(review, Reviewer(github, partial(judged, sandbox), settings.public_url))


async def judged(sandbox: Sandbox, change: Change, options: Options) -> Report:
    return await sandbox.examine_soon(change, options, version("meteraudit"))
