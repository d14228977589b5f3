"""A small server that speaks real HTTP and answers as told, for what a well-behaved stand-in would never say."""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.github.clock import Clock

INSTALLATION, REPOSITORY, APP = 7, 42, 99
SECRET_TOKEN = "ghs_99_eyJhbGciOi.JSUzI1-NiJ9.secret"


def new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@dataclass(frozen=True)
class Said:
    """One answer of the server."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False

    def response(self) -> web.Response:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"content-type": "application/json; charset=utf-8", **self.headers}
        return web.Response(status=self.status, body=raw if self.body is not None else b"", headers=headers)


@dataclass(frozen=True)
class Heard:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Answers by method and path with its query; the last answer told for a path is repeated."""

    url: str = ""
    told: dict[tuple[str, str], list[Said]] = field(default_factory=lambda: defaultdict(list))
    heard: list[Heard] = field(default_factory=list)

    def says(self, method: str, path: str, *answers: Said) -> None:
        self.told[method, path] = list(answers)

    def requests(self, path: str, method: str | None = None) -> list[Heard]:
        return [one for one in self.heard if one.path == path and method in {None, one.method}]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        heard = Heard(request.method, request.raw_path, {k.lower(): v for k, v in request.headers.items()}, None)
        self.heard.append(Heard(heard.method, heard.path, heard.headers, json.loads(body) if body else None))
        answers = self.told.get((request.method, request.raw_path))
        if not answers:
            return web.json_response({"message": "Not Found"}, status=404)
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        if said.drops:
            assert request.transport is not None
            request.transport.close()
        return said.response()


@dataclass
class MovedClock:
    """A clock that stands still until somebody sleeps."""

    time: float = field(default_factory=time.time)
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


def token_answer(clock: MovedClock, text: str = SECRET_TOKEN, seconds: float = 3600.0) -> Said:
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock.time + seconds))
    return Said(201, {"token": text, "expires_at": expires, "permissions": {"checks": "write"}})


MINT = f"/app/installations/{INSTALLATION}/access_tokens"


def pull_request(**changes: Any) -> dict[str, Any]:
    here = {"id": REPOSITORY, "full_name": "acme/app"}
    return {
        "id": 1,
        "number": 1,
        "state": "open",
        "head": {"sha": "a" * 40, "ref": "topic", "repo": None},
        "base": {"sha": "b" * 40, "ref": "main", "repo": here},
        "changed_files": 1,
        "unknown_to_us": {"x": 1},
        **changes,
    }
