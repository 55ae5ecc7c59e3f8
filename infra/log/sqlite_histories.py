"""Snapshots and facts to fold, in a SQLite file."""

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from infra.log.histories import OUTDATED, SHAPE_MARK, History, PlacedFact, Snapshot, Wanted

T = TypeVar("T")

NEWEST = """
    SELECT version, data FROM {context}_snapshots WHERE stream = ? AND topic = ?
     ORDER BY version DESC LIMIT 1
"""
FACTS = """
    SELECT 0, version, topic, data FROM {context}_events WHERE stream = ? AND version > ?
     ORDER BY version LIMIT ?
"""
BEHIND = """
    SELECT position, stream, version, topic, data FROM {context}_events
     WHERE position > ? ORDER BY position LIMIT ?
"""
KEEP = """
    INSERT INTO {context}_snapshots (stream, topic, version, data)
    VALUES (:stream, :shape, :version, :data)
    ON CONFLICT (stream, topic, version)
    DO UPDATE SET data = excluded.data, taken = excluded.taken
"""
CLEAR = """
    DELETE FROM {context}_snapshots
     WHERE stream = :stream AND instr(topic, :mark)
       AND CASE WHEN topic = :shape THEN version < :version
                ELSE version <= :outdated
                     OR taken < (SELECT max(o.taken) FROM {context}_snapshots o
                                  WHERE o.stream = :stream AND o.topic <> :shape
                                    AND instr(o.topic, :mark)) END
"""
DROP = "DELETE FROM {context}_snapshots WHERE stream = ? AND topic = ? AND version = ?"
PAGE = """
    SELECT stream, topic, version, data FROM {context}_snapshots
     WHERE instr(topic, ?) AND (stream, topic, version) > (?, ?, ?)
     ORDER BY stream, topic, version LIMIT ?
"""
NOWHERE = ("", "", 0)


class On(Protocol):
    """Runs something on one of the log's connections; its errors come as the log's."""

    def __call__(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Run it in one transaction."""
        ...


class SQLiteHistories:
    """See `infra.log.histories.Histories`."""

    def __init__(self, context: str, reading: On, writing: On) -> None:
        self._reading = reading
        self._writing = writing
        self._newest, self._facts, self._behind = (
            statement.format(context=context) for statement in (NEWEST, FACTS, BEHIND)
        )
        self._keep, self._clear, self._drop, self._page = (
            statement.format(context=context) for statement in (KEEP, CLEAR, DROP, PAGE)
        )

    async def read(self, wanted: Sequence[Wanted], limit: int) -> list[History]:
        """Return a history for each stream wanted, as of one moment; `limit` facts at most each."""

        def work(connection: sqlite3.Connection) -> list[History]:
            return [self._history(connection, one, limit) for one in wanted]

        return await self._reading(work)

    def _history(self, connection: sqlite3.Connection, wanted: Wanted, limit: int) -> History:
        stream, snapshot, after = str(wanted.stream), None, wanted.after
        if wanted.shape is not None:
            snapshot = connection.execute(self._newest, (stream, wanted.shape)).fetchone()
            after = snapshot[0] - 1 if snapshot else after
        return History(snapshot, connection.execute(self._facts, (stream, after, limit)).fetchall())

    async def behind(self, position: int, limit: int) -> list[PlacedFact]:
        """Return at most `limit` facts behind a position of the log, in order."""

        def work(connection: sqlite3.Connection) -> list[PlacedFact]:
            found = connection.execute(self._behind, (position, limit))
            return [(at, UUID(stream), *rest) for at, stream, *rest in found]

        return await self._reading(work)

    async def keep(self, kept: Snapshot, every: int) -> None:
        """Write a snapshot and delete those of its stream that it makes useless."""
        values = {
            **kept._asdict(),
            "stream": str(kept.stream),
            "outdated": kept.version - OUTDATED * every,
            "mark": SHAPE_MARK,
        }

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(self._keep, values)
            connection.execute(self._clear, values)

        await self._writing(work)

    async def drop(self, stream: UUID, shape: str, version: int) -> None:
        """Delete a snapshot."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(self._drop, (str(stream), shape, version))

        await self._writing(work)

    async def page(self, after: Snapshot | None, limit: int) -> list[Snapshot]:
        """Return at most `limit` snapshots of states, those behind `after`, in some fixed order."""
        place = (str(after.stream), after.shape, after.version) if after else NOWHERE

        def work(connection: sqlite3.Connection) -> list[Snapshot]:
            found = connection.execute(self._page, (SHAPE_MARK, *place, limit))
            return [Snapshot(UUID(stream), *rest) for stream, *rest in found]

        return await self._reading(work)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Do everything within, or nothing."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the transaction may be gone already
            connection.execute("ROLLBACK")
        raise
