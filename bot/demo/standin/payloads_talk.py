"""The bodies of deliveries about comments in the conversation of a pull request."""

from __future__ import annotations

from typing import Any

from bot.demo.standin import shapes_pull, talk
from bot.demo.standin.state import IssueComment, PullRequest
from bot.demo.standin.subject import Subject, pull_of

KEPT = (
    "id",
    "node_id",
    "number",
    "title",
    "user",
    "labels",
    "state",
    "locked",
    "assignee",
    "assignees",
    "milestone",
    "comments_url",
    "created_at",
    "updated_at",
    "closed_at",
    "author_association",
    "active_lock_reason",
    "body",
)


def issue_comment(subject: Subject) -> dict[str, Any]:
    """A comment that is there (`said`), or one made of `body` on the spot, by the sender."""
    world = subject.world
    comment = subject.said or _made(subject, pull_of(subject))
    return {"issue": _issue(subject, comment.pull), "comment": talk.shape(world, comment)}


def _made(subject: Subject, pull: PullRequest) -> IssueComment:
    world, now = subject.world, subject.world.clock()
    made = IssueComment(next(world.ids), pull, subject.sender, subject.body, now, now)
    world.talk[made.id] = made
    return made


def _issue(subject: Subject, pull: PullRequest) -> dict[str, Any]:
    simple = shapes_pull.pull_simple(subject.world, pull)
    url = simple["issue_url"]
    return {
        **{name: simple[name] for name in KEPT},
        "url": url,
        "repository_url": simple["base"]["repo"]["url"],
        "labels_url": f"{url}/labels{{/name}}",
        "events_url": f"{url}/events",
        "html_url": simple["html_url"],
        "comments": 1,
        "reactions": shapes_pull.reactions(url, subject.world, pull.id),
        "pull_request": {name: simple[name] for name in ("url", "html_url", "diff_url", "patch_url")},
    }
