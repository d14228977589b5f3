"""Starts the server of the command line: settings from the environment, GitHub, the sandbox, then web and worker."""

import asyncio
import os
import sys
from dataclasses import replace

from bot.logs import configure_logs
from bot.reviewers import open_work
from bot.serve import Role, serve
from config.settings import read_page_settings, read_settings


def start_serve(role: Role, host: str | None, port: int | None) -> int:
    """Serves until it is told to stop. Raises SettingsError, ServeError, EmbeddedDatabaseError and psycopg.Error."""
    settings = read_page_settings(os.environ) if role == "page" else read_settings(os.environ)
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    configure_logs()
    asyncio.run(serve(settings, role, open_work, started=announce))
    return 0


def announce(url: str) -> None:
    sys.stdout.write(f"MeterAudit listens on {url}\n")
    sys.stdout.flush()
