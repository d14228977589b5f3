"""The way out: takes one job a pull request at a time, retries what failed and what a dead worker left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from procrastinate import JobContext, RetryDecision, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status

from bot.deliveries import PullRequestJob
from bot.errands import Errand, from_plain
from bot.github.errors import RateLimited
from bot.jobs.database import Database
from bot.jobs.queue import ANNOUNCE, ANNOUNCEMENTS, ERRAND, QUEUE, REVIEW, waits

Review = Callable[[PullRequestJob], Awaitable[None]]

SWEEP = "meteraudit.sweep"
SWEEPS = "sweeps"
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


@dataclass(frozen=True, slots=True)
class Round:
    """Something that is looked after again and again; `cron` says when."""

    name: str
    cron: str
    run: Callable[[], Awaitable[None]]


async def _nothing(errand: Errand) -> None:
    """Where there is nobody to run errands."""


async def _silent(job: PullRequestJob) -> None:
    """Where nobody announces reviews."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker can do. `review` and `errand` may run twice for one delivery; whatever they raise is retried."""

    review: Review
    errand: Callable[[Errand], Awaitable[None]] = _nothing
    announce: Review = _silent
    """Shows that a review waits; it is not tried again, since the review itself shows more."""
    rounds: tuple[Round, ...] = ()


