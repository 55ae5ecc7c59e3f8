"""The log in a SQLite file: one writing connection in a thread of its own, readers beside it."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from infra.database import Database
from infra.log import rows
from infra.log.batch import Batch
from infra.log.histories import Histories
from infra.log.plain import plain, topic_range
from infra.log.port import (
    Append,
    Key,
    Outcome,
    Recorded,
    Rejected,
    Stored,
    Taken,
    Unavailable,
)
from infra.log.sqlite_append import SQLiteAppend
from infra.log.sqlite_batch import MAX_INT, Lines
from infra.log.sqlite_histories import SQLiteHistories, transaction
from infra.log.sqlite_streams import SQLiteStreams

T = TypeVar("T")

AHEAD = 2
"""Batches on their way at once: while one is written, the next one is there."""
READ_THREADS = 2
REFUSED_VALUES = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeError,
)
TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
OF_STREAM = """position IN (
    SELECT place FROM (
        SELECT version, position AS place FROM {context}_streams
         WHERE stream = ?1 AND version > ?2 AND version <= ?3
         UNION ALL
        SELECT version, position FROM {context}_events
         WHERE position > max(?4, (SELECT indexed FROM {context}_head))
           AND stream = ?1 AND version > ?2 AND version <= ?3
         ORDER BY version {order} LIMIT ?5))
    ORDER BY version {order}
