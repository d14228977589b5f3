"""The few pages for people that the stand-in has: registering an App by a manifest, and installing one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.demo.standin import deliveries, hook, manifests, payloads
from bot.demo.standin.state import App, Installation, World
from bot.demo.standin.subject import About, Subject

NEW = re.compile(r"/(?:organizations/(?P<owner>[\w-]+)/)?settings/apps/new")
MADE = re.compile(r"/settings/apps/manifest")
INSTALL = re.compile(r"/(?:apps|github-apps)/(?P<slug>[\w-]+)/installations/new")
ICON = re.compile(r"/favicon\.ico")
"""A browser asks for it by itself."""
INSTALLED = re.compile(r"/settings/installations/\d+")
OPERATOR = "ada"
"""Who is signed in."""


def answer(world: World, request: Request, body: bytes) -> Response | None:
    """The page at that address; None if it is no page."""
    path = str(request.scope["path"])
    for pattern, handlers in PAGES.items():
        found = pattern.fullmatch(path)
        if found is None:
            continue
        handler = handlers.get(request.method)
        if handler is None:
            return page("Method not allowed", "", 405)
        given = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        with world.lock:
            return handler(world, found.groupdict(), {**request.query_params, **given})
    return None


def new(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    """The form that a manifest fills in; a name can still be chosen."""
    try:
        manifest: Any = json.loads(given.get("manifest", ""))
    except ValueError:
        manifest = None
    wrong = list(manifests.problems(world, manifest))
    if wrong:
        world.violations += [f"manifest: {problem}" for problem in wrong]
        return page("Invalid GitHub App configuration", "".join(f"<p>{escape(problem)}</p>" for problem in wrong), 422)
    hidden = {"manifest": given["manifest"], "state": given.get("state", ""), "owner": parts["owner"] or OPERATOR}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    name = escape(str(manifest.get("name", "")))
    return page(
        f"Create GitHub App for {hidden['owner']}",
        f'<form method="post" action="/settings/apps/manifest">{fields}'
        f'<label>GitHub App name <input name="app_name" value="{name}"></label>'
        f"<button>Create GitHub App for {hidden['owner']}</button></form>",
    )


def made(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    """The App is made; the person goes back to where the manifest says, with the code and the state."""
    manifest = json.loads(given["manifest"])
    try:
        code = manifests.register(world, manifest, given.get("app_name", ""), given["owner"])
    except ValueError as error:
        return page(str(error), "", 422)
    notify(world, world.made[code].app, None, "ping", None)
    query = urlencode({"code": code, **({"state": given["state"]} if given["state"] else {})})
    return RedirectResponse(f"{manifest['redirect_url']}?{query}", 302)


def install_form(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    app = _app(world, parts)
    if app is None:
        return page("Not Found", "", 404)
    return page(f"Install {app.name}", '<form method="post"><button>Install</button></form>')


def install(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    """Installs the App on every repository of the first account that has one."""
    app, every = _app(world, parts), list(world.repositories.values())
    if app is None or not every:
        return page("Not Found", "", 404)
    account = every[0].owner
    ids = {repo.id for repo in every if repo.owner is account}
    one = Installation(next(world.ids), app, account, ids, dict(app.permissions), world.clock())
    world.installations[one.id] = one
    chosen = tuple(repo for repo in every if repo.id in ids)
    notify(world, app, one, "installation", "created", repositories=chosen)
    return RedirectResponse(f"/settings/installations/{one.id}", 302)


def installed(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    return page("Okay, the App was installed", "")


def no_icon(world: World, parts: dict[str, str | None], given: dict[str, str]) -> Response:
    return page("Not Found", "", 404)


def notify(world: World, app: App, installation: Installation | None, event: str, action: str | None, **about: Any) -> None:
    """Sends a delivery of itself, as GitHub does; to nowhere if nothing answers at the hook's public address."""
    given: About = about  # type: ignore[assignment]
    payload = payloads.build(event, Subject(world, app, installation, action, world.person(OPERATOR), **given))
    parts = urlsplit(app.hook_url or "")
    public = f"{parts.scheme}://{parts.netloc}"
    url = world.reach.get(public, "http://127.0.0.1:9") + parts.path

    def send() -> None:
        hook.keep(world, deliveries.send(app, url, event, payload))

    threading.Thread(target=send, name="delivery", daemon=True).start()


def _app(world: World, parts: dict[str, str | None]) -> App | None:
    return next((one for one in world.apps.values() if one.slug == parts["slug"]), None)


def page(title: str, content: str, status: int = 200) -> HTMLResponse:
    head = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>"
    return HTMLResponse(head + content, status)


Handler = Callable[[World, dict[str, str | None], dict[str, str]], Response]
PAGES: dict[re.Pattern[str], dict[str, Handler]] = {
    NEW: {"POST": new},
    MADE: {"POST": made},
    INSTALL: {"GET": install_form, "POST": install},
    INSTALLED: {"GET": installed},
    ICON: {"GET": no_icon},
}
