"""What a handler is given and gives back: a request that passed the door, an answer, a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from bot.demo.standin.state import App, Grant, Person, Repository, World

DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a JSON value, or with raw bytes and their media type."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json; charset=utf-8"


class RefusalError(Exception):
    """An answer of GitHub's that is an error: status, message and, for 422, what was wrong."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def answer(self) -> Answer:
        """The body that GitHub sends with it."""
        body: dict[str, Any] = {"message": self.message, "documentation_url": DOCS, "status": str(self.status)}
        if self.errors is not None:
            body["errors"] = self.errors
        return Answer(self.status, body)


def not_found() -> RefusalError:
    """The answer for what is not there and for what the token may not know of."""
    return RefusalError(404, "Not Found")


def invalid(resource: str, name: str, code: str = "invalid", message: str | None = None) -> RefusalError:
    """A refused field, in the long form of GitHub's errors."""
    error = {"resource": resource, "field": name, "code": code}
    return RefusalError(422, "Validation Failed", [error if message is None else {**error, "message": message}])


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door; `app` and `grant` say who asks, `given` is the JSON body or {}."""

    world: World
    method: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    accept: str
    given: dict[str, Any]
    app: App | None = None
    grant: Grant | None = None
    repo: Repository | None = None

    @property
    def repository(self) -> Repository:
        """The repository of the address; handlers of addresses without one never ask."""
        if self.repo is None:
            raise not_found()
        return self.repo

    @property
    def author(self) -> Person:
        """The account that writes: the bot of the App."""
        if self.grant is None:
            raise RefusalError(401, "Requires authentication")
        return self.grant.installation.app.bot

    @property
    def asking_app(self) -> App:
        """The App that asks, by JWT or by token."""
        app = self.app or (self.grant.installation.app if self.grant else None)
        if app is None:
            raise RefusalError(401, "Requires authentication")
        return app

    def number(self, name: str) -> int:
        """A number in the address; anything else is not found."""
        if not self.parts[name].isdigit():
            raise not_found()
        return int(self.parts[name])


def paged(call: Call, items: list[Any], key: str | None = None) -> Answer:
    """One page of a list with GitHub's Link header; under `key` with the total, where GitHub wraps the list."""
    size = min(100, _positive(call, "per_page", 30))
    page = _positive(call, "page", 1)
    last = max(1, -(-len(items) // size))
    shown = items[(page - 1) * size : page * size]
    links = []
    if page < last:
        links += [_link(call, page + 1, "next"), _link(call, last, "last")]
    if page > 1:
        links += [_link(call, page - 1, "prev"), _link(call, 1, "first")]
    body: Any = shown if key is None else {"total_count": len(items), key: shown}
    return Answer(200, body, {"Link": ", ".join(links)} if links else {})


def _positive(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else default


def _link(call: Call, page: int, relation: str) -> str:
    query = urlencode({"page": page, **{name: value for name, value in call.query.items() if name != "page"}})
    return f'<{call.world.api_url}{quote(call.path)}?{query}>; rel="{relation}"'
