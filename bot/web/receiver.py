"""POST /webhook: proves that a delivery is GitHub's, stores what it asks for, and never calls anybody.

Answers (GitHub counts anything but 2xx as failed and never repeats by itself): 202 stored, 200 nothing to do, 400 not a
delivery, 401 not signed by us, 413 too large, 503 could not be stored, so that the sweep asks for it again.
"""

import hashlib
import hmac
import re
from urllib.parse import urlsplit

import msgspec
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from bot.deliveries import PayloadError, PullRequestJob, interpret
from bot.errands import Errand
from bot.jobs.queue import Delivery, store
from bot.upkeep import Upkeep
from config.settings import Settings

LARGEST_BODY = 25 * 1024 * 1024 + 64 * 1024
"""Bytes: GitHub's cap on payloads, and some room. https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)
GUID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
EVENT = re.compile(r"[a-z_]{1,64}", re.ASCII)

log = structlog.get_logger(__name__)


class Envelope(msgspec.Struct):
    """What every payload is asked first; some events have no action."""

    action: str = ""


async def receive(request: Request) -> Response:
    """Answer one delivery; the order of the checks is part of the contract (signature before anything is parsed)."""
    settings: Settings = request.app.state.settings
    try:
        body = await request.body()
    except ClientDisconnect:
        return _answer(400, "incomplete")
    if not is_signed(request.headers.get("X-Hub-Signature-256", ""), body, settings.webhook_secrets):
        log.warning("delivery refused", reason="signature")
        return _answer(401, "unauthorized")
    event, guid = request.headers.get("X-GitHub-Event", ""), request.headers.get("X-GitHub-Delivery", "")
    if not EVENT.fullmatch(event) or not GUID.fullmatch(guid):
        return _answer(400, "X-GitHub-Event or X-GitHub-Delivery is missing or malformed")
    if not _is_from_configured_host(request, settings):
        return _answer(400, "X-GitHub-Enterprise-Host is not the configured GitHub")
    try:
        action = msgspec.json.decode(body, type=Envelope).action
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _answer(400, "the body is not a JSON object; set the webhook's content type to application/json")
    if event == "ping":
        return await _note_ping(request)
    return await _take(request, event, action, guid, body)


async def _note_ping(request: Request) -> Response:
    """It asks for nothing, but shows whoever sets the App up that webhooks arrive."""
    try:
        await Upkeep(request.state.database.pool).set_mark("ping", 0)
    except psycopg.Error:
        return _answer(503, "not stored")
    return _answer(200, "pong")


async def _take(request: Request, event: str, action: str, guid: str, body: bytes) -> Response:
    try:
        asked = interpret(event, action, body)
    except PayloadError as error:
        log.warning("delivery refused", reason="payload", delivery=guid)
        return _answer(400, str(error))
    if asked.job is None:
        return _answer(200, asked.word)
    try:
        outcome = await store(
            request.state.database, Delivery(guid, event, action, asked.job), push_pause=request.app.state.push_pause
        )
    except (psycopg.Error, ConnectorException) as error:
        log.error("delivery not stored", delivery=guid, error=type(error).__name__)
        return _answer(503, "not stored")
    _log_stored(guid, asked.job, outcome)
    return _answer(200, "duplicate") if outcome == "duplicate" else _answer(202, asked.word)


def is_signed(header: str, body: bytes, secrets: tuple[bytes, ...]) -> bool:
    """Whether `header` (`X-Hub-Signature-256`) is the HMAC-SHA256 of `body` under one of `secrets`.

    The shape comes first: `compare_digest` raises on text that is not ASCII. Every secret is tried, so that the time
    does not tell which one fits.
    """
    if not SIGNATURE.fullmatch(header):
        return False
    fits = False
    for secret in secrets:
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        fits |= hmac.compare_digest(expected, header)
    return fits


def _is_from_configured_host(request: Request, settings: Settings) -> bool:
    """GitHub Enterprise Server names itself; github.com does not."""
    named = request.headers.get("X-GitHub-Enterprise-Host")
    return named is None or named.lower() == urlsplit(settings.github_api_url).hostname


def _log_stored(guid: str, job: PullRequestJob | Errand, outcome: str) -> None:
    log.info(
        f"delivery {outcome}",
        delivery=guid,
        installation=job.installation_id,
        repository=getattr(job, "repository_id", None),
        pull_request=getattr(job, "number", None),
    )


def _answer(status: int, word: str) -> Response:
    return PlainTextResponse(word + "\n", status_code=status)
