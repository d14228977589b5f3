"""Exchanges the one-time code of a manifest for the App that GitHub made of it."""

from urllib.parse import quote

from msgspec import Struct

from bot.github import answers
from bot.github.transport import Request, Transport

OPERATION = "convert manifest"


class NewApp(Struct, frozen=True):
    """A freshly registered App with its secrets, which GitHub gives this once."""

    id: int
    html_url: str
    pem: str
    webhook_secret: str | None = None

    def __repr__(self) -> str:
        return f"NewApp({self.id})"


async def convert(api_url: str, code: str) -> NewApp:
    """The App behind `code`, which is good for an hour and for one exchange. Raises the errors of `bot.github.errors`."""
    # Not repeatable: if the answer was lost, the code may be used up, and a person must look.
    request = Request("POST", f"/app-manifests/{quote(code, safe='')}/conversions", OPERATION)
    async with Transport(api_url) as transport:
        answer = await transport.send(request, None)
    error = answers.error_of(answer, OPERATION)
    if error is not None:
        raise error
    return answers.decoded(answer, NewApp, OPERATION)
