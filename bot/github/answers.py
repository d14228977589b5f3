"""Reads GitHub's answers, without I/O: bodies into structs, statuses into errors, rate limits into points in time."""

import email.utils
import re
from typing import TypeVar

import msgspec
from gidgethub import sansio

from bot.github.errors import (
    BadCredentials,
    CapabilityMissing,
    Forbidden,
    GitHubError,
    Gone,
    InstallationGone,
    NotFound,
    Rejected,
    RevisionGone,
    TooLarge,
    Unanswered,
    Unexpected,
)
from bot.github.transport import Answer

T = TypeVar("T")

SECONDARY_PAUSE = 60.0
_SECONDARY = re.compile(r"secondary rate|abuse", re.IGNORECASE)
_LONGEST_PAUSE = 6 * 3600.0
_MAX_MESSAGES = 20
_MAX_MESSAGE_CHARACTERS = 500


_KINDS: dict[int, type[GitHubError]] = {
    401: BadCredentials,
    404: NotFound,
    406: TooLarge,
    410: Gone,
    413: TooLarge,
    451: Gone,
}


class _ErrorBody(msgspec.Struct, frozen=True):
    message: str = ""
    errors: object = None


def decoded(answer: Answer, shape: type[T], operation: str) -> T:
    """The body as the given struct. Raises Unexpected where it is not JSON of that shape, whatever its media type."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # `from None`: the decoder's message can quote the body.
        raise Unexpected(operation, answer.status, "a body of another shape") from None


def next_page(answer: Answer) -> str | None:
    """The URL of the next page from the Link header."""
    # Without a body gidgethub decodes nothing, so neither an odd charset nor a half JSON can make it fail.
    headers = {"link": answer.headers.get("link", "")}
    _, _, following = sansio.decipher_response(200, headers, b"")
    return following


def rate_limit(answer: Answer) -> sansio.RateLimit | None:
    """The primary rate limit as of this answer; GitHub Enterprise Server sends none unless it is switched on."""
    try:
        return sansio.RateLimit.from_http(answer.headers)
    except (ValueError, OverflowError, OSError):
        return None


def paused_until(answer: Answer, now: float, attempt: int) -> float | None:
    """The epoch second before which this installation must not call again, or None if this is no rate limit.

    In GitHub's order: retry-after, the reset of a used-up primary limit, else a minute that doubles with each attempt
    (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
    """
    if answer.status not in {403, 429}:
        return None
    retry_after = _retry_after(answer.headers.get("retry-after"), now)
    if retry_after is not None:
        return now + min(max(retry_after, 1.0), _LONGEST_PAUSE)
    limit = rate_limit(answer)
    if limit is not None and limit.remaining <= 0:
        # One second more: the header is cut to whole seconds, and the two clocks are never quite the same.
        return min(max(limit.reset_datetime.timestamp(), now) + 1.0, now + _LONGEST_PAUSE)
    if answer.status == 429 or _SECONDARY.search(_error_body(answer).message):
        return now + SECONDARY_PAUSE * 2.0 ** min(attempt, 4)
    return None


def _retry_after(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return SECONDARY_PAUSE


def server_time(answer: Answer) -> float | None:
    """GitHub's clock as of this answer, in epoch seconds."""
    try:
        return email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


def blames_the_clock(answer: Answer) -> bool:
    """Whether a 401 says that the issue or expiry time of our JWT is wrong."""
    return re.search(r"\b(exp|iat)\b|expiration time|issued at", _error_body(answer).message, re.IGNORECASE) is not None


def error_of(answer: Answer, operation: str) -> GitHubError | None:
    """The error this answer means, or None for 200 to 204. Rate limits are recognised before, by `paused_until`."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status >= 500:
        return Unanswered(operation, status)
    if status == 403:
        return _forbidden(answer, operation)
    if status in {404, 422} and _error_body(answer).message.startswith("No commit found"):
        return RevisionGone(operation, status)
    if status in {400, 422}:
        return Rejected(operation, status, _messages(_error_body(answer)))
    return _KINDS.get(status, Unexpected)(operation, status)


def _forbidden(answer: Answer, operation: str) -> GitHubError:
    body = _error_body(answer)
    if "installation has been suspended" in body.message:
        return InstallationGone(operation, 403)
    if "not accessible by" in body.message.lower():
        return CapabilityMissing(operation, 403)
    if any("too_large" in message for message in _messages(body)):
        return TooLarge(operation, 403)
    return Forbidden(operation, 403)


def _error_body(answer: Answer) -> _ErrorBody:
    """What an error body says; an HTML page or a half JSON says nothing."""
    try:
        return msgspec.json.decode(answer.body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _ErrorBody()


def _messages(body: _ErrorBody) -> tuple[str, ...]:
    """GitHub's messages; `errors` is a string, a list of strings, or a list of objects, depending on the endpoint."""
    errors = body.errors if isinstance(body.errors, list) else [body.errors]
    texts = [body.message]
    for error in errors[:_MAX_MESSAGES]:
        if isinstance(error, str):
            texts.append(error)
        elif isinstance(error, dict):
            texts.append(" ".join(str(error[key]) for key in ("field", "code", "message") if error.get(key)))
    return tuple(text[:_MAX_MESSAGE_CHARACTERS] for text in texts if text)
