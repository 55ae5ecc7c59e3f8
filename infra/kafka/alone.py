"""Lets one relay of a log work and others wait: they would fence each other off by turns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from infra.database import Database
from infra.log.notify import CONNECT_S

ASK_AGAIN_S = 1.0

Still = Callable[[], Awaitable[None]]
"""Raises when one is no longer alone."""


@asynccontextmanager
async def alone(database: Database, name: str) -> AsyncIterator[Still]:
    """Wait until no other process that uses the database is alone under a name.

    It saves work; that every fact is mirrored once does not rest on it. With SQLite nobody waits.
    """
    if database.is_sqlite:
        yield _always
        return
    async with await psycopg.AsyncConnection.connect(
        database.conninfo, autocommit=True, connect_timeout=CONNECT_S
    ) as connection:

        async def ask(question: str) -> bool:
            cursor = await connection.execute(question, (name,) if "%" in question else None)
            row = await cursor.fetchone()
            return bool(row and row[0])

        while not await ask("SELECT pg_try_advisory_lock(hashtext(%s))"):  # noqa: ASYNC110
            await asyncio.sleep(ASK_AGAIN_S)

        async def still() -> None:
            await ask("SELECT 1")

        yield still


async def _always() -> None:
    """Nobody else is asked."""
