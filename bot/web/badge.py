"""GET /badge/OWNER/NAME.svg: the score of a repository whose owner shows it; for every other one the same 404."""

from html import escape

import psycopg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.jobs.figures import public_score

CACHED_SECONDS = 300
LABEL = "billing audit"
_WIDTH = 7
"""Pixels of one letter, more than any takes at this size: text is never cut."""
_COLOURS = ((8, "#1a7f37"), (5, "#7d5a00"), (1, "#a40e26"))
"""From this score on, white on this has a contrast of at least 4.5."""
_NONE = "#57606a"


def routes() -> list[BaseRoute]:
    return [Route("/badge/{owner}/{name}.svg", show, methods=["GET"])]


async def show(request: Request) -> Response:
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    try:
        found = None if "\0" in name else await public_score(request.state.database, name)
    except psycopg.Error:
        raise HTTPException(503) from None
    if found is None:
        raise HTTPException(404)
    headers = {
        "Cache-Control": f"public, max-age={CACHED_SECONDS}",
        # It is made to be shown on other pages.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(badge(*found), media_type="image/svg+xml", headers=headers)


def badge(name: str, score: int | None) -> str:
    """The picture as SVG; `name` is owner/name, `score` from 1 to 10 or None before anything metered was merged."""
    said = f"{score}/10" if score is not None else "none yet"
    colour = next((colour for least, colour in _COLOURS if score is not None and score >= least), _NONE)
    left, right = len(LABEL) * _WIDTH + 10, len(said) * _WIDTH + 10
    title = escape(f"MeterAudit score of {name}: {said}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="round"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#round)"><rect width="{left}" height="20" fill="#24292f"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14">{LABEL}</text><text x="{left + right / 2:g}" y="14">{said}</text></g></svg>\n'
    )
