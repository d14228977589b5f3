"""Running jobs: serialised, retried, and taken over from workers that were really killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
from procrastinate.jobs import Status

from bot.deliveries import PullRequestJob
from bot.jobs.database import Database, connect
from bot.jobs.queue import Delivery, store
from bot.jobs.worker import Review, Timings, Work, run_worker
from tests.service.stand import Query, until

QUICK = Timings(heartbeat=0.2, stalled_after=1.0, sweep="* * * * * */1", poll=0.1, backoff=0, drain=1.0, restart=0.1)
BLOCKED_WORKER = Path(__file__).with_name("blocked_worker.py")


async def deliver(database: Database, guid: str, action: str = "opened", number: int = 7) -> None:
    delivery = Delivery(guid, "pull_request", action, PullRequestJob(900, 40, number))
    await store(database, delivery, push_pause=timedelta(0))


@asynccontextmanager
async def working(database: Database, review: Review, timings: Timings = QUICK) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run_worker(database, Work(review), timings=timings))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def states(query: Query) -> dict[str, str]:
    rows = await query("SELECT guid, state FROM meteraudit_delivery ORDER BY guid")
    return dict(rows)


async def unfinished(query: Query) -> int:
    """Review jobs that wait or run; a job left `doing` by nobody counts, and blocks its pull request."""
    rows = await query("SELECT count(*) FROM procrastinate_jobs WHERE lock IS NOT NULL AND status IN ('todo', 'doing')")
    return int(rows[0][0])


async def settled(query: Query) -> bool:
    return await unfinished(query) == 0


async def test_a_review_runs_with_the_ids_of_its_delivery_and_the_delivery_is_done(database: Database, query: Query) -> None:
    seen: list[PullRequestJob] = []

    async def review(job: PullRequestJob) -> None:
        seen.append(job)

    await deliver(database, "a")
    async with working(database, review):
        await until(lambda: settled(query))

    assert seen == [PullRequestJob(900, 40, 7)]
    assert await states(query) == {"a": "done"}


async def test_a_delivery_that_arrives_during_a_review_is_left_to_the_next(database: Database, query: Query) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def review(job: PullRequestJob) -> None:
        nonlocal runs
        runs += 1
        begun.set()
        await go_on.wait()

    await deliver(database, "a")
    async with working(database, review):
        await begun.wait()
        await deliver(database, "b", "synchronize")
        begun.clear()
        go_on.set()
        go_on = asyncio.Event()
        await begun.wait()
        between = await states(query)
        go_on.set()
        await until(lambda: settled(query))

    assert between == {"a": "done", "b": "received"}
    assert await states(query) == {"a": "done", "b": "done"}
    assert runs == 2


async def test_one_pull_request_is_never_reviewed_twice_at_once_and_two_are(database: Database, query: Query) -> None:
    running: list[int] = []
    most: dict[int, int] = {}
    together = False

    async def review(job: PullRequestJob) -> None:
        nonlocal together
        running.append(job.number)
        most[job.number] = max(most.get(job.number, 0), running.count(job.number))
        await asyncio.sleep(0.3)
        together = together or len(set(running)) == 2
        running.remove(job.number)

    async with working(database, review):
        for round_ in range(3):
            for number in (7, 8):
                await deliver(database, f"{round_}-{number}", "synchronize", number)
            await asyncio.sleep(0.15)
        await until(lambda: settled(query))

    assert most == {7: 1, 8: 1}
    assert together


async def test_a_review_that_fails_twice_is_done_at_the_third_try(database: Database, query: Query) -> None:
    tries = 0

    async def review(job: PullRequestJob) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError("GitHub is away")

    await deliver(database, "a")
    async with working(database, review):
        await until(lambda: settled(query))

    assert tries == 3
    assert await states(query) == {"a": "done"}


async def test_a_review_that_always_fails_is_given_up_after_five_retries(database: Database, query: Query) -> None:
    tries = 0

    async def review(job: PullRequestJob) -> None:
        nonlocal tries
        tries += 1
        raise ConnectionError("GitHub is away")

    await deliver(database, "a")
    async with working(database, review):
        await until(lambda: settled(query))

    assert tries == 6
    assert await states(query) == {"a": "failed"}


async def test_retries_wait_longer_each_time(database: Database, query: Query) -> None:
    async def review(job: PullRequestJob) -> None:
        raise ConnectionError("GitHub is away")

    await deliver(database, "a")
    waits: list[float] = []
    timings = Timings(heartbeat=0.2, poll=0.1, backoff=3, drain=1.0)
    async with working(database, review, timings):
        for attempt in (1, 2):
            await until(lambda attempt=attempt: has_attempts(query, attempt))
            left = "extract(epoch FROM scheduled_at - now())::float"
            rows = await query(f"SELECT {left} FROM procrastinate_jobs WHERE lock <> ''")
            waits.append(rows[0][0])
            await query("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE lock <> ''")

    assert 1.5 < waits[0] <= 3.0
    assert 7.5 < waits[1] <= 9.0


async def has_attempts(query: Query, attempts: int) -> bool:
    waiting = "SELECT 1 FROM procrastinate_jobs WHERE lock <> '' AND status = 'todo' AND attempts = %s"
    return bool(await query(waiting, attempts))


async def test_a_failing_review_does_not_block_the_newer_one_that_waits(database: Database, query: Query) -> None:
    heads: list[str] = []
    head = "old"

    async def review(job: PullRequestJob) -> None:
        nonlocal head
        seen = head
        if seen == "old":
            head = "new"
            await deliver(database, "b", "synchronize")
            raise ConnectionError("the old head is gone")
        heads.append(seen)

    await deliver(database, "a")
    async with working(database, review):
        await until(lambda: settled(query))

    assert heads == ["new"]
    assert await states(query) == {"a": "done", "b": "done"}


async def test_a_stopping_worker_lets_a_review_finish(database: Database, query: Query) -> None:
    begun = asyncio.Event()
    finished: list[int] = []

    async def review(job: PullRequestJob) -> None:
        begun.set()
        await asyncio.sleep(0.4)
        finished.append(job.number)

    await deliver(database, "a")
    async with working(database, review):
        await begun.wait()

    assert finished == [7]
    assert await states(query) == {"a": "done"}


async def test_a_review_that_outlasts_the_stop_is_put_back(database: Database, query: Query) -> None:
    begun = asyncio.Event()

    async def review(job: PullRequestJob) -> None:
        begun.set()
        await asyncio.Event().wait()

    await deliver(database, "a")
    async with working(database, review):
        await begun.wait()

    assert await states(query) == {"a": "received"}
    assert await query("SELECT status::text FROM procrastinate_jobs WHERE lock <> ''") == [("todo",)]


async def test_a_worker_goes_on_after_the_database_dropped_every_connection(database: Database, query: Query) -> None:
    seen: list[int] = []

    async def review(job: PullRequestJob) -> None:
        seen.append(job.number)

    async with working(database, review):
        await deliver(database, "a", number=1)
        await until(lambda: settled(query))
        await query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await deliver(database, "b", number=2)
        await until(lambda: settled(query))

    assert seen == [1, 2]


def allow_connections(server: Callable[[str], str], address: str, allowed: bool) -> None:
    """Begin (False) or end (True) an outage of the database at `address`."""
    name = address.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(server("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


async def test_the_end_of_a_job_is_saved_after_an_outage_longer_than_a_connection_is_waited_for(
    address: str, server: Callable[[str], str], database: Database, query: Query
) -> None:
    await deliver(database, "a")
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    (running,) = await database.jobs.job_manager.get_stalled_jobs()
    database.pool.timeout = 0.2
    await asyncio.to_thread(allow_connections, server, address, False)
    asyncio.get_running_loop().call_later(1.0, allow_connections, server, address, True)

    await database.jobs.job_manager.finish_job(running, Status.SUCCEEDED, delete_job=False)

    assert await query("SELECT status::text FROM procrastinate_jobs WHERE queue_name = 'reviews'") == [("succeeded",)]


async def test_a_review_that_ends_during_a_short_outage_is_still_saved_as_done(
    address: str, server: Callable[[str], str], database: Database, query: Query
) -> None:
    runs = 0

    async def review(job: PullRequestJob) -> None:
        nonlocal runs
        runs += 1
        await asyncio.to_thread(allow_connections, server, address, False)
        asyncio.get_running_loop().call_later(1.0, allow_connections, server, address, True)

    await deliver(database, "a")
    # The engine stops when it loses its listening connection; the job it still runs has this long to be saved.
    async with working(database, review, Timings(heartbeat=60.0, poll=0.1, drain=10.0, restart=0.1)):
        await until(lambda: outage_is_over_and_settled(query))

    assert runs == 1
    assert await states(query) == {"a": "done"}


async def outage_is_over_and_settled(query: Query) -> bool:
    try:
        return await settled(query)
    except psycopg.OperationalError:
        return False


async def kill_a_worker_in_the_middle_of(address: str, began: Path) -> None:
    """Run a worker process until its review has begun, then SIGKILL it."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(BLOCKED_WORKER), address, str(began))
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(began.exists):
                assert process.returncode is None, "the worker ended before it was killed"
                await asyncio.sleep(0.05)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_job_of_a_killed_worker_is_run_again_exactly_once(address: str, query: Query, tmp_path: Path) -> None:
    handled: list[PullRequestJob] = []

    async def review(job: PullRequestJob) -> None:
        handled.append(job)

    async with connect(address) as database:
        await deliver(database, "a")
        await kill_a_worker_in_the_middle_of(address, tmp_path / "began")
        assert await unfinished(query) == 1
        async with working(database, review):
            await until(lambda: settled(query))

    assert handled == [PullRequestJob(900, 40, 7)]
    assert await states(query) == {"a": "done"}


