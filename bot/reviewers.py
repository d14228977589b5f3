"""Opens what a worker needs for as long as it runs: the GitHub client, the sandbox, and what is looked after by the clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import structlog

from bot.deliveries import PullRequestJob
from bot.errands import Errand, InstallationErrand
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.github.errors import GitHubError, Postponed, RateLimited
from bot.jobs.database import Database
from bot.jobs.queue import ask_for_review
from bot.jobs.worker import Round, Work
from bot.memory import Memory
from bot.reconcile import redeliver_failed, report_drift, watch
from bot.review import Reviewer, announce, review
from bot.run_errand import run_errand
from bot.sandbox import Sandbox
from config.settings import Settings
from rules.change import Change
from rules.options import Options
from rules.report import Report

WORKERS = 2
"""As many changes are judged at once as the worker has jobs in hand; each takes a processor."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_work(settings: Settings, database: Database) -> AsyncIterator[Work]:
    """Yields what the worker can do."""
    credentials = AppCredentials(str(settings.github_app_id), settings.github_private_keys)
    with Sandbox(workers=WORKERS) as sandbox:
        async with GitHub(credentials, settings.github_api_url) as github:
            memory, queue = Memory(database.pool), partial(ask_for_review, database)
            yield work_of(Reviewer(github, partial(judged, sandbox), memory, queue, settings.public_url))


def work_of(reviewer: Reviewer) -> Work:
    async def run_review(job: PullRequestJob) -> None:
        await in_turn(reviewer, job.installation_id, partial(review, reviewer, job))

    async def errand(asked: Errand) -> None:
        if isinstance(asked, InstallationErrand):
            await run_errand(reviewer, asked)
        else:
            await in_turn(reviewer, asked.installation_id, partial(run_errand, reviewer, asked))

    async def announced(job: PullRequestJob) -> None:
        try:
            await in_turn(reviewer, job.installation_id, partial(announce, reviewer, job))
        except GitHubError as error:
            # The review will say what is wrong.
            log.info("review not announced", pull_request=job.number, error=type(error).__name__)

    async def redeliver() -> None:
        await redeliver_failed(reviewer)

    async def compare() -> None:
        await report_drift(reviewer)

    rounds = (
        Round("watch", "* * * * *", partial(watch, reviewer)),
        Round("redeliver", "*/15 * * * *", redeliver),
        Round("drift", "17 4 * * *", compare),
    )
    return Work(run_review, errand, announced, rounds)


async def in_turn(reviewer: Reviewer, installation_id: int, run: Callable[[], Awaitable[None]]) -> None:
    """Keeps the silence that GitHub asked for, for the whole installation and beyond this process."""
    if not await reviewer.memory.is_active(installation_id):
        log.info("installation suspended", installation=installation_id)
        return
    until = await reviewer.memory.paused_until(installation_id)
    if until is not None:
        reviewer.github.pause(installation_id, until.timestamp())
    try:
        await run()
    except Postponed:
        raise
    except RateLimited as limited:
        await reviewer.memory.pause(installation_id, datetime.fromtimestamp(limited.until, UTC))
        raise
    finally:
        limit = reviewer.github.rate_limit(installation_id)
        if limit is not None:
            await reviewer.memory.keep_limit(installation_id, limit.limit, limit.remaining, limit.reset_datetime)


async def judged(sandbox: Sandbox, change: Change, options: Options) -> Report:
    return await sandbox.examine_soon(change, options, version("meteraudit"))
