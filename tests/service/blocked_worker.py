"""A worker process for tests to kill: its review never ends. Arguments: database address, file made when it began."""

import asyncio
import sys
from pathlib import Path

from bot.deliveries import PullRequestJob
from bot.jobs.database import connect
from bot.jobs.worker import Timings, Work, run_worker


async def main(address: str, began: Path) -> None:
    async def review(job: PullRequestJob) -> None:
        began.touch()  # noqa: ASYNC240 - once, before it is killed
        await asyncio.Event().wait()

    async with connect(address) as database:
        await run_worker(database, Work(review), timings=Timings(heartbeat=0.2, stalled_after=1.0, poll=0.1))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
