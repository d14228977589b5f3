"""One pull request reviewed, from the job that names it to the check run and the comments on GitHub. Read this first.

    delivery -> job -> pull request -> changed files -> facts -> scope -> rules -> findings -> report -> check and comments

The middle, from the changed files to the report, is `examine`: pure, and run in a sandbox, since the code under review is
somebody else's. Everything before reads GitHub, everything after writes to it, and each write first looks whether it has
been made: a job may run twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bot import checks, sticky
from bot.badges import keep_badge
from bot.configuration import blocks_on_failure, configuration_at
from bot.conversation import read_talk, speak
from bot.deliveries import PullRequestJob
from bot.desk import Desk
from bot.github.client import GitHub
from bot.github.errors import CapabilityMissing, InstallationGone, NotFound, RateLimited, RepositoryGone, RevisionGone
from bot.memory import Memory
from bot.preview import preview
from bot.reading import HeadMovedError, read_change
from bot.thrift import BEGINNING, TIDYING, Thrift
from bot.weighing import left_alone, weighed, word_of
from rules.change import Change
from rules.options import Options
from rules.report import Report

RESTARTS = 3
"""A head that moves while its files are read is read again; after so many times the push's own job takes over."""

Examine = Callable[[Change, Options], Awaitable[Report]]
Queue = Callable[[PullRequestJob], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What a review needs from outside: GitHub, the sandboxed `examine`, what we remember, and the address for links."""

    github: GitHub
    examine: Examine
    memory: Memory
    queue: Queue
    """Asks for the review of another pull request."""
    public_url: str | None = None

    @property
    def rules_url(self) -> str | None:
        return f"{self.public_url.rstrip('/')}/rules" if self.public_url else None


async def review(reviewer: Reviewer, job: PullRequestJob) -> None:
    """Brings one pull request's check run and comments up to date with its newest head."""
    for _ in range(RESTARTS):
        try:
            return await review_head(reviewer, await desk_for(reviewer, job))
        except (HeadMovedError, RevisionGone):
            log.info("head moved", repository_id=job.repository_id, pull_request=job.number)
        except (InstallationGone, RepositoryGone, NotFound):
            log.info("nothing left to review", repository_id=job.repository_id, pull_request=job.number)
            return None
    return None


async def announce(reviewer: Reviewer, job: PullRequestJob) -> None:
    """While a review waits for its turn: people see that one will come."""
    desk = await desk_for(reviewer, job)
    repository = desk.pull.base.repo
    if desk.pull.state == "open" and not (repository is not None and repository.archived):
        await checks.announce(desk)


async def desk_for(reviewer: Reviewer, job: PullRequestJob) -> Desk:
    repository = reviewer.github.repository(job.installation_id, job.repository_id)
    pull, app = await repository.pull_request(job.number), await reviewer.github.app()
    return Desk(repository, reviewer.memory, app, job.installation_id, job.repository_id, pull, reviewer.rules_url)


async def review_head(reviewer: Reviewer, desk: Desk) -> None:
    """Every open check that is begun here is ended: by a verdict, or by saying why there is none."""
    if desk.pull.state != "open":
        return await closed(reviewer, desk)
    thrift = Thrift(reviewer.github, desk.installation_id)
    if thrift.below(BEGINNING):
        raise thrift.postponed("begin review")
    if desk.pull.base.repo is not None and desk.pull.base.repo.archived:
        return None
    try:
        await checks.begin(desk)
    except CapabilityMissing:
        return await sticky.tell_missing_permission(desk)
    try:
        await straight_line(reviewer, desk, thrift)
    except HeadMovedError:
        await checks.cancel(desk, desk.pull.head.sha)
        raise
    except (InstallationGone, RepositoryGone, NotFound, RevisionGone, RateLimited):
        # Gone, or GitHub wants silence: there is nobody to tell, or it must wait.
        raise
    except Exception:
        await checks.could_not_finish(desk, await blocks_on_failure(reviewer.github, desk))
        raise


async def straight_line(reviewer: Reviewer, desk: Desk, thrift: Thrift) -> None:
    configuration = await configuration_at(reviewer.github, desk, reviewer.public_url)
    await keep_badge(desk, configuration.configuration.badge)
    decisions = await desk.memory.decisions(desk.repository_id, desk.pull.number)
    if (reason := left_alone(configuration, decisions, desk.pull)) is not None:
        await checks.pass_over(desk, reason)
        return
    reading = await read_change(desk.repository, desk.pull, configuration.paths, thrift.scarce)
    whole = await reviewer.examine(reading.change, configuration.options)
    would_be = await preview(desk, reading, configuration, reviewer.examine)
    await still_there(desk)
    # Comments first, the check last: a completed check says that everything has been said.
    talk = await read_talk(desk)
    judged = weighed(reading, whole, talk, configuration, decisions)
    report, untidy = await speak(desk, talk, judged, tidy=not thrift.below(TIDYING))
    await still_there(desk)
    word = word_of(desk, judged, report, would_be)
    if configuration.configuration.summary_comment == "on_findings":
        await sticky.sum_up(desk, word.output.title, findings=any(report.summary.counts.values()))
    await checks.conclude(desk, word)
    if untidy:
        raise thrift.postponed("tidy comments")


async def still_there(desk: Desk) -> None:
    """Raises HeadMovedError if what was judged is no longer the head, or no longer to be judged."""
    now, then = await desk.repository.pull_request(desk.pull.number), desk.pull
    if (now.head.sha, now.base.ref, now.state, now.draft) != (then.head.sha, then.base.ref, then.state, then.draft):
        raise HeadMovedError


async def closed(reviewer: Reviewer, desk: Desk) -> None:
    """A closed pull request leaves no check open, and no longer speaks for others that have its head."""
    for one in await desk.memory.open_checks(desk.repository_id, desk.pull.number):
        await checks.cancel(desk, one.head_sha)
    others = await desk.memory.verdicts(desk.repository_id, desk.pull.head.sha)
    await desk.memory.close(desk.repository_id, desk.pull.number, merged=desk.pull.merged)
    for other in others:
        if other.number != desk.pull.number:
            await reviewer.queue(PullRequestJob(desk.installation_id, desk.repository_id, other.number))
