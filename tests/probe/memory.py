"""Rows in memory, changed one verb after another: too simple to be wrong."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Table

from domain import Envelope, Event

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]


class Memory:
    """The `Changes` of a projection, done at once."""

    def __init__(self) -> None:
        self.tables: dict[str, Rows] = {}

    def of(self, table: Table) -> Rows:
        return self.tables.setdefault(table.name, {})

    def insert(self, table: Table, **values: object) -> None:
        key = tuple(values[column.name] for column in table.primary_key)
        assert key not in self.of(table)
        self.of(table)[key] = {
            column.name: values.get(
                column.name,
                None if column.default is None else column.default.arg,  # type: ignore[attr-defined]
            )
            for column in table.columns
        }

    def update(self, table: Table, key: Any, **values: object) -> None:
        self.of(table)[_key(key)].update(values)

    def add(self, table: Table, key: Any, **amounts: int) -> None:
        row = self.of(table)[_key(key)]
        row.update({name: row[name] + amount for name, amount in amounts.items()})

    def delete(self, table: Table, key: Any) -> None:
        del self.of(table)[_key(key)]

    def run(self, statement: Executable) -> None:
        raise NotImplementedError("no projection with history runs statements")


def rows_after(
    project: Callable[..., None], facts: Iterable[tuple[Event, Envelope]], table: Table
) -> list[dict[str, Any]]:
    """Return the rows of a table when only these facts are there, in the order of the key."""
    memory = Memory()
    for fact, at in facts:
        project(fact, at, memory)
    return in_order(table, memory.of(table).values())


def in_order(table: Table, rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return rows in the order of the table's key."""
    names = [column.name for column in table.primary_key]
    return sorted((dict(row) for row in rows), key=lambda row: [_sortable(row[n]) for n in names])


def _sortable(value: Any) -> Any:
    return value.int if isinstance(value, UUID) else value


def _key(key: Any) -> Key:
    return key if isinstance(key, tuple) else (key,)
