"""Setting up and looking after, in a real browser: from the printed token to the first check, and the operator's page."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bot.demo.standin import StandIn
from tests.browser.conftest import free_port
from tests.browser.test_accessible import WIDTHS, violations

PUBLIC = "https://meter.acme.test"
TOKEN = "a token of at least sixteen bytes"
PATIENCE = 60_000
DEFECT = """import stripe


def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
HOSTILE = "<img src=x onerror=alert(1)>"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""A folder for pictures of the main states, to be looked at."""


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mtr-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def served(state_dir: Path, **variables: str) -> Iterator[str]:
    """`meteraudit serve`; yields the first line that it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("METERAUDIT_")}
    given = {"STATE_DIR": str(state_dir), "PORT": str(free_port()), "STATUS_TOKEN": TOKEN, **variables}
    environ = {**kept, **{f"METERAUDIT_{name}": value for name, value in given.items()}}
    with subprocess.Popen([sys.executable, "-m", "bot", "serve"], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address in a browser of its own; it must ask nobody but this machine, and complain of nothing."""
    contexts: list[BrowserContext] = []
    asked: list[str] = []
    complaints: list[str] = []

    def opened(url: str, *, width: int = 1280, theme: str = "light", javascript: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 860},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=javascript,
        )
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [] == [url for url in asked if not re.match(r"http://(127\.0\.0\.1|localhost):", url)]
    # A browser notes each answer that is an error, and our refusals are some.
    assert [] == [one for one in complaints if not one.startswith("Failed to load resource: the server responded")]


def seen(page: Page, name: str) -> None:
    """Accessible, nothing beside the screen; and a picture where somebody wants to look."""
    assert [] == violations(page), name
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


def test_from_the_printed_token_to_the_first_check(visit: Visit, state_dir: Path, tmp_path: Path) -> None:
    with StandIn() as github:
        repo = github.add_repository("acme/api", tmp_path / "api.git")
        github.push(repo, "main", {"README.md": "# API\n"})
        github.push(repo, "feature", {"usage.py": DEFECT}, start="main")
        with served(state_dir, GITHUB_API_URL=github.url) as line:
            url, token = re.findall(r"Open (\S+)/setup and give this one-time token: (\S+)", line)[0]
            github.reach[PUBLIC] = url
            # Another site than GitHub's, as in life: the browser decides which cookies go along.
            page = visit(f"{url.replace('127.0.0.1', 'localhost')}/setup")
            seen(page, "setup-token")

            page.get_by_label("One-time token").fill("wrong")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text("This is not the token of this start.")
            page.get_by_label("One-time token").fill(token)
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="Register the App")).to_be_visible()
            seen(page, "setup-app")
            page.get_by_label("Address of this server from outside").fill("https://127.0.0.1")
            page.get_by_role("button", name="Show what GitHub will be asked").click()
            expect(page.get_by_role("alert")).to_contain_text("GitHub must reach it")
            page.get_by_label("Address of this server from outside").fill(PUBLIC)
            page.get_by_label("Organisation").fill("acme")
            page.get_by_label("Name of the App").fill("Acme meters")
            page.get_by_role("button", name="Show what GitHub will be asked").click()
            expect(page.get_by_text(f"{PUBLIC}/webhook")).to_be_visible()
            seen(page, "setup-confirm")

            page.get_by_role("button", name="Go to GitHub").click()
            page.get_by_role("button", name="Create GitHub App for acme").click()
            expect(page.get_by_role("heading", name="Install the App")).to_be_visible()
            assert page.url.endswith("/setup")
            seen(page, "setup-waiting")
            with page.expect_popup() as other:
                page.get_by_role("link", name="Install it on your repositories").click()
            other.value.get_by_role("button", name="Install").click()
            for step in ("installed", "webhook", "permissions"):
                expect(page.locator(f"#step-{step} .state")).to_have_text("done", timeout=PATIENCE)
            pull = github.open_pull_request(repo, "feature")
            github.deliver(f"{url}/webhook", "pull_request", "opened", pull=pull)
            expect(page.get_by_role("status")).to_contain_text("Everything works", timeout=PATIENCE)
            seen(page, "setup-done")

            other_browser = visit(f"{url}/setup")
            expect(other_browser.get_by_role("heading", name="MeterAudit is set up")).to_be_visible()
            seen(other_browser, "setup-refused")
            assert "failure" == github.check_runs(repo)[-1].conclusion
            assert [] == github.violations


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has done some work; yields its address."""
    folder = Path(tempfile.mkdtemp(prefix="mtr-"))
    folder.chmod(0o711)
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    identity = {"GITHUB_APP_ID": "7", "GITHUB_PRIVATE_KEY": pem, "WEBHOOK_SECRET": secrets.token_hex(20)}
    try:
        with served(folder, GITHUB_API_URL="http://127.0.0.1:9", **identity) as line:
            with psycopg.connect(f"postgresql://postgres@/postgres?host={folder}/postgres", autocommit=True) as connection:
                fill(connection)
            yield re.findall(r"http://\S+", line)[0]
    finally:
        shutil.rmtree(folder)


def fill(connection: psycopg.Connection) -> None:
    now = "clock_timestamp() - %s * interval '1 hour'"
    for number, state in enumerate(("received", "done", "failed", "done", "done")):
        connection.execute(
            f"INSERT INTO meteraudit_delivery VALUES (%s, 'pull_request', 'opened', 900, 40, %s, {now}, %s)",
            [f"72d3162e-cc78-11e3-81ab-4c9367dc0{number:03}", number + 1, number, state],
        )
    scores = {40: (4, 5, 5, 7, 6, 8, 8, 9, 10, 9), 41: (9,)}
    for repository, listed in scores.items():
        for number, score in enumerate(listed):
            connection.execute(
                "INSERT INTO meteraudit_verdict"
                " (repository_id, pull_request, head_sha, conclusion, title, score, digest, merged, at)"
                f" VALUES (%s, %s, '', 'success', '', %s, '', %s, {now})",
                [repository, number + 1, score, number < 8, 30 * (10 - number)],
            )
    for hour in range(60):
        connection.execute(
            f"INSERT INTO meteraudit_review VALUES (40, 1, {now}, %s, %s, %s)", [hour, 1 + hour / 9, hour / 20, hour == 30]
        )
    connection.execute(
        "INSERT INTO meteraudit_installation (installation_id, hourly, remaining, resets_at, told_at)"
        " VALUES (900, 5000, 4321, clock_timestamp(), clock_timestamp())"
    )
    problems = f"permission checks is none, must be write\nevent {HOSTILE} is not subscribed"
    connection.execute("INSERT INTO meteraudit_drift VALUES ('registration', %s)", [problems])
    connection.execute("INSERT INTO meteraudit_badge VALUES (41, %s)", [f"acme/{HOSTILE}"])


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_operator_sees_the_numbers_behind_the_token(visit: Visit, operated: str, theme: str, device: str) -> None:
    page = visit(f"{operated}/status", theme=theme, width=WIDTHS[device])
    seen(page, f"status-token-{theme}-{device}")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Review times")).to_be_visible()
    assert page.url == f"{operated}/status"
    assert "meteraudit_status" not in page.evaluate("document.cookie")
    expect(page.get_by_role("row", name=re.compile("72d3162e-cc78-11e3-81ab-4c9367dc0002.*failed"))).to_be_visible()
    expect(page.get_by_role("img", name="Scores of repository 40: 10, the last 9 of 10.")).to_be_visible()
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    seen(page, f"status-{theme}-{device}")


def test_the_table_of_scores_opens_with_the_keyboard_and_the_operator_leaves(visit: Visit, operated: str) -> None:
    page = visit(f"{operated}/status")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Show the status").click()
    page.get_by_text("10 scores as a table").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("row", name=re.compile(r"^10 9 open"))).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.goto(f"{operated}/status")
    expect(page.get_by_role("heading", name="Review times")).to_have_count(0)


def test_the_pages_work_without_scripts(visit: Visit, operated: str) -> None:
    page = visit(f"{operated}/status", javascript=False)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Show the status").click()

    expect(page.get_by_role("heading", name="Review times")).to_be_visible()


def test_a_badge_is_drawn_by_a_browser(visit: Visit, operated: str) -> None:
    page = visit(f"{operated}/badge/acme/{HOSTILE}.svg".replace("<", "%3C").replace(">", "%3E").replace(" ", "%20"))

    assert "svg" == page.evaluate("document.documentElement.localName")
    assert 150 > page.evaluate("document.documentElement.getBoundingClientRect().width") > 80
    for text in ("billing audit", "9/10"):
        assert (
            page.evaluate(
                "text => [...document.querySelectorAll('text')].find(one => one.textContent === text).getComputedTextLength()",
                text,
            )
            <= 7 * len(text) + 10
        )
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/badge.png", clip={"x": 0, "y": 0, "width": 160, "height": 30})
