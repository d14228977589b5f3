"""Looks after what was missed: deliveries that failed, pull requests nobody told us of, checks left open, a changed App."""

import structlog

from bot import checks
from bot.configuration import blocks_on_failure
from bot.deliveries import PullRequestJob
from bot.github import housekeeping
from bot.github.errors import Forbidden, GitHubError, InstallationGone, NotFound, RepositoryGone, RevisionGone
from bot.memory import OpenCheck
from bot.merge_queue import give_up
from bot.registration import drift, unaccepted
from bot.review import Reviewer, desk_for
from bot.upkeep import REGISTRATION

STUCK_SECONDS = 10 * 60.0
"""After which a check without an end is looked at again."""
OVERDUE_SECONDS = 30 * 60.0
"""After which it is concluded: a required check that gives no verdict blocks for ever."""
HOPELESS_SECONDS = 60 * 60.0
"""After which nothing is tried any more."""
MOST_ATTEMPTS = 3
DOWNTIME_SECONDS = 150.0
"""The round that notes that we are here comes every minute."""
MOST_PULLS = 200
"""Open pull requests of one repository that are looked at after a downtime."""

log = structlog.get_logger(__name__)


async def redeliver_failed(reviewer: Reviewer) -> int:
    """Asks GitHub to send again what did not reach us: it never does so by itself. How many were asked for.

    The log is read back to the last id that was seen; a delivery that fails again gets a new id, and is seen again.
    """
    seen = await reviewer.memory.mark("deliveries")
    found = await housekeeping.deliveries(reviewer.github, seen)
    good = {one.guid for one in found if one.status == "OK"}
    asked = 0
    # One attempt for each GUID, of the newest delivery of it.
    newest = {one.guid: one for one in reversed(found)}
    for one in newest.values():
        if one.guid in good or await reviewer.memory.is_stored(one.guid):
            continue
        if await reviewer.memory.count_attempt(one.guid) > MOST_ATTEMPTS:
            log.warning("delivery given up", delivery=one.guid, event_name=one.event)
            continue
        try:
            await housekeeping.redeliver(reviewer.github, one.id)
            asked += 1
        except (NotFound, Forbidden):
            log.info("delivery too old", delivery=one.guid)
    if found:
        await reviewer.memory.set_mark("deliveries", max(one.id for one in found))
    return asked


async def watch(reviewer: Reviewer) -> None:
    """Every minute. If nobody was there for a while, every installation is looked through."""
    away = await reviewer.memory.seconds_away()
    if away is None or away > DOWNTIME_SECONDS:
        await report_drift(reviewer)
        for installation in await housekeeping.installations(reviewer.github):
            if installation.suspended_at is None:
                await catch_up(reviewer, installation.id, None)
    await reviewer.memory.alive()
    await finish_stuck(reviewer)


async def catch_up(reviewer: Reviewer, installation_id: int, repositories: tuple[int, ...] | None) -> None:
    """Asks for the review of open pull requests whose head has no verdict of ours. None: in all repositories."""
    try:
        if repositories is None:
            listed = await housekeeping.installation_repositories(reviewer.github, installation_id)
            repositories = tuple(one.id for one in listed if not one.archived)
        for repository_id in repositories:
            await catch_up_repository(reviewer, installation_id, repository_id)
    except (InstallationGone, Forbidden):
        log.info("installation not reachable", installation=installation_id)


async def catch_up_repository(reviewer: Reviewer, installation_id: int, repository_id: int) -> None:
    repository = reviewer.github.repository(installation_id, repository_id)
    try:
        for pull in (await repository.open_pull_requests())[:MOST_PULLS]:
            runs = await repository.check_runs(pull.head.sha, checks.NAME)
            if checks.completed(runs) is None or checks.opened(runs) is not None:
                await reviewer.queue(PullRequestJob(installation_id, repository_id, pull.number))
    except (RepositoryGone, NotFound, Forbidden):
        log.info("repository not reachable", repository_id=repository_id)


async def finish_stuck(reviewer: Reviewer) -> None:
    """Checks without an end, whose worker has died or given up."""
    for one in await reviewer.memory.open_checks():
        if one.age < STUCK_SECONDS:
            continue
        try:
            await finish(reviewer, one)
        except (InstallationGone, RepositoryGone, NotFound, RevisionGone):
            await reviewer.memory.check_closed(one.repository_id, one.head_sha, one.number)
        except GitHubError as error:
            # GitHub is away: a minute later it may be back.
            log.warning("stuck check not finished", repository_id=one.repository_id, error=type(error).__name__)


async def finish(reviewer: Reviewer, one: OpenCheck) -> None:
    if not one.number:
        await give_up(reviewer, one)
        return
    job = PullRequestJob(one.installation_id, one.repository_id, one.number)
    desk = await desk_for(reviewer, job)
    if desk.pull.head.sha != one.head_sha or desk.pull.state != "open":
        await checks.cancel(desk, one.head_sha)
        return
    if one.age >= OVERDUE_SECONDS:
        await checks.could_not_finish(
            desk, await blocks_on_failure(reviewer.github, desk), for_good=one.age >= HOPELESS_SECONDS
        )
    if one.age < HOPELESS_SECONDS:
        await reviewer.queue(job)


async def report_drift(reviewer: Reviewer) -> tuple[str, ...]:
    """Daily, and when we come back: what the registration on GitHub lacks, and what the owners of installations have not
    accepted. Nobody else would notice that an event never comes.
    """
    problems = drift(await reviewer.github.app(fresh=True), reviewer.github.base_url)
    for problem in problems:
        log.error("the App's registration on GitHub lacks something", problem=problem)
    await reviewer.memory.keep_drift(REGISTRATION, problems)
    installations = await housekeeping.installations(reviewer.github)
    for one in installations:
        await reviewer.memory.keep_drift(str(one.id), unaccepted(one, reviewer.github.base_url))
    await reviewer.memory.forget_drift_but([REGISTRATION, *(str(one.id) for one in installations)])
    return problems
