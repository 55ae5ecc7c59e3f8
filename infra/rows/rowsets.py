"""Many rows of a table at once: found, added, changed and removed by key.

PostgreSQL gets them as arrays, one for each column: one statement serves for any number of rows,
so it is prepared once. SQLite gets what SQLAlchemy makes of them.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import ARRAY, Column, Table, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import driver_of, first_line
from infra.rows.copying import can_copy, copy_of, copy_rows

MAX_KEYS = 500
"""Rows looked up in one statement; SQLite allows 32,766 values in one."""

Row = dict[str, Any]
Key = tuple[Any, ...]
Answer = Callable[[], Awaitable[Sequence[Row]]]


class Clash(Exception):
    """A row breaks a rule of its table; nothing was written."""


async def find(connection: AsyncConnection, table: Table, keys: Sequence[Key]) -> Answer:
    """Look rows up, by keys that differ. In a pipeline the answers to several come at once."""
    if connection.dialect.name == "sqlite":
        return lambda: _selected(connection, table, keys)
    return await _arrays(connection, table).find(driver_of(connection), keys)


async def add(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Add complete rows. Raises `Clash`."""
    if connection.dialect.name == "sqlite":
        await _execute(connection, table, insert(table), rows)
    else:
        await _arrays(connection, table).write(driver_of(connection), rows, replace=False)


