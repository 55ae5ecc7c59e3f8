"""Row changes of a projection: merged in memory, written with few statements."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Executable, Table, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import first_line

MAX_KEYS = 500
"""Rows looked up in one statement; SQLite allows 32,766 values in one."""

Row = dict[str, Any]
Key = tuple[Any, ...]


class ImpossibleChange(Exception):
    """A projection asked for a change that its rows do not allow; it has a fault."""


class Buffer:
    """The `Changes` a projection writes to: it only remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, Key, Row]] = []

    def insert(self, table: Table, **values: object) -> None:
        """Add a row."""
        missing = [name for name in _key_names(table) if values.get(name) is None]
        if missing:
            raise ImpossibleChange(f"insert into {table.name} lacks the key {', '.join(missing)}")
        self._ask("insert", table, tuple(values[name] for name in _key_names(table)), values)

    def update(self, table: Table, key: Any, **values: object) -> None:
        """Set columns of a row."""
        self._ask("update", table, _as_key(key), values)

    def add(self, table: Table, key: Any, **amounts: int) -> None:
        """Add to number columns of a row."""
        self._ask("add", table, _as_key(key), amounts)

    def delete(self, table: Table, key: Any) -> None:
        """Remove a row."""
        self._ask("delete", table, _as_key(key), {})

    def run(self, statement: Executable) -> None:
        """Run a set-based statement, after the changes so far."""
        self.asked.append(("run", statement, (), {}))

    def _ask(self, verb: str, table: Table, key: Key, values: Any) -> None:
        unknown = [name for name in values if name not in table.c]
        if unknown:
            raise ImpossibleChange(f"{verb} of {table.name}: no column {', '.join(unknown)}")
        if verb != "insert" and (named := [n for n in values if n in _key_names(table)]):
            raise ImpossibleChange(f"{verb} of {table.name}: {', '.join(named)} is the key")
        if len(key) != len(_key_names(table)):
            raise ImpossibleChange(
                f"{verb} of {table.name}: the key is {_key_names(table)}, not {key!r}"
            )
        self.asked.append((verb, table, key, values))


class _Rows:
    """The touched rows of one table: as they were, and as they become."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.now: dict[Key, Row | None] = {}
        self.stored: set[Key] = set()
        self.to_load: dict[Key, None] = {}

    def apply(self, verb: str, key: Key, values: Row) -> None:
        """Apply one change in memory."""
        row = self.now.get(key)
        if (row is None) != (verb == "insert"):
            there = "is not there" if row is None else "is there already"
            raise ImpossibleChange(f"{verb} of {self.table.name}: row {_shown(key)} {there}")
        if verb == "insert":
            self.now[key] = _defaults(self.table) | values
        elif verb == "delete":
            self.now[key] = None
        elif verb == "update":
            self.now[key] = {**row, **values}  # type: ignore[dict-item]
        else:
            self.now[key] = {**row, **self._sums(key, row, values)}  # type: ignore[dict-item]

    def _sums(self, key: Key, row: Any, amounts: Row) -> Row:
        try:
            return {name: row[name] + amount for name, amount in amounts.items()}
        except TypeError as error:
            named = ", ".join(amounts)
            raise ImpossibleChange(
                f"add to {self.table.name}: {named} of row {_shown(key)} holds no number"
            ) from error


async def write(connection: AsyncConnection, buffer: Buffer) -> int:
    """Write everything asked for; returns how many rows were touched.

    Raises `ImpossibleChange`, or what the database raises for a value it refuses.
    """
    touched = 0
    segment: list[tuple[str, Table, Key, Row]] = []
    for verb, subject, key, values in buffer.asked:
        if verb == "run":
            touched += await _write_segment(connection, segment)
            segment = []
            await connection.execute(subject)
        else:
            segment.append((verb, subject, key, values))
    return touched + await _write_segment(connection, segment)


async def _write_segment(
    connection: AsyncConnection, asked: Sequence[tuple[str, Table, Key, Row]]
) -> int:
    tables: dict[Table, _Rows] = {}
    seen: set[tuple[Table, Key]] = set()
    for verb, table, key, _ in asked:
        rows = tables.setdefault(table, _Rows(table))
        # A row that is first inserted need not be looked up: if it is there, the insert says so,
        # unless the row is deleted again and nothing is inserted.
        if verb == "delete" or (verb != "insert" and (table, key) not in seen):
            rows.to_load[key] = None
        seen.add((table, key))
    for rows in tables.values():
        await _load(connection, rows)
    for verb, table, key, values in asked:
        tables[table].apply(verb, key, values)
    for rows in tables.values():
        await _store(connection, rows)
    return sum(len(rows.now) for rows in tables.values())


async def _load(connection: AsyncConnection, rows: _Rows) -> None:
    columns = list(rows.table.primary_key.columns)
    for keys in chunks(list(rows.to_load)):
        wanted = (
            columns[0].in_([key[0] for key in keys])
            if len(columns) == 1
            else tuple_(*columns).in_(keys)
        )
        for row in (await connection.execute(select(rows.table).where(wanted))).mappings():
            key = tuple(row[column.name] for column in columns)
            rows.now[key] = dict(row)
            rows.stored.add(key)


async def _store(connection: AsyncConnection, rows: _Rows) -> None:
    added = [row for key, row in rows.now.items() if row is not None and key not in rows.stored]
    changed = [row for key, row in rows.now.items() if row is not None and key in rows.stored]
    removed = [key for key, row in rows.now.items() if row is None and key in rows.stored]
    for keys in chunks(removed):
        columns = list(rows.table.primary_key.columns)
        await connection.execute(delete(rows.table).where(tuple_(*columns).in_(keys)))
    try:
        if changed:
            await connection.execute(_upsert(rows.table, connection.dialect.name), changed)
        if added:
            await connection.execute(insert(rows.table), added)
    except IntegrityError as error:
        raise ImpossibleChange(f"{rows.table.name}: {first_line(error)}") from error


def _upsert(table: Table, dialect: str) -> Any:
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    others = [c.name for c in table.columns if not c.primary_key]
    if not others:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=_key_names(table),
        set_={name: statement.excluded[name] for name in others},
    )


def _defaults(table: Table) -> Row:
    return {
        column.name: column.default.arg if column.default is not None else None  # type: ignore[attr-defined]
        for column in table.columns
    }


def _key_names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _as_key(key: Any) -> Key:
    return key if isinstance(key, tuple) else (key,)


def _shown(key: Key) -> str:
    return ", ".join(str(part) for part in key)


def chunks(keys: list[Key]) -> Iterable[list[Key]]:
    """Yield the keys in lists of at most `MAX_KEYS`."""
    for start in range(0, len(keys), MAX_KEYS):
        yield keys[start : start + MAX_KEYS]
