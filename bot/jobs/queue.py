"""The way in: a delivery and its job are stored in one transaction, one waiting job a pull request."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.types import JSONDict
from psycopg.types.json import Jsonb

from bot.deliveries import PullRequestJob
from bot.jobs.database import Database

REVIEW = "meteraudit.review"
QUEUE = "reviews"
PUSH_PAUSE = timedelta(seconds=5)
"""Pushes come in bursts: a second one within this time waits, so that a burst costs two reviews and not ten."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery; `guid` is `X-GitHub-Delivery`, which a redelivery carries again."""

    guid: str
    event: str
    action: str
    job: PullRequestJob


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
        await _queue(connection, database, delivery.job, await _start_time(connection, delivery, push_pause))
    return "stored"


async def _insert(connection: Connection, delivery: Delivery) -> bool:
    """False if this guid is done. One that is not done is a repair attempt and counts as received now."""
    values = {"guid": delivery.guid, "event": delivery.event, "action": delivery.action, **asdict(delivery.job)}
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


async def _start_time(connection: Connection, delivery: Delivery, push_pause: timedelta) -> datetime | None:
    """When the job may start; None for at once."""
    if delivery.action != "synchronize":
        return None
    found = await connection.execute(
        """
        SELECT max(received_at) + %(pause)s FROM meteraudit_delivery
        WHERE repository_id = %(repository_id)s AND pull_request = %(number)s AND action = 'synchronize'
            AND guid <> %(guid)s AND received_at > clock_timestamp() - %(pause)s
        """,
        {"pause": push_pause, "guid": delivery.guid, **asdict(delivery.job)},
    )
    row = await found.fetchone()
    return row[0] if row else None


async def _queue(connection: Connection, database: Database, job: PullRequestJob, start: datetime | None) -> None:
    lock = f"review:{job.repository_id}:{job.number}"
    arguments: JSONDict = asdict(job)
    waiting = database.jobs.configure_task(
        REVIEW, connection=connection, queue=QUEUE, lock=lock, queueing_lock=lock, schedule_at=start
    )
    try:
        # A savepoint: the refused insert would otherwise abort the transaction that stores the delivery.
        async with connection.transaction():
            await waiting.defer_async(**arguments)
    except AlreadyEnqueued:
        await _update_waiting(connection, lock, arguments, start)


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
