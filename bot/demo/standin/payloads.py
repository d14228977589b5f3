"""The bodies of deliveries, event by event, as GitHub's webhooks send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.demo.standin import git, payloads_repo, payloads_talk, shapes, shapes_pull, state
from bot.demo.standin.shapes import node
from bot.demo.standin.state import CheckRun, stamp
from bot.demo.standin.subject import Subject, check_of, pull_of, repo_of


def build(event: str, subject: Subject) -> dict[str, Any]:
    """The body of one delivery; raises KeyError for an event that the stand-in cannot send."""
    body = BUILDERS[event](subject)
    if subject.action is not None:
        body = {"action": subject.action, **body}
    if event not in ("ping", "installation", "installation_repositories"):
        body["repository"] = shapes.repository(subject.world, repo_of(subject))
        body["sender"] = shapes.user(subject.world, subject.sender)
        if subject.installation is not None:
            number = subject.installation.id
            body["installation"] = {"id": number, "node_id": node("IntegrationInstallation", number)}
    return {**body, **subject.extra}


def pull_request(subject: Subject) -> dict[str, Any]:
    """`synchronize` carries the head announced last and the head of now; `labeled` the last label."""
    pull = pull_of(subject)
    body: dict[str, Any] = {"number": pull.number, "pull_request": shapes_pull.pull_full(subject.world, pull)}
    if subject.action == "synchronize":
        body |= {"before": pull.announced, "after": state.head(pull)}
    if subject.action in ("labeled", "unlabeled") and pull.labels:
        body["label"] = shapes_pull.label(subject.world, pull, pull.labels[-1])
    if subject.action == "edited":
        body["changes"] = {}
    pull.announced = state.head(pull)
    return body


def _suite(subject: Subject, check: CheckRun) -> dict[str, Any]:
    world, repo = subject.world, check.repo
    when = check.completed_at or stamp(world.clock())
    pulls = shapes_pull.pulls_at(world, check)
    return {
        "id": check.suite,
        "node_id": node("CheckSuite", check.suite),
        "head_branch": pulls[0]["head"]["ref"] if pulls else None,
        "head_sha": check.head_sha,
        "status": "completed" if check.status == "completed" else "queued",
        "conclusion": None if check.conclusion == "skipped" else check.conclusion,
        "url": f"{world.api_url}/repos/{repo.full_name}/check-suites/{check.suite}",
        "before": None,
        "after": check.head_sha,
        "pull_requests": pulls,
        "app": shapes.app(world, check.app),
        "created_at": when,
        "updated_at": when,
    }


def check_run(subject: Subject) -> dict[str, Any]:
    """`requested_action` names the button in `body`."""
    check = check_of(subject)
    shown = {**shapes_pull.check_run(subject.world, check), "check_suite": _suite(subject, check)}
    if subject.action == "requested_action":
        return {"check_run": shown, "requested_action": {"identifier": subject.body}}
    return {"check_run": shown}


def check_suite(subject: Subject) -> dict[str, Any]:
    """The suite of a check run; nothing in it but the ids tells which runs it has."""
    check = check_of(subject)
    suite = _suite(subject, check)
    one = git.commit(check.repo.path, check.head_sha)
    person = {"name": one.name, "email": one.email}
    commit = {"id": one.sha, "tree_id": one.tree, "message": one.message, "timestamp": one.date}
    more = {"latest_check_runs_count": 1, "check_runs_url": f"{suite['url']}/check-runs"}
    return {"check_suite": {**suite, **more, "head_commit": {**commit, "author": person, "committer": person}}}


def review_comment(subject: Subject) -> dict[str, Any]:
    """A comment in a thread of a review."""
    if subject.comment is None:
        raise ValueError("this event needs a comment")
    pull = shapes_pull.pull_simple(subject.world, subject.comment.pull)
    return {"comment": shapes_pull.comment(subject.world, subject.comment), "pull_request": pull}


def review_thread(subject: Subject) -> dict[str, Any]:
    """A thread that was resolved or reopened: the comment and its replies."""
    if subject.comment is None:
        raise ValueError("this event needs a comment")
    top = subject.comment
    thread = [one for one in subject.world.comments.values() if one is top or one.in_reply_to == top.id]
    shown = [shapes_pull.comment(subject.world, one) for one in thread]
    pull = shapes_pull.pull_simple(subject.world, top.pull)
    return {"pull_request": pull, "thread": {"node_id": node("PullRequestReviewThread", top.id), "comments": shown}}


BUILDERS: dict[str, Callable[[Subject], dict[str, Any]]] = {
    "ping": payloads_repo.ping,
    "pull_request": pull_request,
    "check_run": check_run,
    "check_suite": check_suite,
    "merge_group": payloads_repo.merge_group,
    "issue_comment": payloads_talk.issue_comment,
    "pull_request_review_comment": review_comment,
    "pull_request_review_thread": review_thread,
    "push": payloads_repo.push,
    "installation": payloads_repo.installation,
    "installation_repositories": payloads_repo.installation_repositories,
    "repository": payloads_repo.repository,
}