"""
RECEIPT_FILTERS = {
    "actor": "actor = ?",
    "correlation_id": "correlation_id = ?",
    "since": "time >= ?",
    "until": "time <= ?",
    "resource": "(stream = ? OR command_id IN (SELECT command_id FROM {context}_events"
    " WHERE position IN (SELECT position FROM {context}_places WHERE stream = ?)))",
}


class SQLiteStore:
    """One context's log; see `infra.log.port.Store`."""

    def __init__(self, database: Database, context: str) -> None:
        self.context = context
        self.ahead = AHEAD
        self.waited_s = 0.0  # one process writes to a file, as a rule
        self._streams = SQLiteStreams(context)
        self.histories: Histories = SQLiteHistories(
            context, self._in_reading, self._in_writing, self._streams.absent
        )
        self._database = database
        self._write_thread = ThreadPoolExecutor(1, f"{context}-log-writer")
        self._read_threads = ThreadPoolExecutor(READ_THREADS, f"{context}-log-reader")
        self._writer: sqlite3.Connection | None = None
        self._appending: SQLiteAppend | None = None
        self._readers: list[sqlite3.Connection] = []

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        """Write the whole batch in one transaction, or nothing."""
        with self._errors():
            lines = Lines(Batch(batch))
        async with self._database.turn.together():
            return await self._in(self._write_thread, lambda: self._append(lines))

    def _append(self, lines: Lines) -> list[Outcome | None]:
        if self._appending is None:
            self._appending = SQLiteAppend(self._connected(), self.context, self._streams)
        return self._appending(lines)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

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
        condition = OF_STREAM.format(context=self.context, order="DESC" if newest_first else "ASC")
        many = -1 if limit is None else limit
        values = (str(id), after, _top(upto), self._streams.absent([id]), many)
        return await self._events(condition, values)

    async def read(
        self, after: int, limit: int, topics: Sequence[str] = (), upto: int | None = None
    ) -> list[Recorded]:
        """Return at most `limit` facts with `after` < position <= `upto`, in order."""
        condition = "position > ? AND position <= ?"
        values: list[object] = [after, _top(upto)]
        if topics:
            condition += f" AND ({' OR '.join(['topic >= ? AND topic < ?'] * len(topics))})"
            values += [bound for topic in topics for bound in topic_range(topic)]
        return await self._events(condition + " ORDER BY position LIMIT ?", [*values, limit])

    async def _events(self, condition: str, values: Sequence[object]) -> list[Recorded]:
        query = f"SELECT {rows.EVENT_COLUMNS} FROM {self.context}_events WHERE {condition}"
        return [rows.recorded(self.context, row) for row in await self._query(query, values)]

    async def head(self) -> int:
        """Return the position of the last fact; 0 for an empty log."""
        found = await self._query(f"SELECT position FROM {self.context}_head", [])
        return int(found[0][0])

    async def position_at(self, time: datetime) -> int:
        """Return the position of the last fact at or before `time`."""
        # Times never run backwards along the log, so the last row at or before is the answer.
        query = (
            f"SELECT position FROM {self.context}_events WHERE time <= ?"
            " ORDER BY position DESC LIMIT 1"
        )
        found = await self._query(query, [plain(time)])
        return int(found[0][0]) if found else 0

    async def find(self, actor: str, command: str, key: str) -> Stored | None:
        """Return the receipt under an idempotency key."""
        return await self._in(
            self._read_threads,
            lambda: self._reading(lambda c: self._find(c, actor, command, key)),
        )

    def _find(
        self, connection: sqlite3.Connection, actor: str, command: str, key: str
    ) -> Stored | None:
        row = connection.execute(
            f"SELECT {rows.RECEIPT_COLUMNS} FROM {self.context}_receipts"
            " WHERE actor = ? AND command = ? AND key = ?",
            (actor, command, key),
        ).fetchone()
        return rows.stored(self.context, row) if row else None

    async def find_all(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        """Return the receipts under several idempotency keys; no entry for one not used."""
        found = await self._query(
            f"SELECT {rows.RECEIPT_COLUMNS} FROM {self.context}_receipts"
            " WHERE (actor, command, key) IN (SELECT value ->> 0, value ->> 1, value ->> 2"
            " FROM json_each(?))",
            [json.dumps(keys)],
        )
        return rows.by_key(rows.stored(self.context, row) for row in found)

    async def receipts(
        self, *, after: int = 0, limit: int, **filters: object
    ) -> list[tuple[int, Stored]]:
        """Return numbered receipts with number > `after` that pass all filters, oldest first."""
        conditions = ["number > ?"]
        values: list[object] = [after]
        for name, value in filters.items():
            condition = RECEIPT_FILTERS[name].format(context=self.context)
            conditions.append(condition)
            values += [plain(value)] * condition.count("?")
        found = await self._query(
            f"SELECT number, {rows.RECEIPT_COLUMNS} FROM {self.context}_receipts"
            f" WHERE {' AND '.join(conditions)} ORDER BY number LIMIT ?",
            [*values, limit],
        )
        return [(row[0], rows.stored(self.context, row[1:])) for row in found]

    async def close(self) -> None:
        """Close the connections and their threads."""
        for connection in [self._writer, *self._readers]:
            if connection is not None:
                connection.close()
        self._writer, self._appending, self._readers = None, None, []
        self._write_thread.shutdown()
        self._read_threads.shutdown()

    # ── connections ──────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        writer = self._connected()
        with transaction(writer, "BEGIN IMMEDIATE"):
            yield writer

    def _connected(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._database.connect()
        return self._writer

    async def _in_writing(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def written() -> T:
            with self._writing() as connection:
                return work(connection)

        async with self._database.turn.alone():
            return await self._in(self._write_thread, written)

    async def _in_reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def read(connection: sqlite3.Connection) -> T:
            with transaction(connection, "BEGIN"):
                return work(connection)

        return await self._in(self._read_threads, lambda: self._reading(read))

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._readers.pop() if self._readers else self._database.connect()
        try:
            return work(connection)
        finally:
            self._readers.append(connection)

    async def _query(self, query: str, values: Sequence[object]) -> list[Any]:
        return await self._in(
            self._read_threads,
            lambda: self._reading(lambda c: c.execute(query, values).fetchall()),
        )

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        with self._errors():
            return await asyncio.get_running_loop().run_in_executor(threads, work)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what sqlite3 raises as the log's own errors."""
        try:
            yield
        except REFUSED_VALUES as error:
            taken = getattr(error, "sqlite_errorcode", None) in TAKEN
            refusal = Taken if taken else Rejected
            raise refusal(f"the store refused a value: {error}") from error
        except sqlite3.Error as error:
            raise Unavailable(f"the SQLite file {self._database.path} failed: {error}") from error


def _top(upto: int | None) -> int:
    return MAX_INT if upto is None else upto
