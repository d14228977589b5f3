"""The one GitHub client: who we are, which token, when to wait, when to try again, when to give up."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gidgethub.sansio import RateLimit

from bot.github import answers
from bot.github.app_token import AppCredentials, app_token
from bot.github.clock import Clock
from bot.github.errors import BadCredentials, NotFound, RateLimited, Unanswered
from bot.github.installation_tokens import Access, InstallationTokens
from bot.github.pace import PATIENCE, Pace
from bot.github.payloads import App, Repository
from bot.github.repository import RepositoryClient
from bot.github.repository_calls import RepositoryCalls
from bot.github.transport import Answer, Request, Transport

GITHUB_COM = "https://api.github.com"
REVIEW_PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "read",
    "metadata": "read",
    "pull_requests": "write",
}
READ_BACKOFF = (1.0, 4.0, 9.0)
"""Seconds before the second, third and fourth try of a read."""
TOKEN_SETTLES = 5.0
"""Seconds a fresh token may be unknown to some of GitHub's servers."""
IN_FLIGHT = 50
_MAX_LIMITED = 5

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tries:
    """What has happened to one call so far."""

    unanswered: int = 0
    limited: int = 0
    reminted: bool = False


class GitHub:
    """Everything the program says to GitHub goes through one of these, opened with `async with` once per process.

    `base_url` is the API's, `https://HOST/api/v3` on GitHub Enterprise Server. Pauses asked for by GitHub hold for a
    whole installation; `paused_until` and `pause` let them outlive the process.
    """

    def __init__(
        self,
        credentials: AppCredentials,
        base_url: str = GITHUB_COM,
        *,
        clock: Clock | None = None,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._credentials = credentials
        self._clock = clock or Clock()
        self._transport = Transport(base_url, proxy=proxy, tls=tls)
        self._tokens = InstallationTokens(self.as_app, self._clock)
        self._everyone = asyncio.Semaphore(IN_FLIGHT)
        self._paces: dict[int | None, Pace] = {}
        self._clock_offset = 0.0
        self._key = 0
        self._app: App | None = None

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def base_url(self) -> str:
        return self._transport.base_url

    def repository(
        self,
        installation_id: int,
        repository_id: int,
        owner_and_name: str | None = None,
        permissions: Mapping[str, str] = REVIEW_PERMISSIONS,
    ) -> RepositoryClient:
        """The client of one repository, whose token reaches this repository only; the name is looked up if absent."""
        access = Access(installation_id, repository_id, tuple(sorted(permissions.items())))
        calls = RepositoryCalls(self.as_installation, self._clock, access, repository_id, owner_and_name)
        return RepositoryClient(calls, self.app)

    async def repository_id(self, installation_id: int, owner_and_name: str) -> int | None:
        """The id of a repository by its name; None if it is not there or the installation does not reach it."""
        access = Access(installation_id, None, (("metadata", "read"),))
        request = Request("GET", f"/repos/{owner_and_name}", "read repository")
        try:
            return answers.decoded(await self.as_installation(access, request), Repository, request.operation).id
        except NotFound:
            return None

    async def app(self, *, fresh: bool = False) -> App:
        """Our own registration; read once, or again if it must be `fresh`."""
        if self._app is None or fresh:
            request = Request("GET", "/app", "read app")
            self._app = answers.decoded(await self.as_app(request), App, request.operation)
        return self._app

    def rate_limit(self, installation_id: int) -> RateLimit | None:
        """The primary limit of the installation as of its last answer."""
        return self._pace(installation_id).limit

    def now(self) -> float:
        """Epoch seconds by the client's clock."""
        return self._clock.now()

    def paused_until(self, installation_id: int) -> float:
        """The epoch second before which nothing is sent for this installation; 0 if it is not paused."""
        return self._pace(installation_id).paused_until

    def pause(self, installation_id: int, until: float) -> None:
        """Restores a pause that an earlier process was told of."""
        self._pace(installation_id).pause(until)

    async def as_installation(self, access: Access, request: Request) -> Answer:
        """A good answer (200 to 204) to a call with an installation token; else one of `bot.github.errors`."""
        pace = self._pace(access.installation_id)
        tries = _Tries()
        while True:
            token = await self._tokens.token(access)
            answer = await self._attempt(pace, tries, request, token.text)
            if answer is None:
                continue
            if answer.status != 401:
                return _good(answer, request)
            age = self._clock.now() - token.minted_at
            if age < TOKEN_SETTLES:
                await self._clock.sleep(1.0)
            elif tries.reminted:
                raise BadCredentials(request.operation, 401)
            else:
                tries.reminted = True
                self._tokens.forget(access, token)

    async def as_app(self, request: Request) -> Answer:
        """A good answer to a call with the App's own JWT; tries each private key, and GitHub's clock if ours is off."""
        pace = self._pace(None)
        tries = _Tries()
        keys = self._credentials.private_keys
        refused = 0
        while True:
            now = self._clock.now() + self._clock_offset
            # Signing takes a millisecond, no reason to keep a JWT.
            credential = app_token(self._credentials.issuer, keys[self._key], now)
            answer = await self._attempt(pace, tries, request, credential)
            if answer is None:
                continue
            if answer.status != 401:
                return _good(answer, request)
            if not tries.reminted and self._corrected(answer):
                tries.reminted = True
                continue
            refused += 1
            self._key = (self._key + 1) % len(keys)
            if refused >= len(keys):
                raise BadCredentials(request.operation, 401)

    async def _attempt(self, pace: Pace, tries: _Tries, request: Request, credential: str) -> Answer | None:
        """One exchange; None when it came to nothing, the wait is over and the caller is to try again."""
        try:
            async with pace.turn(request):
                answer = await self._transport.send(request, credential)
            if answer.status >= 500:
                raise Unanswered(request.operation, answer.status)
        except Unanswered:
            if not request.may_repeat or tries.unanswered >= len(READ_BACKOFF):
                raise
            await self._clock.sleep(READ_BACKOFF[tries.unanswered])
            tries.unanswered += 1
            return None
        if answer.headers.get("x-ratelimit-resource", "core") == "core":
            pace.limit = answers.rate_limit(answer) or pace.limit
        until = answers.paused_until(answer, self._clock.now(), tries.limited)
        if until is None:
            return answer
        pace.pause(until)
        tries.limited += 1
        if tries.limited >= _MAX_LIMITED or until - self._clock.now() > PATIENCE:
            raise RateLimited(request.operation, pace.paused_until)
        # The next turn waits for the end of the pause, as every other call of this installation does. A call that was
        # refused for its rate was not carried out, so this holds for writes too.
        return None

    def _corrected(self, answer: Answer) -> bool:
        """Whether the 401 came of a wrong clock here, in which case GitHub's is used from now on."""
        theirs = answers.server_time(answer)
        if theirs is None or not answers.blames_the_clock(answer):
            return False
        self._clock_offset = theirs - self._clock.now()
        _log.warning("the clock differs from GitHub's by %.0f s; GitHub's is used for signing", self._clock_offset)
        return True

    def _pace(self, installation_id: int | None) -> Pace:
        if installation_id not in self._paces:
            self._paces[installation_id] = Pace(self._clock, self._everyone)
        return self._paces[installation_id]


def _good(answer: Answer, request: Request) -> Answer:
    error = answers.error_of(answer, request.operation)
    if error is not None:
        raise error
    return answer
