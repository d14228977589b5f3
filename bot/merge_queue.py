"""The merge queue: a verdict on the commit that would be merged, taken over from its pull requests or found by a scan."""

import re
from dataclasses import replace

from bot import checks
from bot.checks import Word
from bot.configuration import configuration_at
from bot.desk import Desk
from bot.errands import MergeGroupErrand
from bot.github.drafts import CheckOutput
from bot.github.errors import GitHubError, InstallationGone, NotFound, RateLimited, RepositoryGone, RevisionGone
from bot.github.payloads import Branch, PullRequest
from bot.github.repository import RepositoryClient
from bot.memory import OpenCheck, Verdict
from bot.reading import read_between
from bot.report.check_run import annotations, check_summary, check_title
from bot.report.quoting import prose
from bot.review import Reviewer
from bot.verdict import Conclusion
from bot.weighing import rules_of
from config.configuration import Configuration
from rules.report import Shown

_BRANCH = re.compile(r"(?:refs/heads/)?gh-readonly-queue/(?P<base>.+)/pr-(?P<number>\d+)-[0-9a-f]+")
_IN_MESSAGE = re.compile(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+) ")
PASSED = ("success", "neutral")


async def group(reviewer: Reviewer, errand: MergeGroupErrand) -> None:
    """Answers one group: success or failure, on its own commit, with no comment anywhere."""
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    try:
        desk = await desk_of(reviewer, repository, errand)
        if errand.destroyed:
            return await end(desk, errand)
        await checks.begin(desk)
        word = await word_on(reviewer, desk, errand)
    except (InstallationGone, RepositoryGone, NotFound, RevisionGone):
        # The queue has moved on and taken its branch along.
        return None
    async with desk.memory.publishing(desk.repository_id, errand.head_sha):
        await answer(desk, word)
    await desk.memory.check_closed(desk.repository_id, errand.head_sha, 0)
    return None


async def give_up(reviewer: Reviewer, one: OpenCheck) -> None:
    """A group that was begun and never answered, for the watchdog: the queue must not wait for its own time-out.

    Of the group only its head is remembered, so it is the default branch's configuration that decides.
    """
    repository = reviewer.github.repository(one.installation_id, one.repository_id)
    about, app = await repository.about(), await reviewer.github.app()
    branch = Branch(one.head_sha, about.default_branch, about)
    ids = (one.installation_id, one.repository_id)
    desk = Desk(repository, reviewer.memory, app, *ids, PullRequest(0, 0, "open", branch, branch), reviewer.rules_url)
    configuration = await configuration_at(reviewer.github, desk, reviewer.public_url)
    async with desk.memory.publishing(desk.repository_id, one.head_sha):
        if checks.opened(await checks.runs_of(desk, one.head_sha)) is not None:
            await answer(desk, unknown(configuration.configuration))
    await desk.memory.check_closed(desk.repository_id, one.head_sha, 0)


async def answer(desk: Desk, word: Word) -> None:
    """Under the lock of the commit."""
    mark = checks.said_mark([Verdict(0, word.conclusion, word.output.title, digest=checks.digest_of(word))])
    await checks.say(desk, desk.pull.head.sha, word, mark)


async def desk_of(reviewer: Reviewer, repository: RepositoryClient, errand: MergeGroupErrand) -> Desk:
    """A group has no number of its own; what looks at its base and head may take it for a pull request."""
    about = await repository.about()
    base = Branch(errand.base_sha, base_branch(errand.head_ref) or about.default_branch, about)
    pull = PullRequest(0, 0, "open", Branch(errand.head_sha, errand.head_ref, about), base)
    app = await reviewer.github.app()
    return Desk(repository, reviewer.memory, app, errand.installation_id, errand.repository_id, pull, reviewer.rules_url)


def base_branch(head_ref: str) -> str | None:
    found = _BRANCH.fullmatch(head_ref)
    return found["base"] if found else None


async def end(desk: Desk, errand: MergeGroupErrand) -> None:
    async with desk.memory.publishing(desk.repository_id, errand.head_sha):
        for run in await checks.runs_of(desk, errand.head_sha):
            if run.status != "completed":
                await checks.end(desk, run, "The group was taken apart", "The merge queue no longer asks for this commit.")
    await desk.memory.check_closed(desk.repository_id, errand.head_sha, 0)


async def word_on(reviewer: Reviewer, desk: Desk, errand: MergeGroupErrand) -> Word:
    configuration = await configuration_at(reviewer.github, desk, reviewer.public_url)
    try:
        if configuration.configuration.merge_group == "inherit":
            inherited = await inherit(desk, errand)
            if inherited is not None:
                return inherited
        reading = await read_between(desk.repository, errand.base_sha, errand.head_sha, configuration.paths)
        report = await reviewer.examine(reading.change, configuration.options)
    except (InstallationGone, RepositoryGone, NotFound, RevisionGone, RateLimited):
        raise
    except GitHubError:
        return unknown(configuration.configuration)
    page = desk.pull.base.repo.html_url if desk.pull.base.repo else ""
    shown = replace(report, findings=tuple(replace(one, shown=as_annotation(one.shown)) for one in report.findings))
    output = CheckOutput(
        title=check_title(report),
        summary=check_summary(shown, page, errand.head_sha, configuration.source),
        annotations=annotations(shown),
    )
    conclusion: Conclusion = "failure" if report.gate.conclusion in ("failure", "action_required") else "success"
    return Word(conclusion, output, rules=rules_of(report))


def as_annotation(shown: Shown) -> Shown:
    return "annotation" if shown == "comment" else shown


def unknown(configuration: Configuration) -> Word:
    output = CheckOutput(
        "Could not look at the merge group",
        "MeterAudit or GitHub failed; nothing is known to be wrong with the group. `fail_closed` decides if it is blocked.",
    )
    return Word("failure" if configuration.fail_closed else "success", output)


async def inherit(desk: Desk, errand: MergeGroupErrand) -> Word | None:
    """The verdicts of the pull requests in the group; None where it cannot be told which they are."""
    numbers = await numbers_in(desk.repository, errand)
    if not numbers:
        return None
    lines, passed = [], True
    for number in sorted(numbers):
        pull = await desk.repository.pull_request(number)
        last = checks.completed(await checks.runs_of(desk, pull.head.sha))
        passed = passed and last is not None and last.conclusion in PASSED
        said = f"**{last.conclusion}**, {prose(last.output.title or '')}" if last else "has no verdict yet"
        lines.append(f"- Pull request {number}: {said}")
    title = "Passed: every pull request of the group did" if passed else "Blocked: a pull request of the group did not pass"
    summary = "The verdict is that of the pull requests in the group (`merge_group: inherit`):\n\n" + "\n".join(lines)
    return Word("success" if passed else "failure", CheckOutput(title, summary))


async def numbers_in(repository: RepositoryClient, errand: MergeGroupErrand) -> frozenset[int]:
    """The branch names the last pull request of a group, the commits those before it."""
    branch = _BRANCH.fullmatch(errand.head_ref)
    numbers = {int(branch["number"])} if branch else set()
    for commit in (await repository.comparison(errand.base_sha, errand.head_sha)).commits:
        found = _IN_MESSAGE.search(commit.commit.message.split("\n", 1)[0])
        if found:
            numbers.add(int(found[1] or found[2]))
    return frozenset(numbers)
