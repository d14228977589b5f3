"""Setting the App up from a browser: what is asked, what is refused, what is kept. GitHub is the stand-in, over HTTP."""

import json
import re
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from bot.demo.standin import Fault, StandIn
from bot.web.admission import TRIP_SECONDS, Setup
from bot.web.app import create_setup_app
from bot.web.setup import COOKIE
from config.settings import read_settings
from config.stored_app import FILE, read_stored
from tests.service.stand import make_settings, receiving, running

PUBLIC = "https://meter.acme.test"


@dataclass
class Page:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def said(self) -> str:
        """Without markup."""
        return unescape(" ".join(re.sub(r"<[^>]+>", " ", self.text).split()))


@dataclass
class Browser:
    """One browser with its cookies; it shows no page of another site its cookies, and follows no redirection by itself."""

    url: str
    session: aiohttp.ClientSession
    setup: Setup
    state_dir: Path
    cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, path: str, given: dict[str, str] | None = None, origin: str | None = None) -> Page:
        url = path if path.startswith("http") else f"{self.url}{path}"
        ours = url.startswith(self.url)
        headers = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if ours and self.cookies else {}
        )
        if given is not None:
            headers["Origin"] = origin or self.url
        method = "GET" if given is None else "POST"
        async with self.session.request(method, url, data=given, headers=headers, allow_redirects=False) as answer:
            self.cookies.update({name: one.value for name, one in answer.cookies.items()})
            return Page(answer.status, await answer.text(), {name.lower(): text for name, text in answer.headers.items()})

    async def admitted(self) -> None:
        assert 303 == (await self.open("/setup", {"token": self.setup.token})).status

    async def chosen(self, **changed: str) -> Page:
        return await self.open("/setup/app", {"public_url": PUBLIC, "name": "MeterAudit", "organization": "", **changed})

    async def at_github(self, **changed: str) -> str:
        """Where GitHub sends the browser back to."""
        page = await self.chosen(**changed)
        assert 200 == page.status, page.said
        action = unescape(re.findall(r'<form method="post" action="(http[^"]+)"', page.text)[0])
        confirm = await self.open(action, fields(page))
        assert 200 == confirm.status, confirm.said
        made = await self.open(f"{urlsplit(action).scheme}://{urlsplit(action).netloc}/settings/apps/manifest", fields(confirm))
        return made.headers["location"]


def fields(page: Page) -> dict[str, str]:
    found = re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


