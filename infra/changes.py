"""Row changes of a projection: merged in memory, written with few statements."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.rowsets import Answer, Clash, Key, Row, add, change, find, key_names, names, remove
from infra.rowversions import versions_kept

Asked = tuple[str, Any, Key, Row, int]
"""Verb, table (or the statement to run), key, values, and the position of the fact."""


class ImpossibleChange(Exception):
    """A projection asked for a change that its rows do not allow; it has a fault."""


class Buffer:
    """The `Changes` a projection writes to: it only remembers what was asked for."""

    def __init__(self, *, by_key: bool = False) -> None:
        self.asked: list[Asked] = []
        self.position = 0
        """Of the fact that is being projected."""
        self._by_key = by_key
        """Whether changes are by key only: which rows a statement changes is not known."""

    def insert(self, table: Table, **values: object) -> None:
        """Add a row."""
        missing = [name for name in key_names(table) if values.get(name) is None]
        if missing:
            raise ImpossibleChange(f"insert into {table.name} lacks the key {', '.join(missing)}")
        self._ask("insert", table, tuple(values[name] for name in key_names(table)), values)

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
        if self._by_key:
            raise ImpossibleChange(
                "a projection with history changes rows by key, it runs no statements; "
                "move the table that needs them into a projection of its own"
            )
        self.asked.append(("run", statement, (), {}, self.position))

    def _ask(self, verb: str, table: Table, key: Key, values: Any) -> None:
        if not values.keys() <= names(table):
            unknown = ", ".join(name for name in values if name not in names(table))
            raise ImpossibleChange(f"{verb} of {table.name}: no column {unknown}")
        if verb != "insert" and not values.keys().isdisjoint(key_names(table)):
            named = [name for name in values if name in key_names(table)]
            raise ImpossibleChange(f"{verb} of {table.name}: {', '.join(named)} is the key")
        if len(key) != len(key_names(table)):
            raise ImpossibleChange(
                f"{verb} of {table.name}: the key is {[*key_names(table)]}, not {key!r}"
            )
        self.asked.append((verb, table, key, values, self.position))


class Known:
    """Rows that were written and that nobody else changes, so that they need no looking up.

    For the one writer of a shadow; `forget` them whenever their transaction is not committed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """Rows kept for each table; those touched last."""
        self._rows: dict[Table, dict[Key, Row]] = {}

    def of(self, table: Table) -> dict[Key, Row]:
        """Return the rows of a table; from now on they are kept."""
        return self._rows.setdefault(table, {})

    def keep(self, table: Table, now: dict[Key, Row | None]) -> None:
        """Take in rows as they are now. Those that are only ever inserted are of no use."""
        rows = self._rows.get(table)
        if rows is None:
            return
        for key, row in now.items():
            rows.pop(key, None)
            if row is not None:
                rows[key] = row
        for key in list(islice(rows, max(0, len(rows) - self._limit))):
            del rows[key]

    def forget(self) -> None:
        """Know nothing any more."""
        for rows in self._rows.values():
            rows.clear()


class _Rows:
    """The touched rows of one table: as they were, and as they become."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.now: dict[Key, Row | None] = {}
        self.to_find: dict[Key, None] = {}
        self.answer: Answer | None = None
        self._found: set[Key] = set()
        self._versions = versions_kept(table)

    def apply(self, verb: str, key: Key, values: Row, position: int) -> None:
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
        if self._versions is not None:
            self._versions.note(verb, key, self.now[key], position)

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

    async def store(self, connection: AsyncConnection) -> None:
        """Write the rows as they are now."""
        now, found = self.now, self._found
        added = [row for key, row in now.items() if row is not None and key not in found]
        changed = [row for key, row in now.items() if row is not None and key in found]
        removed = [key for key, row in now.items() if row is None and key in found]
        try:
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

    def _sums(self, key: Key, row: Any, amounts: Row) -> Row:
        try:
            return {name: row[name] + amount for name, amount in amounts.items()}
        except TypeError as error:
            named = ", ".join(amounts)
            raise ImpossibleChange(
                f"add to {self.table.name}: {named} of row {_shown(key)} holds no number"
            ) from error


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


async def write(connection: AsyncConnection, buffer: Buffer) -> int:
    """Write everything asked for; see `Changing.write`."""
    return await Changing(buffer).write(connection)


class _Part:
    """Changes up to a statement that runs after them."""

    def __init__(
        self, asked: Sequence[Asked], known: Known | None, then: Executable | None = None
    ) -> None:
        self._asked = asked
        self._known = known
        self._then = then

    async def ask(self, connection: AsyncConnection) -> list[_Rows]:
        """Look up the rows that are needed."""
        tables: dict[Table, _Rows] = {}
        seen: set[tuple[Table, Key]] = set()
        for verb, table, key, _, _ in self._asked:
            rows = tables.setdefault(table, _Rows(table))
            # A row that is first inserted need not be looked up: if it is there, the insert says
            # so, unless the row is deleted again and nothing is inserted.
            if verb == "delete" or (verb != "insert" and (table, key) not in seen):
                if self._known and (row := self._known.of(table).get(key)):
                    rows.known(key, row)
                else:
                    rows.to_find[key] = None
            seen.add((table, key))
        for rows in tables.values():
            if rows.to_find:
                rows.answer = await find(connection, rows.table, list(rows.to_find))
        return list(tables.values())

    async def write(self, connection: AsyncConnection, tables: Sequence[_Rows]) -> int:
        """Apply the changes to the rows that were found, write those, run the statement."""
        for rows in tables:
            await rows.take()
        by_table = {rows.table: rows for rows in tables}
        for verb, table, key, values, position in self._asked:
            by_table[table].apply(verb, key, values, position)
        for rows in tables:
            await rows.store(connection)
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
            yield _Part(asked, known, one[1])
            asked = []
        else:
            asked.append(one)
    yield _Part(asked, known)


@cache
def _defaults(table: Table) -> Row:
    return {
        column.name: column.default.arg if column.default is not None else None  # type: ignore[attr-defined]
        for column in table.columns
    }


def _as_key(key: Any) -> Key:
    return key if isinstance(key, tuple) else (key,)


def _shown(key: Key) -> str:
    return ", ".join(str(part) for part in key)
