"""A receiver over the test's database, and a way to ask the database itself."""

from collections.abc import AsyncIterator

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
