"""The log in PostgreSQL: one function call carries a batch; see the migration's `append`."""

import struct
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from infra.database import POOL_WAIT_S, Database
from infra.log import rows
from infra.log.answers import Answer, answers, heard
from infra.log.arrays import PARAMETERS, packed
from infra.log.batch import Batch
from infra.log.histories import Histories
from infra.log.lane import Lane
from infra.log.port import (
    Append,
    Key,
    Outcome,
    Recorded,
    Stale,
    Stored,
)
from infra.log.postgres_errors import AWAY, told
from infra.log.postgres_histories import PostgresHistories

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

SMOOTHING = 0.2
"""What the last batch counts for in how long batches stand behind others'. One alone says little:
who finds nobody in the way once would send small batches again, and be in the way of all."""
AHEAD = 2
"""Batches on their way at once: while one is written, the next one is there."""
MAX_ALONG = 500
"""Facts of other processes that come with one answer."""
# What others appended before the call, then the answer. The facts are those of the statement's own
# snapshot, so they are read before the log is locked, and this batch's own are not among them.
APPEND = f"""
    (SELECT NULL AS outcome, position, NULL::timestamptz, NULL::float8,
            stream, version, topic, data::text
       FROM {{context}}.events
      WHERE position > %b::bigint AND NOT (position > %b::bigint AND position <= %b::bigint)
      ORDER BY position LIMIT %b::bigint)
    UNION ALL
    SELECT a.*, NULL, NULL, NULL, NULL FROM {{context}}.append({PARAMETERS}) a
"""
BIGINT = struct.Struct(">q")
NOWHERE = (None, None, None, None)
"""Nothing is behind that."""
MAX_BIGINT = 2**63 - 1
EVENT_COLUMNS = rows.EVENT_COLUMNS.replace(
    " data", " coalesce(convert_to(data::text, 'UTF8'), sealed)"
)
RECEIPT_FILTERS = {
    "actor": "actor = %(actor)s",
    "correlation_id": "correlation_id = %(correlation_id)s",
    "since": "time >= %(since)s",
    "until": "time <= %(until)s",
    "resource": "(stream = %(resource)s OR command_id IN"
    " (SELECT command_id FROM {context}.events WHERE stream = %(resource)s))",
}


async def open_pool(database: Database, connections: int) -> Pool:
    """Return the pool for the logs of a database; whoever opens it closes it."""
    pool = _pool(database.conninfo, 1, connections)
    await pool.open()
    return pool


def _pool(conninfo: str, least: int, most: int) -> Pool:
    return AsyncConnectionPool(
        conninfo,
        min_size=least,
        max_size=most,
        timeout=POOL_WAIT_S,
        # After this whoever wants a connection has a new one tried at once. The pool's own pauses
        # grow with the outage, and would go on for as long again after it.
        reconnect_timeout=POOL_WAIT_S,
        kwargs={"autocommit": True},
        open=False,
    )


