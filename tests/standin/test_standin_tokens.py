"""Who may ask: App tokens, installation tokens, permissions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.standin.standin_play import Play, pem_of


def test_a_token_is_narrowed_to_the_repository_and_permissions_asked_for(play: Play) -> None:
    answer = play.mint(repository_ids=[play.repo.id], permissions={"checks": "write"})
    assert answer.status == 201
    assert answer.json["permissions"] == {"metadata": "read", "checks": "write"}
    assert [one["id"] for one in answer.json["repositories"]] == [play.repo.id]


def test_a_token_is_in_the_long_format_with_dots(play: Play) -> None:
    token = play.token()
    assert token.startswith("ghs_7_")
    assert token.count(".") == 2
    assert len(token) > 200


def test_the_client_id_is_an_issuer_too(play: Play) -> None:
    assert play.call("GET", "/app", token=play.jwt(iss=play.app.client_id)).json["slug"] == "meteraudit"


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": 4_000_000_000}, "too far in the future"),
        ({"exp": 1_000_000_000}, "Expiration time"),
        ({"iat": 3_999_999_999}, "Issued at"),
        ({"iss": "8"}, "could not be decoded"),
    ],
)
def test_an_app_token_with_a_wrong_claim_is_refused(play: Play, claims: dict[str, Any], words: str) -> None:
    answer = play.call("GET", "/app", token=play.jwt(**claims))
    assert answer.status == 401
    assert words in answer.words


def test_an_app_token_of_another_key_is_refused(play: Play) -> None:
    other = pem_of(rsa.generate_private_key(65537, 2048))[0]
    now = int(play.clock().timestamp())
    token = jwt.encode({"iat": now - 60, "exp": now + 300, "iss": "7"}, other, "RS256")
    assert play.call("GET", "/app", token=token).status == 401


def test_an_app_token_must_be_sent_as_bearer(play: Play) -> None:
    assert play.call("GET", "/app", token=play.jwt(), scheme="token").status == 401


def test_an_app_token_opens_no_repository(play: Play) -> None:
    assert play.get("", token=play.jwt()).status == 401


def test_an_installation_token_is_no_app_token(play: Play) -> None:
    assert play.call("GET", "/app", token=play.token()).status == 401


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"permissions": {"wizardry": "read"}}, "not known"),
        ({"permissions": {"contents": "write"}}, "not granted"),
        ({"permissions": {"issues": "write"}}, "not granted"),
        ({"permissions": {"checks": "all"}}, "not a level"),
        ({"repository_ids": [999_999]}, "does not exist or is not accessible"),
    ],
)
def test_more_than_was_granted_is_refused(play: Play, given: dict[str, Any], words: str) -> None:
    answer = play.mint(**given)
    assert answer.status == 422
    assert words in answer.words


def test_a_suspended_installation_gets_no_token(play: Play) -> None:
    play.github.suspend(play.installation)
    assert play.mint().status == 403


def test_a_token_of_a_suspended_installation_is_refused(play: Play) -> None:
    token = play.token()
    play.github.suspend(play.installation)
    assert play.get("", token=token).status == 403


def test_an_unknown_installation_is_not_found(play: Play) -> None:
    assert play.call("POST", "/app/installations/1/access_tokens", {}, token=play.jwt()).status == 404


def test_a_token_dies_with_its_installation(play: Play) -> None:
    token = play.token()
    play.github.uninstall(play.installation)
    assert play.get("", token=token).status == 401


def test_a_token_expires_after_an_hour(play: Play) -> None:
    token = play.token()
    play.clock.ahead = timedelta(hours=1)
    assert play.get("", token=token).status == 401


@pytest.mark.parametrize("token", ["ghs_unknown", "x"])
def test_an_unknown_token_is_bad_credentials(play: Play, token: str) -> None:
    answer = play.get("", token=token)
    assert (answer.status, answer.json["message"]) == (401, "Bad credentials")


def test_a_request_without_a_token_is_refused(play: Play) -> None:
    assert play.get("", Authorization=None).status == 401


def test_a_repository_outside_the_token_is_not_found(play: Play, tmp_path: Path) -> None:
    other = play.github.add_repository("acme/other", tmp_path / "other.git")
    play.installation.repositories.add(other.id)
    assert play.call("GET", "/repos/acme/other").status == 404


@pytest.mark.parametrize(
    ("method", "path", "permissions"),
    [
        ("GET", "/repos/acme/api/pulls/1/files", {"checks": "write"}),
        ("GET", "/repos/acme/api/contents/src/a.py", {"checks": "write"}),
        ("POST", "/repos/acme/api/check-runs", {"checks": "read"}),
        ("POST", "/repos/acme/api/pulls/1/reviews", {"pull_requests": "read"}),
    ],
)
def test_a_missing_permission_is_refused(play: Play, method: str, path: str, permissions: dict[str, str]) -> None:
    answer = play.call(method, path, {} if method == "POST" else None, token=play.token(**permissions))
    assert (answer.status, answer.json["message"]) == (403, "Resource not accessible by integration")


def test_the_app_lists_its_installations(play: Play) -> None:
    answer = play.call("GET", "/app/installations", token=play.jwt())
    assert [one["id"] for one in answer.json] == [play.installation.id]


def test_one_installation_is_read_by_its_id(play: Play) -> None:
    answer = play.call("GET", f"/app/installations/{play.installation.id}", token=play.jwt())
    assert answer.json["account"]["login"] == "acme"


def test_a_token_lists_the_repositories_that_it_reaches(play: Play) -> None:
    answer = play.call("GET", "/installation/repositories")
    assert [one["full_name"] for one in answer.json["repositories"]] == ["acme/api"]


def test_an_app_can_have_a_second_key_until_it_is_deleted(play: Play) -> None:
    private, public = pem_of(rsa.generate_private_key(65537, 2048))
    now = int(play.clock().timestamp())
    token = jwt.encode({"iat": now - 60, "exp": now + 300, "iss": "7"}, private, "RS256")
    play.app.more_keys.append(public)
    first = play.call("GET", "/app", token=token).status
    play.app.more_keys.clear()

    assert (200, 401) == (first, play.call("GET", "/app", token=token).status)
