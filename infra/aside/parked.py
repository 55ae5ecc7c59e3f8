"""What is parked: the groups of facts in the store, and how a group is let go.

To let a key go raises the epoch of its reader in the same transaction: a worker that does not know
it yet moves nothing, and looks again what is parked. So nothing is handled twice or out of order.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside.parking import parked_of
from infra.moves import positions_of, raise_epoch
from infra.readers import Reader
from infra.system import System

SHOWN = 200
"""Facts of a group that are looked at together."""


class Group(msgspec.Struct, frozen=True):
    """What is parked of one key of a reader."""

    reader: str
    context: str
    """Whose log the reader follows."""
    key: str
    facts: int
    first: int
    last: int
    """Positions."""
    since: datetime
    error: str | None
    """Of the first one; none when the fact before it was dropped."""


async def groups(
    system: System, *, reader: str | None = None, key: str | None = None, error: str | None = None
) -> list[Group]:
    """Return what is parked, oldest position first; `error` is a part of the first one's error."""
    found = []
    for one in system.readers:
        if reader in (None, one.name):
            found += await _groups_of(system, one, key)
    if error is not None:
        found = [group for group in found if group.error and error in group.error]
    return sorted(found, key=lambda group: (group.first, group.reader))


async def group_of(system: System, reader: str, key: str) -> Group:
    """Return what a reader has parked of a key. Raises `LookupError`."""
    reader_of(system, reader)
    for group in await groups(system, reader=reader, key=key):
        return group
    raise LookupError(f"reader {reader} has parked nothing of {key}; see `aorist parked list`")


def reader_of(system: System, name: str) -> Reader:
    """Return a reader by name. Raises `LookupError`."""
    for reader in system.readers:
        if reader.name == name:
            return reader
    names = ", ".join(sorted(reader.name for reader in system.readers))
    raise LookupError(f"no reader is called {name!r}; there are {names}")


async def parked(system: System, group: Group, limit: int = SHOWN) -> Sequence[Any]:
    """Return the rows of a group, in order: the first ones."""
    home = reader_of(system, group.reader).home
    async with system.databases[home].read() as connection:
        found: Sequence[Any] = (await connection.execute(rows_of(home, group, limit))).all()
    return found


async def _groups_of(system: System, reader: Reader, key: str | None) -> list[Group]:
    table = parked_of(reader.home)
    query = (
        select(
            table.c.key,
            func.count().label("facts"),
            func.min(table.c.position).label("first"),
            func.max(table.c.position).label("last"),
            func.min(table.c.parked_at, type_=table.c.parked_at.type).label("since"),
        )
        .where(table.c.reader == reader.name)
        .group_by(table.c.key)
    )
    if key is not None:
        query = query.where(table.c.key == key)
    whole = query.subquery()
    first = select(whole, table.c.error).join(
        table, (table.c.reader == reader.name) & (table.c.position == whole.c.first)
    )
    async with system.databases[reader.home].read() as connection:
        found = (await connection.execute(first)).all()
    return [
        Group(reader.name, reader.context, row.key, row.facts, row.first, row.last, row.since,
              row.error)
        for row in found
    ]  # fmt: skip


def rows_of(home: str, group: Group, limit: int | None) -> Select[Any]:
    """Return what selects the first rows of a group."""
    table = parked_of(home)
    return (
        select(table)
        .where(table.c.reader == group.reader, table.c.key == group.key)
        .order_by(table.c.position)
        .limit(limit)
    )


async def hold(connection: AsyncConnection, reader: Reader) -> None:
    """Let nobody move the reader until the transaction ends; one that is moving it comes first."""
    table = positions_of(reader.home)
    held = select(table.c.epoch).where(table.c.name == reader.name).with_for_update()
    await connection.execute(held)


async def remove(
    connection: AsyncConnection, reader: Reader, group: Group, rows: Sequence[Any]
) -> int:
    """Let the first facts of a group go; return how many are left."""
    table = parked_of(reader.home)
    # They are the first ones of the key, whatever their number.
    gone = (table.c.key == group.key) & (table.c.position <= rows[-1].position)
    await connection.execute(delete(table).where(table.c.reader == reader.name, gone))
    await raise_epoch(connection, reader.home, reader.name)
    return await left_of(connection, reader.home, group)


async def left_of(connection: AsyncConnection, home: str, group: Group) -> int:
    """Return how many facts of a group are parked."""
    rows = rows_of(home, group, None).order_by(None).subquery()
    return (await connection.execute(select(func.count()).select_from(rows))).scalar_one()
