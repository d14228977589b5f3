"""The whole program in a process of its own, a real Chromium, and a page that must not ask anybody else or complain."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bot.demo.run import free_port
from tests.browser.chromium import ARGUMENTS, MISSING, chromium

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    # For this folder only: as long as it is open, no other test could run an event loop of its own.
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@contextmanager
def serving(**environ: str) -> Iterator[str]:
    """`meteraudit serve --role page` on a free port; yields its address."""
    command = [
        sys.executable,
        "-c",
        "import sys; from bot.start_serve import start_serve; sys.exit(start_serve('page', None, None))",
    ]
    given = {**os.environ, "METERAUDIT_PORT": str(free_port()), "METERAUDIT_PAGE_HOURLY": "100000", **environ}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=given) as server:
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found
            yield found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)


@pytest.fixture(scope="package")
def address() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens a page of the server in a browser that has never seen it. Whatever it asks for must come from there."""
    contexts: list[BrowserContext] = []
    asked: list[str] = []
    complaints: list[str] = []
    allowed: list[int] = []

    def opened(
        path: str = "/", *, width: int = 1280, height: int = 860, theme: str = "light", url: str = address, refusals: int = 0
    ) -> Page:
        """`refusals`: so many answers that are errors; a browser notes each in its console."""
        allowed.append(refusals)
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.goto(f"{url}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [] == [url for url in asked if not url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "file:"))]
    noted = [one for one in complaints if one.startswith("Failed to load resource: the server responded")]
    assert len(noted) == sum(allowed)
    assert [] == [one for one in complaints if one not in noted]


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page("/")
