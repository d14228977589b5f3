"""The ASGI application: checks a request as GitHub would, runs its handler, and keeps a record of both sides."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.demo.standin import pages, routes, tokens
from bot.demo.standin.answer import Answer, Call, RefusalError, not_found
from bot.demo.standin.faults import Fault, Incoming, Rule, claimed
from bot.demo.standin.state import Grant, Repository, World

API_VERSIONS = ("2022-11-28", "2026-03-10")
TOKEN_IN_ADDRESS = re.compile(r"access_token=|gh[opsu]_|[?&]token=|client_secret=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; `template` names the operation (None: unknown), `faulted` says a fault answered."""

    method: str
    path: str
    template: str | None
    query: Mapping[str, str]
    given: Any
    status: int
    headers: Mapping[str, str]
    media_type: str
    body: Any
    faulted: bool = False


@dataclass(slots=True)
class Door:
    """Serves one world over ASGI."""

    world: World
    faults: list[Rule] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        page = await asyncio.to_thread(pages.answer, self.world, request, body)
        if page is not None:
            await page(scope, receive, send)
            return
        incoming = Incoming(request.method, _address(request), dict(request.headers), body)
        fault = claimed(self.faults, incoming)
        if fault is not None:
            if fault.run is not None:
                await asyncio.to_thread(fault.run)
            await asyncio.sleep(fault.delay)
            if fault.drop == "before":
                await _reset(send)
                return
        answer = _faulty(fault) if fault is not None and fault.status is not None else None
        if answer is None:
            answer = await asyncio.to_thread(self.answer, request, body)
        else:
            self._record(request, None, None, answer, faulted=True)
        if fault is not None and fault.drop == "after":
            await _reset(send)
            return
        await _response(request, answer)(scope, receive, send)

    def answer(self, request: Request, body: bytes) -> Answer:
        """What GitHub would answer; never raises."""
        with self.world.lock:
            template, given = None, None
            try:
                self._watch(request)
                given = _json(body)
                template, result = self._handled(request, given)
            except RefusalError as refusal:
                template = template or self._template(request)
                result = refusal.answer()
            result = self._with_rate(result)
            self._record(request, template, given, result)
            return result

    def _watch(self, request: Request) -> None:
        """Notes what a client should not do, and refuses what GitHub refuses before it looks at the address."""
        place = f"{request.method} {_path(request)}"
        if not request.headers.get("user-agent"):
            self.world.violations.append(f"{place}: no User-Agent")
            raise RefusalError(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
            )
        version = request.headers.get("x-github-api-version")
        if version not in API_VERSIONS:
            self.world.violations.append(f"{place}: X-GitHub-Api-Version is {version or 'missing'}")
            if version:
                raise RefusalError(400, f"'{version}' is not a supported version.")
        if "vnd.github" not in request.headers.get("accept", "") and "json" not in request.headers.get("accept", ""):
            self.world.violations.append(f"{place}: Accept names no media type of GitHub's")
        if TOKEN_IN_ADDRESS.search(_address(request)):
            self.world.violations.append(f"{request.method} of an address with a token in it")
        size = request.query_params.get("per_page", "1")
        if not size.isdigit() or not 1 <= int(size) <= 100:
            self.world.violations.append(f"{place}: per_page={size}, GitHub allows 1 to 100")
        if "/../" in _path(request) or _path(request).endswith("/..") or "\0" in _path(request):
            self.world.violations.append(f"{place}: the address climbs")
            raise not_found()

    def _handled(self, request: Request, given: dict[str, Any]) -> tuple[str, Answer]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        path = self._by_name(self._operation(request))
        found = routes.find(request.method, path)
        if found is not None and found[0].by == "anyone":
            return found[0].template, self._unproved(request, found, given)
        if not token:
            raise RefusalError(401, "Requires authentication")
        if found is None:
            self.world.violations.append(f"{request.method} {path}: the stand-in has no such operation")
            raise not_found()
        one, parts = found
        app, grant = None, None
        if one.by == "app":
            app = tokens.app_of(self.world, scheme, token.strip())
        else:
            grant = tokens.grant_of(self.world, token.strip())
            self._spend(grant)
        repo = self._repository(parts, grant, open_to_all=request.method == "GET" and one.permission == "metadata")
        if repo is not None and repo.full_name.lower() != f"{parts['owner']}/{parts['repo']}".lower():
            return one.template, self._moved(request, path, parts, repo)
        if grant is not None and one.permission is not None:
            tokens.require(grant, one.permission, one.level)
        query, accept = dict(request.query_params), request.headers.get("accept", "")
        call = Call(self.world, request.method, path, parts, query, accept, given, app, grant, repo)
        return one.template, one.handler(call)

    def _unproved(self, request: Request, found: tuple[routes.Endpoint, dict[str, str]], given: dict[str, Any]) -> Answer:
        """An operation that takes no credential; a bad one is refused all the same."""
        if "authorization" in request.headers:
            self.world.violations.append(f"{request.method} {found[0].template}: a credential where none is needed")
            raise RefusalError(401, "Bad credentials")
        query, accept = dict(request.query_params), request.headers.get("accept", "")
        return found[0].handler(Call(self.world, request.method, _path(request), found[1], query, accept, given))

    def _operation(self, request: Request) -> str:
        """The path of the operation: GitHub Enterprise Server has REST below /api/v3 and GraphQL at /api/graphql."""
        path = _path(request)
        if not self.world.enterprise:
            return path
        if path == "/api/graphql":
            return "/graphql"
        if not path.startswith("/api/v3/") or path == "/api/v3/graphql":
            self.world.violations.append(f"{request.method} {path}: not below /api/v3 of a GitHub Enterprise Server")
            raise not_found()
        return path.removeprefix("/api/v3")

    def _by_name(self, path: str) -> str:
        """`/repositories/{id}/…`, where redirections of renamed repositories lead, written with owner and name."""
        found = re.fullmatch(r"/repositories/(\d+)(/.*)?", path, re.DOTALL)
        if found is None:
            return path
        repo = self.world.repositories.get(int(found[1]))
        return f"/repos/{repo.full_name}{found[2] or ''}" if repo else path

    def _repository(self, parts: Mapping[str, str], grant: Grant | None, open_to_all: bool) -> Repository | None:
        """The repository of the address by its name of now or before; 404 where the token does not reach it.

        What is public about a public repository is told to every token.
        """
        if "owner" not in parts:
            return None
        name = f"{parts['owner']}/{parts['repo']}".lower()
        every = self.world.repositories.values()
        repo = next((one for one in every if one.full_name.lower() == name), None)
        repo = repo or next((one for one in every if name in one.former_names), None)
        if repo is None or grant is None:
            raise not_found()
        reached = repo.id in grant.repositories & grant.installation.repositories
        if not reached and (repo.private or not open_to_all):
            raise not_found()
        return repo

    def _moved(self, request: Request, path: str, parts: Mapping[str, str], repo: Repository) -> Answer:
        """The redirection of a renamed repository: 301 for reads, 307 for writes, so that the method stays."""
        rest = path.removeprefix(f"/repos/{parts['owner']}/{parts['repo']}")
        url = f"{self.world.api_url}/repositories/{repo.id}{quote(rest)}{_query(request)}"
        permanent = request.method in ("GET", "HEAD")
        body = {
            "message": "Moved Permanently" if permanent else "Temporary Redirect",
            "url": url,
            "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api",
        }
        return Answer(301 if permanent else 307, body, {"Location": url})

    def _spend(self, grant: Grant) -> None:
        """Takes one request from the hourly limit, which begins anew with each hour; 403 when it is used up."""
        hour = int(self.world.clock().timestamp()) // 3600
        if self.world.hour not in (None, hour):
            self.world.used = 0
        self.world.hour = hour
        if self.world.used >= self.world.limits.hourly:
            raise RefusalError(403, f"API rate limit exceeded for installation ID {grant.installation.id}.")
        self.world.used += 1

    def _template(self, request: Request) -> str | None:
        found = routes.find(request.method, _path(request).removeprefix("/api/v3"))
        return found[0].template if found else None

    def _with_rate(self, answer: Answer) -> Answer:
        limit, used = self.world.limits.hourly, self.world.used
        reset = (int(self.world.clock().timestamp()) // 3600 + 1) * 3600
        rate = {"limit": limit, "remaining": max(0, limit - used), "used": used, "reset": reset, "resource": "core"}
        headers = {f"x-ratelimit-{name}": str(value) for name, value in rate.items()}
        headers["Date"] = format_datetime(self.world.clock().astimezone(UTC), usegmt=True)
        return Answer(answer.status, answer.body, {**headers, **answer.headers}, answer.media_type)

    def _record(self, request: Request, template: str | None, given: Any, answer: Answer, faulted: bool = False) -> None:
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=_path(request),
                template=template,
                query=dict(request.query_params),
                given=given,
                status=answer.status,
                headers=dict(answer.headers),
                media_type=answer.media_type,
                body=answer.body,
                faulted=faulted,
            )
        )


