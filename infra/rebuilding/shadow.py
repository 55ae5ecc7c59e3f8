"""The shadow tables of one projection: whose they are, and how far they are filled."""

import time
from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import Database
from infra.discovery import Projecting
from infra.log.tail import Facts
from infra.projector import Projector
from infra.rebuilding.generations import Generation, generation_of, position_of
from infra.rows.known import Known
from infra.rows.tables import (
    all_tables,
    create_indexes,
    create_shadow,
    drop_tables,
    in_schema,
    shadow_of,
    vacuum,
)

KNOWN_ROWS = 20_000
"""Rows of one table that are kept in memory while it is filled: nobody else writes them, so they
need not be looked up again."""


class RebuiltElsewhere(Exception):
    """Another rebuild of the same projection began; this one has lost its shadow tables."""


class Shadow:
    """One projection's shadow tables, as one rebuild fills them.

    Every transaction that writes to them first moves their position in `rebuilds`, so that a
    second rebuild cannot spoil them, and one that was killed is taken up where it was.
    """

    def __init__(self, projecting: Projecting, database: Database) -> None:
        self.projecting = projecting
        self.generation: Generation = generation_of(projecting)
        self.position = 0
        """Of the last fact that is written."""
        self.resumed_at = 0
        self.failure: Exception | None = None
        """Why it is given up: a fact that cannot be projected."""
        self._database = database
        self._token = uuid4().hex
        self._table = rebuilds_of(projecting.context)
        self._mine = self._table.c.projection == projecting.name
        self._schema = shadow_of(projecting.context)
        self._projector = Projector(projecting)
        self._known = Known(KNOWN_ROWS)

    @property
    def tables(self) -> Sequence[Table]:
        """The tables, under the names they have in the shadow."""
        return [in_schema(table, self._schema) for table in all_tables(self.projecting)]

    async def begin(self, *, afresh: bool = False) -> None:
        """Take the tables up where a rebuild by the same code left them, or make them anew."""
        async with self._database.write() as connection:
            await self._database.lock_structure(connection)
            query = select(self._table).where(self._mine).with_for_update()
            found = (await connection.execute(query)).mappings().first()
            if found and found["version"] == self.generation.version and not afresh:
                self.position = self.resumed_at = found["position"]
            else:
                await drop_tables(connection, self._schema, self.generation.tables)
                await create_shadow(connection, all_tables(self.projecting), self._schema)
            await connection.execute(delete(self._table).where(self._mine))
            values = {
                "projection": self.projecting.name,
                "token": self._token,
                "version": self.generation.version,
                "position": self.position,
                "target": await position_of(connection, self.projecting),
                "touched": _now(),
            }
            await connection.execute(insert(self._table), values)

    async def hold(self, connection: AsyncConnection, position: int, target: int) -> None:
        """Note the position that this transaction leads to; keeps others away until its end.

        Raises `RebuiltElsewhere`.
        """
        mine = self._mine & (self._table.c.token == self._token)
        held = update(self._table).where(mine)
        held = held.values(position=position, target=target, touched=_now())
        if (await connection.execute(held)).rowcount != 1:
            raise RebuiltElsewhere(
                f"another rebuild of {self.projecting.name} began meanwhile; let it end and try"
                " again"
            )

    async def write(self, connection: AsyncConnection, facts: Facts, target: int) -> None:
        """Write what follows from the facts behind the position.

        Raises as `hold`, or `ImpossibleChange`; the transaction must not be committed then.
        """
        await self.hold(connection, facts[-1][1].position, target)
        written = await self._projector(facts, self._known)
        schema = {self.projecting.context: self._schema}
        await connection.execution_options(schema_translate_map=schema)
        await written(connection)
        await connection.execution_options(schema_translate_map={})

    def written(self, facts: Facts) -> None:
        """Move on: what was written is committed."""
        self.position = facts[-1][1].position

    def undone(self) -> None:
        """Forget what was written: it was not committed."""
        self._known.forget()

    async def index(self) -> None:
        """Make the indexes, now that the tables are full. SQLite's come with the swap."""
        if self._database.is_sqlite:
            return
        async with self._database.write() as connection:
            await self._database.leave_processors(connection)
            await self.hold(connection, self.position, self.position)
            await create_indexes(connection, self.tables)
        # What was changed on the way leaves gaps, and nothing is known to the planner yet.
        await vacuum(self._database, self.tables)

    async def end(self, connection: AsyncConnection) -> None:
        """Forget that there is a rebuild. Raises as `hold`."""
        await self.hold(connection, self.position, self.position)
        await connection.execute(delete(self._table).where(self._mine))

    async def drop(self) -> None:
        """End it and drop the tables."""
        async with self._database.write() as connection:
            await self.end(connection)
            await drop_tables(connection, self._schema, self.generation.tables)


def rebuilds_of(context: str) -> Table:
    """Return the table of a context's rebuilds that have not ended."""
    return Table(
        "rebuilds",
        MetaData(),
        Column("projection", Text, primary_key=True),
        *(Column(name, Text) for name in ("token", "version")),
        *(Column(name, BigInteger) for name in ("position", "target", "touched")),
        schema=context,
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
