"""`serve` in a process of its own for tests to stop. Arguments: state directory, role, file of pull requests."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stand import make_settings

from bot.deliveries import PullRequestJob
from bot.jobs.database import Database
from bot.jobs.worker import Timings, Work
from bot.logs import configure_logs
from bot.serve import serve
from config.settings import Settings


def main(state_dir: str, role: str, handled: Path) -> None:
    @asynccontextmanager
    async def open_work(settings: Settings, database: Database) -> AsyncIterator[Work]:
        async def review(job: PullRequestJob) -> None:
            await asyncio.sleep(0.5)
            with handled.open("a") as file:
                file.write(f"{job.number}\n")

        yield Work(review)

    def announce(url: str) -> None:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    configure_logs()
    settings = make_settings(state_dir=Path(state_dir))
    timings = Timings(heartbeat=0.2, poll=0.1, drain=5.0)
    assert role in ("web", "worker", "both")
    asyncio.run(serve(settings, role, open_work, timings=timings, started=announce))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