Open = Callable[[StandIn], AbstractAsyncContextManager[Browser]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_browser(github: StandIn, **settings: Any) -> AsyncIterator[Browser]:
        setup = Setup()
        # No other server follows here.
        setup.closing.set()
        given = make_settings(
            github_app_id=0,
            github_private_keys=(),
            webhook_secrets=(),
            github_api_url=github.url,
            state_dir=tmp_path,
            **settings,
        )
        async with (
            running(create_setup_app(given, setup)) as url,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            yield Browser(url, session, setup, tmp_path)

    return open_browser


@pytest.fixture
async def browser(opened: Open) -> AsyncIterator[Browser]:
    with StandIn() as github:
        async with opened(github) as one:
            one.session.github = github  # type: ignore[attr-defined]
            yield one
        assert [] == github.violations


def github_of(browser: Browser) -> StandIn:
    github: StandIn = browser.session.github  # type: ignore[attr-defined]
    return github


async def test_the_whole_way_leaves_the_secrets_in_one_file_for_the_owner(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    done = await browser.open(back)

    assert (303, "/setup") == (done.status, done.headers["location"])
    [app] = github_of(browser).apps
    stored = read_stored(browser.state_dir)
    assert stored is not None
    assert (app.id, app.webhook_secret, PUBLIC) == (stored.app_id, stored.webhook_secret, stored.public_url)
    assert 0o600 == stat.S_IMODE((browser.state_dir / FILE).stat().st_mode)
    assert [FILE] == [path.name for path in browser.state_dir.iterdir()]
    assert browser.setup.done.is_set()


async def test_the_app_is_registered_with_all_that_the_manifest_of_deploy_asks_for(browser: Browser) -> None:
    wanted = json.loads((Path(__file__).parents[2] / "deploy" / "app-manifest.json").read_text())
    await browser.admitted()
    await browser.at_github(organization="acme", name="Acme's meters")

    [app] = github_of(browser).apps
    assert (wanted["default_permissions"], wanted["default_events"]) == (app.permissions, app.events)
    assert ("acme", "Acme's meters", f"{PUBLIC}/webhook") == (app.owner.login, app.name, app.hook_url)


async def test_the_settings_are_read_from_the_state_folder_afterwards(browser: Browser) -> None:
    await browser.admitted()
    await browser.open(await browser.at_github())

    settings = read_settings({"METERAUDIT_STATE_DIR": str(browser.state_dir)})

    assert github_of(browser).apps[0].id == settings.github_app_id
    assert (github_of(browser).url, PUBLIC) == (settings.github_api_url, settings.public_url)


async def test_github_sends_back_to_where_the_browser_sees_us(browser: Browser) -> None:
    await browser.admitted()

    assert (await browser.at_github()).startswith(f"{browser.url}/setup/created?code=")


async def test_without_the_token_nothing_is_told_or_done(browser: Browser) -> None:
    shown = await browser.open("/setup")
    wrong = await browser.open("/setup", {"token": browser.setup.token + "x"})

    assert (200, 403) == (shown.status, wrong.status)
    assert browser.setup.token not in shown.text + wrong.text
    assert {} == browser.cookies
    assert "One-time token" in (await browser.chosen()).said
    assert 403 == (await browser.open("/setup/created?code=abc&state=abc")).status
    assert 403 == (await browser.open("/setup/progress")).status


async def test_a_token_that_is_not_ascii_is_wrong_and_no_failure(browser: Browser) -> None:
    assert 403 == (await browser.open("/setup", {"token": "schlüssel"})).status


async def test_the_token_admits_one_browser(browser: Browser) -> None:
    await browser.admitted()
    other = Browser(browser.url, browser.session, browser.setup, browser.state_dir)

    assert 403 == (await other.open("/setup", {"token": browser.setup.token})).status
    assert {} == other.cookies
    assert "Start the server again" in (await other.open("/setup")).said


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: Browser) -> None:
    answer = await browser.open("/setup", {"token": browser.setup.token}, origin="https://meter.acme.test")

    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert browser.setup.token not in cookie


async def test_another_browser_cannot_finish_what_one_began(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    other = Browser(browser.url, browser.session, browser.setup, browser.state_dir, {COOKIE: "x" * 43})

    assert 403 == (await other.open(back)).status
    assert read_stored(browser.state_dir) is None


@pytest.mark.parametrize("state", ["", "other", "zürich"])
async def test_a_state_that_is_not_that_of_the_trip_is_refused_and_the_code_not_spent(browser: Browser, state: str) -> None:
    await browser.admitted()
    back = await browser.at_github()
    query = parse_qs(urlsplit(back).query)

    refused = await browser.open(f"/setup/created?code={query['code'][0]}&state={state}")

    assert 400 == refused.status
    assert 303 == (await browser.open(back)).status


async def test_a_state_ends_with_its_hour(browser: Browser) -> None:
    now = 0.0
    browser.setup._clock = lambda: now
    await browser.admitted()
    back = await browser.at_github()
    now = TRIP_SECONDS + 1

    assert 400 == (await browser.open(back)).status


async def test_a_new_trip_voids_the_one_before(browser: Browser) -> None:
    await browser.admitted()
    first = await browser.at_github()
    await browser.at_github(name="Second")

    assert 400 == (await browser.open(first)).status


async def test_a_code_that_github_does_not_know_ends_the_trip_and_says_so(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    github_of(browser).world.made.clear()

    refused = await browser.open(back)

    assert 400 == refused.status
    assert "it was used, or is older than an hour" in refused.said
    assert 400 == (await browser.open(back)).status
    assert not browser.setup.done.is_set()


async def test_when_github_does_not_answer_the_same_step_can_be_taken_again(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    github_of(browser).faults.append(Fault("/conversions", status=502))

    first = await browser.open(back)
    [again] = re.findall(r'href="(/setup/created[^"]+)"', first.text)

    assert 502 == first.status
    assert 303 == (await browser.open(unescape(again))).status
    assert read_stored(browser.state_dir) is not None


async def test_an_app_without_a_usable_webhook_secret_is_not_kept(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    github_of(browser).apps[0].webhook_secret = "short"

    assert 400 == (await browser.open(back)).status
    assert read_stored(browser.state_dir) is None


async def test_a_second_set_up_of_the_same_folder_never_overwrites_the_first(browser: Browser) -> None:
    await browser.admitted()
    back = await browser.at_github()
    (browser.state_dir / FILE).write_text("another process was faster")

    refused = await browser.open(back)

    assert 400 == refused.status
    assert "another process was faster" == (browser.state_dir / FILE).read_text()


@pytest.mark.parametrize(
    "changed",
    [
        {"public_url": ""},
        {"public_url": "meter.acme.test"},
        {"public_url": "http://meter.acme.test"},
        {"public_url": "https://127.0.0.1:8000"},
        {"public_url": "https://meter.acme.test/below"},
        {"public_url": "javascript:alert(1)"},
        {"name": ""},
        {"name": "M" * 35},
        {"organization": "../settings"},
        {"organization": "a b"},
    ],
)
async def test_a_choice_that_github_would_refuse_is_refused_here_and_kept_in_the_form(
    browser: Browser, changed: dict[str, str]
) -> None:
    await browser.admitted()

    page = await browser.chosen(**changed)

    assert 422 == page.status
    assert 'role="alert"' in page.text
    assert {"public_url": PUBLIC, "name": "MeterAudit", "organization": "", **changed} == fields_of_form(page)


def fields_of_form(page: Page) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<input[^>]+>", page.text):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name is not None:
            found[name[1]] = unescape(value[1]) if value else ""
    return found


async def test_a_browser_that_sees_us_without_encryption_is_sent_away_before_there_is_a_secret(browser: Browser) -> None:
    await browser.admitted()
    given = {"public_url": PUBLIC, "name": "MeterAudit", "organization": ""}

    page = await browser.open("/setup/app", given, origin="http://meter.acme.test")

    assert 422 == page.status
    assert "over https" in page.said


async def test_what_is_typed_stays_text(browser: Browser) -> None:
    await browser.admitted()

    page = await browser.chosen(public_url='"><script>alert(1)</script>', organization="<b>")

    assert "<script>alert" not in page.text
    assert "<b>" not in page.text


async def test_forms_lead_to_us_and_only_the_last_one_to_github(browser: Browser) -> None:
    await browser.admitted()
    policies = [(await browser.open("/setup")).headers, (await browser.chosen()).headers]

    here, there = (headers["content-security-policy"] for headers in policies)
    assert "form-action 'self';" in here
    assert f"form-action 'self' {github_of(browser).url};" in there
    for headers in policies:
        assert "default-src 'none'" in headers["content-security-policy"]
        assert ("no-store", "same-origin") == (headers["cache-control"], headers["referrer-policy"])


async def test_while_there_is_no_app_webhooks_are_refused_and_the_process_is_alive(browser: Browser) -> None:
    assert 503 == (await browser.open("/webhook", {})).status
    assert 503 == (await browser.open("/readyz")).status
    assert 200 == (await browser.open("/healthz")).status
    assert 200 == (await browser.open("/rules")).status


async def test_a_github_enterprise_server_is_asked_on_its_own_host_for_what_it_has(opened: Open) -> None:
    with StandIn(enterprise=True) as github:
        async with opened(github) as browser:
            await browser.admitted()
            await browser.open(await browser.at_github(organization="acme"))
        [app] = github.apps
        stored = read_stored(browser.state_dir)

    assert [] == github.violations
    assert stored is not None
    assert (app.id, f"{github.world.site}/api/v3") == (stored.app_id, stored.api_url)
    assert "merge_group" not in app.events
    assert "merge_queues" not in app.permissions


async def test_an_address_from_the_settings_is_not_asked_for(opened: Open) -> None:
    with StandIn() as github:
        async with opened(github, public_url="https://fixed.acme.test/meter") as browser:
            await browser.admitted()
            back = await browser.at_github(public_url="https://evil.test")

    assert "https://fixed.acme.test/meter/webhook" == github.apps[0].hook_url
    assert back.startswith(f"{browser.url}/meter/setup/created?")


async def test_once_there_is_an_app_nobody_sets_up_and_only_that_browser_sees_the_checklist(address: str) -> None:
    setup = Setup()
    cookie = setup.admit(setup.token)
    setup.finish("https://github.com/apps/meteraudit")
    assert cookie is not None
    async with receiving(address, public_url=PUBLIC, setup=setup) as receiver:
        here = Browser(receiver.url, receiver.session, setup, Path(), {COOKIE: cookie})
        other = Browser(receiver.url, receiver.session, setup, Path())

        for page in (await other.open("/setup"), await other.open("/setup", {"token": setup.token}), await here.chosen()):
            assert 403 == page.status
            assert "MeterAudit is set up" in page.said
        assert 403 == (await here.open("/setup/created?code=abc&state=abc")).status
        assert 403 == (await other.open("/setup/progress")).status
        shown = await here.open("/setup")
        assert 'href="https://github.com/apps/meteraudit/installations/new"' in shown.text
        assert "waiting" in shown.said


async def test_the_checklist_follows_what_the_receiver_notes(address: str) -> None:
    setup = Setup()
    cookie = setup.admit(setup.token)
    assert cookie is not None
    async with receiving(address, setup=setup) as receiver:
        browser = Browser(receiver.url, receiver.session, setup, Path(), {COOKIE: cookie})

        async def done() -> list[str]:
            body = json.loads((await browser.open("/setup/progress")).text)
            return [step["id"] for step in body["steps"] if step["done"]]

        assert ["registered"] == await done()
        assert (200, "pong") == await receiver.deliver(b"{}", event="ping")
        assert ["registered", "webhook"] == await done()


async def test_without_a_set_up_in_this_process_the_page_is_closed(address: str) -> None:
    async with receiving(address) as receiver:
        browser = Browser(receiver.url, receiver.session, Setup(), Path())

        assert 403 == (await browser.open("/setup")).status
