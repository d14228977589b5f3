"""Registering an App by a manifest, at github.com and at a GitHub Enterprise Server."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bot.demo.standin import StandIn
from tests.standin.conformance import problems_of
from tests.standin.standin_play import Clock, Reply

MANIFEST: dict[str, Any] = {
    "name": "MeterAudit",
    "url": "https://meter.acme.test",
    "hook_attributes": {"url": "https://meter.acme.test/webhook"},
    "redirect_url": "http://127.0.0.1:1/setup/created",
    "default_permissions": {"contents": "read", "pull_requests": "write"},
    "default_events": ["pull_request", "push"],
}


class Person:
    """Somebody with a browser."""

    def __init__(self, github: StandIn) -> None:
        self.github = github

    def send(self, method: str, path: str, given: dict[str, str] | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection(urlsplit(self.github.url).netloc, timeout=10)
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if given is not None else {}
            connection.request(method, path, urlencode(given) if given is not None else None, {**kind, **headers})
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def opens(self, manifest: Any, path: str = "/settings/apps/new?state=abc") -> Reply:
        return self.send("POST", path, {"manifest": json.dumps(manifest)})

    def confirms(self, form: Reply, **changed: str) -> Reply:
        given = re.findall(r'name="(\w+)" value="([^"]*)"', form.raw.decode())
        return self.send("POST", "/settings/apps/manifest", {**{name: unescape(value) for name, value in given}, **changed})

    def code(self, **changed: Any) -> str:
        went = self.confirms(self.opens({**MANIFEST, **changed}))
        return parse_qs(urlsplit(went.headers["location"]).query)["code"][0]

    def converts(self, code: str, before: str = "", **headers: str) -> Reply:
        path = f"{before}/app-manifests/{code}/conversions"
        sent = {"User-Agent": "test", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", **headers}
        return self.send("POST", path, None, **sent)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def person(clock: Clock) -> Iterator[Person]:
    with StandIn(clock) as github:
        yield Person(github)
        assert [] == [problem for exchange in github.exchanges for problem in problems_of(exchange)]


@pytest.fixture
def at_server(clock: Clock) -> Iterator[Person]:
    with StandIn(clock, enterprise=True) as github:
        yield Person(github)


def test_a_manifest_leads_back_with_a_code_and_the_state(person: Person) -> None:
    went = person.confirms(person.opens(MANIFEST))

    assert 302 == went.status
    assert went.headers["location"].startswith("http://127.0.0.1:1/setup/created?code=")
    assert ["abc"] == parse_qs(urlsplit(went.headers["location"]).query)["state"]


def test_the_code_is_exchanged_for_the_secrets_once(person: Person) -> None:
    code = person.code()

    first, second = person.converts(code), person.converts(code)

    assert (201, 404) == (first.status, second.status)
    assert first.json["pem"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert {"contents": "read", "pull_requests": "write", "metadata": "read"} == first.json["permissions"]


def test_a_code_dies_after_an_hour(person: Person, clock: Clock) -> None:
    code = person.code()
    clock.ahead = timedelta(hours=1, seconds=1)

    assert 404 == person.converts(code).status


def test_a_credential_is_refused_where_none_is_needed(person: Person) -> None:
    assert 401 == person.converts(person.code(), Authorization="Bearer x").status
    assert person.github.violations


def test_the_app_belongs_to_the_organisation_of_the_address(person: Person) -> None:
    person.confirms(person.opens(MANIFEST, "/organizations/acme/settings/apps/new"))

    assert ["acme"] == [app.owner.login for app in person.github.apps]


def test_a_name_is_given_once(person: Person) -> None:
    person.code()

    assert 422 == person.confirms(person.opens(MANIFEST)).status
    assert 302 == person.confirms(person.opens(MANIFEST), app_name="Another").status


@pytest.mark.parametrize(
    "changed",
    [
        {"url": ""},
        {"colour": "red"},
        {"name": "M" * 35},
        {"hook_attributes": {"url": "http://localhost:8000/webhook"}},
        {"hook_attributes": {"url": "http://127.0.0.1:8000/webhook"}},
        {"redirect_url": "/setup"},
        {"default_permissions": {"contents": "read", "everything": "write"}},
        {"default_permissions": {"contents": "sometimes"}},
        {"default_events": ["merge_group"]},
        {"default_events": ["earthquake"]},
    ],
)
def test_a_manifest_that_github_refuses_is_refused(person: Person, changed: dict[str, Any]) -> None:
    assert 422 == person.opens({**MANIFEST, **changed}).status
    assert person.github.violations


def test_an_enterprise_server_has_its_interface_below_api_v3(at_server: Person) -> None:
    code = at_server.code()

    assert 404 == at_server.converts(code).status
    made = at_server.converts(code, before="/api/v3")

    assert 201 == made.status
    assert made.json["html_url"].endswith("/github-apps/meteraudit")


def test_an_enterprise_server_knows_no_merge_queue(at_server: Person) -> None:
    queue = {"default_permissions": {"contents": "read", "merge_queues": "read"}, "default_events": ["merge_group"]}

    assert 422 == at_server.opens({**MANIFEST, **queue}).status


def test_an_app_is_told_of_its_making_and_of_its_installation(person: Person, tmp_path: Any) -> None:
    person.github.add_repository("acme/api", tmp_path / "api.git")
    person.code()

    assert 302 == person.send("POST", "/apps/meteraudit/installations/new", {}).status
    until = time.monotonic() + 10
    while len(person.github.deliveries) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)

    assert {"ping", "installation"} == {one.event for one in person.github.deliveries}
