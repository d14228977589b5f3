"""One pull request reviewed, from the job that names it to the check run and the review on GitHub. Read this first.

    delivery -> job -> pull request -> changed files -> facts -> scope -> rules -> findings -> report -> check and review

The middle, from the changed files to the report, is `examine`: pure, and run in a sandbox, since the code under review is
somebody else's. Everything before reads GitHub, everything after writes to it, and each write first looks whether it has
been made: a job may run twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bot import posting
from bot.configuration import configuration_at
from bot.deliveries import PullRequestJob
from bot.github.client import GitHub
from bot.github.errors import InstallationGone, NotFound, RepositoryGone
from bot.github.payloads import PullRequest
from bot.github.repository import RepositoryClient
from bot.reading import HeadMovedError, read_change
from rules.change import Change
from rules.options import Options
from rules.report import Report

RESTARTS = 3
"""A head that moves while its files are read is read again; after so many times the push's own job takes over."""

Examine = Callable[[Change, Options], Awaitable[Report]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What a review needs from outside: GitHub, the sandboxed `examine`, and the address for links."""

    github: GitHub
    examine: Examine
    public_url: str | None = None


async def review(reviewer: Reviewer, job: PullRequestJob) -> None:
    """Brings one pull request's check run and review up to date with its newest head."""
    repository = reviewer.github.repository(job.installation_id, job.repository_id)
    for _ in range(RESTARTS):
        try:
            return await review_head(reviewer, repository, job.number)
        except HeadMovedError:
            log.info("head moved", repository_id=job.repository_id, pull_request=job.number)
        except (InstallationGone, RepositoryGone, NotFound):
            log.info("nothing left to review", repository_id=job.repository_id, pull_request=job.number)
            return None
    return None


async def review_head(reviewer: Reviewer, repository: RepositoryClient, number: int) -> None:
    pull = await repository.pull_request(number)
    if pull.state != "open":
        return
    configuration = await configuration_at(repository, pull, reviewer.public_url)
    if (reason := configuration.leaves_alone(pull)) is not None:
        await posting.pass_over(repository, pull, reason)
        return
    check = await posting.begin(repository, pull)
    try:
        reading = await read_change(repository, pull, configuration.paths)
        report = await reviewer.examine(reading.change, configuration.options)
        await still_there(repository, pull)
        # Comments first, the check last: a completed check says that everything has been said.
        report = await posting.comment(repository, pull, reading, report, await reviewer.github.app())
        await still_there(repository, pull)
        await posting.complete(repository, pull, configuration, reading, report, check)
    except HeadMovedError:
        await posting.supersede(repository, check)
        raise
    except (InstallationGone, RepositoryGone, NotFound):
        raise
    except Exception:
        await posting.could_not_finish(repository, pull, check, configuration.configuration.fail_closed)
        raise


async def still_there(repository: RepositoryClient, pull: PullRequest) -> None:
    """Raises HeadMovedError if what was judged is no longer the head."""
    now = await repository.pull_request(pull.number)
    if now.head.sha != pull.head.sha or now.base.ref != pull.base.ref:
        raise HeadMovedError
