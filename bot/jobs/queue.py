"""The way in: a delivery and its job are stored in one transaction, one waiting job a pull request."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.types import JSONDict
from psycopg.types.json import Jsonb

from bot.deliveries import PullRequestJob
from bot.errands import Errand, lock_of, review_lock, to_plain
from bot.jobs.database import Database

REVIEW = "meteraudit.review"
ERRAND = "meteraudit.errand"
ANNOUNCE = "meteraudit.announce"
QUEUE = "reviews"
ANNOUNCEMENTS = "announcements"
"""A queue of its own: it has to move while reviews take their time."""
ANNOUNCE_AFTER = timedelta(seconds=1)
"""Most reviews have begun by then, and show it themselves."""
WITH_NEW_HEAD = frozenset({"opened", "reopened", "ready_for_review", "synchronize", "edited"})
"""Actions after which people look for a check."""
PUSH_PAUSE = timedelta(seconds=5)
"""Pushes come in bursts: a second one within this time waits, so that a burst costs two reviews and not ten."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery; `guid` is `X-GitHub-Delivery`, which a redelivery carries again."""

    guid: str
    event: str
    action: str
    job: PullRequestJob | Errand


async def store(
    database: Database, delivery: Delivery, *, push_pause: timedelta = PUSH_PAUSE, patience: float = 3.0
) -> Literal["stored", "duplicate"]:
    """Store `delivery` and queue its job, both or neither; a delivery already done changes nothing.

    `patience` is how many seconds to wait for a connection: GitHub cuts its own after ten.
    Raises psycopg.Error or procrastinate's ConnectorException when the database does not take it.
    """
    async with database.pool.connection(timeout=patience) as connection:
        if not await _insert(connection, delivery):
            return "duplicate"
        if isinstance(delivery.job, PullRequestJob):
            start = await _start_time(connection, delivery, delivery.job, push_pause)
            await _queue(connection, database, delivery.job, start)
            if delivery.action in WITH_NEW_HEAD:
                await _queue_announcement(connection, database, delivery.job)
        else:
            await _queue_errand(connection, database, delivery.guid, delivery.job)
    return "stored"


async def ask_for_review(database: Database, job: PullRequestJob) -> None:
    """Queue a review that no delivery asked for: a command, a button, or our own looking after what was missed."""
    async with database.pool.connection() as connection:
        await _queue(connection, database, job, None)


async def _insert(connection: Connection, delivery: Delivery) -> bool:
    """False if this guid is done. One that is not done is a repair attempt and counts as received now."""
    job = delivery.job
    values = {
        "guid": delivery.guid,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": job.installation_id,
        "repository_id": getattr(job, "repository_id", None),
        # An errand's delivery is done with the errand, not with a review of the pull request that it names.
        "number": job.number if isinstance(job, PullRequestJob) else None,
    }
    stored = await connection.execute(
        """
        INSERT INTO meteraudit_delivery (guid, event, action, installation_id, repository_id, pull_request)
        VALUES (%(guid)s, %(event)s, %(action)s, %(installation_id)s, %(repository_id)s, %(number)s)
        ON CONFLICT (guid) DO UPDATE SET received_at = clock_timestamp(), state = 'received'
            WHERE meteraudit_delivery.state <> 'done'
        """,
        values,
    )
    return stored.rowcount == 1


async def _start_time(
    connection: Connection, delivery: Delivery, job: PullRequestJob, push_pause: timedelta
) -> datetime | None:
    """When the job may start; None for at once."""
    if delivery.action != "synchronize":
        return None
    found = await connection.execute(
        """
        SELECT max(received_at) + %(pause)s FROM meteraudit_delivery
        WHERE repository_id = %(repository_id)s AND pull_request = %(number)s AND action = 'synchronize'
            AND guid <> %(guid)s AND received_at > clock_timestamp() - %(pause)s
        """,
        {"pause": push_pause, "guid": delivery.guid, **asdict(job)},
    )
    row = await found.fetchone()
    return row[0] if row else None


async def _queue(connection: Connection, database: Database, job: PullRequestJob, start: datetime | None) -> None:
    lock = review_lock(job.repository_id, job.number)
    arguments: JSONDict = asdict(job)
    priority = -await _waiting(connection, job.installation_id)
    waiting = database.jobs.configure_task(
        REVIEW, connection=connection, queue=QUEUE, lock=lock, queueing_lock=lock, schedule_at=start, priority=priority
    )
    try:
        # A savepoint: the refused insert would otherwise abort the transaction that stores the delivery.
        async with connection.transaction():
            await waiting.defer_async(**arguments)
    except AlreadyEnqueued:
        await _update_waiting(connection, lock, arguments, start)


async def _waiting(connection: Connection, installation_id: int) -> int:
    """How many reviews of an installation wait: a job yields to those of all that have fewer, so that nobody floods it."""
    found = await connection.execute(
        """
        SELECT count(*) FROM procrastinate_jobs
        WHERE status = 'todo' AND task_name = %(task)s AND args ->> 'installation_id' = %(installation)s
        """,
        {"task": REVIEW, "installation": str(installation_id)},
    )
    row = await found.fetchone()
    return int(row[0]) if row else 0


async def _queue_announcement(connection: Connection, database: Database, job: PullRequestJob) -> None:
    soon = datetime.now(UTC) + ANNOUNCE_AFTER
    lock = f"announce:{job.repository_id}:{job.number}"
    waiting = database.jobs.configure_task(
        ANNOUNCE, connection=connection, queue=ANNOUNCEMENTS, queueing_lock=lock, schedule_at=soon
    )
    try:
        async with connection.transaction():
            await waiting.defer_async(**asdict(job))
    except AlreadyEnqueued:
        return


async def waits(database: Database, job: PullRequestJob) -> bool:
    """Whether a review of the pull request has yet to begin."""
    lock = review_lock(job.repository_id, job.number)
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo')", [lock]
        )
        row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _queue_errand(connection: Connection, database: Database, guid: str, errand: Errand) -> None:
    """One errand a delivery: a repair attempt of one that still waits changes nothing."""
    waiting = database.jobs.configure_task(
        ERRAND, connection=connection, queue=QUEUE, lock=lock_of(errand), queueing_lock=f"errand:{guid}", priority=5
    )
    try:
        async with connection.transaction():
            await waiting.defer_async(guid=guid, errand=to_plain(errand))
    except AlreadyEnqueued:
        return


async def _update_waiting(connection: Connection, lock: str, arguments: JSONDict, start: datetime | None) -> None:
    """Let the waiting job serve this delivery too: it starts at the earlier time, as the newest installation.

    It may wait for a retry minutes away, and a push must not wait for that. If it has started meanwhile, nothing is
    lost: it started after this delivery arrived, so the head it reads is at least as new.
    """
    await connection.execute(
        """
        UPDATE procrastinate_jobs SET args = %(arguments)s, scheduled_at =
            CASE WHEN scheduled_at IS NULL OR %(start)s::timestamptz IS NULL THEN NULL
            ELSE least(scheduled_at, %(start)s::timestamptz) END
        WHERE queueing_lock = %(lock)s AND status = 'todo'
        """,
        {"arguments": Jsonb(arguments), "start": start, "lock": lock},
    )
