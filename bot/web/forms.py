"""What the operator's pages share: fields of a form, where it came from, and a page that nobody keeps."""

from starlette.requests import Request
from starlette.responses import Response

from bot.web.pages import page


async def given(request: Request, name: str) -> str:
    """A field of the form; what is not there, or is a file, is empty."""
    value = (await request.form(max_files=0, max_fields=10)).get(name, "")
    return value.strip() if isinstance(value, str) else ""


def origin_of(request: Request) -> str | None:
    """Where the browser says that the form came from: our address as it sees it."""
    origin = request.headers.get("origin", "")
    return None if origin in ("", "null") else origin


def private(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page that no cache keeps; `same-origin` lets the browser say where its forms come from."""
    answer = page(request, template, status, **values)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer
