"""A worker process for tests to kill while it talks to GitHub. Arguments: database address, GitHub's, file of the key."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.jobs.database import connect
from bot.jobs.queue import ask_for_review
from bot.jobs.worker import Timings, Work, run_worker
from bot.memory import Memory
from bot.review import Reviewer
from bot.reviewers import work_of
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report

QUICK = Timings(heartbeat=0.2, stalled_after=1.0, sweep="* * * * * */1", poll=0.1, backoff=0, drain=1.0, restart=0.1)


async def judged(change: Change, options: Options) -> Report:
    return examine(change, options, "0")


async def main(address: str, url: str, key: str) -> None:
    async with connect(address) as database, GitHub(AppCredentials("7", (key,)), url) as github:
        work = work_of(Reviewer(github, judged, Memory(database.pool), partial(ask_for_review, database)))
        await run_worker(database, Work(work.review, work.errand), timings=QUICK)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text()))
