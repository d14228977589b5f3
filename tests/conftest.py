"""One real PostgreSQL a session, one fresh database a test."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from bot.jobs.database import Database, connect, create_tables
from bot.jobs.embedded import embedded_postgres

settings.register_profile("usual", suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""How long it takes is no property of the program: these tests run beside others, on machines with noisy cores."""
settings.load_profile("usual")
settings.register_profile("long", max_examples=100, derandomize=False)
"""For the random scenarios of tests/review/test_scenarios.py, which take an hour then."""

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[str], str]]:
    """The address of a database by its name. Not in tmp_path: PostgreSQL does not run as root and may not enter it."""
    folder = Path(tempfile.mkdtemp(prefix="mtr-"))
    folder.chmod(0o711)
    try:
        with embedded_postgres(folder, options=("fsync=off", "synchronous_commit=off")) as address:

            def named(database: str) -> str:
                return address.replace("/postgres?", f"/{database}?")

            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("CREATE DATABASE prepared")
            asyncio.run(create_tables(named("prepared")))
            yield named
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def address(server: Callable[[str], str]) -> Iterator[str]:
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(server("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE prepared")
        yield server(name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    async with connect(address) as opened:
        yield opened
