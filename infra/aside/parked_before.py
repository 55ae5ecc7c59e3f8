"""What was parked of a projection's previous tables: put aside with them, and put back.

Rebuilt tables have every fact, so nothing of theirs is parked. The tables that they replace lack
what was parked: should they come back, it must be parked again.
"""

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside.parking import BEFORE, parked_of
from infra.moves import raise_epoch


async def put_aside(connection: AsyncConnection, home: str, reader: str) -> None:
    """Keep what is parked with the tables that become the previous ones."""
    await forget(connection, home, reader)
    await _rename(connection, home, reader, reader + BEFORE)
    await raise_epoch(connection, home, reader)


async def put_back(connection: AsyncConnection, home: str, reader: str) -> None:
    """Swap what is parked with what was parked of the previous tables."""
    between = reader + 2 * BEFORE
    await _rename(connection, home, reader, between)
    await _rename(connection, home, reader + BEFORE, reader)
    await _rename(connection, home, between, reader + BEFORE)
    await raise_epoch(connection, home, reader)


async def forget(connection: AsyncConnection, home: str, reader: str) -> None:
    """Forget what was parked of the previous tables."""
    table = parked_of(home)
    await connection.execute(delete(table).where(table.c.reader == reader + BEFORE))


async def _rename(connection: AsyncConnection, home: str, reader: str, name: str) -> None:
    table = parked_of(home)
    await connection.execute(update(table).where(table.c.reader == reader).values(reader=name))
