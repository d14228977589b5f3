"""Handlers that read, edit and delete one review comment."""

from __future__ import annotations

from bot.demo.standin import shapes_pull
from bot.demo.standin.answer import Answer, Call, RefusalError, not_found
from bot.demo.standin.conversation import required_body
from bot.demo.standin.state import Comment


def comment_of(call: Call) -> Comment:
    """The comment that the address names."""
    comment = call.world.comments.get(call.number("comment_id"))
    if comment is None or comment.pull.repo is not call.repository:
        raise not_found()
    return comment


def own_comment(call: Call) -> Comment:
    """The comment of the address, to be changed: 403 in an archived repository and for somebody else's."""
    comment = comment_of(call)
    if comment.pull.repo.archived:
        raise RefusalError(403, "Repository was archived so is read-only.")
    if comment.author is not call.author:
        raise RefusalError(403, "Resource not accessible by integration")
    return comment


def read(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/comments/{comment_id}."""
    return Answer(200, shapes_pull.comment(call.world, comment_of(call)))


def edit(call: Call) -> Answer:
    """PATCH /repos/{owner}/{repo}/pulls/comments/{comment_id}."""
    comment = own_comment(call)
    comment.body = required_body(call)
    comment.updated_at = call.world.clock()
    return Answer(200, shapes_pull.comment(call.world, comment))


def delete(call: Call) -> Answer:
    """DELETE /repos/{owner}/{repo}/pulls/comments/{comment_id}; replies stay, as GitHub keeps them."""
    del call.world.comments[own_comment(call).id]
    return Answer(204)
