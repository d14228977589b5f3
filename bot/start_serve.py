"""Starts the server of the command line: settings, a set-up if there is no App yet, GitHub, the sandbox, web and worker."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from bot.logs import configure_logs
from bot.printing import write
from bot.reviewers import open_work
from bot.serve import Role, SetUp, listen, serve, serve_page, set_up, stopped_by_signals
from bot.web.admission import Setup
from bot.web.auditor import Auditor, open_auditor
from config.settings import Settings, read_page_settings, read_settings, read_setup_settings


def start_serve(role: Role | Literal["page"], host: str | None, port: int | None) -> int:
    """Serves until it is told to stop. Raises SettingsError, ServeError, EmbeddedDatabaseError and psycopg.Error."""

    def here(settings: Settings) -> Settings:
        return replace(settings, host=host or settings.host, port=port or settings.port)

    bare = read_setup_settings(os.environ) if role in ("web", "both") else None
    settings = here(bare or (read_page_settings(os.environ) if role == "page" else read_settings(os.environ)))
    configure_logs()
    with auditing(settings, role != "worker") as auditor:
        if role == "page":
            asyncio.run(serve_page(settings, auditor, announce))
        elif bare is not None:
            asyncio.run(set_up_and_serve(settings, role, auditor, lambda: here(read_settings(os.environ))))
        else:
            asyncio.run(serve(settings, role, open_work, started=announce, auditor=auditor))
    return 0


async def set_up_and_serve(bare: Settings, role: Role, auditor: Auditor | None, configured: Callable[[], Settings]) -> None:
    """One address from the first page to the first review: the listener goes from the set-up to the server."""
    setup = Setup()
    with listen(bare) as listener:
        async with stopped_by_signals() as stop:
            one = SetUp(setup, listener, stop)
            if await set_up(bare, one, auditor, lambda url: invite(bare.public_url or url, setup.token)):
                write("The App is registered.\n")
                await serve(configured(), role, open_work, started=announce, auditor=auditor, before=one)


@contextmanager
def auditing(settings: Settings, wanted: bool) -> Iterator[Auditor | None]:
    """What audits for the page, where there is one. Opened before there is a thread or a loop: it starts processes."""
    if not wanted or not settings.page.enabled:
        yield None
        return
    with open_auditor(settings.page) as auditor:
        yield auditor


def announce(url: str) -> None:
    write(f"MeterAudit listens on {url}\n")


def invite(url: str, token: str) -> None:
    write(f"MeterAudit is not connected to GitHub yet. Open {url}/setup and give this one-time token: {token}\n")
