"""Tables with history: where the versions of their rows are, and which held at a position."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Select, Table, select

SINCE, UNTIL = "since_position", "until_position"
"""A version holds at the positions `since_position` <= P < `until_position`."""
OPEN = 2**63 - 1
"""`until_position` of a version that still holds: no log gets so far."""

_VERSIONS, _ADDED, _OF, _BEGINNING = "versions", "added", "versions_of", "beginning"


def keep_history(table: Table, history: bool | str) -> None:
    """Give a table history: True makes a table of versions beside it.

    The name of a column says that rows are only added, and that the column holds the position at
    which each was: then the table is its own history, and nothing is kept beside it.
    """
    if history is True:
        table.info[_VERSIONS] = _versions(table)
    elif history:
        if history not in table.c:
            raise TypeError(f"{table.name} has no column {history!r} to take its history from")
        table.info[_ADDED] = history


def versions_of(table: Table) -> Table | None:
    """Return the table of versions beside a table; None where none are kept."""
    found: Table | None = table.info.get(_VERSIONS)
    return found


def added_at(table: Table) -> str | None:
    """Return the column with the position at which each row was added, of a table that only grows.

    None for every other table.
    """
    found: str | None = table.info.get(_ADDED)
    return found


def has_history(table: Table) -> bool:
    """Tell whether rows of a table can be read as of a position."""
    return _VERSIONS in table.info or _ADDED in table.info


def is_versions(table: Table) -> bool:
    """Tell whether a table holds the versions of another one's rows."""
    return _OF in table.info


def beginning_of(table: Table) -> Table | None:
    """Return the table that says from which position on a table's versions are known.

    It is empty when that is the beginning of the log.
    """
    versions = versions_of(table)
    found: Table | None = None if versions is None else versions.info[_BEGINNING]
    return found


def all_tables(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Return a projection's tables with those that keep their history: all that it writes."""
    found: dict[Table, None] = {}
    for table in tables:
        found[table] = None
        if (versions := versions_of(table)) is not None:
            found[versions] = None
    for table in [*found]:
        if (beginning := beginning_of(table)) is not None:
            found[beginning] = None
    return tuple(found)


def held_at(table: Table, position: int) -> Select[Any]:
    """Return a table's rows as they were when the log ended at `position`."""
    if (column := added_at(table)) is not None:
        return select(table).where(table.c[column] <= position)
    versions = table.info[_VERSIONS]
    return select(*(versions.c[column.name] for column in table.columns)).where(
        versions.c[SINCE] <= position, versions.c[UNTIL] > position
    )


def _versions(table: Table) -> Table:
    if clash := {SINCE, UNTIL} & {column.name for column in table.columns}:
        raise TypeError(f"{table.name} has history and a column {', '.join(clash)}; rename it")
    columns: list[Column[Any]] = [
        Column(
            column.name,
            column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
            autoincrement=False,
        )
        for column in table.columns
    ]
    since: Column[int] = Column(SINCE, BigInteger, primary_key=True, autoincrement=False)
    until: Column[int] = Column(UNTIL, BigInteger, nullable=False)
    name = f"{table.name}_history"
    made = Table(
        name,
        table.metadata,
        *columns,
        since,
        until,
        # A row has at most one version that holds at a position, and at most one open one.
        Index(f"{name}_until", *(c.name for c in table.primary_key), UNTIL, unique=True),
        schema=table.schema,
        info={
            "projection": table.info["projection"],
            _OF: table,
            _BEGINNING: _beginning(table),
        },
    )
    # What finds rows of the table finds their versions, too.
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        Index(f"{index.name}_history", *(made.c[column.name] for column in index.columns), since)
    return made


def _beginning(table: Table) -> Table:
    """Return the one such table of the projection."""
    feature = table.info["projection"].rpartition(".")[2]
    name = f"{feature}_history_from"
    found = table.metadata.tables.get(f"{table.schema}.{name}")
    if found is not None:
        return found
    return Table(
        name,
        table.metadata,
        Column("position", BigInteger, primary_key=True, autoincrement=False),
        schema=table.schema,
        info={"projection": table.info["projection"]},
    )
