"""The way out: takes one job a pull request at a time, retries what failed and what a dead worker left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from procrastinate import JobContext, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status

from bot.deliveries import PullRequestJob
from bot.jobs.database import Database
from bot.jobs.queue import QUEUE, REVIEW

Review = Callable[[PullRequestJob], Awaitable[None]]

SWEEP = "meteraudit.sweep"
MOST_RETRIES = 5
KEPT_DAYS = 30
"""GitHub redelivers for three days (older pages say thirty); after that a guid is never seen again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, except where noted; tests shorten them."""

    heartbeat: float = 10.0
    stalled_after: float = 30.0
    """Silence after which a worker counts as dead; three heartbeats, so that one late one is no death."""
    sweep: str = "* * * * *"
    """Cron expression of the search for stalled jobs; a sixth column counts seconds."""
    poll: float = 1.0
    """Jobs with a start time are found by asking; only jobs for now are announced."""
    backoff: int = 3
    """The n-th retry waits this to the power of n: 3, 9, 27, 81, 243 s. 0 retries at once."""
    drain: float = 20.0
    """How long a stopping worker lets its jobs finish before it puts them back."""
    restart: float = 2.0
    """Pause before a worker that lost its database starts again."""


USUAL = Timings()


async def run_worker(database: Database, review: Review, *, timings: Timings = USUAL, concurrency: int = 2) -> None:
    """Run jobs until cancelled; on cancellation jobs are drained and the rest put back.

    `review` looks at one pull request; whatever it raises is retried. It may run twice for one delivery.
    """
    _register_review(database, review, timings)
    _register_sweep(database, timings)
    while True:
        # The engine gives up on a database error, with or without an exception; this loop is what makes it durable.
        try:
            await _run_engine(database, timings, concurrency)
        except Exception as error:  # noqa: BLE001 - the worker loop
            log.error("worker stopped", error=type(error).__name__)
        await asyncio.sleep(timings.restart)


async def _run_engine(database: Database, timings: Timings, concurrency: int) -> None:
    await database.jobs.run_worker_async(
        concurrency=concurrency,
        install_signal_handlers=False,
        fetch_job_polling_interval=timings.poll,
        update_heartbeat_interval=timings.heartbeat,
        stalled_worker_timeout=timings.stalled_after,
        shutdown_graceful_timeout=timings.drain,
        delete_jobs=DeleteJobCondition.SUCCESSFUL,
    )


def _register_review(database: Database, review: Review, timings: Timings) -> None:
    async def run_review(context: JobContext, installation_id: int, repository_id: int, number: int) -> None:
        job = PullRequestJob(installation_id, repository_id, number)
        about = log.bind(installation=installation_id, repository=repository_id, pull_request=number)
        started = await _now(database)
        try:
            await review(job)
        except Exception:
            about.warning("review failed", attempt=context.job.attempts + 1, exc_info=True)
            if context.job.attempts >= MOST_RETRIES:
                await _mark(database, job, started, "failed")
            raise
        await _mark(database, job, started, "done")
        about.info("review done")

    retry = RetryStrategy(max_attempts=MOST_RETRIES, exponential_wait=timings.backoff)
    database.jobs.task(name=REVIEW, queue=QUEUE, retry=retry, pass_context=True)(run_review)


def _register_sweep(database: Database, timings: Timings) -> None:
    async def sweep(timestamp: int) -> None:
        stalled = await database.jobs.job_manager.get_stalled_jobs(seconds_since_heartbeat=timings.stalled_after)
        for job in stalled:
            await _retry_stalled(database, job)
        await _forget_old(database)

    register = database.jobs.task(name=SWEEP, queue="sweeps", queueing_lock=SWEEP, priority=10)
    database.jobs.periodic(cron=timings.sweep)(register(sweep))


async def _retry_stalled(database: Database, job: Job) -> None:
    jobs = database.jobs.job_manager
    try:
        if job.task_name != REVIEW:
            # The next one comes by itself.
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
        elif job.attempts < MOST_RETRIES:
            await jobs.retry_job(job)
        else:
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
            await _mark(database, _pull_request(job), await _now(database), "failed")
    except ConnectorException:
        # Another worker's sweep was faster: the job is no longer running, which is what both wanted.
        log.info("stalled job already handled", job_id=job.id)


def _pull_request(job: Job) -> PullRequestJob:
    ids = {name: value for name, value in job.task_kwargs.items() if isinstance(value, int)}
    return PullRequestJob(ids["installation_id"], ids["repository_id"], ids["number"])


async def _now(database: Database) -> datetime:
    """The database's clock, which also stamps the deliveries."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


async def _mark(database: Database, job: PullRequestJob, started: datetime, state: str) -> None:
    """Set the deliveries of `job`'s pull request that arrived before it started; later ones have their own job."""
    async with database.pool.connection() as connection:
        await connection.execute(
            "UPDATE meteraudit_delivery SET state = %s"
            " WHERE repository_id = %s AND pull_request = %s AND received_at <= %s AND state <> 'done'",
            [state, job.repository_id, job.number, started],
        )


async def _forget_old(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("DELETE FROM meteraudit_delivery WHERE received_at < now() - %s", [timedelta(days=KEPT_DAYS)])
    await database.jobs.job_manager.delete_old_jobs(
        nb_hours=24 * KEPT_DAYS, include_failed=True, include_cancelled=True, include_aborted=True
    )
