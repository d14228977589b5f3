"""Comments of ours in the conversation that are there once: the summary where it is wanted, and what we cannot do here."""

import structlog

from bot.desk import Desk
from bot.github.errors import Forbidden, NotFound, Rejected, Unanswered
from bot.github.payloads import IssueComment
from bot.report.comments import STICKY, sticky_body

MISSING = "<!-- meteraudit:v1 permission -->"

log = structlog.get_logger(__name__)


async def sum_up(desk: Desk, title: str, *, findings: bool) -> None:
    """One comment, edited from then on; none on a pull request that never had a finding."""
    url = desk.pull.base.repo.html_url if desk.pull.base.repo else ""
    body = sticky_body(title, f"{url}/pull/{desk.pull.number}/checks")
    try:
        there = await marked(desk, STICKY)
        if there is None and findings:
            await once(desk, body, STICKY)
        elif there is not None and there.body != body:
            await desk.repository.conversation.edit(there.id, body)
    except (Forbidden, Rejected, NotFound) as error:
        log.info("summary comment not possible", error=type(error).__name__)


async def tell_missing_permission(desk: Desk) -> None:
    """Once for each pull request: without the right to write checks there is no other place to say it."""
    body = (
        "MeterAudit may not write checks here, so it neither reviews nor blocks this pull request. An owner of the "
        f"organisation has to accept the App's permissions (Checks: write) in its installation settings.\n\n{MISSING}"
    )
    try:
        if await marked(desk, MISSING) is None:
            await once(desk, body, MISSING)
    except (Forbidden, Rejected, NotFound) as error:
        log.info("missing permission not told", error=type(error).__name__)


async def marked(desk: Desk, mark: str) -> IssueComment | None:
    said = await desk.repository.conversation.comments(desk.pull.number)
    return next((one for one in said if desk.ours(one) and one.body.endswith(mark)), None)


async def once(desk: Desk, body: str, mark: str) -> None:
    try:
        await desk.repository.conversation.comment(desk.pull.number, body)
    except Unanswered:
        if await marked(desk, mark) is None:
            raise
