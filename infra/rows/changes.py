"""Row changes of a projection: merged in memory, written with few statements."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.rows.copying import LEAST
from infra.rows.known import Known
from infra.rows.rowchanges import ImpossibleChange, altered
from infra.rows.rowsets import Answer, Clash, Key, Row, add, change, find, key_names, names, remove
from infra.rows.rowversions import versions_kept

Asked = tuple[str, Any, Key, Row, int]
"""Verb, table (or the statement to run), key, values, and the position of the fact."""
Ask = tuple[str, Row, int]
"""The same for one row of one table: verb, values, position."""


class Buffer:
    """The `Changes` a projection writes to: it only remembers what was asked for."""

    def __init__(self, *, by_key: bool = False, late: bool = False) -> None:
        self.asked: list[Asked] = []
        self.late = late
        """Whether facts behind these were projected before."""
        self.position = 0
        """Of the fact that is being projected."""
        self._by_key = by_key
        """Whether changes are by key only: which rows a statement changes is not known."""

    def insert(self, table: Table, **values: object) -> None:
        """Add a row."""
        keys = key_names(table)
        key = tuple([values.get(name) for name in keys])
        if None in key:
            missing = [name for name in keys if values.get(name) is None]
            raise ImpossibleChange(f"insert into {table.name} lacks the key {', '.join(missing)}")
        if not values.keys() <= names(table):
            raise _unknown("insert", table, values)
        self.asked.append(("insert", table, key, values, self.position))

    def update(self, table: Table, key: Any, **values: object) -> None:
        """Set columns of a row."""
        self._ask("update", table, key, values)

    def add(self, table: Table, key: Any, **amounts: int) -> None:
        """Add to number columns of a row."""
        self._ask("add", table, key, amounts)

    def delete(self, table: Table, key: Any) -> None:
        """Remove a row."""
        self._ask("delete", table, key, {})

    def run(self, statement: Executable) -> None:
        """Run a set-based statement, after the changes so far."""
        if self._by_key:
            raise ImpossibleChange(
                "a projection with history changes rows by key, it runs no statements; "
                "move the table that needs them into a projection of its own"
            )
        self.asked.append(("run", statement, (), {}, self.position))

    def _ask(self, verb: str, table: Table, key: Any, values: Any) -> None:
        if not isinstance(key, tuple):
            key = (key,)
        if not values.keys() <= names(table):
            raise _unknown(verb, table, values)
        keys = key_names(table)
        if any(name in values for name in keys):
            named = [name for name in values if name in keys]
            raise ImpossibleChange(f"{verb} of {table.name}: {', '.join(named)} is the key")
        if len(key) != len(keys):
            raise ImpossibleChange(f"{verb} of {table.name}: the key is {[*keys]}, not {key!r}")
        self.asked.append((verb, table, key, values, self.position))


def _unknown(verb: str, table: Table, values: Row) -> ImpossibleChange:
    unknown = ", ".join(name for name in values if name not in names(table))
    return ImpossibleChange(f"{verb} of {table.name}: no column {unknown}")


class _Rows:
    """The touched rows of one table: as they were, and as they become."""

    def __init__(self, table: Table, asked: dict[Key, list[Ask]], *, late: bool) -> None:
        self.table = table
        self.now: dict[Key, Row | None] = {}
        self.to_find: list[Key] = []
        self.answer: Answer | None = None
        self._asked = asked
        self._found: set[Key] = set()
        self._versions = versions_kept(table, late=late)

    def apply(self) -> None:
        """Apply the changes in memory, row by row."""
        for key, asked in self._asked.items():
            self.now[key] = self._applied(key, self.now.get(key), asked)

    def _applied(self, key: Key, row: Row | None, asked: list[Ask]) -> Row | None:
        made_at: int | None = None
        """Position of the fact that made the row at hand: until the next it may be altered."""
        for verb, values, position in asked:
            if row is not None and (made_at is None or (self._versions and made_at != position)):
                row = row.copy()
            row = altered(self.table, verb, key, row, values)
            made_at = position
            if self._versions is not None:
                self._versions.note(verb, key, values, row, position)
        return row

    async def take(self) -> None:
        """Take in the rows that were found."""
        if self.answer is None:
            return
        key_columns = key_names(self.table)
        for row in await self.answer():
            key = tuple([row[name] for name in key_columns])
            self.now[key] = row
            self._found.add(key)

    def known(self, key: Key, row: Row) -> None:
        """Take in a row that need not be looked up."""
        self.now[key] = row
        self._found.add(key)

    async def store(self, connection: AsyncConnection, *, alone: bool) -> None:
        """Write the rows as they are now; nobody else writes the table if we are `alone`."""
        now, found = self.now, self._found
        added = [row for key, row in now.items() if row is not None and key not in found]
        changed = [row for key, row in now.items() if row is not None and key in found]
        removed = [key for key, row in now.items() if row is None and key in found]
        try:
            if alone and len(changed) >= LEAST:
                removed += [key for key, row in now.items() if row is not None and key in found]
                changed, added = [], changed + added
            if removed:
                await remove(connection, self.table, removed)
            if changed:
                await change(connection, self.table, changed)
            if added:
                await add(connection, self.table, added)
            if self._versions is not None:
                await self._versions.store(connection, found)
        except Clash as error:
            raise ImpossibleChange(str(error)) from error


class Changing:
    """Writes what a buffer asks for, once."""

    def __init__(self, buffer: Buffer, known: Known | None = None) -> None:
        self._parts = list(_parts(buffer, known))
        self._asked: tuple[AsyncConnection, list[_Rows]] | None = None

    async def ask(self, connection: AsyncConnection) -> None:
        """Look up the rows that the first changes need, before anything is written.

        In a pipeline the answers come together with those to others who ask.
        """
        self._asked = connection, await self._parts[0].ask(connection)

    async def write(self, connection: AsyncConnection) -> int:
        """Write everything; returns how many rows were touched.

        Raises `ImpossibleChange`, or what the database raises for a value it refuses.
        """
        asked, self._asked = self._asked, None
        touched = 0
        for part in self._parts:
            known = asked is not None and part is self._parts[0] and asked[0] is connection
            tables = asked[1] if asked and known else await part.ask(connection)
            touched += await part.write(connection, tables)
        return touched


class _Part:
    """Changes up to a statement that runs after them."""

    def __init__(
        self,
        asked: Iterable[Asked],
        known: Known | None,
        late: bool,
        then: Executable | None = None,
    ) -> None:
        self._late = late
        self._asked: dict[Table, dict[Key, list[Ask]]] = {}
        for verb, table, key, values, position in asked:
            rows = self._asked.get(table)
            if rows is None:
                rows = self._asked[table] = {}
            rows.setdefault(key, []).append((verb, values, position))
        self._known = known
        self._then = then

    async def ask(self, connection: AsyncConnection) -> list[_Rows]:
        """Look up the rows that are needed."""
        tables = [_Rows(table, asked, late=self._late) for table, asked in self._asked.items()]
        for rows in tables:
            for key, asked in self._asked[rows.table].items():
                # A row that is first inserted need not be looked up: if it is there, the insert
                # says so, unless the row is deleted again and nothing is inserted.
                if asked[0][0] != "insert" or any(verb == "delete" for verb, *_ in asked):
                    if self._known and (row := self._known.of(rows.table).get(key)):
                        rows.known(key, row)
                    else:
                        rows.to_find.append(key)
            if rows.to_find:
                rows.answer = await find(connection, rows.table, rows.to_find)
        return tables

    async def write(self, connection: AsyncConnection, tables: Sequence[_Rows]) -> int:
        """Apply the changes to the rows that were found, write those, run the statement."""
        for rows in tables:
            await rows.take()
        for rows in tables:
            rows.apply()
        for rows in tables:
            await rows.store(connection, alone=self._known is not None)
            if self._known:
                self._known.keep(rows.table, rows.now)
        if self._then is not None:
            await connection.execute(self._then)
            if self._known:
                self._known.forget()
        return sum(len(rows.now) for rows in tables)


def _parts(buffer: Buffer, known: Known | None) -> Iterable[_Part]:
    asked: list[Asked] = []
    for one in buffer.asked:
        if one[0] == "run":
            yield _Part(asked, known, buffer.late, one[1])
            asked = []
        else:
            asked.append(one)
    yield _Part(asked, known, buffer.late)
