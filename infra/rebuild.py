"""Rebuilds a projection from the log beside the live tables, and compares the two."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, MetaData, Table, Text, delete, except_, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.changes import ImpossibleChange
from infra.database import Database
from infra.discovery import Projecting
from infra.log.codec import Codec
from infra.log.port import Store
from infra.log.unbroken import read_on
from infra.moves import positions_of
from infra.parked import freed
from infra.projector import Projector, create_tables, drop_tables

BATCH = 2_000
"""Facts written to the shadow tables in one transaction."""
MAX_SHOWN = 20
"""Differing rows that a comparison names for each table."""

Progress = Callable[[int, int, float], None]
"""Called with facts done, facts in all, and seconds since the start."""


@dataclass
class Comparison:
    """A rebuilt projection beside the live one, at one position."""

    projection: str
    position: int
    seconds: float
    rows: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every row is the same."""
        return not self.differences


async def rebuild(
    projecting: Projecting,
    store: Store,
    codec: Codec,
    database: Database,
    *,
    accept: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Project the log anew into shadow tables and compare them with the live ones.

    The live tables go on serving. When the two differ and `accept` is given, the rebuilt rows
    take the place of the live ones in one transaction. Raises `CorruptFact` or
    `ImpossibleChange` at a fact that cannot be projected, and `RebuiltElsewhere`.
    """
    context, started = projecting.context, time.perf_counter()
    shadow = {context: f"{context}_shadow"}
    mark = _Mark(projecting)
    async with database.write(shadow) as connection:
        if not database.is_sqlite:
            await connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {shadow[context]}")
        await mark.take(connection)
        await drop_tables(connection, projecting.tables)
        await create_tables(connection, projecting.tables)
    done = 0
    target = await _position(database, projecting)
    while done < target:
        done = await _project(projecting, store, codec, database, mark, done, target)
        if progress:
            progress(done, target, time.perf_counter() - started)
        target = await _position(database, projecting)
    comparison = await _compare(projecting, store, codec, database, mark, done, accept)
    async with database.write(shadow) as connection:
        await mark.hold(connection)
        await drop_tables(connection, projecting.tables)
    comparison.seconds = time.perf_counter() - started
    return comparison


class RebuiltElsewhere(Exception):
    """Another rebuild of the same projection began; this one has lost its shadow tables."""


class _Mark:
    """Says whose the shadow tables are: two rebuilds of one projection would spoil each other's.

    Its row is locked by every transaction that touches them.
    """

    def __init__(self, projecting: Projecting) -> None:
        self._name = projecting.name
        self._token = uuid4().hex
        feature = projecting.name.partition(".")[2]
        self._table = Table(
            f"rebuilding_{feature}",
            MetaData(),
            Column("token", Text),
            schema=f"{projecting.context}_shadow",
        )

    async def take(self, connection: AsyncConnection) -> None:
        """Take the shadow tables over; whoever had them notices."""
        await create_tables(connection, [self._table])
        await connection.execute(delete(self._table))
        await connection.execute(insert(self._table), {"token": self._token})

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep others away for this transaction. Raises `RebuiltElsewhere`."""
        found = await connection.execute(select(self._table.c.token).with_for_update())
        if found.scalar() != self._token:
            raise RebuiltElsewhere(
                f"another rebuild of {self._name} began meanwhile; let it end and try again"
            )


async def _position(database: Database, projecting: Projecting) -> int:
    async with database.read() as connection:
        return await _stored(connection, projecting, lock=False)


async def _stored(connection: AsyncConnection, projecting: Projecting, *, lock: bool) -> int:
    table = positions_of(projecting.context)
    query = select(table.c.position).where(table.c.name == projecting.name)
    found = (await connection.execute(query.with_for_update() if lock else query)).scalar()
    return found or 0


async def _project(
    projecting: Projecting,
    store: Store,
    codec: Codec,
    database: Database,
    mark: "_Mark",
    after: int,
    upto: int,
    limit: int = BATCH,
) -> int:
    """Project some facts; a faulty batch is halved until the fault has one position."""
    recorded = await read_on(store, after, limit, upto)
    facts = [(codec.decode(one), one.at) for one in recorded]
    context = projecting.context
    try:
        write = await Projector(projecting)(facts)
        async with database.write({context: f"{context}_shadow"}) as connection:
            await mark.hold(connection)
            await write(connection)
    except ImpossibleChange:
        if len(facts) == 1:
            raise
        half = len(facts) // 2
        return await _project(projecting, store, codec, database, mark, after, upto, limit=half)
    return facts[-1][1].position


async def _compare(
    projecting: Projecting,
    store: Store,
    codec: Codec,
    database: Database,
    mark: "_Mark",
    done: int,
    accept: bool,
) -> Comparison:
    """Compare at one position: the live reader is held while the last facts are projected."""
    context = projecting.context
    shadow = {context: f"{context}_shadow"}
    async with database.write() as live:
        await mark.hold(live)
        position = await _stored(live, projecting, lock=True)
        comparison = Comparison(projecting.name, position, 0.0)
        while done < position:
            recorded = await read_on(store, done, BATCH, position)
            write = await Projector(projecting)([(codec.decode(one), one.at) for one in recorded])
            await live.execution_options(schema_translate_map=shadow)
            await write(live)
            await live.execution_options(schema_translate_map={})
            done = recorded[-1].at.position
        for table in projecting.tables:
            rebuilt = table.to_metadata(MetaData(), schema=shadow[context])
            comparison.rows += (
                await live.execute(select(func.count()).select_from(rebuilt))
            ).scalar_one()
            comparison.differences += await _differences(live, table, rebuilt)
            if accept and not comparison.equal:
                await live.execute(delete(table))
                columns = list(table.c.keys())
                await live.execute(insert(table).from_select(columns, select(rebuilt)))
        if accept:
            await freed(live, context, projecting.name)  # the rebuilt rows have what was parked
    return comparison


async def _differences(connection: AsyncConnection, table: Table, rebuilt: Table) -> list[str]:
    key = [column.name for column in table.primary_key.columns]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for side, query in (
        ("live", except_(select(table), select(rebuilt))),
        ("rebuilt", except_(select(rebuilt), select(table))),
    ):
        # In the order of the key, so that the two sides of a row are found together.
        sorted_ = query.order_by(*(query.selected_columns[name] for name in key))
        for row in (await connection.execute(sorted_.limit(MAX_SHOWN))).mappings():
            found.setdefault(tuple(row[name] for name in key), {})[side] = dict(row)
    return [_said(table, values, sides) for values, sides in found.items()]


def _said(table: Table, key: tuple[Any, ...], sides: dict[str, dict[str, Any]]) -> str:
    name = f"{table.schema}.{table.name} {', '.join(str(part) for part in key)}"
    live, rebuilt = sides.get("live"), sides.get("rebuilt")
    if live is None:
        return f"{name}: missing in the live table"
    if rebuilt is None:
        return f"{name}: only in the live table"
    columns = [
        f"{column}: live {live[column]!r}, rebuilt {rebuilt[column]!r}"
        for column in live
        if live[column] != rebuilt[column]
    ]
    return f"{name}: {'; '.join(columns)}"
