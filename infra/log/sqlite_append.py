"""What one batch of appends does in a SQLite file: one transaction, all or nothing."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from infra.log import rows
from infra.log.batch import Batch
from infra.log.port import Accepted, Outcome, Stale, Stored, Taken
from infra.log.sqlite_batch import Lines, SQLiteBatch, text_of
from infra.log.sqlite_histories import transaction
from infra.log.sqlite_streams import SQLiteStreams

REPEATED = f"""
    SELECT place, {rows.RECEIPT_COLUMNS}
      FROM (SELECT key AS place, value AS wanted FROM json_each(?)) CROSS JOIN {{context}}_receipts
        ON actor = wanted ->> 0 AND command = wanted ->> 1 AND key = wanted ->> 2
"""
MOVED = """
    SELECT key FROM json_each(?) WHERE substr(?, key + 1, 1) = '1' AND value ->> 1 <> ifnull(
           (SELECT max(version) FROM {context}_streams s WHERE s.stream = value ->> 0), 0)
"""
READ_ON = """
    SELECT key FROM json_each(?) j CROSS JOIN {context}_readers ON name = value ->> 0
     WHERE position >= value ->> 1
"""
INDEXED, ANYWHERE = (
    "SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE EXISTS (SELECT 1 FROM {context}"
    f"_{table} t WHERE t.stream = value ->> 0 AND t.version = value ->> 1)"
    for table in ("streams", "places")
)
"""Which of some versions are in the log: for streams without a tail, and for any."""
HEAD = "SELECT position, time FROM {context}_head"


class SQLiteAppend:
    """Writes batches of one context on one connection; see `infra.log.port.Store.append`."""

    def __init__(
        self, connection: sqlite3.Connection, context: str, streams: SQLiteStreams
    ) -> None:
        self._connection = connection
        self._context = context
        self._streams = streams
        self._batch = SQLiteBatch(connection, context)
        self._end: tuple[int, str] | None = None
        """The log's last position and time, as they were left here."""

    def __call__(self, lines: Lines) -> list[Outcome | None]:
        """Write the whole batch and return its outcomes, or write nothing."""
        end, self._end = self._end, None
        self._streams.keep_up(self._connection, (end or self._last())[0])
        outcomes = self._at_once(lines, end) if end else None
        return outcomes or self._closely(lines)

    def _at_once(self, lines: Lines, end: tuple[int, str]) -> list[Outcome | None] | None:
        """Write a batch that nothing stands against by one statement; None for another one."""
        batch = lines.batch
        stale, unknown = self._streams.compare(batch.checks)
        if batch.stale or batch.claims or stale:
            return None
        time, outcomes = self._accepted(batch, end)
        try:
            self._batch.write(lines, end, time, unknown)
        except sqlite3.IntegrityError:
            return None
        self._ended(batch, end, time)
        return [*outcomes]

    def _closely(self, lines: Lines) -> list[Outcome | None]:
        """Find out which appends stand against a batch; write it when none does."""
        batch = lines.batch
        with transaction(self._connection, "BEGIN IMMEDIATE"):
            end = self._last()
            self._streams.follow(self._connection, end[0])
            stale, unknown = self._streams.compare(batch.checks)
            stale |= batch.stale | self._stale(lines, unknown)
            if (repeated := self._repeated(lines)) or stale:
                return batch.failed(stale, repeated)
            self._require_free(batch)
            time, outcomes = self._accepted(batch, end)
            self._batch.write(lines, end, time, unknown)
        self._ended(batch, end, time)
        return [*outcomes]

    def _last(self) -> tuple[int, str]:
        [(position, time)] = self._all(HEAD)
        return position, time

    def _accepted(self, batch: Batch, end: tuple[int, str]) -> tuple[str, list[Accepted]]:
        time = max(end[1], datetime.now(UTC).isoformat(timespec="microseconds"))
        return time, batch.accepted(self._context, end[0], datetime.fromisoformat(time))

    def _ended(self, batch: Batch, end: tuple[int, str], time: str) -> None:
        """Remember where the log ends with the batch."""
        if batch.claims:
            return  # they need not be the last of their streams: to be followed like others' facts
        self._end = end[0] + len(batch.facts), time
        self._streams.wrote(batch.facts, self._end[0])

    def _repeated(self, lines: Lines) -> dict[int, Stored]:
        found = self._all(REPEATED, lines.receipts)
        return {row[0]: rows.stored(self._context, row[1:]) for row in found}

    def _stale(self, lines: Lines, unknown: str) -> dict[int, Stale]:
        batch = lines.batch
        moved = [batch.checks[number] for (number,) in self._all(MOVED, lines.checks, unknown)]
        read_on = [batch.tracked[number] for (number,) in self._all(READ_ON, lines.tracked)]
        return {check.append: Stale(check.stream) for check in moved} | {
            append: Stale(None) for append, _ in read_on
        }

    def _require_free(self, batch: Batch) -> None:
        """Raise `Taken` for a fact whose stream has its version, in the log or in the batch."""
        if not batch.claims:
            return
        indexed, anywhere = [], []
        for fact in batch.claims:
            last = self._streams.last(fact.stream)
            if last is None:
                indexed.append((fact.stream, fact.version))
            elif fact.version <= last:
                anywhere.append((fact.stream, fact.version))
        for statement, claims in (INDEXED, indexed), (ANYWHERE, anywhere):
            for stream, version in self._all(statement, text_of(claims)):
                raise Taken(f"stream {stream} has a version {version} already")
        times = Counter((fact.stream, fact.version) for fact in batch.facts)
        [((stream, version), number)] = times.most_common(1)
        if number > 1:
            raise Taken(f"{number} facts are to be version {version} of stream {stream}")

    def _all(self, statement: str, *values: str) -> list[Any]:
        return self._connection.execute(statement.format(context=self._context), values).fetchall()
