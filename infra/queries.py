"""Runs query functions' answers against the read models: one row, pages, details."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.exc import NotSupportedError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from domain import NotFound
from infra.aside.parking import parked_of
from infra.asof import (
    at_position,
    parsed,
    position_of,
    require_history,
    require_known,
    tables_of,
)
from infra.caching.cache import Cache
from infra.caching.caches import Caches
from infra.cursors import Place, beyond, decoded, encoded
from infra.database import Database
from infra.discovery import Projecting
from infra.dispatch import ContextLog
from infra.log.port import Unavailable
from infra.moves import positions_of
from infra.readers import Reader
from infra.rebuilding.renewal import BeingRebuilt, misfit
from projections import Detail, Kept, Listing, MinorUnits

MAX_DETAIL = 1_000
"""Rows in one list of a `Detail`."""
REMOTE_POLL_S = 0.02
"""How often a position is read that another process moves."""

Row = dict[str, Any]


class Behind(Exception):
    """A read model has not passed the position that was asked for."""

    def __init__(self, reader: str, position: int, wanted: int) -> None:
        super().__init__(
            f"{reader} is at position {position}, {wanted - position} facts behind {wanted}; "
            "ask again in a moment"
        )
        self.lag = wanted - position


class Aside(Behind):
    """The read model lacks just the fact that was asked for: it is parked."""

    def __init__(self, reader: str, wanted: int) -> None:
        Exception.__init__(
            self,
            f"{reader} could not handle the fact at position {wanted} and has parked it; it is "
            "shown when an operator has retried it",
        )
        self.lag = 0


class Queries:
    """The read models of this process's contexts.

    Every query may be asked `after` positions, by context: it waits until its read models have
    passed them, or raises `Behind`. It may be asked `as_of` a position or a time (as text): its
    rows are what they were then. Raises `BadAsOf`, `NotYet`, `BeforeHistory`, or `NoHistory` when
    the past of its tables is not kept. One that does not fit the tables of another version of the
    program, which serve until they are rebuilt, raises `BeingRebuilt`.
    """

    def __init__(
        self,
        databases: Mapping[str, Database],
        readers: Sequence[Reader],
        wait_s: float,
        logs: Mapping[str, ContextLog],
        clock: Clock,
        projections: Iterable[Projecting],
        caches: Caches,
    ) -> None:
        self._databases = databases
        self._readers = {reader.name: reader for reader in readers}
        self._wait_s = wait_s
        self._logs = logs
        self._clock = clock
        self._projections = {projecting.name: projecting for projecting in projections}
        self._caches = caches
        self.local = False
        """Whether this process runs the readers itself."""

    async def one(
        self,
        query: Select[Any],
        after: Mapping[str, int] | None = None,
        as_of: str | None = None,
    ) -> Row:
        """Return the single row, of a cached query from memory. Raises `NotFound`."""
        if as_of is None and (found := self._caches.of(query)):
            return await self._kept(*found, query, after)
        then = await self._then([query], as_of)
        async with self._reading([query], after, then) as connection:
            return await _single(connection, query, then)

    async def _kept(
        self, cache: Cache, kept: Kept, query: Select[Any], after: Mapping[str, int] | None
    ) -> Row:
        await self._wait(query, after or {})
        row = await cache.find(kept)
        if row is None:
            async with self._reading([query], None, None) as connection:
                row = await _single(connection, query, None)
                stamp = await cache.stamp(connection)
            await cache.keep(kept, row, stamp)
        return row

    async def all(self, query: Select[Any], limit: int) -> list[Row]:
        """Return at most `limit` rows, as they come."""
        async with self._reading([query], None, None) as connection:
            return await _rows(connection, query.limit(limit), None)

    async def detail(
        self,
        query: Detail,
        after: Mapping[str, int] | None = None,
        as_of: str | None = None,
    ) -> Row:
        """Return the row with its lists, all of one moment. Raises `NotFound`."""
        parts = [query.select, *query.lists.values()]
        then = await self._then(parts, as_of)
        async with self._reading(parts, after, then) as connection:
            row = await _single(connection, query.select, then)
            for name, rows in query.lists.items():
                row[name] = await _rows(connection, rows.limit(MAX_DETAIL), then)
        return row

    async def page(
        self,
        query: Listing,
        limit: int,
        cursor: str | None = None,
        after: Mapping[str, int] | None = None,
        as_of: str | None = None,
    ) -> tuple[list[Row], str | None]:
        """Return at most `limit` rows and the cursor of the next page; None on the last.

        The cursor keeps what the first page was asked as of. Raises `BadCursor`.
        """
        place = None if cursor is None else decoded(cursor, query, as_of)
        if place is not None and place.as_of is not None:
            as_of, then = place.as_of, place.then
            require_history([query.select])
        else:
            then = await self._then([query.select], as_of)
        order = [column.desc() if query.descending else column.asc() for column in query.by]
        wanted = query.select.order_by(*order).limit(limit + 1)
        if place is not None:
            wanted = wanted.where(beyond(query, place.by))
        async with self._reading([query.select], after, then) as connection:
            found = [dict(row) for row in await _found(connection, wanted, then)]
        more = len(found) > limit
        following = None
        if more:
            by = [found[limit - 1][column.name] for column in query.by]
            following = encoded(Place(by, as_of, then))
        return [presented(row, query.select) for row in found[:limit]], following

    async def _then(self, queries: Sequence[Select[Any]], as_of: str | None) -> int | None:
        """Return the position that is asked for; None for now."""
        if as_of is None:
            return None
        require_history(queries)
        log = self._logs[_context(queries[0])]
        return await position_of(log.store, self._clock, parsed(as_of))

    @asynccontextmanager
    async def _reading(
        self, queries: Sequence[Select[Any]], after: Mapping[str, int] | None, then: int | None
    ) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees what is to be seen."""
        wanted = dict(after or {})
        context = _context(queries[0])
        if then is not None:
            wanted[context] = max(then, wanted.get(context, 0))
        for query in queries:
            await self._wait(query, wanted)
        tables = {table for query in queries for table in tables_of(query)}
        try:
            async with self._databases[context].read() as connection:
                if then is not None:
                    await require_known(connection, tables, then)
                yield connection
        except (ProgrammingError, NotSupportedError, Unavailable) as error:
            # As SQLite says that there is no such column, it could be away.
            await self._require_fit(tables, error)
            raise

    async def _require_fit(self, tables: Iterable[Table], error: Exception) -> None:
        """Raise `BeingRebuilt` when a table is not laid out as this program's queries expect."""
        for name in {_projection(table) for table in tables}:
            projecting = self._projections[name]
            why = await misfit(self._databases[projecting.context], projecting)
            if why is not None:
                raise BeingRebuilt(
                    f"{why}; what you asked for is in its new tables only"
                ) from error

    async def _wait(self, query: Select[Any], after: Mapping[str, int]) -> None:
        """Wait until every projection that `query` reads has passed its context's position."""
        for context, position in after.items():
            for table in tables_of(query):
                if table.schema == context:
                    await self._wait_for(table, context, position)

    async def _wait_for(self, table: Table, context: str, position: int) -> None:
        name = _projection(table)
        until = time.monotonic() + self._wait_s
        while (at := await self._position(name, context)) < position:
            left = until - time.monotonic()
            if left <= 0:
                raise Behind(name, at, position)
            if self.local:
                await self._readers[name].moved.wait(left)
            else:
                await asyncio.sleep(min(left, REMOTE_POLL_S))
        if await self._is_parked(name, context, position):
            raise Aside(name, position)

    async def _is_parked(self, name: str, context: str, position: int) -> bool:
        reader = self._readers.get(name) if self.local else None
        if reader is not None and not (reader.parking and reader.parking.keys):
            return False
        table = parked_of(context)
        here = (table.c.reader == name) & (table.c.position == position)
        async with self._databases[context].read() as connection:
            return (await connection.execute(select(table.c.key).where(here))).first() is not None

    async def _position(self, name: str, context: str) -> int:
        if self.local and name in self._readers:
            return self._readers[name].position
        table = positions_of(context)
        async with self._databases[context].read() as connection:
            found = await connection.execute(select(table.c.position).where(table.c.name == name))
            return found.scalar() or 0

    def forget(self) -> None:
        """Forget the answers that this process has in memory."""
        self._caches.forget()

    async def close(self) -> None:
        """Release what is kept in memory."""
        await self._caches.close()

    def adopt(self, reader: Reader) -> None:
        """Take the positions of one reader more from this process."""
        self._readers[reader.name] = reader


