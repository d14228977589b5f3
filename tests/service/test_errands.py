"""Errands through the real queue, the silence that GitHub asks for, and what looks after itself by the clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from bot.deliveries import PullRequestJob
from bot.errands import CommandErrand, Errand
from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.github.errors import RateLimited
from bot.jobs.database import Database
from bot.jobs.queue import Delivery, ask_for_review, store
from bot.jobs.worker import Round, Timings, Work, run_worker
from bot.memory import Memory
from bot.review import Reviewer
from bot.reviewers import in_turn
from rules.change import Change
from rules.options import Options
from rules.report import Report
from tests.github.hostile_github import new_key
from tests.service.stand import Query, until

QUICK = Timings(heartbeat=0.2, stalled_after=1.0, sweep="* * * * * */1", poll=0.1, backoff=0, drain=1.0, restart=0.1)
ASKED = CommandErrand(900, 40, 7, 5, on_line=False)


async def no_review(job: PullRequestJob) -> None:
    return None


@asynccontextmanager
async def working(database: Database, work: Work) -> AsyncIterator[None]:
    task = asyncio.create_task(run_worker(database, work, timings=QUICK))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def states(query: Query) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await query("SELECT guid, state FROM meteraudit_delivery ORDER BY guid")]


async def test_an_errand_runs_as_it_was_asked_for_and_its_delivery_is_done(database: Database, query: Query) -> None:
    seen: list[Errand] = []

    async def run(errand: Errand) -> None:
        seen.append(errand)

    await store(database, Delivery("a", "issue_comment", "created", ASKED))
    async with working(database, Work(no_review, run)):
        await until(lambda: done(query))

    assert seen == [ASKED]
    assert await store(database, Delivery("a", "issue_comment", "created", ASKED)) == "duplicate"


async def done(query: Query) -> bool:
    return {state for _, state in await states(query)} == {"done"}


async def test_an_errand_that_fails_is_tried_again(database: Database, query: Query) -> None:
    tries = 0

    async def run(errand: Errand) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError

    await store(database, Delivery("a", "issue_comment", "created", ASKED))
    async with working(database, Work(no_review, run)):
        await until(lambda: done(query))

    assert tries == 3


async def test_a_redelivery_of_an_errand_that_waits_is_one_errand(database: Database, query: Query) -> None:
    for _ in range(2):
        await store(database, Delivery("a", "issue_comment", "created", ASKED))

    assert await query("SELECT count(*) FROM procrastinate_jobs") == [(1,)]


async def test_a_command_never_runs_beside_a_review_of_its_pull_request(database: Database, query: Query) -> None:
    running, together = 0, False

    async def busy() -> None:
        nonlocal running, together
        running += 1
        together = together or running > 1
        await asyncio.sleep(0.3)
        running -= 1

    async def review(job: PullRequestJob) -> None:
        await busy()

    async def run(errand: Errand) -> None:
        await busy()

    await store(database, Delivery("a", "issue_comment", "created", ASKED))
    await ask_for_review(database, PullRequestJob(900, 40, 7))
    async with working(database, Work(review, run)):
        await until(lambda: empty(query))

    assert not together


async def empty(query: Query) -> bool:
    return await query("SELECT count(*) FROM procrastinate_jobs WHERE lock IS NOT NULL") == [(0,)]


async def test_a_job_that_is_told_to_wait_waits_as_long_as_it_was_told(database: Database, query: Query) -> None:
    async def review(job: PullRequestJob) -> None:
        raise RateLimited("create review", time.time() + 600)

    await ask_for_review(database, PullRequestJob(900, 40, 7))
    async with working(database, Work(review)):
        await until(lambda: put_off(query))

    [(seconds,)] = await query(
        "SELECT extract(epoch FROM scheduled_at - now())::float FROM procrastinate_jobs WHERE lock LIKE 'review%%'"
    )
    assert 500 < seconds <= 600


async def put_off(query: Query) -> bool:
    return bool(await query("SELECT 1 FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL AND attempts = 1"))


async def test_a_round_comes_by_itself(database: Database) -> None:
    came = asyncio.Event()

    async def look() -> None:
        came.set()

    async with working(database, Work(no_review, rounds=(Round("look", "* * * * * */1", look),))):
        await asyncio.wait_for(came.wait(), 15)


async def judged(change: Change, options: Options) -> Report:
    raise AssertionError("nothing is judged here")


def reviewer(database: Database, github: GitHub) -> Reviewer:
    return Reviewer(github, judged, Memory(database.pool), no_review)


async def nothing() -> None:
    return None


async def test_a_pause_holds_for_the_next_process(database: Database) -> None:
    until_then = time.time() + 600

    async def limited() -> None:
        raise RateLimited("create review", until_then)

    credentials = AppCredentials("1", (new_key(),))
    async with GitHub(credentials) as github:
        with suppress(RateLimited):
            await in_turn(reviewer(database, github), 900, limited)
    async with GitHub(credentials) as another:
        await in_turn(reviewer(database, another), 900, nothing)

        assert another.paused_until(900) >= until_then - 1
        assert another.paused_until(901) == 0


async def test_nothing_runs_for_a_suspended_installation(database: Database) -> None:
    ran: list[int] = []

    def run(number: int) -> Callable[[], Awaitable[None]]:
        async def note() -> None:
            ran.append(number)

        return note

    async with GitHub(AppCredentials("1", (new_key(),))) as github:
        one = reviewer(database, github)
        await one.memory.activate(900, False)
        await in_turn(one, 900, run(1))
        await one.memory.activate(900, True)
        await in_turn(one, 900, run(2))

    assert ran == [2]
