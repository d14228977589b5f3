"""Storing a delivery and queueing its job: one transaction, one waiting job a pull request."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException

from bot.deliveries import PullRequestJob
from bot.jobs.database import Database, create_tables
from bot.jobs.queue import Delivery, store
from bot.jobs.worker import Timings, Work, run_worker
from tests.service.stand import Query

PAUSE = timedelta(seconds=5)


def push(guid: str, *, action: str = "synchronize", number: int = 7, installation: int = 900) -> Delivery:
    return Delivery(guid, "pull_request", action, PullRequestJob(installation, 40, number))


async def starts(query: Query) -> list[float | None]:
    """Seconds until each waiting job may start; None for at once."""
    rows = await query(
        "SELECT extract(epoch FROM scheduled_at - clock_timestamp())::float FROM procrastinate_jobs"
        " WHERE status = 'todo' AND queue_name = 'reviews' ORDER BY id"
    )
    return [row[0] for row in rows]


async def test_the_first_push_starts_at_once(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)

    assert await starts(query) == [None]


async def test_a_push_right_after_another_one_waits_for_the_pause(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    await store(database, push("b"), push_pause=PAUSE)

    (start,) = await starts(query)
    assert start is not None
    assert 3.5 < start <= 5.0


async def test_a_push_after_the_pause_starts_at_once(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=timedelta(milliseconds=20))
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    await asyncio.sleep(0.1)
    await store(database, push("b"), push_pause=timedelta(milliseconds=20))

    assert await starts(query) == [None]


async def test_a_push_to_another_pull_request_does_not_wait(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)
    await store(database, push("b", number=8), push_pause=PAUSE)

    assert await starts(query) == [None, None]


async def test_reopening_right_after_a_push_does_not_wait(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    await store(database, push("b", action="reopened"), push_pause=PAUSE)

    assert await starts(query) == [None]


async def test_more_pushes_never_move_the_waiting_job_back(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    await store(database, push("b"), push_pause=PAUSE)
    (first,) = await starts(query)
    for number in range(5):
        await store(database, push(f"c{number}"), push_pause=PAUSE)

    (last,) = await starts(query)
    assert first is not None
    assert last is not None
    assert last <= first


async def test_a_push_does_not_wait_for_a_retry_that_is_minutes_away(database: Database, query: Query) -> None:
    await store(database, push("a", action="opened"), push_pause=PAUSE)
    await query(
        "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '4 minutes', attempts = 4 WHERE queue_name = 'reviews'"
    )
    await store(database, push("b"), push_pause=PAUSE)

    assert await starts(query) == [None]


async def test_the_waiting_job_takes_over_the_newest_installation(database: Database, query: Query) -> None:
    await store(database, push("a", installation=900), push_pause=PAUSE)
    await store(database, push("b", installation=901), push_pause=PAUSE)

    assert await query("SELECT args->'installation_id' FROM procrastinate_jobs WHERE queue_name = 'reviews'") == [(901,)]


async def test_a_coalesced_delivery_is_stored_although_its_job_is_refused(database: Database, query: Query) -> None:
    await store(database, push("a"), push_pause=PAUSE)
    await store(database, push("b"), push_pause=PAUSE)

    assert await query("SELECT guid FROM meteraudit_delivery ORDER BY guid") == [("a",), ("b",)]
    assert await query("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'reviews'") == [(1,)]


async def test_a_delivery_whose_job_cannot_be_queued_is_not_stored(database: Database, query: Query) -> None:
    await query("ALTER TABLE procrastinate_jobs ADD CONSTRAINT full_disk CHECK (false)")

    with pytest.raises(ConnectorException):
        await store(database, push("a"), push_pause=PAUSE)

    assert await query("SELECT guid FROM meteraudit_delivery") == []


async def test_a_job_whose_delivery_cannot_be_committed_is_not_queued(database: Database, query: Query) -> None:
    await query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
        "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON meteraudit_delivery DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )

    with pytest.raises(psycopg.Error):
        await store(database, push("a"), push_pause=PAUSE)

    assert await query("SELECT id FROM procrastinate_jobs") == []


async def test_the_tables_of_a_new_database_are_created_by_several_processes_at_once(server: object) -> None:
    assert callable(server)
    with psycopg.connect(server("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE started_together")
    await asyncio.gather(*(create_tables(server("started_together")) for _ in range(4)))

    with psycopg.connect(server("started_together")) as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


async def test_a_migration_that_came_with_a_newer_procrastinate_is_applied(address: str, query: Query) -> None:
    name = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
    await query("DELETE FROM meteraudit_migration WHERE name = %s", name)
    await query("DROP TRIGGER procrastinate_trigger_status_events_update_v1 ON procrastinate_jobs")

    await create_tables(address)

    assert await query("SELECT name FROM meteraudit_migration WHERE name = %s", name) == [(name,)]
    trigger = "procrastinate_trigger_status_events_update_v1"
    assert await query("SELECT tgname FROM pg_trigger WHERE tgname = %s", trigger) == [(trigger,)]


async def test_an_installation_that_floods_the_queue_lets_the_reviews_of_others_through(
    database: Database, query: Query
) -> None:
    order: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def review(job: PullRequestJob) -> None:
        order.append((job.installation_id, job.number))
        if len(order) == 7:
            done.set()

    for number in range(1, 6):
        await store(database, push(f"flood-{number}", action="opened", number=number))
    for number in (11, 12):
        await store(database, push(f"other-{number}", action="opened", number=number, installation=901))
    task = asyncio.create_task(run_worker(database, Work(review), timings=Timings(poll=0.1, drain=1.0), concurrency=1))
    async with asyncio.timeout(15):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [(900, 1), (901, 11), (900, 2), (901, 12), (900, 3), (900, 4), (900, 5)] == order
