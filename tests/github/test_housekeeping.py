"""The App's questions about itself, and the conversation around a pull request."""

from typing import Any

import pytest

from bot.github import AppCredentials, GitHub, RepositoryClient
from bot.github.errors import CapabilityMissing, Forbidden, NotFound, RateLimited
from bot.github.housekeeping import deliveries, installation_repositories, installations, redeliver
from tests.github.hostile_github import INSTALLATION, MINT, REPOSITORY, MovedClock, Said, Server, token_answer

LOG = "/app/hook/deliveries?per_page=100"
HEAD = "a" * 40


def delivery(number: int, status: str = "OK") -> dict[str, Any]:
    return {
        "id": number,
        "guid": f"g{number}",
        "delivered_at": "2026-11-20T10:00:00Z",
        "status": status,
        "event": "push",
    }


async def test_the_delivery_log_is_read_back_to_the_last_known_one(server: Server, github: GitHub) -> None:
    link = {"link": f'<{server.url}{LOG}&cursor=c>; rel="next"'}
    server.says("GET", LOG, Said(body=[delivery(9), delivery(8, "timed out")], headers=link))
    server.says("GET", f"{LOG}&cursor=c", Said(body=[delivery(7), delivery(6)], headers=link))
    assert [(one.id, one.status) for one in await deliveries(github, 6)] == [(9, "OK"), (8, "timed out"), (7, "OK")]
    assert len(server.requests(f"{LOG}&cursor=c")) == 1


async def test_a_redelivery_is_asked_for_again_when_unanswered(server: Server, github: GitHub) -> None:
    server.says("POST", "/app/hook/deliveries/9/attempts", Said(502), Said(202, {}))
    await redeliver(github, 9)
    assert len(server.requests("/app/hook/deliveries/9/attempts")) == 2


async def test_installations_and_their_repositories_are_listed(server: Server, github: GitHub) -> None:
    server.says("GET", "/app/installations?per_page=100", Said(body=[{"id": 7, "suspended_at": None}]))
    page = {"total_count": 1, "repositories": [{"id": REPOSITORY, "full_name": "acme/app"}]}
    server.says("GET", "/installation/repositories?per_page=100", Said(body=page))
    assert [one.id for one in await installations(github)] == [INSTALLATION]
    assert [one.full_name for one in await installation_repositories(github, INSTALLATION)] == ["acme/app"]
    assert server.requests(MINT)[0].body == {"permissions": {"metadata": "read"}}


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        ({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": True}}}}, True),
        ({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": False}}}}, False),
        ({"data": None, "errors": [{"message": "Something went wrong"}]}, False),
    ],
)
async def test_a_comment_counts_as_hidden_only_if_github_says_so(
    server: Server, repository: RepositoryClient, answer: dict[str, Any], hidden: bool
) -> None:
    server.says("POST", "/graphql", Said(body=answer))
    assert await repository.conversation.minimize("PRRC_1") is hidden


@pytest.mark.parametrize(
    ("kind", "error"), [("FORBIDDEN", CapabilityMissing), ("NOT_FOUND", NotFound), ("RATE_LIMITED", RateLimited)]
)
async def test_a_refusal_of_graphql_is_told_by_its_kind(
    server: Server, repository: RepositoryClient, kind: str, error: type[Exception]
) -> None:
    refusal = {"data": {"minimizeComment": None}, "errors": [{"type": kind, "message": "no"}]}
    server.says("POST", "/graphql", Said(body=refusal))
    with pytest.raises(error):
        await repository.conversation.minimize("PRRC_1")


async def test_graphql_of_enterprise_server_is_asked_beside_its_rest(
    server: Server, clock: MovedClock, private_key: str
) -> None:
    server.says("POST", "/api/v3" + MINT, token_answer(clock))
    server.says("POST", "/api/graphql", Said(body={"data": None}))
    async with GitHub(AppCredentials("1", (private_key,)), server.url + "/api/v3", clock=clock.clock()) as github:
        await github.repository(INSTALLATION, REPOSITORY, "acme/app").conversation.minimize("PRRC_1")
    assert len(server.requests("/api/graphql")) == 1


async def test_a_refused_reaction_is_forbidden(server: Server, repository: RepositoryClient) -> None:
    path = "/repos/acme/app/issues/comments/4/reactions"
    server.says("POST", path, Said(201, {"id": 1, "content": "eyes"}), Said(403, {"message": "no"}))
    await repository.conversation.react("issues", 4, "eyes")
    with pytest.raises(Forbidden):
        await repository.conversation.react("issues", 4, "eyes")
    assert server.requests(path)[0].body == {"content": "eyes"}


async def test_a_stacked_pull_request_that_only_contains_the_commit_is_left_out(
    server: Server, repository: RepositoryClient
) -> None:
    def pull(number: int, sha: str, state: str = "open") -> dict[str, Any]:
        return {
            "id": number,
            "number": number,
            "state": state,
            "head": {"sha": sha, "ref": "x"},
            "base": {"sha": sha, "ref": "m"},
        }

    pulls = [pull(1, HEAD), pull(2, "c" * 40), pull(3, HEAD, "closed")]
    server.says("GET", f"/repos/acme/app/commits/{HEAD}/pulls?per_page=100", Said(body=pulls))
    assert [one.number for one in await repository.pull_requests_of(HEAD)] == [1]
