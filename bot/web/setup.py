"""/setup: registers the App from the browser by GitHub's manifest flow, then shows how far the installation has come.

It is open to one browser, which gave the one-time token that was printed at the start, and registers only while there is
no App. https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import json
import re
from dataclasses import asdict
from urllib.parse import urlencode, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.github.errors import GitHubError, NotFound
from bot.github.registering import NewApp, convert
from bot.registration import LONGEST_NAME, MANIFEST, manifest_for, site_of
from bot.web.admission import Setup
from bot.web.checklist import steps
from bot.web.forms import given, origin_of, private
from bot.web.pages import POLICY, prefix
from config.addresses import address_problem, is_loopback
from config.settings import SHORTEST_SECRET, Settings
from config.stored_app import StoredApp, StoredAppError, keep

COOKIE = "meteraudit_setup"
SMALL_BODY = 16 * 1024
_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)

log = structlog.get_logger(__name__)


def routes() -> list[BaseRoute]:
    return [
        Route("/setup", show, methods=["GET"]),
        Route("/setup", admit, methods=["POST"], max_body_size=SMALL_BODY),
        Route("/setup/app", choose, methods=["POST"], max_body_size=SMALL_BODY),
        Route("/setup/created", created, methods=["GET"]),
        Route("/setup/progress", progress, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    """The token, then the choices, then the checklist: whatever comes next."""
    settings: Settings = request.app.state.settings
    if settings.github_app_id and not is_admitted(request):
        return refused(request)
    if not settings.github_app_id and (setup := setup_of(request)) is not None and setup.done.is_set():
        return await hand_over(request, setup)
    if settings.github_app_id:
        return await checklist(request)
    return form(request) if is_admitted(request) else ask_token(request)


async def admit(request: Request) -> Response:
    setup = setup_of(request)
    if setup is None or request.app.state.settings.github_app_id:
        return refused(request)
    cookie = setup.admit(await given(request, "token"))
    if cookie is None:
        return ask_token(request, wrong=True)
    answer = back(request)
    # Lax, not Strict: the browser must show it when GitHub sends it back to us.
    secure = urlsplit(origin_of(request) or "").scheme == "https"
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


async def choose(request: Request) -> Response:
    """The choices are made: a page whose one button posts the manifest to GitHub."""
    settings: Settings = request.app.state.settings
    setup = setup_of(request)
    if setup is None or settings.github_app_id:
        return refused(request)
    if not setup.knows(request.cookies.get(COOKIE)):
        return ask_token(request)
    public_url = settings.public_url or (await given(request, "public_url")).rstrip("/")
    name, organization = await given(request, "name"), await given(request, "organization")
    browser = origin_of(request)
    problem = choice_problem(public_url, settings.public_url is not None, name, organization, browser)
    if problem is not None:
        return form(request, public_url, name, organization, problem)
    # Back to where this browser sees us, which need not be where GitHub does: only there it shows its cookie.
    back_url = f"{browser}{prefix(settings.public_url)}/setup/created" if browser else f"{public_url}/setup/created"
    manifest = manifest_for(settings.github_api_url, name, public_url, back_url)
    site = site_of(settings.github_api_url)
    place = f"/organizations/{organization}/settings/apps/new" if organization else "/settings/apps/new"
    answer = private(
        request,
        "setup_confirm.html",
        site=site,
        action=f"{site}{place}?{urlencode({'state': setup.depart(public_url)})}",
        manifest=json.dumps(manifest),
        shown=manifest,
        owner=organization or "your own account",
    )
    answer.headers["Content-Security-Policy"] = POLICY.replace("form-action 'self'", f"form-action 'self' {site}")
    return answer


def choice_problem(public_url: str, fixed: bool, name: str, organization: str, browser: str | None) -> str | None:
    """`fixed`: the address comes from the settings, not from the form."""
    wrong = address_problem(public_url)
    if wrong is not None:
        return f"The public address {wrong}"
    if urlsplit(public_url).path and not fixed:
        return "An address with a path is set as METERAUDIT_PUBLIC_URL before the start."
    if is_loopback(urlsplit(public_url).hostname or ""):
        return "The public address leads to this machine only: GitHub must reach it to tell of pull requests."
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        return f"The name has 1 to {LONGEST_NAME} characters."
    if organization and not _ORGANIZATION.fullmatch(organization):
        return "The organisation is written as in its address on GitHub."
    if browser is not None and address_problem(browser) is not None:
        return "Open this page over https, or on this machine: what GitHub sends back must not be read on its way."
    return None


async def created(request: Request) -> Response:
    """GitHub has sent the browser back, with a code for the secrets and the state that it left with."""
    setup = setup_of(request)
    if setup is None or request.app.state.settings.github_app_id:
        return refused(request)
    if not setup.knows(request.cookies.get(COOKIE)):
        text = "This browser did not begin the set-up here. Go back to the address where you gave the token."
        return failed(request, 403, text)
    code, state = request.query_params.get("code", ""), request.query_params.get("state", "")
    async with setup.exchanging:
        if setup.done.is_set():
            return await hand_over(request, setup)
        if not setup.is_back(state) or not _CODE.fullmatch(code):
            text = "This is not the answer to the last question that was put to GitHub, or it came after an hour."
            return failed(request, 400, text)
        return await exchange(request, setup, code)


async def exchange(request: Request, setup: Setup, code: str) -> Response:
    settings: Settings = request.app.state.settings
    try:
        made = await convert(settings.github_api_url, code)
    except NotFound:
        setup.arrive()
        return failed(request, 400, "GitHub does not know this code: it was used, or is older than an hour.", delete=True)
    except GitHubError as error:
        # The state stays good: the code may not have been used.
        log.warning("manifest not converted", error=type(error).__name__)
        again = f"{prefix(settings.public_url)}/setup/created?{request.url.query}"
        return failed(request, 502, "GitHub did not answer as it should.", again=again)
    setup.arrive()
    problem = keep_secrets(settings, setup.public_url, made)
    if problem is not None:
        return failed(request, 400, problem, delete=True)
    log.info("registered", app=made.id)
    setup.finish(made.html_url)
    return await hand_over(request, setup)


def keep_secrets(settings: Settings, public_url: str, made: NewApp) -> str | None:
    """Why they could not be kept, if they could not."""
    secret = made.webhook_secret or ""
    if len(secret.encode()) < SHORTEST_SECRET:
        return "GitHub gave the App no webhook secret of enough length."
    app = StoredApp(made.id, made.pem, secret, settings.github_api_url, public_url, made.html_url)
    try:
        keep(settings.state_dir, app)
    except StoredAppError as error:
        return str(error)
    return None


async def checklist(request: Request) -> Response:
    settings: Settings = request.app.state.settings
    setup = setup_of(request)
    page_url = setup.app_url if setup is not None else ""
    listed = await steps(request.state.database)
    return private(
        request,
        "setup_progress.html",
        steps=listed,
        finished=all(step.done for step in listed),
        # GitHub's own words lead nowhere but to GitHub.
        app_url=page_url if page_url.startswith(f"{site_of(settings.github_api_url)}/") else None,
        hook=f"{settings.public_url}/webhook",
    )


async def progress(request: Request) -> Response:
    """The checklist as JSON, for the page that asks again and again."""
    if not request.app.state.settings.github_app_id or not is_admitted(request):
        return JSONResponse({"error": "not open"}, 403)
    listed = await steps(request.state.database)
    body = {"steps": [asdict(step) for step in listed], "finished": all(step.done for step in listed)}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def setup_of(request: Request) -> Setup | None:
    setup: Setup | None = request.app.state.setup
    return setup


def is_admitted(request: Request) -> bool:
    setup = setup_of(request)
    return setup is not None and setup.knows(request.cookies.get(COOKIE))


async def hand_over(request: Request, setup: Setup) -> Response:
    """Not before this server has stopped listening: it would be asked once more, and knows of no App."""
    await setup.closing.wait()
    return back(request)


def back(request: Request) -> Response:
    return RedirectResponse(f"{prefix(request.app.state.settings.public_url)}/setup", 303)


def failed(request: Request, status: int, text: str, *, again: str | None = None, delete: bool = False) -> Response:
    """`again` is where the same step can be tried once more; `delete` says that an App may be left over on GitHub."""
    return private(request, "setup_failed.html", status, text=text, again=again, delete=delete)


def refused(request: Request) -> Response:
    return private(request, "setup_refused.html", 403)


def ask_token(request: Request, wrong: bool = False) -> Response:
    setup = setup_of(request)
    used = setup is not None and setup.is_used
    return private(request, "setup_token.html", 403 if wrong or used else 200, wrong=wrong, used=used)


def form(
    request: Request, public_url: str = "", name: str = MANIFEST["name"], organization: str = "", problem: str | None = None
) -> Response:
    settings: Settings = request.app.state.settings
    return private(
        request,
        "setup_app.html",
        200 if problem is None else 422,
        site=site_of(settings.github_api_url),
        fixed_url=settings.public_url,
        public_url=public_url,
        name=name,
        longest=LONGEST_NAME,
        organization=organization,
        problem=problem,
    )
