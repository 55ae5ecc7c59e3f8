"""Which facts are a stream's, in a SQLite file: an index behind the log, and the log's tail.

The facts of a batch are of streams in no order. An index that had them at once would be changed in
another page for each fact, and a changed page is written whole, twice. So facts are indexed later
and many at a time. Until then they are in the log's tail, which is walked through (the view
`<context>_places` has both); the process that writes remembers which streams are in it.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from infra.log.batch import Check, FactRow
from infra.log.port import CorruptFact, Stale

MAX_TAIL = 32_768
"""Facts behind the index at which they are indexed; those of one batch may come on top. Who walks
through so many needs 1.4 milliseconds."""
LONG_S = 0.2
"""Seconds for which the others may wait while facts are indexed: if it takes longer, fewer are at
once. The larger the index, the fewer of its pages are changed for more than one of them."""
MIN_STEP = 1_024
"""Facts that are indexed at once, however long that takes."""

INDEXED = "SELECT indexed FROM {context}_head"
INDEX = "UPDATE {context}_head SET indexed = ? WHERE indexed < ?"
"""Moves the end of the index; a trigger of the table's indexes what is between."""
BEHIND = """
    SELECT stream, max(version, ifnull(
           (SELECT max(version) FROM {context}_streams s WHERE s.stream = e.stream), 0))
      FROM {context}_events e WHERE position > ?
"""
"""The library may append the versions of a stream in another order."""


class Tail(NamedTuple):
    """What is known of the facts behind the index: of which streams they are, up to a position."""

    older: dict[int, int]
    """The last version of each stream, of facts up to `since` that may be behind the index."""
    # By the numbers of the ids: a UUID's hash and comparison are written in Python.
    newer: dict[int, int]
    """The same, of those behind it."""
    since: int
    known: int


class SQLiteStreams:
    """The tail of one context's log, taken in by the thread that writes; and the index's upkeep."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._get_indexed, self._index, self._behind = (
            statement.format(context=context) for statement in (INDEXED, INDEX, BEHIND)
        )
        # Replaced as a whole: other threads look things up in it meanwhile.
        self._tail: Tail | None = None
        self._due = 0
        """The end of the log at which to look whether the tail is long."""
        self._step = MAX_TAIL
        """How many facts are indexed at once."""

    def absent(self, streams: Iterable[UUID]) -> int:
        """Return up to which position the tail has no facts of the streams; 0 if that is not known.

        To be asked for before a transaction that reads: what was indexed until then is found there.
        """
        tail = self._tail
        if tail is None:
            return 0
        older, newer, _, known = tail
        return 0 if any(s.int in newer or s.int in older for s in streams) else known

    def compare(self, checks: Sequence[Check]) -> tuple[dict[int, Stale], str]:
        """Return which appends the tail stands against, and of each check a digit.

        It is 1 where the tail has nothing of the stream: then the index knows its version.
        """
        older, newer, _, _ = self._known_tail()
        stale: dict[int, Stale] = {}
        unknown = []
        for check in checks:
            number = check.stream.int
            version = newer.get(number)
            if version is None:
                version = older.get(number)
            unknown.append("1" if version is None else "0")
            if version is not None and version != check.expected:
                stale[check.append] = Stale(check.stream)
        return stale, "".join(unknown)

    def last(self, stream: UUID) -> int | None:
        """Return a stream's last version; None when the tail has nothing of it."""
        older, newer, _, _ = self._known_tail()
        return newer.get(stream.int, older.get(stream.int))

    def wrote(self, facts: Iterable[FactRow], end: int) -> None:
        """Take in what was appended here behind versions expected, up to the log's end."""
        tail = self._known_tail()
        newer = tail.newer
        for fact in facts:
            newer[fact.stream.int] = fact.version
        self._tail = tail._replace(known=end)

    def follow(self, connection: sqlite3.Connection, end: int) -> None:
        """Take in what others have appended, up to the log's end; within a transaction."""
        (indexed,) = connection.execute(self._get_indexed).fetchone()
        if self._tail is None or self._tail.known < indexed:
            self._tail = Tail({}, {}, indexed, indexed)
        older, newer, since, known = self._tail
        for stream, version in connection.execute(self._behind, (known,)):
            number = int(stream.replace("-", ""), 16)
            if version > newer.get(number, older.get(number, -1)):
                newer[number] = version
        self._tail = Tail(older, newer, since, end)

    def _known_tail(self) -> Tail:
        assert self._tail is not None  # noqa: S101 - whoever appends has followed first
        return self._tail

    def keep_up(self, connection: sqlite3.Connection, end: int) -> None:
        """Index a long tail, the log ending there; each step by a statement of its own.

        Raises `CorruptFact` when a version of a stream is in the log twice.
        """
        if end < self._due:
            return
        (indexed,) = connection.execute(self._get_indexed).fetchone()
        while end - indexed >= MAX_TAIL:
            upto = min(end, indexed + self._step)
            started = time.perf_counter()
            try:
                connection.execute(self._index, (upto, upto))
            except sqlite3.IntegrityError as error:
                raise CorruptFact(
                    f"the {self._context} log, or its index of streams, has a version of a stream "
                    f"twice, behind position {indexed}; aorist check says which, and what to do"
                ) from error
            self._pace(time.perf_counter() - started)
            indexed = upto
        self._due = indexed + MAX_TAIL
        tail = self._tail
        if tail and tail.since <= indexed:  # all of the tail is among the newer
            self._tail = Tail(tail.newer, {}, tail.known, tail.known)

    def _pace(self, seconds: float) -> None:
        if seconds > LONG_S:
            self._step = max(self._step // 2, MIN_STEP)
        elif seconds < LONG_S / 2:
            self._step = min(self._step * 2, MAX_TAIL)
