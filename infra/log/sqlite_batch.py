"""A batch of appends as one statement: a row for each append, and a trigger that writes it.

Each step of a statement lets go of the interpreter, and has to get it back from whoever decides
meanwhile. One statement does so once, and so the next commands are decided while these are written.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache

from infra.log import rows
from infra.log.batch import Batch, Check, FactRow
from infra.log.plain import plain_all, receipt_row
from infra.log.port import Accepted

MAX_ROWS = 128
"""Rows in the statement. Their numbers are powers of two, so that there are few statements."""
SLOTS = 2
"""Facts, and checks of streams, in one row; an append that has more takes several."""

RECEIPT = tuple(rows.RECEIPT_COLUMNS.split(", "))
FACT = ("position", "stream", "version", "topic", "data")
CHECK = ("stream", "expected")
NO_FACT, NO_CHECK = (None,) * len(FACT), (None,) * len(CHECK)
PLACED = "base, since, head, is_first, reader, place"
"""The log's end before the batch, in its first row; the position after it, in its last row; whether
a row is its append's first; and the position that a reader has with it, in that row."""


def _slots(kind: str, names: Sequence[str]) -> list[list[str]]:
    return [[f"{kind}{slot}_{name}" for name in names] for slot in range(SLOTS)]


FACTS, CHECKS = _slots("fact", FACT), _slots("check", CHECK)
COLUMNS = [
    *PLACED.split(", "),
    *RECEIPT,
    "traceparent",
    *[name for slot in (*FACTS, *CHECKS) for name in slot],
]


def _new(names: Sequence[str]) -> str:
    return ", ".join([f"NEW.{name}" for name in names])


MOVED = """
    SELECT RAISE(ABORT, 'moved') WHERE NEW.{stream} IS NOT NULL AND NEW.{expected} <>
        ifnull((SELECT max(version) FROM {{context}}_events e WHERE e.stream = NEW.{stream}), 0);
"""
WRITTEN = """
    INSERT INTO {{context}}_events
    SELECT {fact}, NEW.time, NEW.actor, NEW.command_id, NEW.correlation_id, NEW.causation_id,
           NEW.traceparent
     WHERE NEW.{position} IS NOT NULL;
"""
DONE = """
    INSERT INTO {{context}}_receipts ({names}) SELECT {receipt} WHERE NEW.is_first;
    INSERT INTO {{context}}_readers (name, position)
    SELECT NEW.reader, NEW.place WHERE NEW.reader IS NOT NULL
        ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    UPDATE {{context}}_head SET position = NEW.head, time = NEW.time WHERE NEW.head IS NOT NULL;
"""
TRIGGER = "\n".join(
    [
        "CREATE TEMP TRIGGER {context}_writing INSTEAD OF INSERT ON {context}_batch BEGIN",
        "SELECT RAISE(ABORT, 'moved') FROM {context}_head",
        " WHERE position <> NEW.base OR time <> NEW.since;",
        "SELECT RAISE(ABORT, 'moved') FROM {context}_readers",
        " WHERE name = NEW.reader AND position >= NEW.place;",
        *[MOVED.format(stream=stream, expected=expected) for stream, expected in CHECKS],
        *[WRITTEN.format(fact=_new(fact), position=fact[0]) for fact in FACTS],
        DONE.format(names=rows.RECEIPT_COLUMNS, receipt=_new(RECEIPT)),
        "END",
    ]
)
INSERT = "INSERT INTO temp.{context}_batch VALUES {lines}"
VIEW = "CREATE TEMP VIEW {context}_batch AS SELECT {columns}"
NOTHING = ", ".join([f"NULL AS {name}" for name in COLUMNS])


class SQLiteBatch:
    """Writes batches of one context by a connection that is its own."""

    def __init__(self, connection: sqlite3.Connection, context: str) -> None:
        self._connection = connection
        self._context = context
        for statement in (VIEW, TRIGGER):  # of this connection only
            connection.execute(statement.format(context=context, columns=NOTHING))

    def write(
        self, batch: Batch, end: tuple[int, str], outcomes: Sequence[Accepted], time: str
    ) -> bool:
        """Write the whole batch behind the log's `end`, or nothing; tell whether it was.

        It is not when the log, a stream or a reader has moved, a key was used, or it has too many
        rows: then it must be looked at closely. Raises sqlite3's errors, and `Rejected`.
        """
        lines = list(_lines(batch, end, outcomes, time))
        if not 0 < len(lines) <= MAX_ROWS:
            return False
        number = 1 << (len(lines) - 1).bit_length()
        values = plain_all(lines) + [None] * (len(COLUMNS) * (number - len(lines)))
        try:
            self._connection.execute(_sql(self._context, number), values)
        except sqlite3.IntegrityError:
            return False
        return True


def _lines(
    batch: Batch, end: tuple[int, str], outcomes: Sequence[Accepted], time: str
) -> Iterator[tuple[object, ...]]:
    """Make the rows of a batch, in the order of `COLUMNS`."""
    base = position = end[0]
    head = base + len(batch.facts)
    checks = iter([*batch.checks, None])
    check = next(checks)
    for number, accepted in enumerate(outcomes):
        facts = batch.facts[position - base : batch.last[number]]
        own: list[Check] = []
        while check is not None and check.append == number:
            own.append(check)
            check = next(checks)
        receipt = receipt_row(accepted, time)
        traceparent = accepted.append.origin.traceparent
        moved = accepted.append.tracked
        tracked = (moved.reader, moved.position) if moved else (None, None)
        # No fact goes before the append's last check, which may be of the same stream.
        first = max(0, len(own) - 1) // SLOTS * SLOTS
        stop = max(first + len(facts), len(own), 1)
        for start in range(0, stop, SLOTS):
            at = max(0, start - first)
            yield (
                *(end if number == start == 0 else (None, None)),
                head if number == len(outcomes) - 1 and start + SLOTS >= stop else None,
                start == 0,
                *(tracked if start == 0 else (None, None)),
                *receipt,
                traceparent,
                *_facts(facts[at : at + SLOTS] if start >= first else (), position + at),
                *_checks(own[start : start + SLOTS]),
            )
        position += len(facts)


def _facts(facts: Sequence[FactRow], before: int) -> list[object]:
    slots: list[object] = []
    for place, row in enumerate(facts, before + 1):
        # JSON is kept as text, so that sqlite3 shows it; anything else as it is.
        data = row.fact.data.decode() if row.fact.is_json else row.fact.data
        slots += (place, row.stream, row.version, row.fact.topic, data)
    return slots + [*NO_FACT] * (SLOTS - len(facts))


def _checks(checks: Sequence[Check]) -> list[object]:
    slots: list[object] = []
    for check in checks:
        slots += (check.stream, check.expected)
    return slots + [*NO_CHECK] * (SLOTS - len(checks))


@cache
def _sql(context: str, number: int) -> str:
    line = f"({', '.join('?' * len(COLUMNS))})"
    return INSERT.format(context=context, lines=", ".join([line] * number))
