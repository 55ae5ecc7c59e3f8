"""Changes by facts that others have overtaken: they go into the history where they belong.

A fact that was parked is handled after facts behind it. Those of its own key waited with it; those
of other keys may have made versions of the same rows. What it changes holds from its own position
on, so it changes these versions too, and the history is as if it had never waited.
"""

from collections.abc import Container
from typing import NamedTuple

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.rows.rowchanges import applied
from infra.rows.rowsets import Key, Row, add, key_names, names
from projections.versions import OPEN, SINCE, UNTIL


class Version(NamedTuple):
    """A row as it was at the positions `since` <= P < `until`."""

    since: int
    until: int
    row: Row


class LateVersions:
    """The versions that late changes make of a table's rows."""

    def __init__(self, table: Table, versions: Table) -> None:
        self._table = table
        self._versions = versions
        self._asked: dict[Key, list[tuple[int, str, Row]]] = {}

    def note(self, verb: str, key: Key, values: Row, row: Row | None, position: int) -> None:
        """Take in what the fact at `position` asks for."""
        self._asked.setdefault(key, []).append((position, verb, values))

    async def store(self, connection: AsyncConnection, found: Container[Key]) -> None:
        """Change the versions from each fact's position on. Raises `ImpossibleChange`."""
        table = self._versions
        for key, asked in self._asked.items():
            place = [table.c[name] == part for name, part in zip(self._keys, key, strict=True)]
            concerned = table.c[UNTIL] > asked[0][0]
            query = select(table).where(*place, concerned).order_by(table.c[SINCE])
            versions = [
                Version(row[SINCE], row[UNTIL], {name: row[name] for name in names(self._table)})
                for row in (await connection.execute(query)).mappings()
            ]
            for position, verb, values in asked:
                versions = self._changed(versions, key, position, verb, values)
            await connection.execute(delete(table).where(*place, concerned))
            rows = [{**one.row, SINCE: one.since, UNTIL: one.until} for one in versions]
            if rows:
                await add(connection, table, rows)

    @property
    def _keys(self) -> tuple[str, ...]:
        return key_names(self._table)

    def _changed(
        self, versions: list[Version], key: Key, position: int, verb: str, values: Row
    ) -> list[Version]:
        """Return the versions with one change that holds from `position` on."""
        before = [one for one in versions if one.until <= position]
        holding = next((one for one in versions if one.since <= position < one.until), None)
        later = [one for one in versions if one.since > position]
        made = applied(self._table, verb, key, holding and holding.row, values)
        if holding and holding.since < position:
            before.append(holding._replace(until=position))
        until = holding.until if holding else later[0].since if later else OPEN
        changed = [] if made is None else [Version(position, until, made)]
        # Up to where the row is gone: another one may come under its key.
        goes_on = holding is not None
        while goes_on and later and later[0].since == until:
            one = later.pop(0)
            until = one.until
            if (again := applied(self._table, verb, key, one.row, values)) is not None:
                changed.append(one._replace(row=again))
        return [*before, *changed, *later]
