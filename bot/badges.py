"""Whether a repository shows its score to everybody: its configuration on the default branch decides."""

from bot.desk import Desk


async def keep_badge(desk: Desk, on: bool) -> None:
    """`on` is what the configuration on the pull request's base says; only the default branch has a say."""
    repository = desk.pull.base.repo
    if repository is None or desk.pull.base.ref != repository.default_branch:
        return
    if on:
        await desk.memory.show_badge(desk.repository_id, repository.full_name)
    else:
        await desk.memory.hide_badge(desk.repository_id)
