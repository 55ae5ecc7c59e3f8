"""One context's log for threads: an event loop in the background, and a group commit for all."""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from infra.bell import Bell
from infra.database import Database
from infra.log.group import GroupCommit
from infra.log.notify import listen
from infra.log.port import Append, Outcome, Store, Unavailable
from infra.log.postgres import Pool, PostgresStore, open_pool
from infra.log.sqlite import SQLiteStore
from infra.migrations import migrate
from infra.settings import Settings

T = TypeVar("T")

MIGRATING = threading.Lock()
"""Alembic keeps its state in a module: one migration at a time in a process."""


class BlockingLog:
    """A log that any thread may use. Appends of all threads share transactions.

    The loop's thread is a daemon, and the log is closed at exit at the latest, so that a program
    that forgets to close it ends nevertheless.
    """

    store: Store
    database: Database

    def __init__(self, settings: Settings, context: str, *, create_tables: bool) -> None:
        self.context = context
        self._settings = settings
        self._create_tables = create_tables
        self._lock = threading.RLock()  # closing may happen in a finalizer, in any frame
        self._closed = False
        self._working: set[asyncio.Task[Any]] = set()
        self._following: list[asyncio.Task[None]] = []
        self._listeners: frozenset[threading.Event] = frozenset()
        self._pool: Pool | None = None
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(opened)), name=f"{context}-log", daemon=True
        )
        self._thread.start()
        opened.result()
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the log's loop and wait for it. Raises `Unavailable` when closed."""
        with self._lock:
            if self._closed:
                work.close()
                raise Unavailable(f"the {self.context} log is closed; open it again to use it")
            future = asyncio.run_coroutine_threadsafe(self._counted(work), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise Unavailable(f"the {self.context} log was closed meanwhile") from None

    async def append(self, append: Append) -> Outcome:
        """Append with whatever else waits."""
        return await self._group.submit(append).outcome()

    def listen(self, event: threading.Event) -> None:
        """Set `event` at every append from now on: here at once, elsewhere soon."""
        self.run(self._follow())
        with self._lock:
            self._listeners |= {event}
        event.set()  # it may have missed one before

    def unlisten(self, event: threading.Event) -> None:
        """Leave `event` alone."""
        with self._lock:
            self._listeners -= {event}

    def table(self, name: str) -> str:
        """Return a table's name in SQL."""
        return f"{self.context}{'_' if self.database.is_sqlite else '.'}{name}"

    def close(self) -> None:
        """Finish what was begun and release everything. Closing again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._loop.call_soon_threadsafe(self._stop.set)
        atexit.unregister(self.close)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # ── on the loop ──────────────────────────────────────────────────────────────────────────

    async def _live(self, opened: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._open()
        except BaseException as error:  # noqa: BLE001 - raised where the log is opened
            opened.set_exception(error)
            return
        opened.set_result(None)
        await self._stop.wait()
        await self._release()

    async def _open(self) -> None:
        settings = self._settings
        self.database = Database(settings.url_of(self.context), settings.database_connections)
        if self._create_tables:
            try:
                with MIGRATING:
                    await migrate(self.database, self.context)
            except BaseException:
                await self.database.close()
                raise
        if self.database.is_sqlite:
            self.store = SQLiteStore(self.database, self.context)
        else:
            self._pool = await open_pool(self.database, settings.database_connections)
            self.store = PostgresStore(self._pool, self.context)
        self._group = GroupCommit(
            self.store,
            batch=settings.append_batch,
            queue=settings.append_queue,
            observe=lambda _size, _seconds: self._ring(),
        )

    async def _release(self) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, *self._working, return_exceptions=True)
        await self._group.close()
        await self.store.close()
        if self._pool is not None:
            await self._pool.close()
        await self.database.close()

    async def _counted(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine on a loop is in a task
        self._working.add(task)
        try:
            return await work
        finally:
            self._working.discard(task)

    async def _follow(self) -> None:
        if not self._following:
            self._following.append(asyncio.create_task(self._poll()))
            if not self.database.is_sqlite:
                bells = {self.context: _Relay(self)}
                self._following.append(asyncio.create_task(listen(self.database, bells)))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reader_poll_ms / 1000)
            self._ring()

    def _ring(self) -> None:
        for event in self._listeners:
            event.set()


class _Relay(Bell):
    """Passes PostgreSQL's notifications on to the threads that listen."""

    def __init__(self, log: BlockingLog) -> None:
        super().__init__()
        self._log = log

    def ring(self) -> None:
        self._log._ring()
