"""The database of the service: which server, which tables, which connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.schema import SchemaManager
from psycopg_pool import AsyncConnectionPool

from bot.jobs.embedded import embedded_postgres
from bot.jobs.pending import PendingJobs
from bot.jobs.tables import TABLES
from config.settings import Settings

SCHEMA_LOCK = 0x4D455445
"""Key of the advisory lock around schema changes: "METE" in ASCII; any number that nobody else uses."""

Pool = AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Database:
    """Open connections and the job engine on top of them."""

    pool: Pool
    jobs: App


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the configured PostgreSQL, or the embedded one, with all tables in place.

    Several processes may do this at once. Raises EmbeddedDatabaseError and psycopg.Error.
    """
    with ExitStack() as server:
        address = settings.database_url
        if address is None:
            address = await asyncio.to_thread(server.enter_context, embedded_postgres(settings.state_dir))
        async with connect(address) as database:
            yield database
        # The embedded server stops when the stack unwinds, after the last connection is closed.


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Database]:
    """Open the PostgreSQL at `address` with all tables in place. Raises psycopg.Error."""
    await create_tables(address)
    connector = PsycopgConnector()
    jobs = App(connector=connector)
    jobs.job_manager = PendingJobs(connector)
    # check: a connection that the server closed in the meantime is replaced instead of failing its user.
    pool: Pool = AsyncConnectionPool(address, min_size=1, max_size=10, open=False, check=AsyncConnectionPool.check_connection)
    async with pool, jobs.open_async(pool):
        yield Database(pool, jobs)


async def create_tables(address: str) -> None:
    """Create or update procrastinate's tables and ours, in one transaction, one process at a time."""
    async with await psycopg.AsyncConnection.connect(address) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        await connection.execute(TABLES)
        await _create_or_migrate_jobs(connection)


async def _create_or_migrate_jobs(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    migrations = _migrations()
    found = await connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
    row = await found.fetchone()
    if row is None or not row[0]:
        # The whole schema holds all migrations of its release.
        await connection.execute(SchemaManager.get_schema())
        applied = set(migrations)
    else:
        rows = await (await connection.execute("SELECT name FROM meteraudit_migration")).fetchall()
        applied = {name for (name,) in rows}
        for name, sql in migrations.items():
            if name not in applied:
                await connection.execute(sql)
                applied.add(name)
    for name in sorted(applied):
        await connection.execute("INSERT INTO meteraudit_migration VALUES (%s) ON CONFLICT DO NOTHING", [name])


def _migrations() -> dict[str, bytes]:
    """procrastinate's migrations, oldest first; its file names sort by release."""
    return {path.name: path.read_bytes() for path in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))}
