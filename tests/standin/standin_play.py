"""What the tests of the stand-in hold: one App on one repository with one pull request, a clock and a client."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.demo.standin import App, Installation, PullRequest, Repository, StandIn

WRITE = {"contents": "read", "pull_requests": "write", "checks": "write"}
BEFORE = "".join(f"line {number}\n" for number in range(1, 41))
AFTER = BEFORE.replace("line 3\n", "line 3 new\nline 3 more\n").replace("line 30\n", "")


def pem_of(key: rsa.RSAPrivateKey) -> tuple[str, str]:
    """The private and the public key in PEM."""
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@dataclass
class Reply:
    """Status, headers (lower case) and body of an answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def words(self) -> str:
        """Everything that an error says, in one string."""
        return json.dumps(self.json)


@dataclass
class Clock:
    """A clock that tests move."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Play:
    """One App installed on acme/api with one open pull request, and a client."""

    github: StandIn
    private_key: str = field(repr=False)
    clock: Clock
    app: App
    repo: Repository
    installation: Installation
    pull: PullRequest
    cached: dict[str, str] = field(default_factory=dict, repr=False)

    def jwt(self, **changes: Any) -> str:
        now = int(self.clock().timestamp())
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(self.app.id), **changes}
        return jwt.encode(claims, self.private_key, "RS256")

    def mint(self, **given: Any) -> Reply:
        return self.call("POST", f"/app/installations/{self.installation.id}/access_tokens", given, token=self.jwt())

    def token(self, **permissions: str) -> str:
        key = json.dumps(permissions)
        if key not in self.cached:
            given = {"repository_ids": [self.repo.id], "permissions": permissions or WRITE}
            self.cached[key] = self.mint(**given).json["token"]
        return self.cached[key]

    def call(
        self,
        method: str,
        path: str,
        given: Any = None,
        *,
        token: str | None = None,
        scheme: str = "Bearer",
        **headers: str | None,
    ) -> Reply:
        sent: dict[str, str | None] = {
            "Authorization": f"{scheme} {token or self.token()}",
            "Accept": "application/vnd.github+json",
            "User-Agent": "meteraudit-test",
            "X-GitHub-Api-Version": "2022-11-28",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection = http.client.HTTPConnection(self.github.url.removeprefix("http://"), timeout=10)
        try:
            body = given if isinstance(given, bytes) else json.dumps(given).encode() if given is not None else None
            present = {name: value for name, value in sent.items() if value is not None}
            connection.request(method, path, body, present)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Reply:
        return self.call("GET", f"/repos/acme/api{path}", **more)

    def post(self, path: str, /, **given: Any) -> Reply:
        return self.call("POST", f"/repos/acme/api{path}", given)

    def review(self, *comments: dict[str, Any], **given: Any) -> Reply:
        return self.post("/pulls/1/reviews", **{"event": "COMMENT", "body": "Seen", "comments": list(comments), **given})

    def check(self, **given: Any) -> Reply:
        return self.post("/check-runs", **{"name": "MeterAudit", "head_sha": self.github.head(self.pull), **given})
