"""Parking: a fact that a reader cannot handle stands aside, with all that follows it by its key.

The reader goes on with the others, and its position passes the parked facts in the transaction
that keeps them. An operator retries or drops them; see `infra.aside.parked`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import stamina
from psycopg import errors
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, func, select
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from domain import Envelope, Event
from infra.database import Database
from infra.dispatch import InFlight
from infra.log.port import CorruptFact, LogError, Rejected
from infra.log.tail import Facts
from infra.logging import told
from infra.rows.rowsets import Row, add
from projections import Moment

MAX_KEYS = 100
"""Keys that a reader parks: a fault that concerns more is the code's, and the reader stops."""
MAX_FACTS = 10_000
"""Facts that a reader parks, of all its keys."""
FIRST_PAUSE_S = 0.05
"""Between the first two tries of a fact; doubled for each further one."""
LONGEST_PAUSE_S = 1.0
TRYING_S = 3.0
"""How long a fact is tried: all the others wait for it."""
BEFORE = " (before)"
"""Behind a reader's name: what was parked of its previous tables."""
OTHER_TABLES = (
    errors.UndefinedColumn,
    errors.UndefinedTable,
    errors.DatatypeMismatch,
    errors.InsufficientPrivilege,
)
"""What a driver raises when the tables are not those of this program, whatever the fact."""
MAX_ERROR = 500
MAX_TRACE = 8_000
"""Characters kept of what went wrong."""

Write = Callable[[AsyncConnection], Awaitable[None]]
"""Writes a reader's output. It may be called again after a failure, and looks nothing up by
SQLAlchemy: in a pipeline that has no answers."""

KeyOf = Callable[[Event | None, Envelope], str | None]
"""Returns what a fact is parked by; None for a fact that depends on none, or cannot be told.

The fact is None when its data cannot be read.
"""


class Parked(NamedTuple):
    """Where a reader stands, as it is stored."""

    position: int = 0
    epoch: int = 0
    """How often parked facts of it were let go."""
    keys: Mapping[str, int] = {}
    """How many facts of each key are parked."""


class Overtaken(Exception):
    """Another worker moves this reader's position, or has moved it; nothing was written."""


class TooMuchParked(Exception):
    """A reader would park more than it may; it stops, as the fault is not one of a few facts."""


class _Again(Exception):
    """A try has failed; the cause is not told to whoever counts tries: it may hold values."""


@cache
def parked_of(context: str) -> Table:
    """Return the table of facts that readers of a context have parked."""
    return Table(
        "parked",
        MetaData(),
        Column("reader", Text, primary_key=True),
        Column("position", BigInteger, primary_key=True),
        Column("key", Text),
        Column("stream", Uuid),
        Column("version", BigInteger),
        Column("topic", Text),
        # None for a fact that only stands behind another one.
        Column("error", Text),
        Column("trace", Text),
        Column("tries", BigInteger),
        Column("parked_at", Moment),
        schema=context,
    )


class Figures(NamedTuple):
    """How much of a reader is parked."""

    facts: int
    keys: int
    first: int
    """The oldest one's position."""
    since: datetime


async def figures(database: Database, home: str) -> dict[str, Figures]:
    """Return what the readers of a context have parked; no entry for one that has nothing."""
    table = parked_of(home)
    query = select(
        table.c.reader,
        func.count(),
        func.count(table.c.key.distinct()),
        func.min(table.c.position),
        func.min(table.c.parked_at, type_=table.c.parked_at.type),
    )
    query = query.where(~table.c.reader.endswith(BEFORE)).group_by(table.c.reader)
    async with database.read() as connection:
        return {reader: Figures(*rest) for reader, *rest in await connection.execute(query)}


