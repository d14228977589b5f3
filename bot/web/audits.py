"""The page at /: takes code, answers with findings as a stream of events while files are judged, then with the report.

The stream is the answer to the request that brings the code, read with `fetch`. So nothing has to be kept between two
requests, there is no id by which somebody else could listen, any number of servers may share the work, and who closes the
page ends the audit. `EventSource` can only GET: it would need a stored job, and would start it again when the line breaks.
"""

from collections.abc import AsyncGenerator
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.audit import NEVER_ENTERED
from bot.local_configuration import ATTRIBUTES, FILE
from bot.rule_pages import LANGUAGE_NAMES
from bot.sandbox import RunError
from bot.web.asked import Asked, RefusedError, largest_body, read_asked, too_large
from bot.web.auditor import Auditor, Progress
from bot.web.clients import Buckets, client_of
from bot.web.pages import page, prefix
from rules.languages import ENDINGS, UNREAD, _by_suffix
from rules.rule import Confidence, Severity
from rules.sections import TITLES

LARGEST_REPORT = 8 * 1024 * 1024
FORMS = {
    "markdown": ("text/markdown", "md"),
    "json": ("application/json", "json"),
    "sarif": ("application/sarif+json", "sarif"),
    "html": ("text/html", "html"),
}
PING_SECONDS = 10
FAILED = RefusedError(500, "This failed by a defect of the program.", "Tell whoever runs this server; its log names it.")

log = structlog.get_logger(__name__)


def routes(auditor: Auditor | None) -> list[BaseRoute]:
    """Without an auditor, / leads to the rules."""
    if auditor is None:
        return [Route("/", to_rules)]
    return [
        Route("/", start),
        Route("/audit", audit, methods=["POST"]),
        Route("/audit/example", example),
        Route("/audit/show", show, methods=["POST"]),
        Route("/audit/export/{form}", export, methods=["POST"]),
    ]


async def to_rules(request: Request) -> Response:
    return RedirectResponse(f"{prefix(request.app.state.settings.public_url)}/rules", 307)


async def start(request: Request) -> Response:
    auditor: Auditor = request.app.state.auditor
    return page(
        request,
        "audit.html",
        limits=auditor.page,
        known={
            "endings": sorted({*_by_suffix(), *UNREAD}),
            "names": [FILE, ATTRIBUTES],
            "never": sorted(NEVER_ENTERED),
            "megabytes": auditor.page.megabytes,
            "files": auditor.page.files,
        },
        languages={name: ending for name, ending in ENDINGS.items() if f".{ending}" in _by_suffix()},
        language_names=LANGUAGE_NAMES,
        severities=[str(one) for one in Severity],
        confidences=[str(one) for one in Confidence],
        titles=TITLES,
    )


async def example(request: Request) -> Response:
    return Response(example_bundle(), media_type="text/plain")


@cache
def example_bundle() -> str:
    """The change of the demo: three files, three languages, three defects."""
    return (files("bot.demo") / "product" / "change.txt").read_text(encoding="utf-8")


async def audit(request: Request) -> Response:
    """Refusals are answers of their own; once an audit has begun they are its last event."""
    auditor: Auditor = request.app.state.auditor
    public_url = request.app.state.settings.public_url
    try:
        admit(request, auditor, auditor.starts)
        body = await body_of(request, largest_body(auditor.page), too_large(auditor.page))
        asked = read_asked(body, auditor.page, f"{public_url}/rules" if public_url else None)
    except RefusedError as refused:
        return refusal(refused)
    except ClientDisconnect:
        return Response(status_code=400)
    return EventSourceResponse(events(auditor, asked, prefix(public_url)), ping=PING_SECONDS, sep="\n")


async def events(auditor: Auditor, asked: Asked, base: str) -> AsyncGenerator[ServerSentEvent, None]:
    count = len(asked.change.files)
    yield event("accepted", {"files": count, "excluded": dict(asked.excluded), "waiting": auditor.busy})
    try:
        async with auditor.place():
            yield event("begun", {"files": count})
            async for one in auditor.run(asked, base):
                yield event("file", one) if isinstance(one, Progress) else event("report", one)
    except RefusedError as refused:
        yield event("refused", told(refused))
    except Exception:  # the web's edge: headers are sent, so what went wrong must be said in the stream
        log.exception("page audit failed", files=count)
        yield event("refused", told(FAILED))
    else:
        log.info("page audit", files=count)


async def show(request: Request) -> Response:
    """A report that the browser has kept, drawn again."""
    auditor: Auditor = request.app.state.auditor
    try:
        drawn = await auditor.draw_again(await report_in(request, auditor), prefix(request.app.state.settings.public_url))
    except RefusedError as refused:
        return refusal(refused)
    except RunError:
        log.exception("page drawing failed")
        return refusal(FAILED)
    return Response(msgspec.json.encode(drawn), media_type="application/json", headers={"Cache-Control": "no-store"})


async def export(request: Request) -> Response:
    """A report that the browser has, in another form."""
    auditor: Auditor = request.app.state.auditor
    form = request.path_params["form"]
    if form not in FORMS:
        return refusal(RefusedError(404, "There is no such form of a report.", f"Choose one of {', '.join(FORMS)}."))
    try:
        text = await auditor.export(await report_in(request, auditor), form)
    except RefusedError as refused:
        return refusal(refused)
    except RunError:
        log.exception("page export failed", form=form)
        return refusal(FAILED)
    media_type, ending = FORMS[form]
    headers = {"Content-Disposition": f'attachment; filename="meteraudit.{ending}"', "Cache-Control": "no-store"}
    return Response(text, media_type=media_type, headers=headers)


async def report_in(request: Request, auditor: Auditor) -> bytes:
    admit(request, auditor, auditor.drawings)
    too_long = RefusedError(
        413, f"This report is larger than {LARGEST_REPORT // 1024**2} MB.", "Export it as JSON in the browser."
    )
    return await body_of(request, LARGEST_REPORT, too_long)


def admit(request: Request, auditor: Auditor, buckets: Buckets) -> None:
    """Raises RefusedError for what other sites' pages could send, and for who asks too often."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "This address takes JSON only.", "Use the page, or `meteraudit audit` on your own machine.")
    wait = buckets.take(client_of(request, auditor.page.trusted_proxies))
    if wait:
        what = f"This address has asked for more than the {auditor.page.hourly} audits an hour that this page gives to one."
        raise RefusedError(
            429, what, f"Try again in {span(wait)}, or run `meteraudit audit` on your own machine.", wait=int(wait) + 1
        )


def span(seconds: float) -> str:
    return f"{int(seconds) + 1} seconds" if seconds < 90 else f"{int(seconds / 60) + 1} minutes"


async def body_of(request: Request, most: int, too_long: RefusedError) -> bytes:
    """The body, refused as soon as it is known to be too long. Raises RefusedError and ClientDisconnect."""
    told_length = request.headers.get("Content-Length", "")
    if told_length.isdecimal() and int(told_length) > most:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_long
    return bytes(body)


def event(name: str, value: Any) -> ServerSentEvent:
    return ServerSentEvent(msgspec.json.encode(value).decode(), event=name, sep="\n")


def told(refused: RefusedError) -> dict[str, object]:
    return {"what": refused.what, "do": refused.do}


def refusal(refused: RefusedError) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(refused.wait)} if refused.wait else {})
    return JSONResponse(told(refused), refused.status, headers=headers)
