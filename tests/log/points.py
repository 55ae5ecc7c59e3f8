"""The points of an append at which a writer's process dies, seen from outside the store."""

import os
import signal
import sqlite3
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from infra.log.port import Append, Outcome, Store
from infra.log.sqlite import SQLiteStore
from infra.system import System

BEFORE_CALL = "before the call"
IN_CALL = "in the call, before it has the head row"
WHILE_WRITING = "in the call, while it writes"
AFTER_COMMIT = "after the commit, before the answer"
BEFORE_BEGIN = "before BEGIN"
BEFORE_COMMIT = "in the transaction, before COMMIT"
ANY_MOMENT = "at any moment"

HELD_UP = {
    IN_CALL: "SELECT FROM probe.head FOR UPDATE",
    WHILE_WRITING: "LOCK TABLE probe.receipts IN SHARE MODE",
}
"""What another connection does to stop an append there: the process says so and goes on when told.

The function writes the facts before the receipts, so at the second one it is half done.
"""
POSTGRES = (BEFORE_CALL, IN_CALL, WHILE_WRITING, AFTER_COMMIT, ANY_MOMENT)
SQLITE = (BEFORE_BEGIN, BEFORE_COMMIT, AFTER_COMMIT, ANY_MOMENT)
POINTS = {"postgres": POSTGRES, "sqlite": SQLITE}


class Point(NamedTuple):
    """A place, and at which append the process dies there: 1, 2, 3 …"""

    place: str
    append: int


def prepare(system: System, point: Point, link: Connection) -> None:
    """Let this process die at `point`, or stop there and say so until it is told to go on."""
    group = system.logs["probe"].group
    store = group._store
    if isinstance(store, SQLiteStore):
        connection = store._database.connect()
        store._writer = DyingConnection(connection, point)  # type: ignore[assignment]
    else:
        group._store = DyingStore(store, point, link)


def die() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore:
    """A store whose process dies before or after an append, or waits there for the other side."""

    def __init__(self, store: Store, point: Point, link: Connection) -> None:
        self.context = store.context
        self._store = store
        self._point = point
        self._link = link
        self._left = point.append

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        self._left -= 1
        place = self._point.place if self._left == 0 else None
        if place == BEFORE_CALL:
            die()
        if place in HELD_UP:
            self._link.send(self._point)
            self._link.recv()
        outcomes = await self._store.append(batch)
        # Of a batch that was stale nothing was written: the point is not reached yet.
        if place == AFTER_COMMIT and None in outcomes:
            self._left += 1
        elif place == AFTER_COMMIT:
            die()
        return outcomes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class DyingConnection:
    """The connection of a SQLite store whose process dies beside BEGIN or COMMIT."""

    def __init__(self, connection: sqlite3.Connection, point: Point) -> None:
        self._connection = connection
        self._place = point.place
        self._left = point.append

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.startswith("BEGIN") and self._place == BEFORE_BEGIN:
            self._left -= 1
            if self._left == 0:
                die()
        if statement == "COMMIT" and self._place in (BEFORE_COMMIT, AFTER_COMMIT):
            self._left -= 1
            if self._left == 0 and self._place == BEFORE_COMMIT:
                die()
        cursor = self._connection.execute(statement, *values)
        if statement == "COMMIT" and self._left == 0 and self._place == AFTER_COMMIT:
            die()
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
