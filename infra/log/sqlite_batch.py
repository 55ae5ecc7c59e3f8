"""A batch of appends as one statement: its rows are JSON, and a trigger writes them.

Each step of a statement lets go of the interpreter, and has to get it back from whoever decides
meanwhile; one statement does so once. And a value that is bound is an object that was made on one
processor and is taken hold of on the other, which costs the first more than JSON costs SQLite. So
the texts are made where the appends were decided, before it is known where in the log they will be.
"""

import base64
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import msgspec

from infra.log import rows
from infra.log.batch import Batch, FactRow
from infra.log.plain import NUL
from infra.log.port import Append, Origin, Rejected

NUL_ESCAPED = "\\u0000"
MAX_INT = 2**63 - 1
UNSEAL = "aorist_unseal"
"""The SQL function that reads bytes, which are base64 in JSON."""

# Its columns are the log's last position and time before the batch, and its own time; its rows;
# and which of the checks (a digit each) are to be made upon the index.
VIEW = (
    "CREATE TEMP VIEW {context}_batch AS SELECT 0 AS base, 0 AS since, 0 AS time,"
    " 0 AS facts, 0 AS receipts, 0 AS checks, 0 AS unknown, 0 AS tracked"
)
INSERT = "INSERT INTO temp.{context}_batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _receipt(place: int, column: str) -> str:
    named = {"time": "NEW.time", "position": f"NEW.base + (value ->> {place})"}
    return named.get(column, f"value ->> {place}")


RECEIPT = ", ".join(
    [_receipt(place, column) for place, column in enumerate(rows.RECEIPT_COLUMNS.split(", "))]
)
TRIGGER = f"""
CREATE TEMP TRIGGER {{context}}_writing INSTEAD OF INSERT ON {{context}}_batch BEGIN
    SELECT RAISE(ABORT, 'moved') FROM {{context}}_head
     WHERE position <> NEW.base OR time <> NEW.since;
    SELECT RAISE(ABORT, 'moved') FROM json_each(NEW.checks)
     WHERE substr(NEW.unknown, key + 1, 1) = '1' AND value ->> 1 <> ifnull(
           (SELECT max(version) FROM {{context}}_streams s WHERE s.stream = value ->> 0), 0);
    SELECT RAISE(ABORT, 'moved')
      FROM json_each(NEW.tracked) CROSS JOIN {{context}}_readers ON name = value ->> 0
     WHERE position >= value ->> 1;
    INSERT INTO {{context}}_events
    SELECT NEW.base + 1 + key, value ->> 0, value ->> 1, value ->> 2,
           ifnull(value ->> 3, {UNSEAL}(value ->> 9)), NEW.time,
           value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
      FROM json_each(NEW.facts);
    INSERT INTO {{context}}_receipts ({rows.RECEIPT_COLUMNS})
    SELECT {RECEIPT} FROM json_each(NEW.receipts);
    INSERT INTO {{context}}_readers (name, position)
    SELECT value ->> 0, value ->> 1 FROM json_each(NEW.tracked) WHERE true
        ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    UPDATE {{context}}_head
       SET position = NEW.base + json_array_length(NEW.facts), time = NEW.time;
END
"""

_encode = msgspec.json.Encoder().encode


class Lines:
    """The rows of a batch as JSON: of facts and receipts all but where and when they are written.

    Positions are counted from the log's end before the batch.
    """

    def __init__(self, batch: Batch) -> None:
        """Raises `Rejected` for a value that cannot be stored."""
        self.batch = batch
        appends = batch.appends
        numbers = pairwise([0, *batch.last])
        self.facts = text_of([_fact_row(one, appends[one.append].origin) for one in batch.facts])
        self.receipts = text_of(
            [
                _receipt_row(append, last, last - before)
                for append, (before, last) in zip(appends, numbers, strict=True)
            ]
        )
        self.checks = text_of([(check.stream, check.expected) for check in batch.checks])
        self.tracked = text_of([(tracked.reader, tracked.position) for _, tracked in batch.tracked])
        _require_countable(fact.version for fact in batch.claims)
        _require_countable(tracked.position for _, tracked in batch.tracked)


class SQLiteBatch:
    """Writes batches of one context by a connection that is its own."""

    def __init__(self, connection: sqlite3.Connection, context: str) -> None:
        self._connection = connection
        self._insert = INSERT.format(context=context)
        connection.create_function(UNSEAL, 1, base64.b64decode, deterministic=True)
        for statement in (VIEW, TRIGGER):  # of this connection only
            connection.execute(statement.format(context=context))

    def write(self, lines: Lines, end: tuple[int, str], time: str, unknown: str) -> None:
        """Write the whole batch behind the log's `end`, or nothing.

        Raises sqlite3's errors; `IntegrityError` when the log, a stream with an `unknown` version
        or a reader has moved, or a key was used.
        """
        values = (*end, time, lines.facts, lines.receipts, lines.checks, unknown, lines.tracked)
        self._connection.execute(self._insert, values)


def _fact_row(row: FactRow, origin: Origin) -> tuple[object, ...]:
    fact = row.fact
    # JSON is kept as text, so that sqlite3 shows it; anything else as it is.
    return (
        row.stream,
        row.version,
        fact.topic,
        fact.data.decode() if fact.is_json else None,
        origin.actor,
        origin.command_id,
        origin.correlation_id,
        origin.causation_id,
        origin.traceparent,
        None if fact.is_json else fact.data,
    )


def _receipt_row(append: Append, position: int, facts: int) -> tuple[object, ...]:
    """Return a receipt's row but for its time, in the order of `rows.RECEIPT_COLUMNS`."""
    origin, refusal, writes = append.origin, append.refusal, append.writes
    return (
        origin.actor,
        origin.command,
        origin.key,
        origin.command_id,
        origin.fingerprint,
        origin.correlation_id,
        origin.causation_id,
        origin.address,
        origin.agent,
        origin.reason,
        origin.roles,
        writes[0].stream if writes else None,
        writes[0].last if writes else 0,
        position,
        facts,
        None,
        *((refusal.code, refusal.detail, refusal.type) if refusal else (None, None, None)),
    )


def text_of(made: Sequence[tuple[object, ...]]) -> str:
    """Return rows as JSON. Raises `Rejected` for a text that has a NUL."""
    text = _encode(made).decode()
    # It may be an escape within the JSON of a fact: that is no NUL.
    if NUL_ESCAPED in text and any(isinstance(v, str) and "\0" in v for v in chain(*made)):
        raise Rejected(NUL)
    return text


def _require_countable(numbers: Iterable[int]) -> None:
    for number in numbers:
        if number > MAX_INT:
            raise Rejected(f"the store refused a value: {number} is more than {MAX_INT}")