class Backoff(RetryStrategy):
    """Retries later each time, and not before the moment that GitHub named."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        decision = super().get_retry_decision(exception=exception, job=job)
        if decision is None or not isinstance(exception, RateLimited):
            return decision
        return RetryDecision(retry_at=datetime.fromtimestamp(exception.until, UTC))


async def run_worker(database: Database, work: Work, *, timings: Timings = USUAL, concurrency: int = 2) -> None:
    """Run jobs until cancelled; on cancellation jobs are drained and the rest put back."""
    _register_review(database, work.review, timings)
    _register_errand(database, work, timings)
    _register_announcement(database, work)
    _register_sweep(database, timings)
    for one in work.rounds:
        _register_round(database, one)
    task = asyncio.current_task()
    while task is None or not task.cancelling():
        # The engine gives up on a database error, with or without an exception; this loop is what makes it durable.
        try:
            await _run_engines(database, timings, concurrency)
        except Exception as error:  # noqa: BLE001 - the worker loop
            log.error("worker stopped", error=type(error).__name__)
        await asyncio.sleep(timings.restart)


async def _run_engines(database: Database, timings: Timings, concurrency: int) -> None:
    """One for reviews and all that looks after them, one for what must not wait behind them; both or none."""
    engines = (
        asyncio.create_task(_run_engine(database, timings, (QUEUE, SWEEPS), concurrency)),
        asyncio.create_task(_run_engine(database, timings, (ANNOUNCEMENTS,), 1)),
    )
    try:
        await asyncio.wait(engines, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for engine in engines:
            engine.cancel()
        await asyncio.wait(engines)
    for engine in engines:
        if not engine.cancelled():
            engine.result()


async def _run_engine(database: Database, timings: Timings, queues: tuple[str, ...], concurrency: int) -> None:
    await database.jobs.run_worker_async(
        queues=list(queues),
        concurrency=concurrency,
        # Announcements have a start time, and only jobs for now are told of.
        listen_notify=queues != (ANNOUNCEMENTS,),
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
                await _note(database, job, started, failed=True)
                await _mark(database, job, started, "failed")
            raise
        await _note(database, job, started, failed=False)
        await _mark(database, job, started, "done")
        about.info("review done")

    retry = Backoff(max_attempts=MOST_RETRIES, exponential_wait=timings.backoff)
    database.jobs.task(name=REVIEW, queue=QUEUE, retry=retry, pass_context=True)(run_review)


def _register_errand(database: Database, work: Work, timings: Timings) -> None:
    async def run_errand(context: JobContext, guid: str, errand: dict[str, Any]) -> None:
        about = log.bind(delivery=guid, errand=errand.get("type"))
        try:
            await work.errand(from_plain(errand))
        except Exception:
            about.warning("errand failed", attempt=context.job.attempts + 1, exc_info=True)
            if context.job.attempts >= MOST_RETRIES:
                await _mark_delivery(database, guid, "failed")
            raise
        await _mark_delivery(database, guid, "done")
        about.info("errand done")

    retry = Backoff(max_attempts=MOST_RETRIES, exponential_wait=timings.backoff)
    database.jobs.task(name=ERRAND, queue=QUEUE, retry=retry, pass_context=True)(run_errand)


def _register_announcement(database: Database, work: Work) -> None:
    async def run_announcement(installation_id: int, repository_id: int, number: int) -> None:
        job = PullRequestJob(installation_id, repository_id, number)
        if await waits(database, job):
            await work.announce(job)

    database.jobs.task(name=ANNOUNCE, queue=ANNOUNCEMENTS)(run_announcement)


def _register_round(database: Database, one: Round) -> None:
    async def run_round(timestamp: int) -> None:
        await one.run()

    register = database.jobs.task(name=f"meteraudit.{one.name}", queue=SWEEPS, queueing_lock=one.name, lock=one.name)
    database.jobs.periodic(cron=one.cron)(register(run_round))


def _register_sweep(database: Database, timings: Timings) -> None:
    async def sweep(timestamp: int) -> None:
        stalled = await database.jobs.job_manager.get_stalled_jobs(seconds_since_heartbeat=timings.stalled_after)
        for job in stalled:
            await _retry_stalled(database, job)
        await _forget_old(database)

    register = database.jobs.task(name=SWEEP, queue=SWEEPS, queueing_lock=SWEEP, priority=10)
    database.jobs.periodic(cron=timings.sweep)(register(sweep))


async def _retry_stalled(database: Database, job: Job) -> None:
    jobs = database.jobs.job_manager
    try:
        if job.task_name not in (REVIEW, ERRAND):
            # The next one comes by itself.
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
        elif job.attempts < MOST_RETRIES:
            await jobs.retry_job(job)
        else:
            await jobs.finish_job(job, Status.FAILED, delete_job=False)
            await _give_up(database, job)
    except ConnectorException:
        # Another worker's sweep was faster: the job is no longer running, which is what both wanted.
        log.info("stalled job already handled", job_id=job.id)


async def _give_up(database: Database, job: Job) -> None:
    if job.task_name == ERRAND:
        await _mark_delivery(database, str(job.task_kwargs["guid"]), "failed")
    else:
        await _mark(database, _pull_request(job), await _now(database), "failed")


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


async def _note(database: Database, job: PullRequestJob, started: datetime, *, failed: bool) -> None:
    """How long the first delivery that this review serves has waited, and how long the review took; in seconds."""
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO meteraudit_review (repository_id, pull_request, waited, took, failed)"
            " SELECT %(repository)s, %(number)s, coalesce(extract(epoch FROM %(started)s - min(received_at)), 0),"
            " extract(epoch FROM clock_timestamp() - %(started)s), %(failed)s FROM meteraudit_delivery"
            " WHERE repository_id = %(repository)s AND pull_request = %(number)s AND received_at <= %(started)s"
            " AND state <> 'done'",
            {"repository": job.repository_id, "number": job.number, "started": started, "failed": failed},
        )


async def _mark(database: Database, job: PullRequestJob, started: datetime, state: str) -> None:
    """Set the deliveries of `job`'s pull request that arrived before it started; later ones have their own job."""
    async with database.pool.connection() as connection:
        await connection.execute(
            "UPDATE meteraudit_delivery SET state = %s"
            " WHERE repository_id = %s AND pull_request = %s AND received_at <= %s AND state <> 'done'",
            [state, job.repository_id, job.number, started],
        )


async def _mark_delivery(database: Database, guid: str, state: str) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("UPDATE meteraudit_delivery SET state = %s WHERE guid = %s", [state, guid])


async def _forget_old(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("DELETE FROM meteraudit_delivery WHERE received_at < now() - %s", [timedelta(days=KEPT_DAYS)])
        await connection.execute("DELETE FROM meteraudit_review WHERE at < now() - %s", [timedelta(days=KEPT_DAYS)])
    await database.jobs.job_manager.delete_old_jobs(
        nb_hours=24 * KEPT_DAYS, include_failed=True, include_cancelled=True, include_aborted=True
    )
