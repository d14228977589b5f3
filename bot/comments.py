"""Writes the comments of a pull request: new ones in one review, and each step on one that stands there.

Every write first looks whether it has been made, for a job may run twice, and survives what it meets: a comment that a human
deletes meanwhile, a conversation that is locked, a permission that is missing.
"""

import structlog

from bot.desk import Desk
from bot.github.drafts import CommentDraft
from bot.github.errors import CapabilityMissing, Forbidden, NotFound, Rejected, Unanswered, Unexpected
from bot.memory import Remembered
from bot.reading import HeadMovedError
from bot.report.anchors import Anchor
from bot.report.comments import comment_body, is_retired, read_marker, review_body
from bot.thread import Existing, Post, Remove, Restore, Retire, Rewrite, Step
from rules.report import Report, Reported

log = structlog.get_logger(__name__)


def draft(body: str, place: Anchor) -> CommentDraft:
    if place.start_line is None:
        return CommentDraft(path=place.path, body=body, line=place.line, side=place.side)
    return CommentDraft(
        path=place.path, body=body, line=place.line, side=place.side, start_line=place.start_line, start_side=place.side
    )


async def post_review(desk: Desk, report: Report, drafts: dict[str, CommentDraft], *, again: bool = True) -> list[str]:
    """The fingerprints of what GitHub would not take on its line. A refusal names no culprit: halves find it."""
    number, head = desk.pull.number, desk.pull.head.sha
    url = desk.pull.base.repo.html_url if desk.pull.base.repo else ""
    body = review_body(report, f"{url}/pull/{number}/checks")
    try:
        await desk.repository.create_review(number, head, body, list(drafts.values()))
    except Rejected as refusal:
        if again and any("pending review" in words for words in refusal.messages):
            await desk.repository.delete_pending_review(number)
            return await post_review(desk, report, drafts, again=False)
        await same_head(desk)
        return await halved(desk, report, drafts)
    except Unanswered:
        # It may have landed all the same: the answer is on GitHub, and nothing is said twice.
        said = await desk.repository.review_comments(number)
        there = {mark.fingerprint for one in said if desk.ours(one) and (mark := read_marker(one.body))}
        if not drafts.keys() <= there:
            raise
    except Forbidden:
        # A locked conversation or an archived repository: the check run says it all.
        return list(drafts)
    return []


async def halved(desk: Desk, report: Report, drafts: dict[str, CommentDraft]) -> list[str]:
    if len(drafts) == 1:
        return list(drafts)
    items = list(drafts.items())
    middle = len(items) // 2
    first = await post_review(desk, report, dict(items[:middle]))
    return first + await post_review(desk, report, dict(items[middle:]))


async def same_head(desk: Desk) -> None:
    """A refusal may only mean that the lines are those of an older head."""
    if (await desk.repository.pull_request(desk.pull.number)).head.sha != desk.pull.head.sha:
        raise HeadMovedError


async def post_on_file(desk: Desk, finding: Reported) -> bool:
    """A comment on the whole file, where its line is not to be had. Whether it stands there now."""
    body = comment_body(finding, None)
    try:
        await desk.repository.create_file_comment(desk.pull.number, desk.pull.head.sha, finding.path, body)
    except (Rejected, Forbidden):
        return False
    return True


async def carry_out(desk: Desk, step: Step) -> None:
    """One step on a comment that stands there. A human who was faster has the last word."""
    if isinstance(step, Post):
        return
    one = step.comment
    try:
        if isinstance(step, Rewrite):
            await desk.repository.update_comment(one.comment_id, step.body)
        elif isinstance(step, Retire):
            await retire(desk, step)
        elif isinstance(step, Restore):
            await restore(desk, step)
        elif isinstance(step, Remove):
            await desk.repository.delete_comment(one.comment_id)
    except NotFound:
        await note(desk, one.fingerprint, Remembered(one.comment_id, "dismissed"))
    except (Forbidden, Rejected) as error:
        # Locked, archived: the check run tells what the comments cannot.
        log.info("comment not changed", step=type(step).__name__, error=type(error).__name__)


async def retire(desk: Desk, step: Retire) -> None:
    one = step.comment
    if step.body is not None:
        await desk.repository.update_comment(one.comment_id, step.body)
    if one.resolvable and not one.resolved and one.thread_id is not None:
        await desk.repository.conversation.resolve(one.thread_id)
    done = one.hidden or await hide(desk, one)
    # What failed for a moment stays noted as shown, and is tried again with the next review.
    if done:
        await note(desk, one.fingerprint, Remembered(one.comment_id, "acknowledged" if step.acknowledged else "retired"))


async def hide(desk: Desk, one: Existing) -> bool:
    """Whether it is out of the way. Where hiding is not allowed a comment goes that nobody answered."""
    if await desk.memory.can_hide(desk.installation_id):
        try:
            return await desk.repository.conversation.minimize(one.node_id)
        except CapabilityMissing:
            await desk.memory.cannot_hide(desk.installation_id)
        except Unexpected:
            return False
    if not one.replied:
        await desk.repository.delete_comment(one.comment_id)
    return True


async def restore(desk: Desk, step: Restore) -> None:
    """The body last: as long as it is struck through, a repetition begins again."""
    one = step.comment
    if step.reply is not None:
        await reply_once(desk, one.comment_id, step.reply)
    if one.hidden:
        await desk.repository.conversation.unminimize(one.node_id)
    if one.resolved and one.resolvable and one.thread_id is not None:
        await desk.repository.conversation.resolve(one.thread_id, resolved=False)
    await desk.repository.update_comment(one.comment_id, step.body)
    await note(desk, one.fingerprint, Remembered(one.comment_id, "shown"))


async def reply_once(desk: Desk, comment_id: int, body: str) -> None:
    try:
        await desk.repository.reply(desk.pull.number, comment_id, body)
    except Unanswered:
        said = await desk.repository.review_comments(desk.pull.number)
        if not any(one.in_reply_to_id == comment_id and one.body == body and desk.ours(one) for one in said):
            raise


async def note(desk: Desk, fingerprint: str, what: Remembered) -> None:
    await desk.memory.remember(desk.repository_id, desk.pull.number, {fingerprint: what})


async def note_new(desk: Desk) -> None:
    """The ids of what was posted: GitHub tells them only in the list."""
    said = await desk.repository.review_comments(desk.pull.number)
    known = await desk.memory.comments(desk.repository_id, desk.pull.number)
    new = {
        mark.fingerprint: Remembered(one.id, "shown")
        for one in reversed(said)
        if desk.ours(one) and (mark := read_marker(one.body)) and not is_retired(one.body)
    }
    fresh = {print_: one for print_, one in new.items() if print_ not in known or known[print_].comment_id != one.comment_id}
    await desk.memory.remember(desk.repository_id, desk.pull.number, fresh)
