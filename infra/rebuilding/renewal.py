"""Notices at start that tables were filled by other code, and says how far their renewal is."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import Database
from infra.discovery import Projecting
from infra.log.port import LogError
from infra.readers import Reader
from infra.rebuilding.beginnings import make_tables
from infra.rebuilding.generations import (
    Kept,
    generation_of,
    kept,
    live,
    patiently,
    store,
    undo,
)
from infra.rebuilding.shadow import rebuilds_of

LIVELY_S = 60
"""A rebuild that has given no sign of life for so long is taken over."""


class Outdated(NamedTuple):
    """A projection whose live tables were filled by other code than this program's."""

    projecting: Projecting
    fits: bool
    """Whether they are laid out as this program's: its reader can go on with them."""


class BeingRebuilt(Exception):
    """A query does not fit the tables that are live: they are another version's."""


async def register(
    connection: AsyncConnection, context: str, projections: Iterable[Projecting]
) -> list[Outdated]:
    """Make the tables of a context's projections; return those that other code has filled.

    What this program's code has filled is there already, and needs no looking at.
    """
    filled = await live(connection, context)
    found = []
    for projecting in projections:
        if filled.get(projecting.name) != generation_of(projecting):
            outdated = await _register(connection, projecting)
            found += [outdated] if outdated else []
    return found


async def _register(connection: AsyncConnection, projecting: Projecting) -> Outdated | None:
    """Make the tables of a projection, or find those of another version and leave them alone."""
    own = generation_of(projecting)
    found = await kept(connection, projecting)
    if found is None or found.live.layout == own.layout:
        await make_tables(connection, projecting)
    if found is None:  # nobody has said who filled them, so it is taken for granted
        await store(connection, projecting, Kept(own, None, 0))
        return None
    if found.live.version == own.version:
        return None
    return Outdated(projecting, found.live.layout == own.layout)


def told_apart(
    readers: Iterable[Reader], outdated: Iterable[Outdated]
) -> tuple[list[Reader], list[Reader]]:
    """Return the readers of projections that can run, and those that must wait for their tables."""
    changed = {one.projecting.name for one in outdated if not one.fits}
    apart: tuple[list[Reader], list[Reader]] = [], []
    for reader in readers:
        apart[reader.name in changed].append(reader)
    return apart


async def is_renewed(database: Database, projecting: Projecting) -> bool:
    """Tell whether the live tables are this program's; puts the previous ones back if those are."""
    own = generation_of(projecting)
    async with database.read() as connection:
        found = await kept(connection, projecting)
    if found and found.previous and found.previous.version == own.version != found.live.version:

        async def put_back(connection: AsyncConnection) -> None:
            await undo(connection, projecting)

        await patiently(database, put_back, projecting.name)
        return True
    return found is not None and found.live.version == own.version


async def is_rebuilt_elsewhere(database: Database, projecting: Projecting) -> bool:
    """Tell whether another process is at it."""
    table = rebuilds_of(projecting.context)
    mine = table.c.projection == projecting.name
    async with database.write() as connection:
        touched = (await connection.execute(select(table.c.touched).where(mine))).scalar()
        if touched is None:
            return False
        free = select(table.c.token).where(mine).with_for_update(skip_locked=True)
        if (await connection.execute(free)).first() is None:
            return True
    return bool(time.time() - touched / 1000 < LIVELY_S)


async def told(database: Database, projecting: Projecting) -> str | None:
    """Return in a sentence that tables are another version's; None when they are this one's."""
    own = generation_of(projecting)
    table = rebuilds_of(projecting.context)
    columns = select(table.c.position, table.c.target, table.c.version)
    columns = columns.where(table.c.projection == projecting.name)
    async with database.read() as connection:
        found = await kept(connection, projecting)
        if found is None or found.live.version == own.version:
            return None
        row = (
            await connection.execute(columns.where(table.c.projection == projecting.name))
        ).first()
    if row is None or row.version != own.version:
        return f"{projecting.name} is of another version of the program; its rebuild has not begun"
    part = 100 * row.position // row.target if row.target else 100
    return (
        f"{projecting.name} is being rebuilt for this version of the program: "
        f"{row.position:,} of {row.target:,} facts, {part} %"
    )


async def all_told(outdated: Iterable[Outdated], databases: Mapping[str, Database]) -> list[str]:
    """Return the same for several; nothing of those whose store is away."""
    found = []
    for one in outdated:
        with suppress(LogError):
            said = await told(databases[one.projecting.context], one.projecting)
            found += [said] if said else []
    return found


async def misfit(database: Database, projecting: Projecting) -> str | None:
    """Return why a query may not fit the live tables; None when they are laid out for it."""
    async with database.read() as connection:
        found = await kept(connection, projecting)
    if found is None or found.live.layout == generation_of(projecting).layout:
        return None
    return await told(database, projecting)