def _projection(table: Table) -> str:
    return str(table.info["projection"]).partition(".")[2]


def _context(query: Select[Any]) -> str:
    return next(iter(tables_of(query))).schema or ""


def presented(row: Mapping[str, Any], query: Select[Any]) -> Row:
    """Return a row as it is shown: amounts of money with their currency."""
    shown = dict(row)
    for column in query.selected_columns:
        if isinstance(column.type, MinorUnits) and shown.get(column.name) is not None:
            shown[column.name] = {"amount": row[column.name], "currency": row["currency"]}
    return shown


async def _single(connection: AsyncConnection, query: Select[Any], then: int | None) -> Row:
    row = next(iter(await _found(connection, query.limit(1), then)), None)
    if row is None:
        names = ", ".join(sorted(table.name for table in tables_of(query)))
        when = "" if then is None else f" as of position {then}"
        raise NotFound(f"nothing in {names} answers this{when}; check the id")
    return presented(row, query)


async def _rows(connection: AsyncConnection, query: Select[Any], then: int | None) -> list[Row]:
    return [presented(row, query) for row in await _found(connection, query, then)]


async def _found(
    connection: AsyncConnection, query: Select[Any], then: int | None
) -> Sequence[Mapping[str, Any]]:
    wanted = query if then is None else at_position(query, then)
    found: Sequence[Any] = (await connection.execute(wanted)).mappings().all()
    return found
