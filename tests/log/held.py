"""Holds appends up inside PostgreSQL: another connection has a lock that they need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%probe.append(%'
"""
MAX_WAIT_S = 20


class Held:
    """A lock that is held until `release()`."""

    def __init__(self, holder: psycopg.AsyncConnection, observer: psycopg.AsyncConnection) -> None:
        self._holder = holder
        self._observer = observer

    async def waiting(self, number: int) -> list[int]:
        """Wait until so many appends wait for locks; return the ids of their server processes."""
        async with asyncio.timeout(MAX_WAIT_S):
            while True:
                found = await (await self._observer.execute(WAITING)).fetchall()
                if len(found) >= number:
                    return [pid for (pid,) in found]
                await asyncio.sleep(0.005)

    async def release(self) -> None:
        """Let them go on."""
        await self._holder.rollback()


@asynccontextmanager
async def held(conninfo: str, statement: str) -> AsyncIterator[Held]:
    """Hold what `statement` locks; release it at the end at the latest."""
    connect = psycopg.AsyncConnection.connect
    async with await connect(conninfo) as holder, await connect(conninfo, autocommit=True) as other:
        await holder.execute(statement.encode())
        held = Held(holder, other)
        try:
            yield held
        finally:
            await held.release()
