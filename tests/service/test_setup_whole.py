"""The whole program from the first page to the first review: one process, one address, nothing but its own settings."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest

from bot.demo.run import free_port
from bot.demo.standin import StandIn
from config.stored_app import FILE, read_stored

PUBLIC = "https://meter.acme.test"
PATIENCE = 60.0
DEFECT = """import stripe


def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""


def environment(state_dir: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("METERAUDIT_")}
    given = {"STATE_DIR": str(state_dir), "PORT": str(free_port()), **variables}
    return {**kept, **{f"METERAUDIT_{name}": value for name, value in given.items()}}


@asynccontextmanager
async def started(environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "serve", env=environ, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.communicate(), 30)


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()


class Visitor:
    """A browser that follows links, with one jar of cookies."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def post(self, url: str, given: dict[str, str]) -> tuple[str, str]:
        async with self.session.post(url, data=given, headers={"Origin": self.url}) as answer:
            assert answer.status == 200, await answer.text()
            return str(answer.url), await answer.text()

    async def submit(self, page: tuple[str, str], **changed: str) -> tuple[str, str]:
        """Sends the first form of a page."""
        url, text = page
        action = re.findall(r'<form[^>]* action="([^"]+)"', text) or [url]
        inputs = re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', text)
        return await self.post(
            urljoin(url, unescape(action[0])), {**{name: unescape(value) for name, value in inputs}, **changed}
        )

    async def progress(self) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/setup/progress") as answer:
            assert answer.status == 200
            listed: dict[str, Any] = json.loads(await answer.text())
            return listed

    async def until(self, step: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(one["id"] == step and one["done"] for one in (await self.progress())["steps"]):  # noqa: ASYNC110
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("enterprise", [False, True])
async def test_from_the_first_page_to_the_first_check(state_dir: Path, tmp_path: Path, enterprise: bool) -> None:
    with StandIn(enterprise=enterprise) as github:
        repo = github.add_repository("acme/api", tmp_path / "api.git")
        github.push(repo, "main", {"README.md": "# API\n"})
        github.push(repo, "feature", {"usage.py": DEFECT}, start="main")
        async with started(environment(state_dir, GITHUB_API_URL=github.url)) as process:
            url, token = re.findall(r"Open (\S+)/setup and give this one-time token: (\S+)", await line_of(process))[0]
            github.reach[PUBLIC] = url
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as session:
                visitor = Visitor(session, url)
                form = await visitor.post(f"{url}/setup", {"token": token})
                shown = await visitor.submit(form, public_url=PUBLIC, organization="acme", name="Meters")
                confirm = await visitor.submit(shown)
                arrived = await visitor.submit(confirm)
                assert (f"{url}/setup", True) == (arrived[0], "Install the App" in arrived[1])

                install = unescape(re.findall(r'href="([^"]+/installations/new)"', arrived[1])[0])
                await visitor.post(install, {})
                for step in ("installed", "webhook", "permissions"):
                    await visitor.until(step)
                pull = github.open_pull_request(repo, "feature")
                await github.deliver_async(f"{url}/webhook", "pull_request", "opened", pull=pull)
                await visitor.until("check")

                assert (await visitor.progress())["finished"]
                async with session.get(f"{url}/setup/created?code=1&state=1") as again:
                    assert again.status == 403
            process.terminate()
            _, logged = await asyncio.wait_for(process.communicate(), 30)

        stored = read_stored(state_dir)
        assert stored is not None
        assert "failure" == github.check_runs(repo)[-1].conclusion
        assert [] == github.violations
        for secret in (token, stored.webhook_secret, "BEGIN", "code="):
            assert secret.encode() not in logged
        assert 0 == process.returncode

        async with started(environment(state_dir)) as process:
            assert "MeterAudit listens on" in await line_of(process)


def test_half_of_the_settings_does_not_start_and_says_what_is_missing(state_dir: Path) -> None:
    environ = environment(state_dir, GITHUB_APP_ID="17")

    ran = subprocess.run([sys.executable, "-m", "bot", "serve"], env=environ, capture_output=True, text=True, timeout=60)

    assert 2 == ran.returncode
    for name in ("METERAUDIT_GITHUB_PRIVATE_KEY", "METERAUDIT_WEBHOOK_SECRET"):
        assert name in ran.stderr
    assert not (state_dir / FILE).exists()


def test_a_worker_alone_does_not_wait_for_a_set_up(state_dir: Path) -> None:
    command = [sys.executable, "-m", "bot", "serve", "--role", "worker"]

    ran = subprocess.run(command, env=environment(state_dir), capture_output=True, text=True, timeout=60)

    assert 2 == ran.returncode
    assert "METERAUDIT_GITHUB_APP_ID" in ran.stderr


async def test_a_set_up_is_stopped_by_a_signal_and_leaves_nothing(state_dir: Path) -> None:
    async with started(environment(state_dir)) as process:
        await line_of(process)
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30)

        assert 0 == process.returncode
    assert [] == os.listdir(state_dir)  # noqa: PTH208
