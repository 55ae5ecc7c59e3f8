"""Folds chosen rows of a projection from the facts: what the live tables should say."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import JSON, BindParameter, Column, Delete, Table
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.operators import and_, eq

from infra.aside.whereabouts import Whereabouts
from infra.discovery import Projecting
from infra.log.tail import Facts
from infra.rows.changes import Buffer
from infra.rows.rowchanges import ImpossibleChange, applied
from infra.rows.rowsets import Key, Row
from infra.rows.rowversions import Kept, versions_kept
from projections.versions import beginning_of, versions_of


class Fold:
    """Rows of one projection by key, as the facts up to a position make them.

    Each row that is folded is folded from the first fact on, so it needs no other rows, nor what
    is in the database. A statement over many rows is followed where it deletes rows by the values
    of their own columns; a table that is changed by any other one is in `unclear`.
    """

    def __init__(self, projecting: Projecting, *, past: bool = False) -> None:
        self.projecting = projecting
        self.position = 0
        self.target = 0
        """How far it may go: to where the live tables are."""
        self.rows: dict[Table, dict[Key, Row | None]] = {t: {} for t in tables_of(projecting)}
        """None stands for no row."""
        self.past: dict[Table, Kept] = {}
        """The versions of its rows, of tables with history; empty unless they are wanted."""
        if past:
            self.past = {t: kept for t in self.rows if (kept := versions_kept(t)) is not None}
        self.unclear: set[Table] = set()
        self.failure: str | None = None
        """Why it could not go on."""
        self.changed = False
        """Whether the live tables have another past now than what was folded."""
        self._place: Whereabouts | None = None

    def want(self, table: Table, keys: Iterable[Key]) -> None:
        """Fold these rows too; before the first fact."""
        self.rows[table].update(dict.fromkeys(keys))

    def know(self, place: Whereabouts) -> None:
        """Hear where the live tables are: facts that are parked are left out."""
        if self._place is not None and place.epoch != self._place.epoch:
            self.changed = True
        self._place = place
        self.target = place.position

    def take(self, facts: Facts, upto: int) -> None:
        """Take in the facts that come next, up to a position, and no further than its target."""
        for fact, at in facts:
            if not self.position < at.position <= self.target or self.failure:
                continue
            if self.lacks(at.position):
                continue
            buffer = Buffer()
            buffer.position = at.position
            try:
                self.projecting.project(fact, at, buffer)
                self._apply(buffer)
            except ImpossibleChange as error:
                self.failure = f"position {at.position}: {error}"
        self.position = max(self.position, min(upto, self.target))

    def lacks(self, position: int) -> bool:
        """Tell whether the fact there is parked: the live tables know nothing of it."""
        return self._place is not None and position in self._place.parked

    def _apply(self, buffer: Buffer) -> None:
        for verb, table, key, values, position in buffer.asked:
            if verb == "run":
                self._run(table)
            elif key in (rows := self.rows[table]):
                rows[key] = applied(table, verb, key, rows[key], values)
                if kept := self.past.get(table):
                    kept.note(verb, key, values, rows[key], position)

    def _run(self, statement: Any) -> None:
        table = getattr(statement, "table", None)
        asked = _asked(statement) if isinstance(statement, Delete) else None
        if table not in self.rows:
            self.unclear.update(self.rows)
        elif asked is None:
            self.unclear.add(table)
        else:
            for key, row in self.rows[table].items():
                if row is not None and all(row[name] == value for name, value in asked):
                    self.rows[table][key] = None


def tables_of(projecting: Projecting) -> list[Table]:
    """Return the tables that a projection changes itself, by key: none that the engine keeps."""
    engine = {
        kept for table in projecting.tables for kept in (versions_of(table), beginning_of(table))
    }
    return [table for table in projecting.tables if table not in engine]


def touched(projecting: Projecting, facts: Facts) -> Iterator[tuple[Table, Key]]:
    """Yield the rows that facts are about."""
    for fact, at in facts:
        buffer = Buffer()
        try:
            projecting.project(fact, at, buffer)
        except ImpossibleChange:
            return  # whoever folds the rows meets it again, and says so
        for verb, table, key, *_ in buffer.asked:
            if verb != "run":
                yield table, key


def plain(table: Table, row: Row | None, normal: Callable[[Any], Any]) -> Row | None:
    """Return a row as it would come back from a store; `normal` does so for a document."""
    if row is None:
        return None
    documents = {column.name for column in table.columns if isinstance(column.type, JSON)}
    return {name: normal(row[name]) if name in documents else row[name] for name in row}


def _asked(statement: Delete) -> list[tuple[str, Any]] | None:
    """Return which columns must have which values for a row to go; None for another condition."""
    where = statement.whereclause
    parts = [where]
    if isinstance(where, BooleanClauseList) and where.operator is and_:
        parts = list(where.clauses)
    asked = []
    for part in parts:
        if not isinstance(part, BinaryExpression) or part.operator is not eq:
            return None
        column, value = part.left, part.right
        if not isinstance(column, Column) or column.table is not statement.table:
            return None
        if not isinstance(value, BindParameter):
            return None
        asked.append((column.name, value.value))
    return asked
