"""What changed in rows between two positions, and which facts did it: why is this value so."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Select, Table, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import Envelope, Invalid
from infra.asof import require_known
from infra.log.port import Store
from infra.moves import positions_of
from infra.queries import Behind
from infra.rows.rowsets import Row, key_names
from infra.system import System
from projections.versions import OPEN, SINCE, UNTIL, added_at, has_history, is_versions, versions_of

MAX_VERSIONS = 5_000
"""Versions of rows that one comparison reads."""


class BadKey(Invalid, code="bad_key"):
    """It is no key of the table."""


class TooMuch(Invalid, code="too_much"):
    """More versions than one comparison reads."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one fact made of one row."""

    table: str
    key: tuple[Any, ...]
    at: Envelope
    before: Row | None
    """None: there was no such row."""
    after: Row | None
    """None: it is deleted."""

    @property
    def columns(self) -> dict[str, tuple[Any, Any]]:
        """By name of a column that differs, what it was and what it became."""
        before, after = self.before or {}, self.after or {}
        both = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
        return {name: values for name, values in both.items() if values[0] != values[1]}


@dataclass(frozen=True, slots=True)
class Difference:
    """Changes of rows in the order of the log, behind one position and up to another."""

    since: int
    until: int
    was_there: bool
    """Whether there was such a row at the beginning."""
    changes: list[Change]


def tables_called(system: System, name: str) -> list[Table]:
    """Return the tables with history of a name, or those of the projection with that name.

    `orders`, `commerce.orders`, `order` and `commerce.order` are names. Raises `LookupError` with
    the names there are.
    """
    tables = {
        table: projecting
        for projecting in system.features.projections
        if projecting.context in system.contexts
        for table in projecting.tables
        if has_history(table) and not is_versions(table)
    }
    found = [t for t in tables if name in (t.name, str(t))]
    found = found or [t for t, p in tables.items() if name in (p.name, p.name.partition(".")[2])]
    if len({table.schema for table in found}) > 1:
        raise LookupError(f"{name!r} is more than one of {_listed(found)}; name the context")
    if not found:
        raise LookupError(f"nothing with history is called {name!r}; there are {_listed(tables)}")
    return found


def _listed(tables: Iterable[Table]) -> str:
    return ", ".join(sorted(map(str, tables)))


async def difference(
    system: System, tables: Sequence[Table], key: str, since: int | None, until: int | None
) -> Difference:
    """Compare the rows of `tables` whose keys begin with `key` (parts are separated by commas).

    `since` is the beginning of the history unless it is given, `until` where the read model is.
    Raises `BadKey`, `TooMuch`, `Behind`, `BeforeHistory`.
    """
    context = str(tables[0].schema)
    found: list[tuple[Table, Row]] = []
    async with system.databases[context].read() as connection:
        at = await _position(connection, tables)
        if until is not None and until > at:
            raise Behind(", ".join(sorted(_readers(tables))), at, until)
        until = at if until is None else until
        since = await require_known(connection, tables, since)
        for table in tables:
            query = _versions_between(table, _parts(table, key), since, until)
            rows = (await connection.execute(query.limit(MAX_VERSIONS + 1))).mappings().all()
            found += [(table, dict(row)) for row in rows]
    if len(found) > MAX_VERSIONS:
        raise TooMuch(f"there are more than {MAX_VERSIONS} versions; choose a narrower time")
    made = list(_changes(found, since, until))
    envelopes = await _envelopes(system.logs[context].store, {position for position, *_ in made})
    changes = [Change(str(t), key, envelopes[p], old, new) for p, t, key, old, new in made]
    changes.sort(key=lambda change: change.at.position)
    was_there = any(row[SINCE] <= since for _, row in found)
    return Difference(since, until, was_there, [one for one in changes if one.columns])


Made = tuple[int, Table, tuple[Any, ...], Row | None, Row | None]
"""Position, table, key, the row before and after."""


def _changes(found: Iterable[tuple[Table, Row]], since: int, until: int) -> Iterator[Made]:
    """Yield what versions, in the order of key and position, say has changed."""
    by_key = groupby(found, key=lambda one: (one[0], tuple(one[1][n] for n in key_names(one[0]))))
    for (table, key), group in by_key:
        versions = [row for _, row in group]
        ended: int = -1
        before: Row | None = None
        for version, following in zip(versions, [*versions[1:], None], strict=True):
            begins, ends = version[SINCE], version[UNTIL]
            row = {name: value for name, value in version.items() if name not in (SINCE, UNTIL)}
            if begins > since:
                yield begins, table, key, before if ended == begins else None, row
            if ends <= until and (following is None or following[SINCE] != ends):
                yield ends, table, key, row, None
            ended, before = ends, row


def _versions_between(table: Table, key: Sequence[Any], since: int, until: int) -> Select[Any]:
    """Return the versions that held behind `since`, or at it, and up to `until`."""
    if (column := added_at(table)) is not None:
        source = table
        query = select(table, table.c[column].label(SINCE), literal(OPEN, BigInteger).label(UNTIL))
        query = query.where(table.c[column] <= until)
        order = [table.c[column]]
    else:
        versions = versions_of(table)
        assert versions is not None  # noqa: S101 - it has history
        source = versions
        query = select(versions).where(versions.c[SINCE] <= until, versions.c[UNTIL] > since)
        order = [versions.c[SINCE]]
    names = key_names(table)
    wanted = [source.c[name] == part for name, part in zip(names, key, strict=False)]
    return query.where(*wanted).order_by(*(source.c[name] for name in names), *order)


def _parts(table: Table, key: str) -> list[Any]:
    """Return the first values of a key. Raises `BadKey`."""
    columns = list(table.primary_key.columns)
    texts = key.split(",")
    kinds: dict[type, Any] = {UUID: UUID, int: int, str: str}
    try:
        parts = [
            kinds[column.type.python_type](text.strip())
            for column, text in zip(columns, texts, strict=False)
        ]
    except ValueError:
        parts = []
    if not 0 < len(parts) == len(texts) or any(isinstance(p, int) and p >= 2**63 for p in parts):
        named = ", ".join(f"{c.name} ({c.type.python_type.__name__})" for c in columns)
        raise BadKey(f"{key!r} is no key of {table}: its key is {named}; its first part will do")
    return parts


def _readers(tables: Iterable[Table]) -> set[str]:
    return {str(table.info["projection"]).partition(".")[2] for table in tables}


async def _position(connection: AsyncConnection, tables: Sequence[Table]) -> int:
    readers = positions_of(str(tables[0].schema))
    names = _readers(tables)
    query = select(readers.c.position).where(readers.c.name.in_(names))
    found = (await connection.execute(query)).scalars().all()
    return min(found) if len(found) == len(names) else 0


async def _envelopes(store: Store, positions: Iterable[int]) -> dict[int, Envelope]:
    found = {}
    for position in sorted(positions):
        for recorded in await store.read(position - 1, 1):
            found[recorded.at.position] = recorded.at
    return found
