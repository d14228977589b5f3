"""The conversation, reactions, permissions and the GraphQL of threads, with what GitHub refuses about them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.demo.standin import Comment
from tests.standin.standin_play import Play, Reply

THREADS = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { reviewThreads(first: 50) {
    pageInfo { hasNextPage endCursor }
    nodes { id isResolved isOutdated resolvedBy { login } viewerCanResolve
      comments(first: 50) { nodes { databaseId isMinimized author { login } } } } } } }
}
"""
MINIMIZE = """
mutation($id: ID!, $classifier: ReportedContentClassifiers!) {
  minimizeComment(input: {subjectId: $id, classifier: $classifier}) { minimizedComment { isMinimized } } }
"""
RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"


def graphql(play: Play, query: str, token: str | None = None, **variables: Any) -> Reply:
    return play.call("POST", "/graphql", {"query": query, "variables": variables}, token=token)


def threads(play: Play, token: str | None = None) -> list[dict[str, Any]]:
    answer = graphql(play, THREADS, token, owner="acme", name="api", number=1).json
    found: list[dict[str, Any]] = answer["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"]
    return found


@pytest.fixture
def comment(play: Play) -> Comment:
    play.review({"path": "src/a.py", "line": 3, "body": "Here"})
    return play.github.comments(play.repo, 1)[0]


def node_of(play: Play, comment: Comment) -> str:
    return str(play.get(f"/pulls/comments/{comment.id}").json["node_id"])


def test_the_app_speaks_edits_and_deletes_in_the_conversation(play: Play) -> None:
    made = play.post("/issues/1/comments", body="Hello")
    path = f"/repos/acme/api/issues/comments/{made.json['id']}"
    assert (made.status, made.json["user"]["login"]) == (201, "meteraudit[bot]")
    assert play.call("PATCH", path, {"body": "Bye"}).json["body"] == "Bye"
    assert [one["body"] for one in play.get("/issues/1/comments").json] == ["Bye"]
    assert play.call("DELETE", path).status == 204
    assert play.call("GET", path).status == 404


def test_what_a_person_says_is_not_ours_to_edit(play: Play) -> None:
    said = play.github.say(play.pull, "ada", "Mine")
    assert play.call("PATCH", f"/repos/acme/api/issues/comments/{said.id}", {"body": "x"}).status == 403


@pytest.mark.parametrize("body", ["", " ", "x" * 65_537])
def test_an_empty_or_endless_comment_is_refused(play: Play, body: str) -> None:
    assert play.post("/issues/1/comments", body=body).status == 422


def test_a_locked_conversation_refuses_comments_and_reactions(play: Play, comment: Comment) -> None:
    play.pull.locked = True
    assert play.post("/issues/1/comments", body="Hello").status == 403
    assert play.post(f"/pulls/comments/{comment.id}/reactions", content="eyes").status == 403


def test_the_same_reaction_twice_is_one(play: Play, comment: Comment) -> None:
    path = f"/pulls/comments/{comment.id}/reactions"
    assert [play.post(path, content="eyes").status for _ in range(2)] == [201, 200]
    assert play.github.reactions(comment) == ["eyes"]
    assert play.get(f"/pulls/comments/{comment.id}").json["reactions"]["eyes"] == 1


def test_a_reaction_that_github_does_not_have_is_refused(play: Play) -> None:
    said = play.github.say(play.pull, "ada", "Mine")
    assert play.post(f"/issues/comments/{said.id}/reactions", content="check").status == 422


@pytest.mark.parametrize(
    ("login", "role", "permission"),
    [("ada", "maintain", "write"), ("bob", "triage", "read"), ("eve", None, "none"), ("acme", None, "admin")],
)
def test_a_permission_is_told_with_its_role(play: Play, login: str, role: str | None, permission: str) -> None:
    play.github.say(play.pull, login, "I exist")
    play.repo.roles |= {login: role} if role else {}
    answer = play.get(f"/collaborators/{login}/permission").json
    assert answer["permission"] == permission
    assert answer["role_name"] == (role or permission)


def test_the_permission_of_nobody_is_not_found(play: Play) -> None:
    assert play.get("/collaborators/nobody-at-all/permission").status == 404


def test_threads_tell_who_resolved_them(play: Play, comment: Comment) -> None:
    play.github.reply(comment, "ada", "Fixed")
    play.github.resolve(comment, "ada")
    (thread,) = threads(play)
    assert (thread["isResolved"], thread["resolvedBy"], thread["viewerCanResolve"]) == (True, {"login": "ada"}, False)
    assert [one["author"]["login"] for one in thread["comments"]["nodes"]] == ["meteraudit", "ada"]


def test_a_comment_is_minimised_with_pull_requests_write(play: Play, comment: Comment) -> None:
    answer = graphql(play, MINIMIZE, id=node_of(play, comment), classifier="RESOLVED").json
    assert answer["data"]["minimizeComment"]["minimizedComment"]["isMinimized"] is True
    assert threads(play)[0]["comments"]["nodes"][0]["isMinimized"] is True


def test_minimising_with_read_only_is_forbidden_and_answered_200(play: Play, comment: Comment) -> None:
    answer = graphql(play, MINIMIZE, play.token(pull_requests="read"), id=node_of(play, comment), classifier="RESOLVED")
    assert (answer.status, answer.json["data"]["minimizeComment"]) == (200, None)
    assert answer.json["errors"][0]["type"] == "FORBIDDEN"
    assert comment.minimized is None


def test_resolving_a_thread_takes_contents_write(play: Play, comment: Comment) -> None:
    (thread,) = threads(play)
    answer = graphql(play, RESOLVE, id=thread["id"]).json
    assert answer["errors"][0]["type"] == "FORBIDDEN"
    assert comment.resolved_by is None


def test_resolving_a_thread_with_contents_write_works(play: Play, comment: Comment) -> None:
    play.installation.permissions["contents"] = "write"
    token = play.token(pull_requests="write", contents="write")
    (thread,) = threads(play, token)
    answer = graphql(play, RESOLVE, token, id=thread["id"]).json
    assert (thread["viewerCanResolve"], answer["data"]["resolveReviewThread"]["thread"]) == (True, {"isResolved": True})


@pytest.mark.parametrize(
    "query", ["{ nonsense { id } }", "query {", '{ repository(owner: "acme", name: "api") { stars } }', MINIMIZE]
)
def test_a_query_that_the_schema_does_not_know_is_an_error(play: Play, query: str) -> None:
    answer = graphql(play, query)
    assert (answer.status, "data" in answer.json) == (200, False)
    assert answer.json["errors"]


def test_a_node_of_nowhere_is_not_found(play: Play) -> None:
    assert graphql(play, MINIMIZE, id="bm93aGVyZQ==", classifier="RESOLVED").json["errors"][0]["type"] == "NOT_FOUND"