class Parking:
    """What one reader has parked, as far as it knows."""

    def __init__(
        self,
        reader: str,
        home: str,
        key_of: KeyOf,
        clock: Clock,
        tries: int,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self.epoch = 0
        self.keys: dict[str, int] = {}
        self.forget = forget
        """Called when another worker may have handled facts: nothing in memory holds then."""
        self._reader = reader
        self._table = parked_of(home)
        self._key_of = key_of
        self._clock = clock
        self._tries = tries

    @property
    def facts(self) -> int:
        """How many facts are parked."""
        return sum(self.keys.values())

    def know(self, parked: Parked) -> None:
        """Take up what is stored."""
        self.epoch, self.keys = parked.epoch, dict(parked.keys)
        self.forget()

    def split(self, facts: Facts) -> tuple[Facts, list[Row]]:
        """Return the facts to handle, and rows for those that stand behind a parked one.

        Raises `TooMuchParked`.
        """
        if not self.keys:
            return facts, []
        free, rows = [], []
        for fact, at in facts:
            key = self._key_of(fact, at)
            if key is not None and key in self.keys:
                rows.append(self._row(at, key))
            else:
                free.append((fact, at))
        self._spare(len(rows))
        return free, rows

    def aside(self, fact: Event | None, at: Envelope, error: Exception) -> Row | None:
        """Return the row of a fact that cannot be handled; None when it has no key.

        Raises `TooMuchParked`.
        """
        key = self._key_of(fact, at)
        if key is None:
            return None
        if key not in self.keys and len(self.keys) >= MAX_KEYS:
            raise TooMuchParked(
                f"{MAX_KEYS} keys are parked already, and position {at.position} would be one "
                f"more; see `aorist parked list`: {said(error)}"
            ) from error
        self._spare(1)
        return {**self._row(at, key), **fault(error), "tries": self._tries}

    def may_park(self, error: Exception) -> bool:
        """Tell whether an error is about a fact, and one that can be told what it is parked by."""
        if isinstance(error, CorruptFact):
            return error.at is not None and self._key_of(None, error.at) is not None
        return concerns_a_fact(error)

    def kept(self, rows: Sequence[Row]) -> None:
        """Remember rows that are written now."""
        for row in rows:
            self.keys[row["key"]] = self.keys.get(row["key"], 0) + 1

    def writing(self, write: Write | None, rows: Sequence[Row]) -> Write:
        """Return what writes the rows behind `write`."""

        async def both(connection: AsyncConnection) -> None:
            if write is not None:
                await write(connection)
            await add(connection, self._table, rows)

        return both

    async def insisted(self, work: Callable[[], Awaitable[int]]) -> int:
        """Try `work` a few times. Raises the last error, or the first that is about no fact."""
        try:
            async for attempt in stamina.retry_context(
                on=_Again,
                attempts=self._tries,
                wait_initial=FIRST_PAUSE_S,
                wait_max=LONGEST_PAUSE_S,
                wait_jitter=FIRST_PAUSE_S,
                timeout=TRYING_S,
            ):
                with attempt:
                    try:
                        return await work()
                    except Exception as error:
                        if not self.may_park(error):
                            raise
                        raise _Again(type(error).__name__) from error
        except _Again as again:
            raise again.__cause__ or again from None
        raise AssertionError("unreachable")

    def _spare(self, more: int) -> None:
        if self.facts + more > MAX_FACTS:
            raise TooMuchParked(
                f"{self.facts} facts are parked, and {more} more would be over {MAX_FACTS}; "
                "retry or drop some: see `aorist parked list`"
            )

    def _row(self, at: Envelope, key: str) -> Row:
        return {
            "reader": self._reader,
            "position": at.position,
            "key": key,
            "stream": at.stream,
            "version": at.version,
            "topic": at.topic,
            "error": None,
            "trace": None,
            "tries": 0,
            "parked_at": self._clock.now(),
        }


def concerns_a_fact(error: Exception) -> bool:
    """Tell whether another fact may fare better; else it is the store, or the program as a whole.

    A fact of an unknown topic is for newer code, which may be on its way.
    """
    if isinstance(error, CorruptFact):
        return error.at is not None
    if isinstance(error, LogError):
        return isinstance(error, Rejected)
    # A table that is missing or may not be written is missing for every fact.
    about_all = (OSError, MemoryError, InFlight, TooMuchParked, Overtaken, ProgrammingError)
    return not isinstance(error, (*about_all, *OTHER_TABLES))


def fault(error: Exception) -> dict[str, Any]:
    """Return an error as a row keeps it, without values of rows or facts."""
    return {"error": said(error)[:MAX_ERROR], "trace": "\n".join(told(error))[-MAX_TRACE:]}


def said(error: Exception) -> str:
    """Return an error's type and first line: what a database adds below are values of rows."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
