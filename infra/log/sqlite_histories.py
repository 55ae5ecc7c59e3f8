"""Snapshots and facts to fold, in a SQLite file."""

import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Protocol, TypeVar
from uuid import UUID

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

T = TypeVar("T")

NEWEST = """
    SELECT stream, topic, max(version), data
      FROM json_each(?) AS named CROSS JOIN {context}_snapshots ON stream = named.value
     GROUP BY stream, topic -- the other columns are of the row with the maximum
"""
INDEXED = """
    SELECT 0, s.version, topic, data
      FROM {context}_streams s CROSS JOIN {context}_events e ON e.position = s.position
     WHERE s.stream = ? AND s.version > ? ORDER BY s.version LIMIT ?
"""
TAIL = """
    SELECT stream, version, topic, data FROM {context}_events
     WHERE position > max(?, (SELECT indexed FROM {context}_head))
       AND stream IN (SELECT value FROM json_each(?))
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
MISPLACED = """
    SELECT position, stream, version FROM {context}_events e
     WHERE position <= (SELECT indexed FROM {context}_head)
       AND NOT EXISTS (SELECT 1 FROM {context}_streams s WHERE s.stream = e.stream
                          AND s.version = e.version AND s.position = e.position)
     UNION ALL
    SELECT position, stream, version FROM {context}_streams s
     WHERE position > (SELECT indexed FROM {context}_head)
        OR NOT EXISTS (SELECT 1 FROM {context}_events e WHERE e.position = s.position
                          AND e.stream = s.stream AND e.version = s.version)
     LIMIT ?
"""
NOWHERE = ("", "", 0)
version_of = itemgetter(1)


class On(Protocol):
    """Runs something on one of the log's connections; its errors come as the log's."""

    def __call__(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Run it in one transaction."""
        ...


class SQLiteHistories:
    """See `infra.log.histories.Histories`."""

    def __init__(
        self, context: str, reading: On, writing: On, absent: Callable[[Iterable[UUID]], int]
    ) -> None:
        self._reading = reading
        self._writing = writing
        self._absent = absent
        """See `infra.log.sqlite_streams.SQLiteStreams.absent`."""
        self.listener: Listener | None = None
        self._newest, self._indexed, self._tail, self._behind = (
            statement.format(context=context) for statement in (NEWEST, INDEXED, TAIL, BEHIND)
        )
        self._keep, self._clear, self._drop, self._page, self._misplaced = (
            statement.format(context=context) for statement in (KEEP, CLEAR, DROP, PAGE, MISPLACED)
        )

    async def read(self, wanted: Sequence[Wanted], limit: int) -> list[History]:
        """Return a history for each stream wanted, as of one moment; `limit` facts at most each."""
        named = [(str(one.stream), one) for one in wanted]
        shaped = json.dumps([stream for stream, one in named if one.shape])
        absent = self._absent(one.stream for one in wanted)

        def work(connection: sqlite3.Connection) -> list[History]:
            newest = connection.execute(self._newest, (shaped,))
            kept = {(stream, shape): tuple(found) for stream, shape, *found in newest}
            # One walk through the tail for all of them.
            tail: dict[str, list[FactRow]] = {stream: [] for stream, _ in named}
            for stream, *fact in connection.execute(self._tail, (absent, json.dumps([*tail]))):
                tail[stream].append((0, *fact))
            histories = []
            for stream, one in named:
                snapshot = kept.get((stream, one.shape))
                after = snapshot[0] - 1 if snapshot else one.after
                facts = connection.execute(self._indexed, (stream, after, limit)).fetchall()
                facts += [fact for fact in tail[stream] if fact[1] > after]
                histories.append(History(snapshot, sorted(facts, key=version_of)[:limit]))
            return histories

        return await self._reading(work)

    async def behind(self, position: int, limit: int) -> list[PlacedFact]:
        """Return at most `limit` facts behind a position of the log, in order."""

        def work(connection: sqlite3.Connection) -> list[PlacedFact]:
            found = connection.execute(self._behind, (position, limit))
            return [(at, UUID(stream).int, *rest) for at, stream, *rest in found]

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

    async def misplaced(self, limit: int) -> list[tuple[int, UUID, int]]:
        """Return at most `limit` places that the index of streams has wrong."""

        def work(connection: sqlite3.Connection) -> list[tuple[int, UUID, int]]:
            found = connection.execute(self._misplaced, (limit,))
            return [(position, UUID(stream), version) for position, stream, version in found]

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
