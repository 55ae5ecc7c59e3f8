"""What one change makes of one row."""

from functools import cache
from typing import Any

from sqlalchemy import Table

from infra.rows.rowsets import Key, Row


class ImpossibleChange(Exception):
    """A projection asked for a change that its rows do not allow; it has a fault."""


def altered(table: Table, verb: str, key: Key, row: Row | None, values: Row) -> Row | None:
    """Make one change of a row, in place; None stands for no row. Raises `ImpossibleChange`."""
    if (row is None) != (verb == "insert"):
        there = "is not there" if row is None else "is there already"
        raise ImpossibleChange(f"{verb} of {table.name}: row {_shown(key)} {there}")
    if row is None:
        return _defaults(table) | values
    if verb == "delete":
        return None
    row.update(values if verb == "update" else _sums(table, key, row, values))
    return row


def applied(table: Table, verb: str, key: Key, row: Row | None, values: Row) -> Row | None:
    """Return what a row becomes, and leave it as it is. Raises `ImpossibleChange`."""
    return altered(table, verb, key, None if row is None else row.copy(), values)


def _sums(table: Table, key: Key, row: Row, amounts: Row) -> Row:
    try:
        return {name: row[name] + amount for name, amount in amounts.items()}
    except TypeError as error:
        raise ImpossibleChange(
            f"add to {table.name}: {', '.join(amounts)} of row {_shown(key)} holds no number"
        ) from error


@cache
def _defaults(table: Table) -> Row:
    defaults: dict[str, Any] = {column.name: column.default for column in table.columns}
    return {name: default and default.arg for name, default in defaults.items()}


def _shown(key: Key) -> str:
    return ", ".join(str(part) for part in key)
