"""Waiting, retrying, tokens and giving up, against a server that misbehaves over real HTTP."""

import asyncio
import email.utils
import traceback
from typing import Any

import jwt
import pytest

from bot.github import AppCredentials, GitHub, RepositoryClient
from bot.github.errors import (
    BadCredentials,
    CapabilityMissing,
    Forbidden,
    GitHubError,
    InstallationGone,
    NotFound,
    RateLimited,
    Rejected,
    RepositoryGone,
    RevisionGone,
    TooLarge,
    Unanswered,
    Unexpected,
)
from tests.github.hostile_github import (
    INSTALLATION,
    MINT,
    REPOSITORY,
    SECRET_TOKEN,
    MovedClock,
    Said,
    Server,
    new_key,
    pull_request,
    token_answer,
)

PULL = "/repos/acme/app/pulls/1"
REVIEWS = "/repos/acme/app/pulls/1/reviews"
REVIEW = Said(200, {"id": 5, "state": "COMMENTED"})
HEAD = "a" * 40


async def review(repository: RepositoryClient) -> int:
    return (await repository.create_review(1, HEAD, "one finding")).id


async def test_a_request_carries_the_version_the_agent_and_a_bearer_token(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    assert (await repository.pull_request(1)).head.sha == HEAD
    headers = server.requests(PULL)[0].headers
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["user-agent"] == "MeterAudit"
    assert headers["authorization"] == f"Bearer {SECRET_TOKEN}"


async def test_a_token_is_asked_for_one_repository_and_the_needed_permissions(
    server: Server, repository: RepositoryClient
) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    await repository.pull_request(1)
    permissions = {"checks": "write", "contents": "read", "metadata": "read", "pull_requests": "write"}
    assert server.requests(MINT)[0].body == {"repository_ids": [REPOSITORY], "permissions": permissions}


async def test_the_json_web_token_is_backdated_and_its_issuer_is_text(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    await repository.pull_request(1)
    bearer = server.requests(MINT)[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(bearer, options={"verify_signature": False})
    assert claims == {"iat": int(clock.time) - 60, "exp": int(clock.time) + 540, "iss": "Iv1.abc"}


async def test_callers_at_the_same_time_share_one_mint(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    await asyncio.gather(*(repository.pull_request(1) for _ in range(8)))
    assert len(server.requests(MINT)) == 1


async def test_a_cancelled_caller_does_not_take_the_token_from_the_others(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    first = asyncio.create_task(repository.pull_request(1))
    second = asyncio.create_task(repository.pull_request(1))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).number == 1
    assert len(server.requests(MINT)) == 1


async def test_a_token_is_minted_again_five_minutes_before_it_expires(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("GET", PULL, Said(body=pull_request()))
    await repository.pull_request(1)
    clock.time += 3290
    await repository.pull_request(1)
    clock.time += 15
    await repository.pull_request(1)
    assert len(server.requests(MINT)) == 2


async def test_two_repositories_never_share_a_token(server: Server, github: GitHub, clock: MovedClock) -> None:
    server.says("POST", MINT, token_answer(clock, "first"), token_answer(clock, "second"))
    here = {"id": 43, "full_name": "acme/other"}
    server.says("GET", PULL, Said(body=pull_request()))
    server.says("GET", "/repos/acme/other/pulls/1", Said(body=pull_request(base={"sha": HEAD, "ref": "m", "repo": here})))
    await github.repository(INSTALLATION, REPOSITORY, "acme/app").pull_request(1)
    await github.repository(INSTALLATION, 43, "acme/other").pull_request(1)
    assert server.requests("/repos/acme/other/pulls/1")[0].headers["authorization"] == "Bearer second"


async def test_a_401_just_after_minting_waits_and_uses_the_same_token(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("GET", PULL, Said(401, {"message": "Bad credentials"}), Said(401), Said(body=pull_request()))
    await repository.pull_request(1)
    assert (clock.slept, len(server.requests(MINT))) == ([1.0, 1.0], 1)


async def test_a_401_later_on_mints_once_more(server: Server, repository: RepositoryClient, clock: MovedClock) -> None:
    server.says("GET", PULL, Said(body=pull_request()), Said(401, {"message": "x"}), Said(body=pull_request()))
    await repository.pull_request(1)
    clock.time += 60
    await repository.pull_request(1)
    assert len(server.requests(MINT)) == 2


async def test_a_401_that_stays_is_bad_credentials(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(401, {"message": "Bad credentials"}))
    with pytest.raises(BadCredentials):
        await repository.pull_request(1)
    assert len(server.requests(MINT)) == 2


async def test_a_wrong_clock_is_corrected_by_githubs_date(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    theirs = clock.time + 1000
    late = {"message": "'Expiration time' claim ('exp') must be a numeric value representing a future time"}
    date = {"date": email.utils.formatdate(theirs, usegmt=True)}
    server.says("POST", MINT, Said(401, late, date), token_answer(clock))
    server.says("GET", PULL, Said(body=pull_request()))
    await repository.pull_request(1)
    bearer = server.requests(MINT)[1].headers["authorization"].removeprefix("Bearer ")
    assert abs(jwt.decode(bearer, options={"verify_signature": False})["iat"] - (theirs - 60)) <= 1


async def test_an_older_private_key_is_tried_when_the_newest_is_refused(
    server: Server, clock: MovedClock, private_key: str
) -> None:
    refused = Said(401, {"message": "A JSON web token could not be decoded"})
    server.says("POST", MINT, refused, token_answer(clock))
    server.says("GET", PULL, Said(body=pull_request()))
    older = new_key()
    async with GitHub(AppCredentials("1", (private_key, older)), server.url, clock=clock.clock()) as github:
        await github.repository(INSTALLATION, REPOSITORY, "acme/app").pull_request(1)
    first, second = (one.headers["authorization"] for one in server.requests(MINT))
    assert first != second


async def test_an_uninstalled_app_is_not_taken_for_a_missing_file(server: Server, repository: RepositoryClient) -> None:
    server.says("POST", MINT, Said(404, {"message": "Not Found"}))
    with pytest.raises(InstallationGone):
        await repository.file_at(".meteraudit.yml", HEAD)


async def test_a_permission_not_yet_accepted_is_left_out_of_the_token(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    refused = Said(422, {"message": "The permissions requested are not granted to this installation."})
    server.says("POST", MINT, refused, token_answer(clock))
    granted = {"contents": "read", "metadata": "read", "pull_requests": "read"}
    server.says("GET", f"/app/installations/{INSTALLATION}", Said(body={"id": 7, "permissions": granted}))
    server.says("GET", PULL, Said(body=pull_request()))
    await repository.pull_request(1)
    assert server.requests(MINT)[1].body["permissions"] == granted


async def test_a_repository_taken_out_of_the_installation_is_gone(server: Server, repository: RepositoryClient) -> None:
    server.says("POST", MINT, Said(422, {"message": "There is at least one repository that does not exist"}))
    granted = {"checks": "write", "contents": "write", "metadata": "read", "pull_requests": "write"}
    server.says("GET", f"/app/installations/{INSTALLATION}", Said(body={"id": 7, "permissions": granted}))
    with pytest.raises(RepositoryGone):
        await repository.pull_request(1)


@pytest.mark.parametrize(
    ("limited", "seconds"),
    [
        (Said(429, {"message": "slow down"}), 60),
        (Said(403, {"message": "forbidden"}, {"retry-after": "7"}), 7),
        (Said(429, b"<html>", {"content-type": "text/html", "retry-after": "garbage"}), 60),
        (Said(403, {"message": "You have exceeded a secondary rate limit."}), 60),
        (Said(403, {"message": "You have triggered an abuse detection mechanism."}), 60),
    ],
)
async def test_a_rate_limit_is_waited_for_and_the_call_repeated(
    server: Server, repository: RepositoryClient, clock: MovedClock, limited: Said, seconds: int
) -> None:
    server.says("GET", PULL, limited, Said(body=pull_request()))
    await repository.pull_request(1)
    assert seconds <= sum(clock.slept) <= seconds * 1.1


async def test_a_used_up_limit_is_waited_for_until_its_reset(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0"}
    spent = Said(403, {"message": "API rate limit exceeded"}, headers | {"x-ratelimit-reset": str(int(clock.time) + 30)})
    server.says("GET", PULL, spent, Said(body=pull_request()))
    await repository.pull_request(1)
    assert 30 <= sum(clock.slept) <= 35


async def test_a_limit_too_long_for_a_job_is_raised_and_pauses_the_whole_installation(
    server: Server, repository: RepositoryClient, github: GitHub, clock: MovedClock
) -> None:
    server.says("GET", PULL, Said(429, {}, {"retry-after": "1800"}))
    with pytest.raises(RateLimited) as raised:
        await repository.pull_request(1)
    assert raised.value.until >= clock.time + 1800
    assert github.paused_until(INSTALLATION) == raised.value.until
    with pytest.raises(RateLimited):
        await github.repository(INSTALLATION, 43, "acme/other").open_pull_requests()
    assert server.requests("/repos/acme/other/pulls?state=open&per_page=100") == []


async def test_a_limit_that_never_ends_is_given_up(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(429, {}, {"retry-after": "1"}))
    with pytest.raises(RateLimited):
        await repository.pull_request(1)
    assert len(server.requests(PULL)) == 5


async def test_a_rate_limited_write_is_repeated_because_it_was_not_carried_out(
    server: Server, repository: RepositoryClient
) -> None:
    server.says("POST", REVIEWS, Said(403, {}, {"retry-after": "2"}), REVIEW)
    assert await review(repository) == 5


HTML = Said(502, b"<html>Unicorn!</html>", {"content-type": "text/html"})


@pytest.mark.parametrize("broken", [Said(520, b"odd"), HTML, Said(503)])
async def test_a_read_is_tried_four_times(
    server: Server, repository: RepositoryClient, clock: MovedClock, broken: Said
) -> None:
    server.says("GET", PULL, broken, broken, broken, Said(body=pull_request()))
    await repository.pull_request(1)
    assert clock.slept == [1.0, 4.0, 9.0]


async def test_a_read_survives_connections_that_are_cut(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(drops=True), Said(drops=True), Said(drops=True), Said(body=pull_request()))
    assert (await repository.pull_request(1)).number == 1


async def test_a_read_that_stays_unanswered_says_so(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, HTML)
    with pytest.raises(Unanswered):
        await repository.pull_request(1)
    assert len(server.requests(PULL)) == 4


@pytest.mark.parametrize("broken", [Said(520, b"odd"), HTML, Said(drops=True), Said(201, b"{half")])
async def test_a_write_without_a_clear_answer_is_sent_once(server: Server, repository: RepositoryClient, broken: Said) -> None:
    server.says("POST", REVIEWS, broken)
    with pytest.raises(Unanswered):
        await review(repository)
    assert len(server.requests(REVIEWS, "POST")) == 1


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_write_to_a_renamed_repository_keeps_its_method_and_body(
    server: Server, repository: RepositoryClient, status: int
) -> None:
    moved = f"/repositories/{REPOSITORY}/pulls/1/reviews"
    server.says("POST", REVIEWS, Said(status, {"message": "Moved"}, {"location": server.url + moved}))
    server.says("POST", moved, REVIEW)
    assert await review(repository) == 5
    assert server.requests(moved)[0].body == server.requests(REVIEWS)[0].body


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/steal", "//evil.example/x", "file:///etc/passwd", "http://[bad"])
async def test_a_redirect_elsewhere_is_not_followed(server: Server, repository: RepositoryClient, place: str) -> None:
    server.says("POST", REVIEWS, Said(307, {}, {"location": place}))
    with pytest.raises(Unexpected):
        await review(repository)


async def test_redirects_in_a_circle_end(server: Server, repository: RepositoryClient) -> None:
    server.says("GET", PULL, Said(301, {}, {"location": server.url + PULL}))
    with pytest.raises(Unexpected):
        await repository.pull_request(1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Said(304), Unexpected),
        (Said(200, b"<html>"), Unexpected),
        (Said(200, b'"\xff"', {"content-type": "application/json; charset=none-such"}), Unexpected),
        (Said(200, {"id": "text"}), Unexpected),
        (Said(403, {"message": "Resource not accessible by integration"}), CapabilityMissing),
        (Said(403, {"message": "Repository was archived so is read-only."}), Forbidden),
        (Said(403, {"message": "x", "errors": [{"code": "too_large", "resource": "Blob"}]}), TooLarge),
        (Said(406, {"message": "diff too large", "errors": [{"code": "too_large"}]}), TooLarge),
        (Said(404, {"message": "Not Found"}), NotFound),
        (Said(410, {"message": "gone"}), NotFound),
        (Said(451, {"message": "DMCA"}), NotFound),
        (Said(404, {"message": "No commit found for the ref aaaa"}), RevisionGone),
        (Said(418, b"tea"), Unexpected),
    ],
)
async def test_each_situation_has_its_error(
    server: Server, repository: RepositoryClient, answer: Said, error: type[GitHubError]
) -> None:
    server.says("GET", PULL, answer)
    with pytest.raises(error):
        await repository.pull_request(1)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (["Line could not be resolved"], "Line could not be resolved"),
        ("User can only have one pending review", "User can only have one pending review"),
        ([{"field": "line", "code": "invalid", "message": "bad"}], "line invalid bad"),
    ],
)
async def test_the_words_of_a_422_reach_the_caller_in_all_three_shapes(
    server: Server, repository: RepositoryClient, errors: Any, message: str
) -> None:
    server.says("POST", REVIEWS, Said(422, {"message": "Unprocessable Entity", "errors": errors}))
    with pytest.raises(Rejected) as raised:
        await review(repository)
    assert raised.value.messages == ("Unprocessable Entity", message)


async def test_a_422_without_a_message_is_still_a_rejection(server: Server, repository: RepositoryClient) -> None:
    server.says("POST", REVIEWS, Said(422, b"plain text"))
    with pytest.raises(Rejected):
        await review(repository)


@pytest.mark.parametrize(
    "answer", [Said(401, {"message": SECRET_TOKEN}), Said(422, {"message": "CODE"}), HTML, Said(200, {"id": "CODE"})]
)
async def test_no_error_shows_a_token_or_a_body(server: Server, repository: RepositoryClient, answer: Said) -> None:
    server.says("POST", REVIEWS, answer)
    with pytest.raises(GitHubError) as raised:
        await review(repository)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert not [word for word in (SECRET_TOKEN, "CODE", "Unicorn", "BEGIN") if word in shown.replace('"CODE"', "")]


async def test_credentials_never_show_their_keys(private_key: str) -> None:
    assert "BEGIN" not in repr(AppCredentials("1", (private_key,)))


BROKEN_KEY = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize("keys", [(), ("not a key",), (BROKEN_KEY,)])
def test_a_key_that_cannot_sign_is_refused_at_the_start(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="private key"):
        AppCredentials("1", keys)


async def test_notifying_writes_are_spaced_three_seconds_after_the_first_burst(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("POST", REVIEWS, REVIEW)
    for _ in range(6):
        await review(repository)
    assert sum(clock.slept) == pytest.approx(6 * 3 - 10)


async def test_not_more_than_sixty_writes_leave_in_one_minute(
    server: Server, repository: RepositoryClient, clock: MovedClock
) -> None:
    server.says("PATCH", "/repos/acme/app/pulls/comments/3", Said(body={"id": 3, "path": "a", "body": "b"}))
    times = []
    for _ in range(75):
        await repository.update_comment(3, "b")
        times.append(clock.time)
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[60:], strict=False))


async def test_enterprise_server_is_asked_below_its_base_path(server: Server, clock: MovedClock, private_key: str) -> None:
    server.says("POST", "/api/v3" + MINT, token_answer(clock))
    server.says("GET", "/api/v3" + PULL, Said(body=pull_request()))
    async with GitHub(AppCredentials("1", (private_key,)), server.url + "/api/v3/", clock=clock.clock()) as github:
        await github.repository(INSTALLATION, REPOSITORY, "acme/app").pull_request(1)
    assert {one.path for one in server.heard} == {"/api/v3" + MINT, "/api/v3" + PULL}


async def test_the_primary_limit_of_the_last_answer_is_told(
    server: Server, repository: RepositoryClient, github: GitHub
) -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "77", "x-ratelimit-reset": "1900000000"}
    server.says("GET", PULL, Said(body=pull_request(), headers=headers))
    await repository.pull_request(1)
    limit = github.rate_limit(INSTALLATION)
    assert limit is not None
    assert limit.remaining == 77
