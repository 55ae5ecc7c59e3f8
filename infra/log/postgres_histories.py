"""Snapshots and facts to fold, in PostgreSQL: one statement reads them for many streams."""

import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

import psycopg

from infra.log.answers import placed
from infra.log.histories import (
    OUTDATED,
    SHAPE_MARK,
    FactRow,
    History,
    Listener,
    PlacedFact,
    Snapshot,
    Wanted,
)
from infra.log.lane import Lane, Pool
from infra.log.postgres_errors import told

T = TypeVar("T")
BIGINT = struct.Struct(">q")
Connection = psycopg.AsyncConnection[Any]

# A limit that the planner cannot see makes it expect few facts, and take them from the index of
# (stream, version) in their order: nothing is sorted, and the first ones are sent at once.
READ = """
    SELECT w.n, found.version, found.topic, found.data
      FROM (SELECT w.n, w.stream, w.after, s.version AS base, s.data
              FROM unnest(%b::uuid[], %b::text[], %b::bigint[])
                   WITH ORDINALITY AS w (stream, shape, after, n)
              LEFT JOIN LATERAL (SELECT version, data::text FROM {context}.snapshots s
                                  WHERE s.stream = w.stream AND s.topic = w.shape
                                  ORDER BY version DESC LIMIT 1) s ON true) w
     CROSS JOIN LATERAL (
            SELECT w.base AS version, NULL AS topic, w.data WHERE w.base IS NOT NULL
            UNION ALL
            (SELECT version, topic, data::text FROM {context}.events e
              WHERE e.stream = w.stream AND e.version > coalesce(w.base - 1, w.after)
              ORDER BY version LIMIT (SELECT %b::bigint))) found
"""
BEHIND = """
    SELECT position, stream, version, topic, data::text FROM {context}.events
     WHERE position > %b ORDER BY position LIMIT %b
"""
KEEP = """
    WITH kept AS (
        INSERT INTO {context}.snapshots (stream, topic, version, data)
        VALUES (%(stream)s, %(shape)s, %(version)s, %(data)s)
        ON CONFLICT (stream, topic, version)
        DO UPDATE SET data = excluded.data, taken = excluded.taken)
    DELETE FROM {context}.snapshots s
     WHERE s.stream = %(stream)s AND strpos(s.topic, %(mark)s) > 0
       AND CASE WHEN s.topic = %(shape)s THEN s.version < %(version)s
                ELSE s.version <= %(outdated)s
                     OR s.taken < (SELECT max(o.taken) FROM {context}.snapshots o
                                    WHERE o.stream = %(stream)s AND o.topic <> %(shape)s
                                      AND strpos(o.topic, %(mark)s) > 0) END
"""
DROP = "DELETE FROM {context}.snapshots WHERE stream = %s AND topic = %s AND version = %s"
PAGE = """
    SELECT stream, topic, version, data::text FROM {context}.snapshots
     WHERE strpos(topic, %s) > 0 AND (stream, topic, version) > (%s, %s, %s)
     ORDER BY stream, topic, version LIMIT %s
"""
NOWHERE = (UUID(int=0), "", 0)


class With(Protocol):
    """Runs something on a connection of the log's pool; its errors come as the log's."""

    def __call__(self, work: Callable[[Connection], Awaitable[T]]) -> Awaitable[T]:
        """Run it."""
        ...


class PostgresHistories:
    """See `infra.log.histories.Histories`."""

    def __init__(self, context: str, with_connection: With, pool: Pool) -> None:
        """Use a pool of one connection, not open yet, for what is asked again and again."""
        self.listener: Listener | None = None
        self._with = with_connection
        self._following = Lane(pool, BEHIND.format(context=context))
        # Which of one it is need not be sent with each fact; long streams are read alone.
        self._read_one = READ.replace("SELECT w.n, found", "SELECT NULL, found").format(
            context=context
        )
        self._read, self._keep, self._drop, self._page = (
            statement.format(context=context) for statement in (READ, KEEP, DROP, PAGE)
        )

    async def read(self, wanted: Sequence[Wanted], limit: int) -> list[History]:
        """Return a history for each stream wanted, as of one moment; `limit` facts at most each."""
        values = [*map(list, zip(*wanted, strict=True)), limit]
        statement = self._read if len(wanted) > 1 else self._read_one
        found = await self._fetch(statement, values, prepare=True)
        streams: list[list[FactRow]] = [[] for _ in wanted]
        if len(wanted) == 1:
            streams = [found]
        else:
            for row in found:
                streams[row[0] - 1].append(row)
        return [_history(rows) for rows in streams]

    async def behind(self, position: int, limit: int) -> list[PlacedFact]:
        """Return at most `limit` facts behind a position of the log, in order."""
        with told():
            return placed(await self._following.call([BIGINT.pack(position), BIGINT.pack(limit)]))

    async def keep(self, kept: Snapshot, every: int) -> None:
        """Write a snapshot and delete those of its stream that it makes useless."""
        values = {
            **kept._asdict(),
            "outdated": kept.version - OUTDATED * every,
            "mark": SHAPE_MARK,
        }
        await self._run(self._keep, values)

    async def drop(self, stream: UUID, shape: str, version: int) -> None:
        """Delete a snapshot."""
        await self._run(self._drop, [stream, shape, version])

    async def page(self, after: Snapshot | None, limit: int) -> list[Snapshot]:
        """Return at most `limit` snapshots of states, those behind `after`, in some fixed order."""
        place = after[:3] if after else NOWHERE
        return [
            Snapshot(*row) for row in await self._fetch(self._page, [SHAPE_MARK, *place, limit])
        ]

    async def misplaced(self, limit: int) -> None:
        """Return None: the index of streams is a unique one, and PostgreSQL's own."""

    async def close(self) -> None:
        """Give back the connection that it has of its own."""
        await self._following.close()

    async def _run(self, statement: str, values: Any) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(statement, values)

        await self._with(work)

    async def _fetch(
        self, statement: str, values: Any, *, prepare: bool | None = None
    ) -> list[Any]:
        async def work(connection: Connection) -> list[Any]:
            cursor = await connection.execute(statement, values, prepare=prepare, binary=True)
            return await cursor.fetchall()

        return await self._with(work)


def _history(rows: list[FactRow]) -> History:
    if rows and rows[0][2] is None:
        _, version, _, data = rows.pop(0)
        return History((version, data), rows)
    return History(None, rows)
