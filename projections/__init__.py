"""What a projection is: a pure function from facts to row changes, and queries over the rows.

A projection module has module-level tables made by `table()`, one function

    def project(fact: Event, at: Envelope, rows: Changes) -> None

and query functions that return a SQLAlchemy `Select`. It reads facts of its own context only and
writes its own tables only, so each projection can be rebuilt alone.

When a fact cannot be projected it is parked, with the later facts of its key. The key is the
fact's stream, unless the module has a function

    def key_of(fact: Event, at: Envelope) -> UUID | None

for rows that facts of several streams are about: facts of different keys must come to the same
rows in any order, or be refused by the rows while the other is missing. In a table with history
all facts about a row must be of one key. None says that the reader has to stop at the fact.

A query function answers one of three things: a `Select` (one row, or not found), a `Listing`
(rows in pages) or a `Detail` (one row with lists of rows below it). A parameter named `viewer`
is the calling user's id, or None.

The answers of one that is marked `@cached` are kept in memory while no fact changes them.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Executable,
    MetaData,
    Select,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.elements import KeyedColumnElement

from projections.versions import keep_history

metadata = MetaData()
"""All read-model tables; a table's schema is its context (a name prefix in SQLite)."""

One = Select[Any]
"""What a query function answers for one row, or not found."""
Key = Any
"""The primary key of a row: one value, or a tuple in the order of the key's columns."""


class Changes(Protocol):
    """The row changes a projection asks for. They are data: the engine merges and writes them.

    All verbs address one row by its primary key. Asking for the impossible (inserting a row that
    is there, changing or deleting one that is not) stops the reader at that fact with an error.
    """

    def insert(self, table: Table, **values: object) -> None:
        """Add a row; columns left out are NULL or their `default`."""
        ...

    def update(self, table: Table, key: Key, **values: object) -> None:
        """Set columns of a row."""
        ...

    def add(self, table: Table, key: Key, **amounts: int) -> None:
        """Add to number columns of a row; amounts may be negative."""
        ...

    def delete(self, table: Table, key: Key) -> None:
        """Remove a row."""
        ...

    def run(self, statement: Executable) -> None:
        """Run a set-based statement over this projection's own tables, after the changes so far.

        Not in a projection with history: which rows it changes is not known beforehand.
        """
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows in pages. `by` must be selected, not null, and its last column unique in the result."""

    select: Select[Any]
    by: tuple[KeyedColumnElement[Any], ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """One row, and under each name of `lists` all rows of that select (bounded by the engine)."""

    select: Select[Any]
    lists: Mapping[str, Select[Any]] = field(default_factory=dict)


class Kept(NamedTuple):
    """What the answer of a cached query is kept under."""

    projection: str
    query: str
    key: UUID


_KEPT = "aorist_kept"


def cached(answer: Callable[[UUID], One]) -> Callable[[UUID], One]:
    """Let the engine keep what a query function answers, for as long as no fact changes it.

    For a `Select` of a row by the first column of its table's key, which is the only parameter.
    What only few may see is better not kept: all processes have it in memory, and Redis enciphered.
    """
    projection = ".".join(answer.__module__.split(".")[-2:])
    name = f"{projection}.{answer.__name__}"

    @wraps(answer)
    def kept(*args: UUID, **named: UUID) -> One:
        (key,) = (*args, *named.values())
        return answer(key).execution_options(**{_KEPT: Kept(projection, name, key)})

    kept.cached = True  # type: ignore[attr-defined]
    return kept


def kept_by(query: Select[Any]) -> Kept | None:
    """Return what the answer of a query is kept under; None when it is not kept."""
    found: Kept | None = query.get_execution_options().get(_KEPT)
    return found


def not_kept(query: One) -> One:
    """Return the query for an answer that is read from the store, whatever is kept."""
    return query.execution_options(**{_KEPT: None})


class Moment(TypeDecorator[datetime]):
    """A UTC time that comes back with its zone from SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone; keep UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; give it one")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class MinorUnits(TypeDecorator[int]):
    """An amount in minor units of the currency in the column `currency` beside it.

    The API shows it as `{"amount": …, "currency": …}`; sums of amounts are amounts.
    """

    impl = BigInteger
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return an int: PostgreSQL's sums of big integers are numerics."""
        return None if value is None else int(value)


def table(name: str, *items: SchemaItem, history: bool | str = False) -> Table:
    """Declare a table of the projection module that calls this.

    Its schema is the module's context. `name` must be unique within the context. With `history`
    the engine keeps what its rows were, and every query over such tables can be asked as of a
    time or a position. The name of a column instead of True says that rows are only ever
    inserted, with their fact's position in that column: then it costs nothing.
    """
    module = sys._getframe(1).f_globals["__name__"]
    _, context, _feature = module.split(".")
    made = Table(name, metadata, *items, schema=context, info={"projection": module})
    keep_history(made, history)
    return made


def key(name: str = "id") -> Column[UUID]:
    """A uuid column of the primary key."""
    return Column(name, Uuid, primary_key=True)


def ref(name: str, *, nullable: bool = False, index: bool = False) -> Column[UUID]:
    """A uuid column that names another aggregate."""
    return Column(name, Uuid, nullable=nullable, index=index)


def text(name: str, *, nullable: bool = False) -> Column[str]:
    """A text column."""
    return Column(name, Text, nullable=nullable)


def count(name: str) -> Column[int]:
    """A number column that starts at 0: pieces, versions, positions, counters."""
    return Column(name, BigInteger, nullable=False, default=0)


def money(name: str) -> Column[int]:
    """A column of `MinorUnits`."""
    return Column(name, MinorUnits, nullable=False, default=0)


def document(name: str) -> Column[Any]:
    """A column of plain values: lists, mappings, texts, numbers."""
    # PostgreSQL can compare jsonb and not json, and a rebuild is compared.
    return Column(name, JSON().with_variant(JSONB(), "postgresql"), nullable=False)


def moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    """A time column, in UTC."""
    return Column(name, Moment, nullable=nullable)
