"""The way that appends take to PostgreSQL: a connection of their own, and one prepared statement.

It speaks libpq's pipeline mode itself: a driver's cursor does much for each call that is the same
every time. What that costs is in `docs/decisions/0014-how-appends-go.md`. Following what other
processes append takes such a way too: it asks a hundred times a second.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg_pool import AsyncConnectionPool

STATEMENT = b"aorist_lane"
PLANNING = """
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off
"""
"""What is looked up are a few rows by an index, in its order, whatever the values and however small
the tables are when a statement is planned. To plan it for each call would cost as much as to do it.
"""
FAILED = ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED

Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


class _Call:
    """A call on its way, and what has come back of it."""

    __slots__ = ("answer", "result")

    def __init__(self) -> None:
        self.answer: asyncio.Future[PGresult] = asyncio.get_running_loop().create_future()
        self.result: PGresult | None = None


class Lane:
    """Calls one statement, in the order of the calls, each call in a transaction of its own.

    A call need not wait for the answer to the one before: PostgreSQL has it when it is done with
    that. An error in one does not stop the others. `query` has `%b` for each parameter.
    """

    def __init__(self, pool: Pool, query: str) -> None:
        """Use a pool of one connection, which is not open yet and belongs to the lane."""
        self._pool = pool
        first, *others = query.split("%b")
        numbered = "".join([f"${number}{part}" for number, part in enumerate(others, 1)])
        self._query = f"{first}{numbered}".encode()
        self._formats = [Format.BINARY] * len(others)
        self._connection: Connection | None = None
        self._ready = False
        """Whether there is a connection, and it knows the statement."""
        self._lent: Connection | None = None
        """What the pool is to have back; it may be closed by now."""
        self._socket = -1
        """The connection's own, under a number that stays ours: libpq closes its on a loss."""
        self._opening = asyncio.Lock()
        self._calls: deque[_Call] = deque()
        """Sent, and not answered; in order."""

    async def call(self, parameters: Sequence[bytes | None]) -> PGresult:
        """Return the rows, in binary. Raises psycopg's errors; that an answer is lost is one."""
        if not self._ready:
            await self._open()
        return await self._sent(
            lambda libpq: libpq.send_query_prepared(
                STATEMENT, parameters, self._formats, Format.BINARY
            )
        )

    async def _sent(self, send: Callable[[PGconn], None]) -> PGresult:
        """Send something, and wait for its answer."""
        if self._connection is None:
            raise psycopg.OperationalError("the connection was lost just now")
        call = _Call()
        self._calls.append(call)

        def work(libpq: PGconn) -> None:
            send(libpq)
            libpq.pipeline_sync()

        self._go_on(work)
        return await call.answer

    async def close(self) -> None:
        """Give the connection back. What is on its way stays unanswered."""
        async with self._opening:
            if self._connection is not None and not self._calls:
                self._connection.pgconn.exit_pipeline_mode()
                self._connection.pgconn.nonblocking = 0
                self._leave()
            self._drop(psycopg.OperationalError("the log was closed"))
            await self._give_back()
            await self._pool.close()

    def drop(self) -> None:
        """Take another connection for the next call: a new one may find another server."""
        self._drop(psycopg.OperationalError("the connection was given up"))

    async def _open(self) -> None:
        """Take a connection, and tell it the statement."""
        async with self._opening:
            if self._ready:
                return
            await self._give_back()
            if self._pool.closed:
                await self._pool.open()
            self._lent = await self._pool.getconn()
            await self._lent.execute(PLANNING)
            libpq = self._lent.pgconn
            libpq.enter_pipeline_mode()
            libpq.nonblocking = 1
            self._socket = os.dup(libpq.socket)
            self._connection = self._lent  # from here on it is left by `_leave`
            try:
                asyncio.get_running_loop().add_reader(self._socket, self._readable)
                await self._sent(lambda libpq: libpq.send_prepare(STATEMENT, self._query))
            except BaseException:
                self.drop()
                raise
            self._ready = True

    async def _give_back(self) -> None:
        if self._lent is None:
            return
        lent, self._lent = self._lent, None
        await self._pool.putconn(lent)

    def _readable(self) -> None:
        self._go_on(lambda libpq: libpq.consume_input())

    def _go_on(self, work: Callable[[PGconn], None]) -> None:
        """Do something with the connection, send what waits, and tell who has an answer by now."""
        if self._connection is None:
            return
        libpq = self._connection.pgconn
        try:
            work(libpq)
            self._flush(libpq)
            # After each sending too: libpq reads when the server takes no more, and then nobody
            # hears of the socket what has come.
            while self._calls and not libpq.is_busy():
                self._take(libpq.get_result())
        except psycopg.Error as error:
            self._drop(error)

    def _take(self, result: PGresult | None) -> None:
        if result is None:  # between a statement's results and the mark behind it
            return
        call = self._calls[0]
        if result.status != ExecStatus.PIPELINE_SYNC:
            call.result = result
            return
        self._calls.popleft()
        if call.answer.done():
            return  # whoever asked has gone away
        if call.result is None:
            call.answer.set_exception(psycopg.InterfaceError("PostgreSQL gave no result"))
        elif call.result.status in FAILED:
            call.answer.set_exception(errors.error_from_result(call.result))
        else:
            call.answer.set_result(call.result)

    def _flush(self, libpq: PGconn) -> None:
        """Send what the socket takes; the rest when it takes more."""
        loop = asyncio.get_running_loop()
        if libpq.flush():
            loop.add_writer(self._socket, self._writable)
        else:
            loop.remove_writer(self._socket)

    def _writable(self) -> None:
        self._go_on(lambda libpq: None)

    def _drop(self, error: psycopg.Error) -> None:
        """Let the connection go; nobody knows what became of the calls on their way."""
        if self._connection is not None:
            libpq = self._connection.pgconn
            self._leave()
            libpq.finish()
        calls, self._calls = self._calls, deque()
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(error)

    def _leave(self) -> None:
        """Listen to the connection no more."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        os.close(self._socket)
        self._connection, self._ready = None, False
