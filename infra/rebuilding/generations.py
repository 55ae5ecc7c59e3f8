"""The generations of a projection's tables: which version is live, and what was before it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import NamedTuple, TypeVar

from psycopg import errors
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside import parked_before
from infra.caching.stamps import renew
from infra.database import Database
from infra.discovery import Projecting
from infra.log.port import Unavailable
from infra.moves import positions_of
from infra.rebuilding.versions import layout_of, version_of
from infra.rows.tables import (
    all_tables,
    create_indexes,
    drop_schema,
    drop_tables,
    lock_tables,
    move_tables,
    previous_of,
    shadow_of,
)

T = TypeVar("T")

LOCK_WAIT_MS = 150
"""How long a swap waits for those who read its tables; who comes meanwhile waits behind it."""
LOCK_TRIES = 100
LOCK_PAUSE_S = 0.2
"""For how long it lets them pass before it tries again."""
WAITED = (errors.LockNotAvailable, errors.DeadlockDetected)


class Generation(NamedTuple):
    """One filling of a projection's tables."""

    version: str
    layout: str
    tables: tuple[str, ...]
    """Their names."""


class Kept(NamedTuple):
    """What is stored about a projection: the live generation, and the previous one."""

    live: Generation
    previous: Generation | None
    position: int
    """Of the reader when the previous generation was live last."""


class NothingToUndo(LookupError):
    """There are no previous tables that this program could put back; the message says why."""


@cache
def generation_of(projecting: Projecting) -> Generation:
    """Return the generation that this program would make."""
    tables = all_tables(projecting)
    names = tuple(table.name for table in tables)
    return Generation(version_of(projecting), layout_of(tables), names)


@cache
def _versions_of(context: str) -> Table:
    text = ("version", "layout", "tables")
    return Table(
        "versions",
        MetaData(),
        Column("projection", Text, primary_key=True),
        *(Column(name, Text) for name in (*text, *(f"previous_{name}" for name in text))),
        Column("previous_position", BigInteger),
        schema=context,
    )


async def live(connection: AsyncConnection, context: str) -> dict[str, Generation]:
    """Return the live generations of a context's projections, by name."""
    table = _versions_of(context).c
    found = await connection.execute(
        select(table.projection, table.version, table.layout, table.tables)
    )
    return {
        name: Generation(version, layout, tuple(tables.split(",")))
        for name, version, layout, tables in found
    }


async def kept(connection: AsyncConnection, projecting: Projecting) -> Kept | None:
    """Return what is stored about a projection; None when nothing is."""
    table = _versions_of(projecting.context)
    query = select(table).where(table.c.projection == projecting.name)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        return None
    found = [
        Generation(row[f"{p}version"], row[f"{p}layout"], tuple(row[f"{p}tables"].split(",")))
        if row[f"{p}version"]
        else None
        for p in ("", "previous_")
    ]
    assert found[0] is not None  # noqa: S101 - its column is
    return Kept(found[0], found[1], row["previous_position"] or 0)


async def store(connection: AsyncConnection, projecting: Projecting, kept: Kept) -> None:
    """Store which generations of a projection there are."""
    table = _versions_of(projecting.context)
    await connection.execute(delete(table).where(table.c.projection == projecting.name))
    values: dict[str, object] = {"projection": projecting.name}
    for prefix, one in (("", kept.live), ("previous_", kept.previous)):
        if one is not None:
            values[f"{prefix}version"] = one.version
            values[f"{prefix}layout"] = one.layout
            values[f"{prefix}tables"] = ",".join(one.tables)
    if kept.previous is not None:
        values["previous_position"] = kept.position
    await connection.execute(insert(table), values)


async def patiently(
    database: Database, work: Callable[[AsyncConnection], Awaitable[T]], what: str
) -> T:
    """Do `work` in a transaction that soon gives up what it waits for, and is tried again.

    Raises `Unavailable` when it never has its turn.
    """
    for _ in range(LOCK_TRIES):
        try:
            async with database.write() as connection:
                if not database.is_sqlite:
                    await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                return await work(connection)
        except Unavailable as error:
            if not isinstance(getattr(error.__cause__, "orig", None), WAITED):
                raise
        await asyncio.sleep(LOCK_PAUSE_S)
    raise Unavailable(f"{what}: its tables are in use by long transactions; try again later")