async def test_a_push_after_a_killed_worker_is_reviewed_exactly_once_at_the_newest_head(
    address: str, query: Query, tmp_path: Path
) -> None:
    head = "old"
    handled: list[str] = []

    async def review(job: PullRequestJob) -> None:
        handled.append(head)

    async with connect(address) as database:
        await deliver(database, "a")
        await kill_a_worker_in_the_middle_of(address, tmp_path / "began")
        head = "new"
        await deliver(database, "b", "synchronize")
        assert await unfinished(query) == 2
        async with working(database, review):
            await until(lambda: settled(query))

    assert handled == ["new"]
    assert await states(query) == {"a": "done", "b": "done"}
    assert await query("SELECT status::text FROM procrastinate_jobs WHERE lock <> ''") == [("failed",)]


async def test_two_workers_that_find_the_same_stalled_job_run_it_once(address: str, query: Query, tmp_path: Path) -> None:
    handled: list[int] = []

    async def review(job: PullRequestJob) -> None:
        handled.append(job.number)

    async with connect(address) as first, connect(address) as second:
        await deliver(first, "a")
        await kill_a_worker_in_the_middle_of(address, tmp_path / "began")
        async with working(first, review), working(second, review):
            await until(lambda: settled(query))

    assert handled == [7]


async def test_a_job_that_kills_every_worker_is_given_up(database: Database, query: Query) -> None:
    async def review(job: PullRequestJob) -> None:
        raise AssertionError("not reached: the job has no tries left")

    await deliver(database, "a")
    await query("UPDATE procrastinate_jobs SET status = 'doing', attempts = 5 WHERE queue_name = 'reviews'")
    async with working(database, review):
        await until(lambda: settled(query))

    assert await states(query) == {"a": "failed"}


