"""Looks up stamps: by the shortest way to the store, and once for all who ask meanwhile."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from psycopg_pool import AsyncConnectionPool

from infra.caching.stamps import Stamp, Stamps
from infra.database import Database, first_line
from infra.log.port import Unavailable
from infra.log.postgres_errors import AWAY

T = TypeVar("T")


class Look(Protocol):
    """Reads the stamp of a projection as it is now."""

    async def __call__(self, before: int) -> Stamp | None:
        """Return it, with the mark of the fact at `before`. Raises `Unavailable`."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class PostgresLook:
    """By a connection of the log's pool: one way there and back."""

    def __init__(self, stamps: Stamps, pool: AsyncConnectionPool[Any]) -> None:
        self._stamps = stamps
        self._pool = pool

    async def __call__(self, before: int) -> Stamp | None:
        """Ask PostgreSQL."""
        query, values = self._stamps.query, self._stamps.values(before)
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query.encode(), values, prepare=True, binary=True)
                return self._stamps.stamp(await cursor.fetchone())
        except AWAY as error:
            raise Unavailable(f"PostgreSQL does not answer: {first_line(error)}") from error

    async def close(self) -> None:
        """The pool belongs to whoever made it."""


class SQLiteLook:
    """By a connection of its own, in a thread of its own."""

    def __init__(self, stamps: Stamps, database: Database) -> None:
        self._stamps = stamps
        self._database = database
        self._thread = ThreadPoolExecutor(1, "cache-stamps")
        self._connection: sqlite3.Connection | None = None

    async def __call__(self, before: int) -> Stamp | None:
        """Ask the file."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._found, before
            )
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self._database} does not answer: {first_line(error)}") from error
        return self._stamps.stamp(found)

    def _found(self, before: int) -> Any:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection.execute(self._stamps.query, self._stamps.values(before)).fetchone()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()


class Latest(Generic[T]):
    """Answers a question for all who ask it, each time as of after they asked.

    Whoever asks while an answer is on its way may not have that one: it may be older than the
    question. They wait together for the next.
    """

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._next: asyncio.Future[T] | None = None
        self._task: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """Return the answer as of now. Raises what looking for it raises."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="cache-latest")
        return await asyncio.shield(self._next)

    async def close(self) -> None:
        """Break off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while (asked := self._next) is not None:
            self._next = None
            try:
                asked.set_result(await self._look())
            except asyncio.CancelledError:
                asked.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - it is raised where it was asked
                asked.set_exception(error)
                asked.exception()  # whoever asked may have gone away
