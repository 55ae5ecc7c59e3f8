"""Stamps: where a projection's rows are, and whether anything else than facts has changed them.

A row of a projection follows from the facts up to its position, except when tables are swapped or
rows mended, when facts are handled late, or by another version of its code. Each of these renews
the projection's token in its own transaction. So an answer that was read under a token, at a
position, is still right under the same token where no fact in between concerns it.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import Database, driver_of
from infra.discovery import Projecting
from infra.rebuilding.versions import version_of

TOKEN_BYTES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Place(NamedTuple):
    """A position, and a mark of the fact there: that of another history has another one."""

    position: int
    mark: bytes


class Stamp(NamedTuple):
    """What holds for a projection's rows in one state of the database."""

    token: bytes
    code: str
    place: Place
    before: bytes | None
    """The mark of the position that was asked about; None when no fact is there."""


def mark_of(stream: UUID, time: datetime) -> bytes:
    """Return the mark of a fact."""
    return stream.bytes + ((time - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


class Stamps:
    """Reads and renews the stamps of one projection."""

    def __init__(self, projecting: Projecting, database: Database) -> None:
        self.code = version_of(projecting)
        self._name = projecting.name
        self._is_sqlite = database.is_sqlite
        dot, value = ("_", "?") if database.is_sqlite else (".", "%s")
        home = f"{projecting.context}{dot}"
        self.query = f"""
            SELECT c.token, c.code, r.position, e.stream, e.time, b.stream, b.time
            FROM {home}cached c JOIN {home}readers r ON r.name = c.projection
            LEFT JOIN {home}events e ON e.position = r.position
            LEFT JOIN {home}events b ON b.position = {value}
            WHERE c.projection = {value}
        """
        self._begin = (
            f"INSERT INTO {home}cached (projection, token, code) VALUES ({value}, {value}, {value})"
            " ON CONFLICT DO NOTHING"
        )
        self._renew = (
            f"UPDATE {home}cached SET token = {value}, code = {value} WHERE projection = {value}"
        )
        self._renew_other = f"{self._renew} AND code <> {value}"

    def values(self, before: int) -> tuple[object, ...]:
        """Return the values for `query`; `before` is the position that is asked about."""
        return before, self._name

    def stamp(self, row: Any) -> Stamp | None:
        """Return what a row of `query` says; None without one, or before the first fact."""
        if row is None or row[3] is None:
            return None
        token, code, position, *facts = row
        here = self._mark(*facts[:2])
        before = None if facts[2] is None else self._mark(*facts[2:])
        return Stamp(bytes(token), code, Place(position, here), before)

    def _mark(self, stream: Any, time: Any) -> bytes:
        if self._is_sqlite:
            return mark_of(UUID(stream), datetime.fromisoformat(time))
        return mark_of(stream, time)

    async def within(self, connection: AsyncConnection) -> Stamp | None:
        """Return the stamp of what a transaction sees."""
        found = await connection.exec_driver_sql(self.query, self.values(0))
        return self.stamp(found.first())

    async def begin(self, connection: AsyncConnection) -> None:
        """Make the projection's first token, if it has none."""
        await self._execute(connection, self._begin, self._name, _token(), self.code)

    async def written(self, connection: AsyncConnection, *, late: bool) -> None:
        """Renew the token, in the transaction that changes rows, if that is not the usual change:
        if facts are handled late, or those before were handled by other code than this.
        """
        values = _token(), self.code, self._name
        if late:
            await self._execute(connection, self._renew, *values)
        else:
            await self._execute(connection, self._renew_other, *values, self.code)

    async def _execute(self, connection: AsyncConnection, sql: str, *values: object) -> None:
        if self._is_sqlite:
            await connection.exec_driver_sql(sql, values)
        else:  # in a pipeline nobody waits for the answer
            await driver_of(connection).execute(sql.encode(), values)


async def renew(connection: AsyncConnection, projecting: Projecting) -> None:
    """Renew the token in a transaction that changes rows by other means than a reader's.

    Projections of which nothing is kept have none.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    dot, value = ("_", "?") if is_sqlite else (".", "%s")
    await connection.exec_driver_sql(
        f"UPDATE {projecting.context}{dot}cached SET token = {value}, code = {value}"
        f" WHERE projection = {value}",
        (_token(), version_of(projecting), projecting.name),
    )


def _token() -> bytes:
    return secrets.token_bytes(TOKEN_BYTES)
