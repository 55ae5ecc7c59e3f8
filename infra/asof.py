"""Queries as of a time or a position: their tables stand for what the rows were then."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnClause, FromClause, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import AliasedReturnsRows
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from commands import Clock
from domain import Invalid
from infra.log.port import Store
from projections import Detail, Listing, One
from projections.versions import beginning_of, has_history, held_at

MAX_DIGITS = 18
"""Of a position; a log never gets so far."""


class BadAsOf(Invalid, code="bad_as_of"):
    """It is neither a time nor a position."""


class NoHistory(Invalid, code="no_history"):
    """A query reads tables whose past is not kept."""


class NotYet(Invalid, code="not_yet"):
    """What is asked for is beyond the end of the log, or in the future."""


class BeforeHistory(Invalid, code="before_history"):
    """A history that began late does not reach back so far."""


def tables_of(query: Select[Any]) -> set[Table]:
    """Return the tables that a query reads, sub-queries included."""
    return {thing for thing in iterate(query) if isinstance(thing, Table)}


def has_past(answer: One | Listing | Detail) -> bool:
    """Tell whether what a query function answers can be asked as of a position."""
    lists = answer.lists.values() if isinstance(answer, Detail) else ()
    first = answer if isinstance(answer, Select) else answer.select
    return all(has_history(table) for query in (first, *lists) for table in tables_of(query))


def parsed(text: str) -> int | datetime:
    """Return a position, or a time with its zone. Raises `BadAsOf`."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise BadAsOf(
            f"as_of {text!r} is neither a position nor a time with its zone; write it like 1234 "
            "or 2026-01-31T12:00:00Z (a + in a URL is %2B)"
        )
    return time


async def position_of(store: Store, clock: Clock, wanted: int | datetime) -> int:
    """Return the position up to which the facts count. Raises `NotYet`."""
    head = await store.head()
    if isinstance(wanted, int):
        if wanted > head:
            raise NotYet(
                f"position {wanted} is not written yet: the log of {store.context} ends at {head}"
            )
        return wanted
    position = await _last_at(store, wanted, head)
    # What will still happen before then is unknown; the log's time is the store's, not ours.
    ahead = wanted > clock.now() and position == head
    if ahead and (not head or await _time_of(store, head) != wanted):
        raise NotYet(f"{wanted.isoformat()} is in the future; ask again then, or for now")
    return position


async def _last_at(store: Store, time: datetime, head: int) -> int:
    """Return the position of the last fact at or before a time.

    Halves the log, some twenty short reads: times never run backwards along it, and have no index.
    """
    before, behind = 0, head + 1
    while behind - before > 1:
        middle = (before + behind) // 2
        if await _time_of(store, middle) <= time:
            before = middle
        else:
            behind = middle
    return before


async def _time_of(store: Store, position: int) -> datetime:
    (recorded,) = await store.read(position - 1, 1)
    return recorded.at.time


def require_history(queries: Iterable[Select[Any]]) -> None:
    """Raise `NoHistory` when one of the tables has none."""
    found = {table for query in queries for table in tables_of(query)}
    without = sorted(str(table) for table in found if not has_history(table))
    if without:
        raise NoHistory(
            f"the past of {', '.join(without)} is not kept, so this can be asked as of now only: "
            "leave as_of out (or declare history=True for what is to be kept)"
        )


async def require_known(
    connection: AsyncConnection, tables: Iterable[Table], position: int | None
) -> int:
    """Return the position, or where the histories begin when there is none.

    Raises `BeforeHistory` when a history begins behind the position.
    """
    first = 0
    beginnings = {beginning for table in tables if (beginning := beginning_of(table)) is not None}
    for beginning in beginnings:
        found = await connection.execute(select(func.max(beginning.c.position)))
        begins = found.scalar() or 0
        first = max(first, begins)
        if position is not None and begins > position:
            projection = str(beginning.info["projection"]).partition(".")[2]
            raise BeforeHistory(
                f"the history of {projection} begins at position {begins}, and {position} is "
                f"before it; `aorist replay {projection} --accept` makes it whole"
            )
    return first if position is None else position


def at_position(query: Select[Any], position: int) -> Select[Any]:
    """Return the query over the rows as they were when the log ended at `position`."""
    return _Past(position).of(query)


class _Past:
    """Puts in the place of each table a sub-query for its rows at a position."""

    def __init__(self, position: int) -> None:
        self._position = position
        self._stand_ins: dict[FromClause, FromClause] = {}

    def of(self, query: Select[Any]) -> Select[Any]:
        """Return the query over what stands in for its tables."""
        made: Any = replacement_traverse(query, {}, self._replaced)
        return made  # type: ignore[no-any-return]

    def _replaced(self, element: Any, **_: Any) -> Any:
        """Return what takes an element's place; None leaves it to its parts."""
        if isinstance(element, Table | AliasedReturnsRows):
            return self._stand_in(element)
        if isinstance(element, ColumnClause):
            table: Any = element.table
            if isinstance(table, Table | AliasedReturnsRows):
                return self._stand_in(table).c[element.key]
        return None

    def _stand_in(self, source: FromClause) -> FromClause:
        """Return one and the same for each, so that what belongs together stays together."""
        if source not in self._stand_ins:
            self._stand_ins[source] = self._made(source)
        return self._stand_ins[source]

    def _made(self, source: FromClause) -> FromClause:
        if isinstance(source, Table):
            return held_at(source, self._position).subquery(source.name)
        assert isinstance(source, AliasedReturnsRows)  # noqa: S101 - asked before
        below: Any = source.element
        if isinstance(below, Table):
            return held_at(below, self._position).subquery(source.name)
        return self.of(below).subquery(source.name)
