"""Sends one HTTP request to GitHub over aiohttp: time limits, a size cap, redirects to the same origin only."""

import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urljoin

import aiohttp
from gidgethub import sansio
from yarl import URL

from bot.github.errors import TooLarge, Unanswered, Unexpected

GRAPHQL = "/graphql"
BODY_LIMIT = 32 * 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_read=20)
USER_AGENT = "MeterAudit"
API_VERSION = "2022-11-28"
JSON = "application/vnd.github+json"
_READ_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WRITE_REDIRECTS = frozenset({301, 307, 308})
_MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `path` begins with a slash, or is a whole URL of the same origin (from a Link header), both escaped."""

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    operation: str
    body: bytes | None = field(default=None, repr=False)
    accept: str = JSON
    limit_bytes: int = BODY_LIMIT
    notifies: bool = False
    """Sends mail to people: GitHub wants three seconds between such writes."""
    repeatable: bool = False
    """A write that does no harm when it happens twice."""

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    @property
    def may_repeat(self) -> bool:
        return self.is_read or self.repeatable


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub said: status, headers by lower-case name, the body as bytes."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    redirected: bool = False


class Transport:
    """The one HTTP session of the process. It reads no environment proxy and no .netrc; `proxy` names one."""

    def __init__(self, base_url: str, *, proxy: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._origin = URL(self.base_url).origin()
        self._proxy = proxy
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True),
            timeout=TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            proxy=self._proxy,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request, credential: str | None) -> Answer:
        """The answer to the request, whatever its status, after redirects within GitHub. A few calls need no credential.

        aiohttp would turn a POST into a GET on 301, which is what a renamed repository answers, so redirects are
        followed here, with method and body. Raises Unanswered, TooLarge, Unexpected.
        """
        url = self._url(request.path)
        for hop in range(_MAX_REDIRECTS + 1):
            answer = await self._send_once(request, self._same_origin(url, request), credential, redirected=hop > 0)
            location = answer.headers.get("location")
            if answer.status not in (_READ_REDIRECTS if request.is_read else _WRITE_REDIRECTS) or location is None:
                return answer
            url = _joined(url, location, request)
        raise Unexpected(request.operation, detail="too many redirects")

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            return path
        # GitHub Enterprise Server has REST below /api/v3 and GraphQL beside it, at /api/graphql.
        return (self.base_url.removesuffix("/v3") if path == GRAPHQL else self.base_url) + path

    def _same_origin(self, url: str, request: Request) -> URL:
        """The URL as it stands, not normalised again: escapes in file names are ours and `%2F` must stay."""
        try:
            target = URL(url, encoded=True)
            if target.origin() == self._origin:
                return target
        except ValueError:
            pass
        raise Unexpected(request.operation, detail="sent to another origin")

    async def _send_once(self, request: Request, url: URL, credential: str | None, *, redirected: bool) -> Answer:
        if self._session is None:
            raise RuntimeError("the GitHub client is used outside its `async with`")
        headers = sansio.create_headers(USER_AGENT, accept=request.accept)
        headers |= {"x-github-api-version": API_VERSION}
        if credential is not None:
            headers["authorization"] = f"Bearer {credential}"
        if request.body is not None:
            headers["content-type"] = "application/json"
        try:
            async with self._session.request(
                request.method, url, data=request.body, headers=headers, allow_redirects=False
            ) as response:
                body = await _read(response, request)
                return Answer(
                    response.status, {name.lower(): text for name, text in response.headers.items()}, body, redirected
                )
        except (aiohttp.ClientError, TimeoutError, OSError):
            # `from None`: aiohttp's errors quote the URL and, for bad headers, their content.
            raise Unanswered(request.operation) from None


def _joined(url: str, location: str, request: Request) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise Unexpected(request.operation, detail="redirected to no URL") from None


async def _read(response: aiohttp.ClientResponse, request: Request) -> bytes:
    """The body, in pieces, so that an endless or inflated one stops at the limit."""
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > request.limit_bytes:
            if not request.is_read:
                # It may well have been written: the caller must look.
                raise Unanswered(request.operation, response.status)
            raise TooLarge(request.operation, response.status, f"over {request.limit_bytes} bytes")
    return bytes(body)
