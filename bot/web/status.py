"""/status: what the operator needs to know, behind a token. The token is sent once, in a form, or in a header each time."""

import hashlib
import hmac
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from urllib.parse import urlsplit

import psycopg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.jobs.figures import Score, figures
from bot.memory import Memory
from bot.web.checklist import steps
from bot.web.forms import given, origin_of, private
from bot.web.pages import prefix
from bot.web.plot import Plot, plot
from config.settings import Settings

COOKIE = "meteraudit_status"
SESSION_SECONDS = 12 * 3600
SMALL_BODY = 16 * 1024


def routes() -> list[BaseRoute]:
    return [
        Route("/status", show, methods=["GET"]),
        Route("/status", enter, methods=["POST"], max_body_size=SMALL_BODY),
        Route("/status/leave", leave, methods=["POST"], max_body_size=SMALL_BODY),
        Route("/status/forget", forget, methods=["POST"], max_body_size=SMALL_BODY),
    ]


async def show(request: Request) -> Response:
    if not is_operator(request):
        return ask(request)
    try:
        found, checklist = await figures(request.state.database), await steps(request.state.database)
    except psycopg.Error:
        raise HTTPException(503) from None
    return private(
        request,
        "status.html",
        figures=found,
        steps=checklist,
        finished=all(step.done for step in checklist),
        repositories=by_repository(found.scores),
        duration=duration,
        utc=utc,
        leave=COOKIE in request.cookies,
    )


async def enter(request: Request) -> Response:
    token = token_of(request)
    if not hmac.compare_digest((await given(request, "token")).encode(), token):
        return ask(request, wrong=True)
    settings: Settings = request.app.state.settings
    answer = RedirectResponse(f"{prefix(settings.public_url)}/status", 303)
    secure = urlsplit(origin_of(request) or settings.public_url or "").scheme == "https"
    answer.set_cookie(
        COOKIE,
        session(token, int(time.time()) + SESSION_SECONDS),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return answer


async def leave(request: Request) -> Response:
    token_of(request)
    answer = RedirectResponse(f"{prefix(request.app.state.settings.public_url)}/status", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def forget(request: Request) -> Response:
    """Deletes what is stored of a repository. The cookie is SameSite=Strict: no other site can send this form."""
    if not is_operator(request):
        return ask(request)
    wanted = await given(request, "repository")
    if not re.fullmatch(r"[1-9][0-9]{0,17}", wanted, re.ASCII):
        raise HTTPException(400)
    try:
        await Memory(request.state.database.pool).forget_repository(int(wanted))
    except psycopg.Error:
        raise HTTPException(503) from None
    return RedirectResponse(f"{prefix(request.app.state.settings.public_url)}/status", 303)


def is_operator(request: Request) -> bool:
    token = token_of(request)
    return is_bearer(request.headers.get("authorization", ""), token) or is_session(token, request.cookies.get(COOKIE, ""))


def token_of(request: Request) -> bytes:
    """The token of the settings. Without one there is no such page."""
    settings: Settings = request.app.state.settings
    if settings.status_token is None:
        raise HTTPException(404)
    return settings.status_token


def session(token: bytes, until: int) -> str:
    """A cookie that is good until then (epoch seconds), for whoever has the same token; it tells nothing of the token."""
    mark = hmac.new(token, f"meteraudit status {until}".encode(), hashlib.sha256).hexdigest()
    return f"{until}.{mark}"


def is_session(token: bytes, cookie: str) -> bool:
    until, _, _ = cookie.partition(".")
    if not until.isascii() or not until.isdigit() or len(until) > 12 or int(until) < time.time():
        return False
    return hmac.compare_digest(cookie.encode(), session(token, int(until)).encode())


def is_bearer(header: str, token: bytes) -> bool:
    scheme, _, value = header.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(value.strip().encode(), token)


def ask(request: Request, wrong: bool = False) -> Response:
    answer = private(request, "status_token.html", 401, wrong=wrong)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="MeterAudit status"'
    return answer


def by_repository(scores: Iterable[Score]) -> list[tuple[str, list[Score], Plot]]:
    """The scores of each repository with their picture; they come sorted."""
    found = []
    for repository_id, group in groupby(scores, key=lambda one: one.repository_id):
        listed = list(group)
        found.append((listed[0].name or f"repository {repository_id}", listed, plot(listed)))
    return found


def utc(at: datetime) -> datetime:
    """The database answers in the time zone of its own."""
    return at.astimezone(UTC)


def duration(seconds: float | None) -> str:
    """As people say it: 0.4 s, 12 s, 3 min, 2 h, 5 d."""
    if seconds is None:
        return "–"  # noqa: RUF001 - there is no number
    seconds = max(0.0, seconds)
    for least, size, unit in ((172800, 86400, "d"), (7200, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
