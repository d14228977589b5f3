"""What happens to an installation as a whole, to its repositories, and to the configuration on a branch."""

import structlog

from bot import checks
from bot.badges import keep_badge
from bot.configuration import FILE, configuration_at, read, text_at
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

    Pull requests are not reviewed again for it: their next event, or `rerun`, picks it up. A badge follows at once.
    """
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    text, about = await text_at(repository, errand.head_sha), await repository.about()
    head = Branch(errand.head_sha, errand.branch, about)
    desk = await desk_of(reviewer, errand, head)
    reading = read(text) if text is not None else None
    if reading is not None and reading.configuration is None:
        await say_broken(desk, reading.errors)
        return
    if text is not None and errand.branch == about.default_branch:
        await reviewer.memory.keep_configuration(errand.repository_id, errand.head_sha, text)
    configuration = await configuration_at(reviewer.github, desk, reviewer.public_url)
    await keep_badge(desk, configuration.configuration.badge)


async def desk_of(reviewer: Reviewer, errand: PushErrand, head: Branch) -> Desk:
    """A branch has no number; what looks at its base and head may take it for a pull request."""
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    ids, pull = (errand.installation_id, errand.repository_id), PullRequest(0, 0, "open", head, head)
    return Desk(repository, reviewer.memory, await reviewer.github.app(), *ids, pull, reviewer.rules_url)


async def say_broken(desk: Desk, errors: tuple[ConfigurationError, ...]) -> None:
    """A check of its own on the commit, unless a pull request has it as its head, whose review says the same and more."""
    head, first = desk.pull.head.sha, errors[0]
    output = CheckOutput(
        title=f"Configuration error in {FILE} line {first.line}",
        summary=f"Reviews of pull requests into this branch go on with the last configuration without errors.\n\n"
        f"{listed(errors)}",
        annotations=config_annotations(errors),
    )
    async with desk.memory.publishing(desk.repository_id, head):
        if await checks.runs_of(desk, head):
            return
        run = await checks.create(desk, head, 1)
        draft = CheckRunDraft(status="completed", conclusion="action_required", completed_at=checks.now(), output=output)
        await desk.repository.update_check_run(run.id, draft)
