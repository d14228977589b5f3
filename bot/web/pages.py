"""Web pages: their templates, the files they load, and the headers that keep everything else out."""

from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.report import html

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types meteraudit"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Adds the headers to every answer that has none of that name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)


class OurFiles(StaticFiles):
    """Asked for again each time, and answered with 304 as long as they are the same: a new version is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def routes() -> list[BaseRoute]:
    return [
        Route("/static/report.css", report_style),
        Mount("/static", OurFiles(directory=HERE / "static"), name="static"),
    ]


async def report_style(request: Request) -> Response:
    """The one style that pages and reports in a file share."""
    return FileResponse(html.TEMPLATES / "report.css", media_type="text/css", headers={"Cache-Control": "no-cache"})


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A whole page. `base` is in front of every path of ours in it."""
    base = prefix(request.app.state.settings.public_url)
    text = environment().get_template(template).render(base=base, path=request.url.path, **values)
    return HTMLResponse(html.encodable(text), status, headers={"Cache-Control": "no-cache"})


def prefix(public_url: str | None) -> str:
    """The path under which a proxy in front shows the program: `/audit` of `https://host/audit`; empty without one."""
    return urlsplit(public_url).path.rstrip("/") if public_url else ""


@cache
def environment() -> Environment:
    """Escapes everything; knows the macros of the report."""
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(HERE / "templates"), FileSystemLoader(html.TEMPLATES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html.equip(made)
    return made