def _path(request: Request) -> str:
    """The decoded path; `request.url` would split it again at a decoded `?` or `#`."""
    return str(request.scope["path"])


def _query(request: Request) -> str:
    text = request.scope["query_string"].decode("latin-1")
    return f"?{text}" if text else ""


def _address(request: Request) -> str:
    return _path(request) + _query(request)


def _json(body: bytes) -> dict[str, Any]:
    """The body as an object; {} where there is none."""
    if not body:
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        raise RefusalError(400, "Problems parsing JSON") from None
    if not isinstance(value, dict):
        raise RefusalError(400, "Body should be a JSON object")
    return value


def _faulty(fault: Fault) -> Answer:
    return Answer(fault.status or 500, fault.content(), fault.headers)


def _response(request: Request, answer: Answer) -> Response:
    if answer.status == 204:
        return Response(status_code=204, headers=dict(answer.headers))
    content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = {"Content-Type": answer.media_type, **answer.headers}
    return Response(content, answer.status, headers=headers)


async def _reset(send: Send) -> None:
    """Cuts the connection with no answer; uvicorn's `send` is bound to the cycle that holds the transport."""
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()
    # The protocol hears of it in the next turns of the loop; until then it would answer 500 for a silent application.
    for _ in range(3):
        await asyncio.sleep(0)
