"""Calls within one repository: its current name, escaped paths, pages, and bodies in and out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec

from bot.github import answers
from bot.github.clock import Clock
from bot.github.errors import GitHubError, Gone, NotFound, RepositoryGone, Unanswered, Unexpected
from bot.github.installation_tokens import Access
from bot.github.outbound import cleaned
from bot.github.paging import PER_PAGE, pages
from bot.github.payloads import Repository
from bot.github.transport import BODY_LIMIT, GRAPHQL, JSON, Answer, Request

T = TypeVar("T")
Send = Callable[[Access, Request], Awaitable[Answer]]

_NAME_IS_FRESH = 60.0


def quoted_path(path: str) -> str | None:
    """A repository path for use in a URL, or None if no file of a git tree can have it.

    Everything but letters, digits, `_.-~` and the slash is escaped: `#`, `?`, `{` and a `%2F` that is part of the name.
    """
    if any(part in {"", ".", ".."} for part in path.split("/")) or "\0" in path:
        return None
    try:
        return quote(path, safe="/")
    except UnicodeEncodeError:
        return None


class RepositoryCalls:
    """Sends requests below `/repos/{owner}/{name}`.

    The id is what counts: the name is looked up by it at first, and again after a redirect or a 404, because
    repositories are renamed and transferred, and another one may take the old name.
    """

    def __init__(self, send: Send, clock: Clock, access: Access, repository_id: int, owner_and_name: str | None = None) -> None:
        self.repository_id = repository_id
        self._send = send
        self._clock = clock
        self._access = access
        self._name = owner_and_name
        self._resolved_at: float | None = None

    async def read(self, path: str, shape: type[T], operation: str, accept: str = JSON) -> T:
        """One JSON answer."""
        return answers.decoded(await self.send("GET", path, operation, accept=accept), shape, operation)

    async def pages(self, path: str, page: type[T], operation: str) -> AsyncIterator[T]:
        """The pages of a list; `path` may have a query."""
        joint = "&" if "?" in path else "?"
        first = await self.send("GET", f"{path}{joint}per_page={PER_PAGE}", operation)

        async def send(request: Request) -> Answer:
            return await self._send(self._access, request)

        async for one in pages(first, send, page, operation):
            yield one

    def now(self) -> float:
        """Epoch seconds by the client's clock."""
        return self._clock.now()

    async def name(self) -> str:
        """`owner/name`, as far as we know."""
        return self._name or await self.resolve()

    async def graphql(self, operation: str, body: bytes, *, repeatable: bool = False) -> Answer:
        """The answer to a GraphQL request, which is 200 for most failures too."""
        return await self._send(self._access, Request("POST", GRAPHQL, operation, body, repeatable=repeatable))

    async def write(
        self,
        method: Literal["POST", "PATCH"],
        path: str,
        body: object,
        shape: type[T],
        operation: str,
        *,
        notifies: bool = False,
        repeatable: bool = False,
    ) -> T:
        """What GitHub made of the body. Raises Unanswered also where the answer to a write cannot be read."""
        encoded = msgspec.json.encode(cleaned(body))
        answer = await self.send(method, path, operation, body=encoded, notifies=notifies, repeatable=repeatable)
        try:
            return answers.decoded(answer, shape, operation)
        except Unexpected:
            raise Unanswered(operation, answer.status) from None

    async def delete(self, path: str, operation: str) -> None:
        """Deletes; what is already gone is no error, so it may be repeated."""
        try:
            await self.send("DELETE", path, operation, repeatable=True)
        except NotFound:
            return

    async def send(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE"],
        path: str,
        operation: str,
        *,
        body: bytes | None = None,
        accept: str = JSON,
        limit_bytes: int = BODY_LIMIT,
        notifies: bool = False,
        repeatable: bool = False,
    ) -> Answer:
        """A good answer from the repository, by whatever name it goes now."""
        request = Request(method, "", operation, body, accept, limit_bytes, notifies=notifies, repeatable=repeatable)
        name = self._name or await self.resolve()
        try:
            answer = await self._send(self._access, replace(request, path=f"/repos/{name}{path}"))
        except NotFound as missing:
            renamed = await self._renamed(name, missing)
            if renamed is None:
                raise
            answer = await self._send(self._access, replace(request, path=f"/repos/{renamed}{path}"))
        if answer.redirected:
            self._name = None
        return answer

    async def resolve(self) -> str:
        """`owner/name` of the repository now. Raises RepositoryGone when it is deleted or no longer ours to see."""
        request = Request("GET", f"/repositories/{self.repository_id}", "read repository")
        try:
            answer = await self._send(self._access, request)
        except NotFound as missing:
            raise RepositoryGone(request.operation, missing.status) from None
        self._name = answers.decoded(answer, Repository, request.operation).full_name
        self._resolved_at = self._clock.now()
        return self._name

    async def _renamed(self, name: str, missing: GitHubError) -> str | None:
        """The name to try after a 404, or None where the name was right and it is the thing that is missing."""
        fresh = self._resolved_at is not None and self._clock.now() - self._resolved_at < _NAME_IS_FRESH
        if isinstance(missing, Gone) or fresh:
            return None
        now = await self.resolve()
        return now if now != name else None
