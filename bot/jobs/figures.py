"""What the operator sees, counted from the tables: ids, numbers and times, nothing that was reviewed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from bot.jobs.database import Database, Pool
from bot.jobs.queue import ERRAND, REVIEW

MOST_DELIVERIES = 50
MOST_REPOSITORIES = 20
MOST_SCORES = 100
"""Of one repository; the newest."""
SPANS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs of one kind. Finished ones are not kept, failed ones for thirty days."""

    kind: str
    waiting: int
    running: int
    failed: int
    oldest: float | None
    """Seconds that the first of the waiting ones has been due."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One delivery."""

    guid: str
    event: str
    action: str
    installation_id: int
    repository_id: int | None
    pull_request: int | None
    received_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Quota:
    """One installation as GitHub last answered for it."""

    installation_id: int
    active: bool
    hourly: int | None
    remaining: int | None
    resets_at: datetime | None
    told_at: datetime | None
    paused_until: datetime | None
    """None also for a pause that is over."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long reviews took within a span, in seconds; None where there was none."""

    span: str
    reviews: int
    failed: int
    waited_median: float | None
    waited_p95: float | None
    took_median: float | None
    took_p95: float | None


@dataclass(frozen=True, slots=True)
class Lack:
    """What the registration, or an installation of it, lacks; `name` is that of a registration or a number."""

    name: str
    problem: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """The last score of one pull request; `name` is known where the repository shows a badge."""

    repository_id: int
    name: str | None
    pull_request: int
    score: int
    merged: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything at one moment."""

    at: datetime
    worker_seen: float | None
    """Seconds since a worker was there."""
    open_checks: int
    queues: tuple[Queue, ...]
    arrived: tuple[Arrived, ...]
    quotas: tuple[Quota, ...]
    times: tuple[Times, ...]
    lacks: tuple[Lack, ...]
    compared_at: datetime | None
    """When the registration was last compared."""
    scores: tuple[Score, ...]


async def figures(database: Database) -> Figures:
    """Reads all of it. Raises psycopg.Error."""
    pool = database.pool
    at, seen, open_checks = (await _rows(pool, MOMENT))[0]
    lacks = await _all(pool, Lack, "SELECT name, problem, at FROM meteraudit_drift ORDER BY name")
    return Figures(
        at=at,
        worker_seen=seen,
        open_checks=open_checks,
        queues=await _all(pool, Queue, QUEUES, {"review": REVIEW, "errand": ERRAND}),
        arrived=await _all(pool, Arrived, ARRIVED, {"most": MOST_DELIVERIES}),
        quotas=await _all(pool, Quota, QUOTAS),
        times=tuple([(await _all(pool, Times, TIMES, {"span": name, "length": span}))[0] for name, span in SPANS.items()]),
        lacks=tuple(one for one in lacks if one.problem),
        compared_at=max((one.at for one in lacks), default=None),
        scores=await _all(pool, Score, SCORES, {"repositories": MOST_REPOSITORIES, "most": MOST_SCORES}),
    )


async def public_score(database: Database, name: str) -> tuple[str, int | None] | None:
    """The name and the score of the last merged pull request of a repository (owner/name); None if it shows no badge."""
    rows = await _rows(database.pool, BADGE, {"name": name})
    return (rows[0][0], rows[0][1]) if rows else None


async def _rows(pool: Pool, sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(sql, values)).fetchall()


async def _all(pool: Pool, shape: type[Any], sql: str, values: dict[str, Any] | None = None) -> tuple[Any, ...]:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(shape)) as cursor:
        await cursor.execute(sql, values)
        return tuple(await cursor.fetchall())


MOMENT = """
SELECT clock_timestamp(),
    (SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM meteraudit_round WHERE name = 'alive'),
    (SELECT count(*) FROM meteraudit_open_check)
"""
QUEUES = """
SELECT kind, count(*) FILTER (WHERE status = 'todo') AS waiting, count(*) FILTER (WHERE status = 'doing') AS running,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    extract(epoch FROM max(clock_timestamp() - due)
        FILTER (WHERE status = 'todo' AND due <= clock_timestamp()))::float8 AS oldest
FROM (VALUES (%(review)s, 'reviews', 1), (%(errand)s, 'errands', 2)) AS kinds (task, kind, place)
LEFT JOIN (
    SELECT task_name, status::text, coalesce(scheduled_at, (
        SELECT min(at) FROM procrastinate_events WHERE job_id = jobs.id AND type = 'deferred'
    )) AS due FROM procrastinate_jobs AS jobs
) AS jobs ON task_name = task
GROUP BY kind, place ORDER BY place
"""
ARRIVED = """
SELECT guid, event, action, installation_id, repository_id, pull_request, received_at, state
FROM meteraudit_delivery ORDER BY received_at DESC LIMIT %(most)s
"""
QUOTAS = """
SELECT installation_id, active, hourly, remaining, resets_at, told_at,
    CASE WHEN paused_until > clock_timestamp() THEN paused_until END AS paused_until
FROM meteraudit_installation ORDER BY installation_id
"""
TIMES = """
SELECT %(span)s AS span, count(*) AS reviews, count(*) FILTER (WHERE failed) AS failed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS waited_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY waited) AS waited_p95,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS took_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS took_p95
FROM meteraudit_review WHERE at > clock_timestamp() - %(length)s
"""
SCORES = """
SELECT repository_id, name, pull_request, score, merged, at FROM (
    SELECT verdict.*, badge.name, row_number() OVER (PARTITION BY repository_id ORDER BY at DESC) AS age,
        max(at) OVER (PARTITION BY repository_id) AS last
    FROM meteraudit_verdict AS verdict LEFT JOIN meteraudit_badge AS badge USING (repository_id) WHERE score IS NOT NULL
) AS scored
WHERE age <= %(most)s AND repository_id IN (
    SELECT repository_id FROM meteraudit_verdict WHERE score IS NOT NULL
    GROUP BY repository_id ORDER BY max(at) DESC LIMIT %(repositories)s
)
ORDER BY last DESC, repository_id, at, pull_request
"""
BADGE = """
SELECT name, (
    SELECT score FROM meteraudit_verdict AS verdict
    WHERE verdict.repository_id = badge.repository_id AND merged AND score IS NOT NULL ORDER BY at DESC LIMIT 1
) FROM meteraudit_badge AS badge WHERE lower(name) = lower(%(name)s) LIMIT 1
"""