class PostgresStore:
    """One context's log; see `infra.log.port.Store`."""

    def __init__(self, pool: Pool, context: str) -> None:
        self.context = context
        self.ahead = AHEAD
        self.waited_s = 0.0
        self._pool = pool
        following, lane = (_pool(str(pool.conninfo), 0, 1) for _ in range(2))
        self._histories = PostgresHistories(context, self._with, following)
        self.histories: Histories = self._histories
        self._lane = Lane(lane, APPEND.format(context=context))
        self._own = 0, 0
        """Between which positions the last batch of this process is."""

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        """Write the whole batch in one statement, or nothing."""
        made = Batch(batch)
        if made.stale:
            return made.failed(made.stale, {})
        with told():
            try:
                found = await self._call(made)
            except errors.ReadOnlySqlTransaction:
                self._lane.drop()  # to a standby; a new one may find the primary
                raise
        self.waited_s += SMOOTHING * (found[0].waited_s - self.waited_s)
        if found[0].outcome == "accepted":
            self._own = found[0].number, found[0].number + len(made.facts)
            return [*made.accepted(self.context, found[0].number, found[0].moment)]
        stale, repeated = {}, {}
        for outcome, number, *_ in found:
            if outcome == "stale":
                check = made.checks[number - 1]
                stale[check.append] = Stale(check.stream)
            elif outcome == "overtaken":
                stale[number - 1] = Stale(None)
            elif outcome == "repeated":
                origin = made.appends[number - 1].origin
                stored = await self.find(origin.actor, origin.command, origin.key)
                if stored:
                    repeated[number - 1] = stored
        return made.failed(stale, repeated)

    async def _call(self, batch: Batch) -> list[Answer]:
        """Send a batch, and hear of others' facts with the answer to it."""
        listener = self._histories.listener
        places = map(BIGINT.pack, (listener.seen, *self._own, MAX_ALONG)) if listener else NOWHERE
        result = await self._lane.call([*places, *packed(batch)])
        facts = heard(result)
        if listener and facts:
            listener.take(facts)
        return answers(result, len(facts))

    async def stream(
        self,
        id: UUID,
        after: int = 0,
        upto: int | None = None,
        limit: int | None = None,
        *,
        newest_first: bool = False,
    ) -> list[Recorded]:
        """Return the facts of a stream with `after` < version <= `upto`, in order."""
        order = "version DESC" if newest_first else "version"
        return await self._events(
            f"stream = %s AND version > %s AND version <= %s ORDER BY {order}",
            [id, after, _top(upto)],
            limit,
        )

    async def read(
        self, after: int, limit: int, topics: Sequence[str] = (), upto: int | None = None
    ) -> list[Recorded]:
        """Return at most `limit` facts with `after` < position <= `upto`, in order."""
        condition = "position > %s AND position <= %s"
        values: list[object] = [after, _top(upto)]
        if topics:
            condition += " AND (topic = ANY(%s) OR topic ^@ ANY(%s))"
            values += [
                [topic for topic in topics if not topic.endswith(".")],
                [topic for topic in topics if topic.endswith(".")],
            ]
        return await self._events(condition + " ORDER BY position", values, limit)

    async def _events(
        self, condition: str, values: Sequence[object], limit: int | None
    ) -> list[Recorded]:
        query = f"SELECT {EVENT_COLUMNS} FROM {self.context}.events WHERE {condition} LIMIT %s"
        found = await self._fetch(query, [*values, limit])
        return [rows.recorded(self.context, row) for row in found]

    async def head(self) -> int:
        """Return the position of the last fact; 0 for an empty log."""
        found = await self._fetch(f"SELECT position FROM {self.context}.head", [])
        return int(found[0][0])

    async def position_at(self, time: datetime) -> int:
        """Return the position of the last fact at or before `time`."""
        found = await self._fetch(
            f"SELECT position FROM {self.context}.events WHERE time <= %s"
            " ORDER BY position DESC LIMIT 1",
            [time.astimezone(UTC)],
        )
        return int(found[0][0]) if found else 0

    async def find(self, actor: str, command: str, key: str) -> Stored | None:
        """Return the receipt under an idempotency key."""
        return await self._with(lambda c: self._find(c, actor, command, key))

    async def _find(
        self, connection: Connection, actor: str, command: str, key: str
    ) -> Stored | None:
        cursor = await connection.execute(
            f"SELECT {rows.RECEIPT_COLUMNS} FROM {self.context}.receipts"
            " WHERE actor = %s AND command = %s AND key = %s",
            [actor, command, key],
        )
        row = await cursor.fetchone()
        return rows.stored(self.context, row) if row else None

    async def find_all(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        """Return the receipts under several idempotency keys; no entry for one not used."""
        found = await self._fetch(
            f"SELECT {rows.RECEIPT_COLUMNS} FROM {self.context}.receipts"
            " WHERE (actor, command, key) IN"
            " (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))",
            [[key[part] for key in keys] for part in range(3)],
        )
        return rows.by_key(rows.stored(self.context, row) for row in found)

    async def receipts(
        self, *, after: int = 0, limit: int, **filters: object
    ) -> list[tuple[int, Stored]]:
        """Return numbered receipts with number > `after` that pass all filters, oldest first."""
        conditions = [RECEIPT_FILTERS[name].format(context=self.context) for name in filters]
        found = await self._fetch(
            f"SELECT number, {rows.RECEIPT_COLUMNS} FROM {self.context}.receipts"
            f" WHERE {' AND '.join(['number > %(after)s', *conditions])}"
            " ORDER BY number LIMIT %(limit)s",
            {**filters, "after": after, "limit": limit},
        )
        return [(row[0], rows.stored(self.context, row[1:])) for row in found]

    async def close(self) -> None:
        """Give back its connections; the pool belongs to whoever made it."""
        await self._lane.close()
        await self._histories.close()

    async def _fetch(self, query: str, values: Any) -> list[Any]:
        async def work(connection: Connection) -> list[Any]:
            cursor = await connection.execute(query, values, binary=True)
            return await cursor.fetchall()

        return await self._with(work)

    async def _with(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        connection: Connection | None = None
        with told():
            try:
                async with self._pool.connection() as connection:
                    try:
                        return await work(connection)
                    except errors.ReadOnlySqlTransaction:
                        await connection.close()  # to a standby; a new one may find the primary
                        raise
            except AWAY:
                if connection is not None and connection.closed:
                    # What ended it has ended its neighbours too: the next try is to meet none.
                    await self._pool.check()
                raise


def _top(upto: int | None) -> int:
    return MAX_BIGINT if upto is None else upto
