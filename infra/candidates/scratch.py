"""What came of running some code over the logs: a SQLite file that is thrown away afterwards."""

import json
import sqlite3
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import JSON, Table

from infra.candidates.redecide import Decision

COMMIT_EVERY = 5_000
"""Rows in one transaction."""
TABLES = (
    "CREATE TABLE steps (saga, context, position INTEGER, number INTEGER, kind, name, process,"
    " data, PRIMARY KEY (context, position, saga, number)) WITHOUT ROWID",
    "CREATE TABLE states (context, stream, kind, version INTEGER, data,"
    " PRIMARY KEY (context, stream)) WITHOUT ROWID",
    "CREATE TABLE decisions (context, position INTEGER, command, data,"
    " PRIMARY KEY (context, position)) WITHOUT ROWID",
    "CREATE TABLE faults (what, position INTEGER, error)",
    "CREATE TABLE shapes (projection, name PRIMARY KEY, shape)",
)


class Step(NamedTuple):
    """What a saga does about a fact: a command, a deadline, the end of one, or a fault."""

    saga: str
    context: str
    position: int
    number: int
    kind: str
    name: str
    process: UUID
    data: str
    """Its values as JSON."""


class Folding(NamedTuple):
    """What a stream's facts fold to."""

    context: str
    stream: UUID
    kind: str
    version: int
    data: str
    """The state's fields as JSON."""


class Shaped(msgspec.Struct):
    """A table: how it is called in SQLite, its columns, and which of them are special."""

    name: str
    label: str
    columns: list[str]
    keys: list[str]
    documents: list[str]

    @classmethod
    def of(cls, table: Table) -> "Shaped":
        """Return the shape of a table."""
        return cls(
            name=f"{table.schema}_{table.name}",
            label=f"{table.schema}.{table.name}",
            columns=[str(column.name) for column in table.columns],
            keys=[str(column.name) for column in table.primary_key.columns],
            documents=[str(c.name) for c in table.columns if isinstance(c.type, JSON)],
        )


class Scratch:
    """Writes down what comes of a run."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "found.db")
        self._connection.execute("PRAGMA synchronous=OFF")
        for statement in TABLES:
            self._connection.execute(statement)
        self._written = 0

    def step(self, step: Step) -> None:
        """Keep a step."""
        values = (*step[:6], str(step.process), step.data)
        self._write("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def state(self, state: Folding) -> None:
        """Keep a state, in the place of an earlier one of its stream."""
        values = (state.context, str(state.stream), *state[2:])
        self._write("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?)", values)

    def decision(self, decision: Decision) -> None:
        """Keep what a command decides."""
        self._write("INSERT INTO decisions VALUES (?, ?, ?, ?)", tuple(decision))

    def fault(self, what: str, position: int, error: str) -> None:
        """Keep what something failed with."""
        self._write("INSERT INTO faults VALUES (?, ?, ?)", (what, position, error))

    def shaped(self, projection: str, tables: list[Shaped]) -> None:
        """Keep which tables a projection has."""
        for table in tables:
            shape = json.dumps(msgspec.to_builtins(table))
            self._write("INSERT INTO shapes VALUES (?, ?, ?)", (projection, table.name, shape))

    def close(self) -> None:
        """Finish."""
        self._connection.commit()
        self._connection.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._connection.execute(statement, values)
        self._written += 1
        if self._written % COMMIT_EVERY == 0:
            self._connection.commit()
