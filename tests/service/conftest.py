"""A receiver over the test's database, and a way to ask the database itself."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.service.stand import Query, Receiver, Rows, receiving


@pytest.fixture
async def receiver(address: str) -> AsyncIterator[Receiver]:
    async with receiving(address) as opened:
        yield opened


@pytest.fixture
def query(address: str) -> Query:
    async def run(sql: str, *values: object) -> Rows:
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
            cursor = await connection.execute(sql, values)
            return await cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """Not in tmp_path: PostgreSQL does not run as root and may not enter it."""
    folder = Path(tempfile.mkdtemp(prefix="mtr-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
