"""Handlers of the conversation of a pull request, of reactions to comments and of what somebody may do."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from bot.demo.standin import shapes, shapes_pull
from bot.demo.standin.answer import Answer, Call, RefusalError, invalid, not_found, paged
from bot.demo.standin.comment_edits import comment_of
from bot.demo.standin.conversation import LONGEST, TOO_LONG
from bot.demo.standin.state import IssueComment, PullRequest, Reaction, World, stamp

LEGACY = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}
"""What `permission` says for a role; only `role_name` tells maintain and triage."""
NOBODY = "none"


def pull_of(call: Call) -> PullRequest:
    """The pull request whose number the address names as an issue."""
    pull = call.world.pulls.get((call.repository.id, call.number("issue_number")))
    if pull is None:
        raise not_found()
    return pull


def open_to_words(call: Call, pull: PullRequest) -> None:
    """Refuses what may not be written: 403 in an archived repository and in a locked conversation."""
    if pull.repo.archived:
        raise RefusalError(403, "Repository was archived so is read-only.")
    if pull.locked:
        raise RefusalError(403, "Unable to create comment because issue is locked.")


def body_of(call: Call) -> str:
    """The text of a comment; 422 where it is missing, blank or too long."""
    body = call.given.get("body")
    if not isinstance(body, str) or not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    if len(body) > LONGEST:
        raise invalid("IssueComment", "body", "unprocessable", TOO_LONG)
    return body


def comments(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/issues/{issue_number}/comments: oldest first."""
    pull = pull_of(call)
    return paged(call, [shape(call.world, one) for one in call.world.talk.values() if one.pull is pull])


def create(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/issues/{issue_number}/comments."""
    pull = pull_of(call)
    open_to_words(call, pull)
    now = call.world.clock()
    made = IssueComment(next(call.world.ids), pull, call.author, body_of(call), now, now, call.asking_app)
    call.world.talk[made.id] = made
    body = shape(call.world, made)
    return Answer(201, body, {"Location": body["url"]})


def said(call: Call) -> IssueComment:
    """The comment that the address names."""
    one = call.world.talk.get(call.number("comment_id"))
    if one is None or one.pull.repo is not call.repository:
        raise not_found()
    return one


def read(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/issues/comments/{comment_id}."""
    return Answer(200, shape(call.world, said(call)))


def own(call: Call) -> IssueComment:
    """The comment of the address, to be changed: ours, and not in an archived repository."""
    one = said(call)
    if one.pull.repo.archived:
        raise RefusalError(403, "Repository was archived so is read-only.")
    if one.author is not call.author:
        raise RefusalError(403, "Resource not accessible by integration")
    return one


def edit(call: Call) -> Answer:
    """PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}."""
    one = own(call)
    one.body, one.updated_at = body_of(call), call.world.clock()
    return Answer(200, shape(call.world, one))


def delete(call: Call) -> Answer:
    """DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}."""
    del call.world.talk[own(call).id]
    return Answer(204)


def shape(world: World, one: IssueComment) -> dict[str, Any]:
    """A comment of the conversation."""
    simple = shapes_pull.pull_url(world, one.pull).replace("/pulls/", "/issues/")
    at = f"{world.api_url}/repos/{one.pull.repo.full_name}/issues/comments/{one.id}"
    return {
        "url": at,
        "html_url": f"{shapes_pull.pull_page(one.pull)}#issuecomment-{one.id}",
        "issue_url": simple,
        "id": one.id,
        "node_id": shapes.node("IssueComment", one.id),
        "user": shapes.user(world, one.author),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "author_association": "NONE" if one.app else "CONTRIBUTOR",
        "body": one.body,
        "reactions": shapes_pull.reactions(at, world, one.id),
        "performed_via_github_app": shapes.app(world, one.app) if one.app else None,
    }


def react_to_issue_comment(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions."""
    return react(call, said(call).id, said(call).pull)


def react_to_review_comment(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/pulls/comments/{comment_id}/reactions."""
    return react(call, comment_of(call).id, comment_of(call).pull)


def react(call: Call, comment_id: int, pull: PullRequest) -> Answer:
    """201, or 200 where the same account has already reacted so."""
    open_to_words(call, pull)
    content = call.given.get("content")
    if content not in shapes_pull.REACTIONS:
        raise invalid("Reaction", "content")
    world = call.world
    mine = (one for one in world.reactions if (one.comment, one.author, one.content) == (comment_id, call.author, content))
    there = next(mine, None)
    made = there or Reaction(next(world.ids), comment_id, call.author, content, world.clock())
    if there is None:
        world.reactions.append(made)
    body = {
        "id": made.id,
        "node_id": shapes.node("Reaction", made.id),
        "user": shapes.user(world, made.author),
        "content": content,
        "created_at": stamp(made.created_at),
    }
    return Answer(200 if there else 201, body)


def permission(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/collaborators/{username}/permission: the owner is admin, strangers read what is public."""
    login, repo = call.parts["username"], call.repository
    person = call.world.people.get(login)
    if person is None:
        raise RefusalError(404, f"{login} is not a user")
    role = repo.roles.get(login) or ("admin" if person is repo.owner else NOBODY if repo.private else "read")
    rights = {name: role in roles for name, roles in RIGHTS.items()}
    url = f"{call.world.api_url}/users/{quote(login)}"
    user = {**shapes.user(call.world, person), "url": url, "permissions": rights, "role_name": role}
    return Answer(200, {"permission": LEGACY.get(role, NOBODY), "role_name": role, "user": user})


RIGHTS = {
    "pull": ("read", "triage", "write", "maintain", "admin"),
    "triage": ("triage", "write", "maintain", "admin"),
    "push": ("write", "maintain", "admin"),
    "maintain": ("maintain", "admin"),
    "admin": ("admin",),
}
