"""The GraphQL that a review needs: the threads of a pull request, hiding comments, resolving threads.

Answered as GitHub does: 200 with `errors` for what is refused; a field that the schema does not have is an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from bot.demo.standin import shapes, state, tokens
from bot.demo.standin.anchors import place_now
from bot.demo.standin.answer import Answer, Call, RefusalError
from bot.demo.standin.query import Field, QueryError, parsed, picked
from bot.demo.standin.state import Comment, PullRequest

CLASSIFIERS = ("SPAM", "ABUSE", "OFF_TOPIC", "OUTDATED", "DUPLICATE", "RESOLVED")
INTEGRATION = "Resource not accessible by integration"


class GraphQLError(Exception):
    """One entry of `errors`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def answer(call: Call) -> Answer:
    """POST /graphql."""
    query, variables = call.given.get("query"), call.given.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        raise RefusalError(400, "A query attribute must be specified and must be a string.")
    try:
        fields = parsed(query, variables)
    except QueryError as error:
        return Answer(200, {"errors": [{"message": str(error)}]})
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for one in fields:
        try:
            found = FIELDS[one.name](call, one) if one.name in FIELDS else missing(one.name)
            data[one.name] = picked(found, one)
        except GraphQLError as error:
            data[one.name] = None
            errors.append({"type": error.kind, "path": [one.name], "message": str(error)})
        except QueryError as error:
            return Answer(200, {"errors": [{"message": str(error)}]})
    return Answer(200, {"data": data, "errors": errors} if errors else {"data": data})


def missing(name: str) -> Any:
    raise QueryError(f"Field '{name}' doesn't exist on type 'Query'")


def require(call: Call, permission: str, level: str) -> None:
    if call.grant is None or not tokens.allows(call.grant, permission, level):
        raise GraphQLError("FORBIDDEN", INTEGRATION)


def repository(call: Call, field: Field) -> Any:
    """`repository(owner:, name:) { pullRequest(number:) { reviewThreads(first:, after:) … } }`."""
    name = f"{field.arguments.get('owner')}/{field.arguments.get('name')}".lower()
    reachable = call.grant.repositories if call.grant else set()
    repo = next((one for one in call.world.repositories.values() if one.full_name.lower() == name), None)
    if repo is None or repo.id not in reachable:
        raise GraphQLError("NOT_FOUND", f"Could not resolve to a Repository with the name '{name}'.")
    return {"pullRequest": lambda inner: pull_request(call, repo.id, inner)}


def pull_request(call: Call, repository_id: int, field: Field) -> Any:
    require(call, "pull_requests", "read")
    pull = call.world.pulls.get((repository_id, field.arguments.get("number", 0)))
    if pull is None:
        raise GraphQLError("NOT_FOUND", "Could not resolve to a PullRequest.")
    return {"reviewThreads": lambda inner: threads(call, pull, inner), "number": pull.number}


def threads(call: Call, pull: PullRequest, field: Field) -> Any:
    tops = [one for one in call.world.comments.values() if one.pull is pull and one.in_reply_to is None]
    return connection([thread(call, one) for one in tops], field)


def connection(nodes: list[Any], field: Field) -> dict[str, Any]:
    """One page of a list; GitHub insists on `first` from 1 to 100."""
    first = field.arguments.get("first")
    if not isinstance(first, int) or not 1 <= first <= 100:
        raise GraphQLError("MISSING_PAGINATION_BOUNDARIES", f"`{field.name}` needs `first`, from 1 to 100.")
    start = int(field.arguments.get("after") or 0)
    more = start + first < len(nodes)
    page = {"hasNextPage": more, "endCursor": str(start + first) if more else None}
    return {"nodes": nodes[start : start + first], "pageInfo": page, "totalCount": len(nodes)}


def thread(call: Call, top: Comment) -> dict[str, Any]:
    world = call.world
    said = [top, *(one for one in world.comments.values() if one.in_reply_to == top.id)]
    grant = call.grant
    return {
        "id": shapes.node("PullRequestReviewThread", top.id),
        "isResolved": top.resolved_by is not None,
        "isOutdated": top.subject_type != "file" and place_now(world, top).line is None,
        "resolvedBy": {"login": top.resolved_by.login.removesuffix("[bot]")} if top.resolved_by else None,
        "viewerCanResolve": grant is not None and tokens.allows(grant, "contents", "write"),
        "path": top.path,
        "comments": lambda field: connection([comment(one) for one in said], field),
    }


def comment(one: Comment) -> dict[str, Any]:
    return {
        "id": shapes.node("PullRequestReviewComment", one.id),
        "databaseId": one.id,
        "isMinimized": one.minimized is not None,
        "minimizedReason": one.minimized,
        # GraphQL names bots without the suffix that REST gives them.
        "author": {"login": one.author.login.removesuffix("[bot]")},
    }


def named(call: Call, kind: str, text: Any) -> Comment:
    """The comment, or the first of the thread, that a node id names."""
    try:
        found = re.fullmatch(rf"{kind}(\d+)", base64.b64decode(str(text), validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        found = None
    one = call.world.comments.get(int(found[1])) if found else None
    reachable = call.grant.repositories if call.grant else set()
    if one is None or one.pull.repo.id not in reachable:
        raise GraphQLError("NOT_FOUND", f"Could not resolve to a node with the global id of '{text}'.")
    return one


def minimize(call: Call, field: Field) -> Any:
    given = field.arguments.get("input") or {}
    require(call, "pull_requests", "write")
    one = named(call, "PullRequestReviewComment", given.get("subjectId"))
    if given.get("classifier") not in CLASSIFIERS:
        raise QueryError("Variable $classifier of type ReportedContentClassifiers! was provided invalid value")
    refuse_archived(one)
    one.minimized = str(given["classifier"]).lower()
    return {"minimizedComment": comment(one)}


def unminimize(call: Call, field: Field) -> Any:
    require(call, "pull_requests", "write")
    one = named(call, "PullRequestReviewComment", (field.arguments.get("input") or {}).get("subjectId"))
    refuse_archived(one)
    one.minimized = None
    return {"unminimizedComment": comment(one)}


def resolve(call: Call, field: Field) -> Any:
    """Takes Contents: write besides Pull requests: write, as measured on GitHub."""
    return {"thread": thread(call, resolution(call, field, call.author))}


def unresolve(call: Call, field: Field) -> Any:
    return {"thread": thread(call, resolution(call, field, None))}


def resolution(call: Call, field: Field, by: state.Person | None) -> Comment:
    require(call, "pull_requests", "write")
    require(call, "contents", "write")
    top = named(call, "PullRequestReviewThread", (field.arguments.get("input") or {}).get("threadId"))
    refuse_archived(top)
    top.resolved_by = by
    return top


def refuse_archived(one: Comment) -> None:
    if one.pull.repo.archived:
        raise GraphQLError("FORBIDDEN", "Repository was archived so is read-only.")


FIELDS: dict[str, Callable[[Call, Field], Any]] = {
    "repository": repository,
    "minimizeComment": minimize,
    "unminimizeComment": unminimize,
    "resolveReviewThread": resolve,
    "unresolveReviewThread": unresolve,
}
