"""Mints installation tokens, narrowed to one repository and a set of permissions, and keeps them until they age."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from bot.github.answers import decoded
from bot.github.clock import Clock
from bot.github.errors import CapabilityMissing, Forbidden, InstallationGone, NotFound, Rejected, RepositoryGone
from bot.github.payloads import Installation, InstallationToken
from bot.github.transport import Answer, Request

REFRESH_BEFORE_EXPIRY = 300.0

AsApp = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Access:
    """What a token may be used for; the key under which it is kept."""

    installation_id: int
    repository_id: int | None = None
    """None for calls about the installation itself."""
    permissions: tuple[tuple[str, str], ...] = ()
    """(name, level), sorted; empty for all that the installation has."""


@dataclass(frozen=True, slots=True)
class Token:
    """A minted token; times are epoch seconds of our clock."""

    text: str = field(repr=False)
    minted_at: float
    expires_at: float


class InstallationTokens:
    """The tokens of the process. Callers that want the same one at the same time share one request.

    `as_app` sends a request with the App's JWT and returns a good answer or raises.
    """

    def __init__(self, as_app: AsApp, clock: Clock) -> None:
        self._as_app = as_app
        self._clock = clock
        self._kept: dict[Access, Token] = {}
        self._minting: dict[Access, asyncio.Task[Token]] = {}

    async def token(self, access: Access) -> Token:
        """A token good for at least five minutes. Raises InstallationGone, RepositoryGone, CapabilityMissing."""
        kept = self._kept.get(access)
        if kept is not None and kept.expires_at - self._clock.now() > REFRESH_BEFORE_EXPIRY:
            return kept
        minting = self._minting.get(access)
        if minting is None:
            minting = asyncio.create_task(self._mint(access))
            self._minting[access] = minting
            minting.add_done_callback(lambda done: self._minted(access, done))
        # Shielded: one caller that is cancelled must not take the token from the others.
        return await asyncio.shield(minting)

    def forget(self, access: Access, token: Token) -> None:
        """Drops a token that GitHub refused, unless a newer one has taken its place."""
        if self._kept.get(access) is token:
            del self._kept[access]

    def _minted(self, access: Access, done: asyncio.Task[Token]) -> None:
        self._minting.pop(access, None)
        if not done.cancelled() and done.exception() is None:
            self._drop_expired()
            self._kept[access] = done.result()

    def _drop_expired(self) -> None:
        now = self._clock.now()
        self._kept = {access: token for access, token in self._kept.items() if token.expires_at > now}

    async def _mint(self, access: Access) -> Token:
        try:
            return await self._request(access, dict(access.permissions))
        except Rejected as refused:
            granted = await self._granted(access, refused)
            return await self._request(access, granted)

    async def _granted(self, access: Access, refused: Rejected) -> dict[str, str]:
        """The permissions to ask for instead, when GitHub refuses to mint with 422.

        An owner who has not yet accepted a new permission must still get the rest of a review, so what is not granted
        is left out, and the call that needs it answers 403. If nothing is missing it is the repository that is.
        """
        request = Request("GET", f"/app/installations/{access.installation_id}", "read installation")
        granted = decoded(await self._ask(request), Installation, request.operation).permissions
        wanted = dict(access.permissions)
        kept = {name: _lower(level, granted[name]) for name, level in wanted.items() if name in granted}
        if kept == wanted:
            raise RepositoryGone(refused.operation, refused.status) from None
        if not kept:
            raise CapabilityMissing(refused.operation, refused.status) from None
        return kept

    async def _ask(self, request: Request) -> Answer:
        try:
            return await self._as_app(request)
        except (NotFound, Forbidden) as refused:
            raise InstallationGone(request.operation, refused.status) from None

    async def _request(self, access: Access, permissions: dict[str, str]) -> Token:
        narrowed: dict[str, object] = {}
        if access.repository_id is not None:
            narrowed["repository_ids"] = [access.repository_id]
        if permissions:
            narrowed["permissions"] = permissions
        request = Request(
            "POST",
            f"/app/installations/{access.installation_id}/access_tokens",
            "mint installation token",
            msgspec.json.encode(narrowed),
            repeatable=True,
        )
        now = self._clock.now()
        minted = decoded(await self._ask(request), InstallationToken, request.operation)
        return Token(minted.token, self._clock.now(), min(_epoch(minted.expires_at, now), now + 3600.0))


_LEVELS = ("read", "write", "admin")


def _lower(wanted: str, granted: str) -> str:
    return min(wanted, granted, key=lambda level: _LEVELS.index(level) if level in _LEVELS else 0)


def _epoch(text: str, now: float) -> float:
    """Tokens live one hour; if the time cannot be read, half of that is assumed."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return now + 1800.0
