"""The addresses that the stand-in answers: adding one is a line here and a handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.routing import compile_path

from bot.demo.standin import checks, comment_edits, contents, conversation, graphql, hook, manifests, reading, talk, tokens
from bot.demo.standin.answer import Answer, Call

REPO = "/repos/{owner}/{repo}"
PULL = f"{REPO}/pulls/{{pull_number}}"
TALK = "issues pull_requests"
"""The conversation of a pull request is open to tokens with either."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: who may ask (`app` by JWT, `installation` by token, `anyone`) and which of these permissions it takes."""

    method: str
    pattern: re.Pattern[str]
    template: str
    handler: Callable[[Call], Answer]
    by: Literal["app", "installation", "anyone"]
    permission: str | None
    level: str


def endpoint(
    method: str, template: str, handler: Callable[[Call], Answer], permission: str | None = None, level: str = "read"
) -> Endpoint:
    """An operation by installation token; one without a permission is open to every token."""
    return Endpoint(method, compile_path(template)[0], template, handler, "installation", permission, level)


def for_app(method: str, template: str, handler: Callable[[Call], Answer]) -> Endpoint:
    """An operation by the App's own JWT."""
    return Endpoint(method, compile_path(template)[0], template, handler, "app", None, "read")


def for_anyone(method: str, template: str, handler: Callable[[Call], Answer]) -> Endpoint:
    """An operation without credentials."""
    return Endpoint(method, compile_path(template)[0], template, handler, "anyone", None, "read")


ENDPOINTS = (
    for_anyone("POST", "/app-manifests/{code}/conversions", manifests.convert),
    for_app("GET", "/app", reading.app),
    for_app("GET", "/app/installations", reading.installations),
    for_app("GET", "/app/installations/{installation_id}", reading.installation),
    for_app("POST", "/app/installations/{installation_id}/access_tokens", tokens.mint),
    for_app("GET", "/app/hook/deliveries", hook.deliveries),
    for_app("POST", "/app/hook/deliveries/{delivery_id}/attempts", hook.redeliver),
    endpoint("POST", "/graphql", graphql.answer),
    endpoint("GET", "/installation/repositories", reading.accessible_repositories, "metadata"),
    endpoint("GET", REPO, reading.repository, "metadata"),
    endpoint("GET", f"{REPO}/pulls", reading.pulls, "pull_requests"),
    endpoint("GET", f"{REPO}/pulls/comments/{{comment_id}}", comment_edits.read, "pull_requests"),
    endpoint("PATCH", f"{REPO}/pulls/comments/{{comment_id}}", comment_edits.edit, "pull_requests", "write"),
    endpoint("DELETE", f"{REPO}/pulls/comments/{{comment_id}}", comment_edits.delete, "pull_requests", "write"),
    endpoint("GET", PULL, reading.pull, "pull_requests"),
    endpoint("GET", f"{PULL}/files", reading.files, "pull_requests"),
    endpoint("GET", f"{PULL}/reviews", conversation.reviews, "pull_requests"),
    endpoint("POST", f"{PULL}/reviews", conversation.create_review, "pull_requests", "write"),
    endpoint("DELETE", f"{PULL}/reviews/{{review_id}}", conversation.delete_review, "pull_requests", "write"),
    endpoint("GET", f"{PULL}/reviews/{{review_id}}/comments", conversation.review_comments, "pull_requests"),
    endpoint("GET", f"{PULL}/comments", conversation.comments, "pull_requests"),
    endpoint("POST", f"{PULL}/comments", conversation.create_comment, "pull_requests", "write"),
    endpoint("POST", f"{PULL}/comments/{{comment_id}}/replies", conversation.reply, "pull_requests", "write"),
    endpoint("GET", f"{REPO}/issues/{{issue_number}}/comments", talk.comments, TALK),
    endpoint("POST", f"{REPO}/issues/{{issue_number}}/comments", talk.create, TALK, "write"),
    endpoint("GET", f"{REPO}/issues/comments/{{comment_id}}", talk.read, TALK),
    endpoint("PATCH", f"{REPO}/issues/comments/{{comment_id}}", talk.edit, TALK, "write"),
    endpoint("DELETE", f"{REPO}/issues/comments/{{comment_id}}", talk.delete, TALK, "write"),
    endpoint("POST", f"{REPO}/issues/comments/{{comment_id}}/reactions", talk.react_to_issue_comment, TALK, "write"),
    endpoint("POST", f"{REPO}/pulls/comments/{{comment_id}}/reactions", talk.react_to_review_comment, "pull_requests", "write"),
    endpoint("GET", f"{REPO}/collaborators/{{username}}/permission", talk.permission, "metadata"),
    endpoint("GET", f"{REPO}/git/blobs/{{file_sha}}", contents.blob, "contents"),
    endpoint("GET", f"{REPO}/git/trees/{{tree_sha}}", contents.tree, "contents"),
    endpoint("GET", f"{REPO}/git/ref/{{ref:path}}", contents.reference, "contents"),
    endpoint("GET", f"{REPO}/contents", contents.contents, "contents"),
    endpoint("GET", f"{REPO}/contents/{{path:path}}", contents.contents, "contents"),
    endpoint("GET", f"{REPO}/compare/{{basehead:path}}", reading.compare, "contents"),
    endpoint("GET", f"{REPO}/commits/{{commit_sha:path}}/pulls", reading.commit_pulls, "pull_requests"),
    endpoint("GET", f"{REPO}/commits/{{ref:path}}/check-runs", checks.of_commit, "checks"),
    endpoint("POST", f"{REPO}/check-runs", checks.create, "checks", "write"),
    endpoint("GET", f"{REPO}/check-runs/{{check_run_id}}", checks.read, "checks"),
    endpoint("PATCH", f"{REPO}/check-runs/{{check_run_id}}", checks.update, "checks", "write"),
    endpoint("GET", f"{REPO}/check-runs/{{check_run_id}}/annotations", checks.annotations_of, "checks"),
)


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The operation that a method and a decoded path name, with the parts of the path."""
    for one in ENDPOINTS:
        found = one.pattern.fullmatch(path) if one.method == method else None
        if found is not None:
            return one, found.groupdict()
    return None
