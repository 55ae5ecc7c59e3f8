"""Runs query functions' answers against the read models: one row, pages, details."""

import asyncio
import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Select, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.visitors import iterate

from domain import Invalid, NotFound
from infra.database import Database
from infra.moves import positions_of
from infra.readers import Reader
from projections import Detail, Listing, MinorUnits

MAX_DETAIL = 1_000
"""Rows in one list of a `Detail`."""
REMOTE_POLL_S = 0.02
"""How often a position is read that another process moves."""

Row = dict[str, Any]


class BadCursor(Invalid, code="bad_cursor"):
    """The cursor did not come from this list."""


class Behind(Exception):
    """A read model has not passed the position that was asked for."""

    def __init__(self, reader: str, position: int, wanted: int) -> None:
        super().__init__(
            f"{reader} is at position {position}, {wanted - position} facts behind {wanted}; "
            "ask again in a moment"
        )
        self.lag = wanted - position


class Queries:
    """The read models of this process's contexts."""

    def __init__(
        self, databases: Mapping[str, Database], readers: Sequence[Reader], wait_s: float
    ) -> None:
        self._databases = databases
        self._readers = {reader.name: reader for reader in readers}
        self._wait_s = wait_s
        self.local = False
        """Whether this process runs the readers itself."""

    async def one(self, query: Select[Any], after: Mapping[str, int] | None = None) -> Row:
        """Return the single row. Raises `NotFound`."""
        await self._wait(query, after)
        async with self._database(query).read() as connection:
            return await _single(connection, query)

    async def all(self, query: Select[Any], limit: int) -> list[Row]:
        """Return at most `limit` rows, as they come."""
        async with self._database(query).read() as connection:
            return await _rows(connection, query.limit(limit))

    async def detail(self, query: Detail, after: Mapping[str, int] | None = None) -> Row:
        """Return the row with its lists, all of one moment. Raises `NotFound`."""
        for part in (query.select, *query.lists.values()):
            await self._wait(part, after)
        async with self._database(query.select).read() as connection:
            row = await _single(connection, query.select)
            for name, rows in query.lists.items():
                row[name] = await _rows(connection, rows.limit(MAX_DETAIL))
        return row

    async def page(
        self,
        query: Listing,
        limit: int,
        cursor: str | None = None,
        after: Mapping[str, int] | None = None,
    ) -> tuple[list[Row], str | None]:
        """Return at most `limit` rows and the cursor of the next page; None on the last.

        Raises `BadCursor`.
        """
        await self._wait(query.select, after)
        order = [column.desc() if query.descending else column.asc() for column in query.by]
        wanted = query.select.order_by(*order).limit(limit + 1)
        if cursor is not None:
            wanted = wanted.where(_beyond(query, _decoded(cursor, query)))
        async with self._database(query.select).read() as connection:
            found = [dict(row) for row in (await connection.execute(wanted)).mappings()]
        more = len(found) > limit
        following = _encoded([found[limit - 1][c.name] for c in query.by]) if more else None
        return [presented(row, query.select) for row in found[:limit]], following

    async def _wait(self, query: Select[Any], after: Mapping[str, int] | None) -> None:
        """Wait until every projection that `query` reads has passed its context's position."""
        for context, position in (after or {}).items():
            for table in tables_of(query):
                if table.schema == context:
                    await self._wait_for(table, context, position)

    async def _wait_for(self, table: Table, context: str, position: int) -> None:
        name = str(table.info["projection"]).partition(".")[2]
        until = time.monotonic() + self._wait_s
        while (at := await self._position(name, context)) < position:
            left = until - time.monotonic()
            if left <= 0:
                raise Behind(name, at, position)
            if self.local:
                await self._readers[name].moved.wait(left)
            else:
                await asyncio.sleep(min(left, REMOTE_POLL_S))

    async def _position(self, name: str, context: str) -> int:
        if self.local and name in self._readers:
            return self._readers[name].position
        table = positions_of(context)
        async with self._databases[context].read() as connection:
            found = await connection.execute(select(table.c.position).where(table.c.name == name))
            return found.scalar() or 0

    def _database(self, query: Select[Any]) -> Database:
        return self._databases[next(iter(tables_of(query))).schema or ""]


def tables_of(query: Select[Any]) -> Iterable[Table]:
    """Return the tables that a query reads, sub-queries included."""
    return {thing for thing in iterate(query) if isinstance(thing, Table)}


def presented(row: Mapping[str, Any], query: Select[Any]) -> Row:
    """Return a row as it is shown: amounts of money with their currency."""
    shown = dict(row)
    for column in query.selected_columns:
        if isinstance(column.type, MinorUnits) and shown.get(column.name) is not None:
            shown[column.name] = {"amount": row[column.name], "currency": row["currency"]}
    return shown


async def _single(connection: AsyncConnection, query: Select[Any]) -> Row:
    row = (await connection.execute(query.limit(1))).mappings().first()
    if row is None:
        names = sorted(table.name for table in tables_of(query))
        raise NotFound(f"nothing in {', '.join(names)} answers this; check the id")
    return presented(row, query)


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[Row]:
    return [presented(row, query) for row in (await connection.execute(query)).mappings()]


def _beyond(query: Listing, values: Sequence[Any]) -> Any:
    """Return the condition for rows behind the key `values` in the list's order."""
    steps = []
    for index, column in enumerate(query.by):
        same = [c == v for c, v in zip(query.by[:index], values[:index], strict=True)]
        further = column < values[index] if query.descending else column > values[index]
        steps.append(and_(*same, further))
    return or_(*steps)


def _encoded(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def _key_part(value: Any, kind: type) -> Any:
    """Return a value as the column has it. Raises `ValueError` for what no row can have."""
    part: Any = msgspec.convert(value, kind)
    if isinstance(part, int) and abs(part) >= 2**63:
        raise ValueError("too large a number")
    if isinstance(part, str) and "\0" in part:
        raise ValueError("a NUL")
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError("a time without a zone")
        return part.astimezone(UTC)
    return part


def _decoded(cursor: str, query: Listing) -> list[Any]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = msgspec.json.decode(raw, type=list)
        types = [column.type.python_type for column in query.by]
        if len(values) != len(types):
            raise ValueError("another number of columns")
        return [_key_part(value, kind) for value, kind in zip(values, types, strict=True)]
    except (ValueError, msgspec.MsgspecError, OverflowError, RecursionError) as error:
        raise BadCursor(
            f"cursor {cursor!r} is not one of this list; start again without a cursor"
        ) from error