async def held_position(connection: AsyncConnection, projecting: Projecting) -> int:
    """Return where the live tables are, and hold their reader there for this transaction."""
    table = positions_of(projecting.context)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # A reader that has never moved has no row, and could begin meanwhile.
    begun = dialect.insert(table).values(name=projecting.name, position=0)
    await connection.execute(begun.on_conflict_do_nothing())
    query = select(table.c.position).where(table.c.name == projecting.name).with_for_update()
    return int((await connection.execute(query)).scalar_one())


async def position_of(connection: AsyncConnection, projecting: Projecting) -> int:
    """Return where the live tables are."""
    table = positions_of(projecting.context)
    query = select(table.c.position).where(table.c.name == projecting.name)
    return (await connection.execute(query)).scalar() or 0


async def swap_in(
    connection: AsyncConnection, projecting: Projecting, shadow: Generation, position: int
) -> None:
    """Make the shadow tables the live ones, and the live ones the previous ones.

    For a transaction that holds the reader at `position`, where both are.
    """
    found = await kept(connection, projecting)
    live = found.live if found else generation_of(projecting)
    context = projecting.context
    await lock_tables(connection, {context: live.tables, shadow_of(context): shadow.tables})
    before = found.previous.tables if found and found.previous else ()
    await drop_tables(connection, previous_of(context), {*before, *live.tables})
    await move_tables(connection, live.tables, context, previous_of(context))
    # A program that is newer than the live tables has made those that they lack.
    await drop_tables(connection, context, {*shadow.tables} - {*live.tables})
    await move_tables(connection, shadow.tables, shadow_of(context), context)
    if connection.dialect.name == "sqlite":
        await create_indexes(connection, all_tables(projecting))
    await store(connection, projecting, Kept(shadow, live, position))
    await renew(connection, projecting)
    await parked_before.put_aside(connection, context, projecting.name)


async def undo(connection: AsyncConnection, projecting: Projecting) -> int:
    """Swap the previous tables with the live ones; returns the position that they are at.

    The reader goes on from there. What was live is kept in their place, so that an undo can be
    undone. Raises `NothingToUndo`.
    """
    position = await held_position(connection, projecting)
    found = await kept(connection, projecting)
    if found is None or found.previous is None:
        raise NothingToUndo(
            f"{projecting.name} has no previous tables: they were pruned, or it was never rebuilt"
        )
    live, previous = found.live, found.previous
    if previous.layout != generation_of(projecting).layout:
        raise NothingToUndo(
            f"the previous tables of {projecting.name} are not laid out as this program's; start "
            "the program that made them: it puts them back by itself"
        )
    context = projecting.context
    aside = f"{context}_aside"
    await lock_tables(connection, {context: live.tables, previous_of(context): previous.tables})
    await move_tables(connection, live.tables, context, aside)
    await move_tables(connection, previous.tables, previous_of(context), context)
    await move_tables(connection, live.tables, aside, previous_of(context))
    await drop_schema(connection, aside)
    if connection.dialect.name == "sqlite":
        await create_indexes(connection, all_tables(projecting))
    table = positions_of(context)
    back = update(table).where(table.c.name == projecting.name).values(position=found.position)
    await connection.execute(back)
    await store(connection, projecting, Kept(previous, live, position))
    await renew(connection, projecting)
    await parked_before.put_back(connection, context, projecting.name)
    return found.position


async def prune(connection: AsyncConnection, projecting: Projecting) -> tuple[str, ...]:
    """Drop the previous tables; returns their names."""
    found = await kept(connection, projecting)
    if found is None or found.previous is None:
        return ()
    await drop_tables(connection, previous_of(projecting.context), found.previous.tables)
    await store(connection, projecting, Kept(found.live, None, 0))
    await parked_before.forget(connection, projecting.context, projecting.name)
    return found.previous.tables
