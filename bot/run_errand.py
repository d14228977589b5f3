"""Runs whatever a delivery asked for besides a review."""

from bot.errands import ButtonErrand, CommandErrand, Errand, InstallationErrand, MergeGroupErrand
from bot.github.errors import InstallationGone, NotFound, RepositoryGone
from bot.lifecycle import installed, pushed
from bot.merge_queue import group
from bot.orders import obey, press
from bot.review import Reviewer


async def run_errand(reviewer: Reviewer, errand: Errand) -> None:
    """What is gone meanwhile needs nothing more; any other failure is raised, and tried again."""
    try:
        if isinstance(errand, CommandErrand):
            await obey(reviewer, errand)
        elif isinstance(errand, ButtonErrand):
            await press(reviewer, errand)
        elif isinstance(errand, MergeGroupErrand):
            await group(reviewer, errand)
        elif isinstance(errand, InstallationErrand):
            await installed(reviewer, errand)
        else:
            await pushed(reviewer, errand)
    except (InstallationGone, RepositoryGone, NotFound):
        return
