"""procrastinate's job manager with two traps closed: a retry that meets a newer job, and a result that is not saved."""

import datetime
from collections.abc import AsyncIterator

import psycopg
import stamina
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT, JobManager

SAVE_SECONDS = 60.0
"""How long the end of a job is tried to be saved.

Longer than a heartbeat interval: a longer outage makes the heartbeat fail, the worker start again under another number,
and the job count as stalled. A shorter one would leave the job running, and its pull request blocked, for ever.
"""


class PendingJobs(JobManager):
    """A job manager for jobs that have both `lock` and `queueing_lock`."""

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime.datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put `job` back in the queue, or finish it as failed if a newer job of its `queueing_lock` already waits.

        procrastinate only sets the job to `todo`; the unique index refuses when another one is, the job stays `doing`
        and its `lock` keeps the waiting one from ever running.
        """
        try:
            async for attempt in _until_saved():
                with attempt:
                    await super().retry_job(job, retry_at, priority, queue, lock)
        except UniqueViolation as error:
            if error.constraint_name != QUEUEING_LOCK_CONSTRAINT:
                raise
            await self.finish_job(job, Status.FAILED, delete_job=False)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Save that `job` has ended, through a short outage of the database."""
        async for attempt in _until_saved():
            with attempt:
                await super().finish_job(job, status, delete_job)


def _until_saved() -> AsyncIterator[stamina.Attempt]:
    return aiter(stamina.retry_context(on=_is_outage, attempts=None, timeout=SAVE_SECONDS, wait_max=5.0))


def _is_outage(error: Exception) -> bool:
    return isinstance(error, ConnectorException) and isinstance(error.__cause__, psycopg.OperationalError)