async def test_a_retry_that_meets_a_waiting_job_leaves_no_job_running(database: Database, query: Query) -> None:
    await deliver(database, "a")
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'reviews'")
    await deliver(database, "b", "synchronize")

    (stalled,) = await database.jobs.job_manager.get_stalled_jobs()
    await database.jobs.job_manager.retry_job(stalled)

    rows = await query("SELECT status::text FROM procrastinate_jobs WHERE queue_name = 'reviews' ORDER BY id")
    assert rows == [(Status.FAILED.value,), (Status.TODO.value,)]


async def test_how_long_a_delivery_waited_and_its_review_took_is_noted(database: Database, query: Query) -> None:
    async def review(job: PullRequestJob) -> None:
        await asyncio.sleep(0.3)

    await deliver(database, "a")
    await query("UPDATE meteraudit_delivery SET received_at = received_at - interval '5 seconds'")
    async with working(database, review):
        await until(lambda: settled(query))

    [(waited, took, failed)] = await query("SELECT waited, took, failed FROM meteraudit_review")
    assert 5 <= waited < 15
    assert 0.3 <= took < 5
    assert not failed


async def test_a_review_that_is_given_up_is_noted_once_as_failed(database: Database, query: Query) -> None:
    async def review(job: PullRequestJob) -> None:
        raise RuntimeError

    await deliver(database, "a")
    async with working(database, review):
        await until(lambda: settled(query))

    assert [(True,)] == await query("SELECT failed FROM meteraudit_review")


async def announcing(database: Database, query: Query, *, busy: bool) -> list[int]:
    """Which pull requests are announced while one is reviewed and, if `busy`, another one waits behind it."""
    announced: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def review(job: PullRequestJob) -> None:
        begun.set()
        await go_on.wait()

    async def announce(job: PullRequestJob) -> None:
        announced.append(job.number)

    async def no_announcement_waits() -> bool:
        return not await query(
            "SELECT 1 FROM procrastinate_jobs WHERE queue_name = 'announcements' AND status IN ('todo', 'doing')"
        )

    await deliver(database, "a", number=7)
    task = asyncio.create_task(run_worker(database, Work(review, announce=announce), timings=QUICK, concurrency=1))
    await begun.wait()
    if busy:
        await deliver(database, "b", number=8)
    await until(no_announcement_waits)
    go_on.set()
    await until(lambda: settled(query))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return announced


async def test_a_review_that_has_to_wait_is_announced_while_others_run(database: Database, query: Query) -> None:
    assert [8] == await announcing(database, query, busy=True)


async def test_a_review_that_begins_at_once_is_not_announced(database: Database, query: Query) -> None:
    assert [] == await announcing(database, query, busy=False)


async def test_what_brings_no_new_head_is_not_announced(database: Database, query: Query) -> None:
    await deliver(database, "a", action="closed")
    await deliver(database, "b", action="labeled")

    assert [("reviews",)] == await query("SELECT queue_name FROM procrastinate_jobs")
