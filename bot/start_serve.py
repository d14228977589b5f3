"""Starts the server of the command line: settings, a set-up if there is no App yet, GitHub, the sandbox, web and worker."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

from bot.logs import configure_logs
from bot.printing import write
from bot.reviewers import open_work
from bot.serve import Role, SetUp, listen, serve, set_up, stopped_by_signals
from bot.web.admission import Setup
from config.settings import Settings, read_settings, read_setup_settings


def start_serve(role: Role, host: str | None, port: int | None) -> int:
    """Serves until it is told to stop. Raises SettingsError, ServeError, EmbeddedDatabaseError and psycopg.Error."""

    def here(settings: Settings) -> Settings:
        return replace(settings, host=host or settings.host, port=port or settings.port)

    bare = read_setup_settings(os.environ) if role != "worker" else None
    if bare is None:
        settings = here(read_settings(os.environ))
        configure_logs()
        asyncio.run(serve(settings, role, open_work, started=announce))
    else:
        configure_logs()
        asyncio.run(set_up_and_serve(here(bare), role, lambda: here(read_settings(os.environ))))
    return 0


async def set_up_and_serve(bare: Settings, role: Role, configured: Callable[[], Settings]) -> None:
    """One address from the first page to the first review: the listener goes from the set-up to the server."""
    setup = Setup()
    with listen(bare) as listener:
        async with stopped_by_signals() as stop:
            one = SetUp(setup, listener, stop)
            if await set_up(bare, one, lambda url: invite(bare.public_url or url, setup.token)):
                write("The App is registered.\n")
                await serve(configured(), role, open_work, started=announce, before=one)


def announce(url: str) -> None:
    write(f"MeterAudit listens on {url}\n")


def invite(url: str, token: str) -> None:
    write(f"MeterAudit is not connected to GitHub yet. Open {url}/setup and give this one-time token: {token}\n")
