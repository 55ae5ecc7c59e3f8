"""What the rows of a table with history become, position by position, within one batch."""

from collections.abc import Container
from itertools import pairwise
from typing import Protocol

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.rows.latechanges import LateVersions
from infra.rows.rowsets import Clash, Key, Row, add, assign, key_names
from projections.versions import OPEN, SINCE, UNTIL, added_at, versions_of


class Kept(Protocol):
    """What is kept of a table's changes beside its rows."""

    def note(self, verb: str, key: Key, values: Row, row: Row | None, position: int) -> None:
        """Take in what a row has become by the fact at `position`; None when it is gone.

        `values` are what the fact asked for.
        """
        ...

    async def store(self, connection: AsyncConnection, found: Container[Key]) -> None:
        """Write it; `found` are the rows that were there before. Raises `Clash`."""
        ...


def versions_kept(table: Table, *, late: bool = False) -> Kept | None:
    """Return what keeps the history of a batch of changes; None for a table without history.

    With `late`, facts behind those of the batch may have made versions of the rows before.
    """
    if (versions := versions_of(table)) is not None:
        return LateVersions(table, versions) if late else _Versions(table, versions)
    if (column := added_at(table)) is not None:
        return _Added(table, column)
    return None


class _Versions:
    """The versions of a table's rows, to be written to the table beside it."""

    def __init__(self, table: Table, versions: Table) -> None:
        self._table = table
        self._versions = versions
        self._became: dict[Key, list[tuple[int, Row | None]]] = {}
        """At most one for each fact of the batch and each row."""

    def note(self, verb: str, key: Key, values: Row, row: Row | None, position: int) -> None:
        """Several changes by one fact are one version, even when they change nothing.

        Rows are not compared: one that comes from the database may differ in its form only, and
        then the versions would depend on how facts fall into batches.
        """
        became = self._became.setdefault(key, [])
        if became and became[-1][0] == position:
            became.pop()
        became.append((position, row))

    async def store(self, connection: AsyncConnection, found: Container[Key]) -> None:
        """Close the versions that held before the batch, and add those that it made."""
        ends = [(*key, OPEN, b[0][0]) for key, b in self._became.items() if key in found]
        if ends:
            by = (*key_names(self._table), UNTIL)
            await assign(connection, self._versions, UNTIL, by, ends)
        made = [
            {**row, SINCE: since, UNTIL: until}
            for became in self._became.values()
            for (since, row), (until, _) in pairwise([*became, (OPEN, None)])
            if row is not None
        ]
        if made:
            await add(connection, self._versions, made)


class _Added:
    """Sees to it that rows of a table are only added, each with its position."""

    def __init__(self, table: Table, column: str) -> None:
        self._table = table
        self._column = column
        self._fault = ""

    def note(self, verb: str, key: Key, values: Row, row: Row | None, position: int) -> None:
        """Remember what breaks the rule; it is told before the batch is committed."""
        if not self._fault and (row is None or verb != "insert" or row[self._column] != position):
            self._fault = (
                f"{verb} of {self._table.name}: its history says that rows are only inserted, "
                f"with {self._column} = {position} here; declare history=True"
            )

    async def store(self, connection: AsyncConnection, found: Container[Key]) -> None:
        """Write nothing: the table is its own history."""
        if self._fault:
            raise Clash(self._fault)
