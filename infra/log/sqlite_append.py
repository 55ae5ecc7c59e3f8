"""What one batch of appends does in a SQLite file: one transaction, all or nothing."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from infra.log import rows
from infra.log.batch import Batch
from infra.log.plain import event_row, plain_all, receipt_row
from infra.log.port import Accepted, Outcome, Stale, Stored
from infra.log.sqlite_batch import SQLiteBatch
from infra.log.sqlite_histories import transaction

MAX_ROWS = 16
"""Rows in one statement. Each step of a statement lets go of the interpreter and must get it
back, so rows go in several at a time; more than these are no faster to write."""

REPEATED = (
    f"WITH wanted (number, actor, command, key) AS (VALUES {{rows}})"
    f" SELECT wanted.number, {', '.join(f'r.{c}' for c in rows.RECEIPT_COLUMNS.split(', '))}"
    " FROM wanted CROSS JOIN {context}_receipts r ON r.actor = wanted.actor"
    " AND r.command = wanted.command AND r.key = wanted.key"
)
MOVED = (
    "WITH wanted (number, stream, expected) AS (VALUES {rows})"
    " SELECT number FROM wanted WHERE expected <> ifnull("
    "(SELECT max(version) FROM {context}_events e WHERE e.stream = wanted.stream), 0)"
)
EVENTS = "INSERT INTO {context}_events VALUES {rows}"
RECEIPTS = f"INSERT INTO {{context}}_receipts ({rows.RECEIPT_COLUMNS}) VALUES {{rows}}"
PLACE = "SELECT position FROM {context}_readers WHERE name = ?"
PLACES = (
    "INSERT INTO {context}_readers (name, position) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET position = excluded.position"
)
HEAD = "SELECT position, time FROM {context}_head"
NEW_HEAD = "UPDATE {context}_head SET position = ?, time = ?"


class SQLiteAppend:
    """Writes batches of one context on one connection; see `infra.log.port.Store.append`."""

    def __init__(self, connection: sqlite3.Connection, context: str) -> None:
        self._connection = connection
        self._context = context
        self._batch = SQLiteBatch(connection, context)
        self._end: tuple[int, str] | None = None
        """The log's last position and time, as they were left here."""
        self._place, self._places, self._head, self._new_head = (
            statement.format(context=context) for statement in (PLACE, PLACES, HEAD, NEW_HEAD)
        )

    def __call__(self, batch: Batch) -> list[Outcome | None]:
        """Write the whole batch and return its outcomes, or write nothing."""
        outcomes = self._at_once(batch)
        if outcomes is None:
            with transaction(self._connection, "BEGIN IMMEDIATE"):
                outcomes = self._closely(batch)
        return outcomes

    def _at_once(self, batch: Batch) -> list[Outcome | None] | None:
        """Write a batch that nothing stands against by one statement; None for another one."""
        if self._end is None or batch.stale:
            return None
        end, self._end = self._end, None
        time, outcomes = self._accepted(batch, *end)
        if not self._batch.write(batch, end, outcomes, time):
            return None
        self._end = end[0] + len(batch.facts), time
        return [*outcomes]

    def _accepted(self, batch: Batch, base: int, last: str) -> tuple[str, list[Accepted]]:
        time = max(last, datetime.now(UTC).isoformat(timespec="microseconds"))
        return time, batch.accepted(self._context, base, datetime.fromisoformat(time))

    def _closely(self, batch: Batch) -> list[Outcome | None]:
        """Find out which appends stand against a batch; write it when none does."""
        repeated = self._repeated(batch)
        stale = batch.stale | self._stale(batch)
        if repeated or stale:
            return batch.failed(stale, repeated)
        return self._insert(batch)

    def _repeated(self, batch: Batch) -> dict[int, Stored]:
        wanted = [
            (number, append.origin.actor, append.origin.command, append.origin.key)
            for number, append in enumerate(batch.appends)
        ]
        found = self._all(REPEATED, wanted)
        return {row[0]: rows.stored(self._context, row[1:]) for row in found}

    def _stale(self, batch: Batch) -> dict[int, Stale]:
        stale = {}
        wanted = [(n, check.stream, check.expected) for n, check in enumerate(batch.checks)]
        for (number,) in self._all(MOVED, wanted):
            check = batch.checks[number]
            stale[check.append] = Stale(check.stream)
        for number, tracked in batch.tracked:
            row = self._connection.execute(self._place, (tracked.reader,)).fetchone()
            if row and row[0] >= tracked.position:
                stale[number] = Stale(None)
        return stale

    def _insert(self, batch: Batch) -> list[Outcome | None]:
        base, last = self._connection.execute(self._head).fetchone()
        time, outcomes = self._accepted(batch, base, last)
        facts = enumerate(batch.facts, base + 1)
        appends = batch.appends
        self._all(EVENTS, [event_row(n, row, appends[row.append].origin, time) for n, row in facts])
        self._all(RECEIPTS, [receipt_row(one, time) for one in outcomes])
        if batch.tracked:
            places = [(tracked.reader, tracked.position) for _, tracked in batch.tracked]
            self._connection.executemany(self._places, places)
        self._end = base + len(batch.facts), time
        self._connection.execute(self._new_head, self._end)
        return [*outcomes]

    def _all(self, statement: str, values: Sequence[tuple[object, ...]]) -> list[Any]:
        """Run a statement for all rows of values; returns all that it found, in their order."""
        found: list[Any] = []
        for part in _parts(values):
            sql = _sql(statement, self._context, len(part), len(part[0]))
            found += self._connection.execute(sql, plain_all(part))
        return found


def _parts(
    values: Sequence[tuple[object, ...]],
) -> Iterator[Sequence[tuple[object, ...]]]:
    for start in range(0, len(values), MAX_ROWS):
        yield values[start : start + MAX_ROWS]


@cache
def _sql(statement: str, context: str, number: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(context=context, rows=", ".join([row] * number))
