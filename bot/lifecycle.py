"""What happens to an installation as a whole, to its repositories, and to the configuration on a branch."""

import structlog

from bot import checks
from bot.configuration import FILE, read, text_at
from bot.desk import Desk
from bot.errands import InstallationErrand, PushErrand
from bot.github.drafts import CheckOutput, CheckRunDraft
from bot.github.payloads import Branch, PullRequest
from bot.reconcile import catch_up, report_drift
from bot.review import Reviewer
from bot.verdict import config_annotations, listed
from config.repository import ConfigurationError

log = structlog.get_logger(__name__)


async def installed(reviewer: Reviewer, errand: InstallationErrand) -> None:
    """Looks after what came, forgets what went. A suspended installation keeps what it has, and nothing is sent for it."""
    memory = reviewer.memory
    await memory.activate(errand.installation_id, errand.active)
    gone = await memory.repositories_of(errand.installation_id) if errand.gone else errand.removed
    for repository_id in gone:
        await memory.forget_repository(repository_id)
    if errand.gone:
        await memory.forget_drift(str(errand.installation_id))
    if errand.active and errand.added != ():
        await report_drift(reviewer)
        await catch_up(reviewer, errand.installation_id, errand.added)


async def pushed(reviewer: Reviewer, errand: PushErrand) -> None:
    """A new configuration on a branch: one with errors is said on its commit, one without is kept.

    Pull requests are not reviewed again for it: their next event, or `rerun`, picks it up.
    """
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    text = await text_at(repository, errand.head_sha)
    if text is None:
        return
    reading = read(text)
    about = await repository.about()
    if reading.configuration is not None:
        if errand.branch == about.default_branch:
            await reviewer.memory.keep_configuration(errand.repository_id, errand.head_sha, text)
        return
    await say_broken(reviewer, errand, Branch(errand.head_sha, errand.branch, about), reading.errors)


async def say_broken(reviewer: Reviewer, errand: PushErrand, head: Branch, errors: tuple[ConfigurationError, ...]) -> None:
    """A check of its own on the commit, unless a pull request has it as its head, whose review says the same and more."""
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    ids = (errand.installation_id, errand.repository_id)
    app = await reviewer.github.app()
    desk = Desk(repository, reviewer.memory, app, *ids, PullRequest(0, 0, "open", head, head))
    first = errors[0]
    output = CheckOutput(
        title=f"Configuration error in {FILE} line {first.line}",
        summary=f"Reviews of pull requests into this branch go on with the last configuration without errors.\n\n"
        f"{listed(errors)}",
        annotations=config_annotations(errors),
    )
    async with desk.memory.publishing(desk.repository_id, errand.head_sha):
        if await checks.runs_of(desk, errand.head_sha):
            return
        run = await checks.create(desk, errand.head_sha, 1)
        draft = CheckRunDraft(status="completed", conclusion="action_required", completed_at=checks.now(), output=output)
        await repository.update_check_run(run.id, draft)
