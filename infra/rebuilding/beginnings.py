"""Makes a projection's tables; a history that begins late says from where on it is known."""

from sqlalchemy import BigInteger, Table, delete, insert, inspect, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.discovery import Projecting
from infra.moves import positions_of
from infra.rows.tables import all_tables, create_tables
from projections.versions import OPEN, beginning_of, versions_of


async def make_tables(connection: AsyncConnection, projecting: Projecting) -> None:
    """Create what is not there.

    Where rows are there already and their history is new, it begins with the rows as they are:
    every query from the reader's position on is right, and what came before is said to be unknown
    until the projection is rebuilt.
    """
    new = [
        table
        for table in all_tables(projecting)
        if (versions := versions_of(table)) is not None
        and not await _is_there(connection, versions)
    ]
    await create_tables(connection, all_tables(projecting))
    if not new:
        return
    readers = positions_of(projecting.context)
    # Held until the end, so that no reader moves on without leaving versions.
    query = select(readers.c.position).where(readers.c.name == projecting.name).with_for_update()
    position = (await connection.execute(query)).scalar() or 0
    if not position:
        return
    for table in new:
        await _begin(connection, table, position)


async def _begin(connection: AsyncConnection, table: Table, position: int) -> None:
    versions, beginning = versions_of(table), beginning_of(table)
    if versions is None or beginning is None:
        raise TypeError(f"{table.name} has no table of versions")
    rows = select(table, literal(position, BigInteger), literal(OPEN, BigInteger))
    await connection.execute(insert(versions).from_select([*versions.c.keys()], rows))
    await connection.execute(delete(beginning))
    await connection.execute(insert(beginning), {"position": position})


async def _is_there(connection: AsyncConnection, table: Table) -> bool:
    if connection.dialect.name == "sqlite":
        name, schema = f"{table.schema}_{table.name}", None
    else:
        name, schema = table.name, table.schema
    return await connection.run_sync(lambda c: inspect(c).has_table(name, schema=schema))