async def change(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Put complete rows in the place of those with the same keys. Raises `Clash`."""
    if connection.dialect.name == "sqlite":
        others = {c.name for c in table.columns if not c.primary_key}
        statement = sqlite.insert(table)
        excluded = {name: statement.excluded[name] for name in others}
        keys = key_names(table)
        await _execute(
            connection,
            table,
            statement.on_conflict_do_update(index_elements=keys, set_=excluded)
            if others
            else statement.on_conflict_do_nothing(),
            rows,
        )
    else:
        await _arrays(connection, table).write(driver_of(connection), rows, replace=True)


async def remove(connection: AsyncConnection, table: Table, keys: Sequence[Key]) -> None:
    """Remove rows that are there or not."""
    if connection.dialect.name == "sqlite":
        columns = list(table.primary_key.columns)
        for some in _chunks(keys):
            await connection.execute(delete(table).where(tuple_(*columns).in_(some)))
    else:
        await _arrays(connection, table).remove(driver_of(connection), keys)


async def assign(
    connection: AsyncConnection,
    table: Table,
    column: str,
    by: Sequence[str],
    values: Sequence[tuple[Any, ...]],
) -> None:
    """Set one column of rows; each of `values` is what the columns `by` are, and the new value."""
    if connection.dialect.name == "sqlite":
        found_by = [table.c[name] == bindparam(f"by_{name}") for name in by]
        statement = update(table).where(*found_by).values({column: bindparam("to")})
        names_ = [*(f"by_{name}" for name in by), "to"]
        await _execute(
            connection, table, statement, [dict(zip(names_, row, strict=True)) for row in values]
        )
    else:
        await _arrays(connection, table).assign(driver_of(connection), column, by, values)


@cache
def key_names(table: Table) -> tuple[str, ...]:
    """Return the names of the columns of the primary key."""
    return tuple(column.name for column in table.primary_key.columns)


@cache
def names(table: Table) -> frozenset[str]:
    """Return the names of all columns."""
    return frozenset(column.name for column in table.columns)


async def _selected(
    connection: AsyncConnection, table: Table, keys: Sequence[Key]
) -> Sequence[Row]:
    columns = list(table.primary_key.columns)
    found: list[Row] = []
    for some in _chunks(keys):
        wanted = (
            columns[0].in_([key[0] for key in some])
            if len(columns) == 1
            else tuple_(*columns).in_(some)
        )
        found += map(dict, (await connection.execute(select(table).where(wanted))).mappings())
    return found


async def _execute(
    connection: AsyncConnection, table: Table, statement: Any, rows: Sequence[Row]
) -> None:
    try:
        await connection.execute(statement, rows)
    except IntegrityError as error:
        raise Clash(f"{table.name}: {first_line(error)}") from error


def _chunks(keys: Sequence[Key]) -> Iterable[Sequence[Key]]:
    for start in range(0, len(keys), MAX_KEYS):
        yield keys[start : start + MAX_KEYS]


def _arrays(connection: AsyncConnection, table: Table) -> "_Arrays":
    options = connection.sync_connection.get_execution_options()  # type: ignore[union-attr]
    schema = options.get("schema_translate_map", {}).get(table.schema, table.schema)
    return _arrays_of(table, schema)


class _Column:
    """A column's name and type in SQL, and its values to and from what the driver takes."""

    def __init__(self, column: Column[Any], dialect: Any) -> None:
        self._type = column.type.dialect_impl(dialect)
        self._dialect = dialect
        if isinstance(self._type, ARRAY):
            raise TypeError(f"{column} is an array; keep lists in a document column")
        self.name = column.name
        self.quoted = dialect.identifier_preparer.quote(column.name)
        self.kind = column.type.compile(dialect=dialect)
        self.dump = self._type.bind_processor(dialect)

    def array(self, values: Iterable[Any]) -> list[Any]:
        """Return values of the column as the driver takes them."""
        return [*map(self.dump, values)] if self.dump else [*values]

    def loader(self, code: int) -> Callable[[Any], Any] | None:
        """Return what makes a value of what the driver gives; `code` is its type there."""
        return self._type.result_processor(self._dialect, code)


class _Arrays:
    """The statements for one table; the arrays are the values of its columns."""

    def __init__(self, table: Table, schema: str | None) -> None:
        dialect = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
        quote = dialect.identifier_preparer.quote
        self._table = table
        self._columns = [_Column(column, dialect) for column in table.columns]
        self._loaders: list[Callable[[Any], Any] | None] | None = None
        self._named = {column.name: column for column in self._columns}
        self._keys = [self._named[name] for name in key_names(table)]
        others = [c for c in self._columns if c not in self._keys]
        place = f"{quote(schema)}.{quote(table.name)}" if schema else quote(table.name)
        self._place = place
        all_, keys = _quoted(self._columns), _quoted(self._keys)
        changed = ", ".join(f"{c.quoted} = excluded.{c.quoted}" for c in others)
        instead = f"UPDATE SET {changed}" if others else "NOTHING"
        wanted = f"({keys}) IN (SELECT * FROM {_unnest(self._keys)})"
        if len(self._keys) == 1:
            wanted = f"{keys} = ANY({_parameter(self._keys[0])})"
        self._find = f"SELECT {all_} FROM {place} WHERE {wanted}".encode()
        self._remove = f"DELETE FROM {place} WHERE {wanted}".encode()
        added = f"INSERT INTO {place} ({all_}) SELECT * FROM {_unnest(self._columns)}"
        self._add = added.encode()
        self._copy = copy_of(place, self._columns)
        self._replace = f"{added} ON CONFLICT ({keys}) DO {instead}".encode()

    async def find(self, driver: psycopg.AsyncConnection, keys: Sequence[Key]) -> Answer:
        cursor = driver.cursor(binary=True)
        await cursor.execute(self._find, self._key_arrays(keys))

        async def answer() -> Sequence[Row]:
            found = await cursor.fetchall()
            if self._loaders is None and cursor.description:
                codes = [described.type_code for described in cursor.description]
                self._loaders = [
                    c.loader(code) for c, code in zip(self._columns, codes, strict=True)
                ]
            return [self._row(values) for values in found]

        return answer

    async def write(
        self, driver: psycopg.AsyncConnection, rows: Sequence[Row], *, replace: bool
    ) -> None:
        try:
            if not replace and can_copy(driver, rows):
                await copy_rows(driver, self._copy, rows)
                return
            arrays = [column.array(row[column.name] for row in rows) for column in self._columns]
            await driver.execute(self._replace if replace else self._add, arrays)
        except psycopg.IntegrityError as error:
            raise Clash(f"{self._table.name}: {first_line(error)}") from error

    async def assign(
        self,
        driver: psycopg.AsyncConnection,
        column: str,
        by: Sequence[str],
        values: Sequence[tuple[Any, ...]],
    ) -> None:
        given = [self._named[name] for name in (*by, column)]
        places = [f"v{place}" for place in range(len(given))]
        same = " AND ".join(
            f"t.{c.quoted} = v.{p}" for c, p in zip(given[:-1], places[:-1], strict=True)
        )
        statement = (
            f"UPDATE {self._place} AS t SET {given[-1].quoted} = v.{places[-1]} "
            f"FROM {_unnest(given)} AS v({', '.join(places)}) WHERE {same}"
        )
        arrays = [c.array(row[place] for row in values) for place, c in enumerate(given)]
        await driver.execute(statement.encode(), arrays)

    async def remove(self, driver: psycopg.AsyncConnection, keys: Sequence[Key]) -> None:
        await driver.execute(self._remove, self._key_arrays(keys))

    def _key_arrays(self, keys: Sequence[Key]) -> list[list[Any]]:
        return [column.array(key[place] for key in keys) for place, column in enumerate(self._keys)]

    def _row(self, values: Sequence[Any]) -> Row:
        loaders = self._loaders or []
        return {
            column.name: load(value) if load else value
            for column, load, value in zip(self._columns, loaders, values, strict=True)
        }


_arrays_of = cache(_Arrays)


def _quoted(columns: Iterable[_Column]) -> str:
    return ", ".join(column.quoted for column in columns)


def _parameter(column: _Column) -> str:
    return f"%b::{column.kind}[]"


def _unnest(columns: Iterable[_Column]) -> str:
    return f"unnest({', '.join(map(_parameter, columns))})"
