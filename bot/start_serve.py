"""Starts the server of the command line: settings from the environment, GitHub, the sandbox, then web and worker."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from bot.logs import configure_logs
from bot.reviewers import open_work
from bot.serve import Role, serve, serve_page
from bot.web.auditor import Auditor, open_auditor
from config.settings import Settings, read_page_settings, read_settings


def start_serve(role: Role | Literal["page"], host: str | None, port: int | None) -> int:
    """Serves until it is told to stop. Raises SettingsError, ServeError, EmbeddedDatabaseError and psycopg.Error."""
    settings = read_page_settings(os.environ) if role == "page" else read_settings(os.environ)
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    configure_logs()
    with auditing(settings, role != "worker") as auditor:
        if role == "page":
            asyncio.run(serve_page(settings, auditor, announce))
        else:
            asyncio.run(serve(settings, role, open_work, started=announce, auditor=auditor))
    return 0


@contextmanager
def auditing(settings: Settings, wanted: bool) -> Iterator[Auditor | None]:
    """What audits for the page, where there is one. Opened before there is a thread or a loop: it starts processes."""
    if not wanted or not settings.page.enabled:
        yield None
        return
    with open_auditor(settings.page) as auditor:
        yield auditor


def announce(url: str) -> None:
    sys.stdout.write(f"MeterAudit listens on {url}\n")
    sys.stdout.flush()
