"""What one change makes of one row."""

from functools import cache
from typing import Any

from sqlalchemy import Table

from infra.rowsets import Key, Row


class ImpossibleChange(Exception):
    """A projection asked for a change that its rows do not allow; it has a fault."""


def applied(table: Table, verb: str, key: Key, row: Row | None, values: Row) -> Row | None:
    """Return what a row becomes; None stands for no row. Raises `ImpossibleChange`."""
    if (row is None) != (verb == "insert"):
        there = "is not there" if row is None else "is there already"
        raise ImpossibleChange(f"{verb} of {table.name}: row {_shown(key)} {there}")
    if row is None:
        return _defaults(table) | values
    if verb == "delete":
        return None
    if verb == "update":
        return {**row, **values}
    try:
        return {**row, **{name: row[name] + amount for name, amount in values.items()}}
    except TypeError as error:
        raise ImpossibleChange(
            f"add to {table.name}: {', '.join(values)} of row {_shown(key)} holds no number"
        ) from error


@cache
def _defaults(table: Table) -> Row:
    defaults: dict[str, Any] = {column.name: column.default for column in table.columns}
    return {name: default and default.arg for name, default in defaults.items()}


def _shown(key: Key) -> str:
    return ", ".join(str(part) for part in key)
