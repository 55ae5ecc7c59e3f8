"""One database: its engines, its write turn, and how a context's tables are named in it."""

import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from sqlalchemy import URL, event, make_url
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from infra.log.port import Rejected, Unavailable
from infra.secrecy import shown_url
from infra.writeturn import WriteTurn

SQLITE_BUSY_S = 30.0
"""How long a process waits for another one's write to a SQLite file."""
POOL_WAIT_S = 5.0
"""How long a query waits for a free connection."""
PAUSED = "-c idle_in_transaction_session_timeout=20s"
"""How long PostgreSQL waits for a process in the middle of a transaction: one that is paused holds
its locks no longer, and what it did is undone."""
SILENCE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How long a PostgreSQL may be silent: asked after 10 s, lost after 25. Else it is two hours."""
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an acknowledged command survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",  # KiB
    # Pages of the WAL, 16 MiB, before it is put into the file: a page that many commands change
    # (an index over ids in no order) is put there once for all of them.
    "PRAGMA wal_autocheckpoint=4000",
)
DIGEST = "aorist_digest"
"""The SQL function that SQLite lacks: the digest of any number of values."""
READ_ONLY = "-c default_transaction_read_only=on"
SCHEMA_MARK = "\N{CURRENCY SIGN}"


class PrefixedNames(SQLiteIdentifierPreparer):
    """SQLite has no schemas: `banking.accounts` becomes `banking_accounts`.

    SQLAlchemy writes schema, dot and table in several places. So a schema is rendered with a
    mark behind it, and the mark and the dot become an underscore when a statement is sent.
    """

    def quote_schema(self, schema: str) -> str:
        """Return the schema with the mark."""
        return schema + SCHEMA_MARK

    def format_table(self, table: Any, use_schema: bool = True, name: str | None = None) -> str:
        """Return the table with its schema even where SQLite wants none (`CREATE INDEX … ON`)."""
        return super().format_table(table, True, name)


class Database:
    """A PostgreSQL database or a SQLite file; several contexts may share one."""

    def __init__(self, url: str, connections: int, *, read_only: bool = False) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.url = parsed
        self.read_only = read_only
        """Whether the database itself refuses to change anything for these connections."""
        self.turn = WriteTurn()
        """SQLite has one writer at a time; within this process they queue here, in order."""
        if self.is_sqlite:
            self.path = Path(parsed.database or "")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if read_only:
                parsed = parsed.set(database=self._named, query={"mode": "ro", "uri": "true"})
            self.writer = _sqlite(parsed, "BEGIN IMMEDIATE", 1)
            self.reader = _sqlite(parsed, "BEGIN", connections)
        else:
            self.writer = self.reader = create_async_engine(
                self._server.set(drivername="postgresql+psycopg_async"),
                pool_size=connections,
                max_overflow=0,
                pool_timeout=POOL_WAIT_S,
                pool_pre_ping=True,
                hide_parameters=True,
            )

    def connect(self) -> sqlite3.Connection:
        """Open a connection to the SQLite file without SQLAlchemy: for the log, any thread's."""
        connection = sqlite3.connect(
            f"{self._named}?mode=ro" if self.read_only else self.path,
            uri=self.read_only,
            timeout=SQLITE_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)
        return connection

    @property
    def _named(self) -> str:
        """The SQLite file as a URI."""
        return f"file:{quote(str(self.path.absolute()))}"

    @property
    def conninfo(self) -> str:
        """The libpq connection string, for psycopg itself."""
        server = self.url.set(drivername="postgresql", query={})
        # SQLAlchemy writes a space as a plus, which libpq takes for a plus.
        options = urlencode(self._server.query, doseq=True, quote_via=quote)
        return f"{server.render_as_string(hide_password=False)}?{options}"

    @property
    def _server(self) -> URL:
        """The URL with what holds for every connection, unless it says otherwise itself."""
        given: dict[str, Any] = {name: str(value) for name, value in SILENCE.items()}
        given.update({"options": PAUSED, **self.url.query})
        if self.read_only:
            given["options"] = f"{given['options']} {READ_ONLY}"
        return self.url.set(query=given)

    def __str__(self) -> str:
        """Return the URL without its password."""
        return shown_url(self.url)

    @asynccontextmanager
    async def write(
        self, schema: dict[str, str] | None = None, *, of_one_state: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; `schema` translates schema names (a shadow's).

        What it reads is of one state of the database if it is asked for; in SQLite it always is.
        """
        if self.is_sqlite:
            async with self.turn.alone(), self._told(), self.writer.begin() as connection:
                yield await _translated(connection, schema)
        else:
            async with self._told(), self.writer.connect() as connection:
                if of_one_state:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():
                    yield await _translated(connection, schema)

    @asynccontextmanager
    async def pipelined(self) -> AsyncIterator[AsyncConnection]:
        """Open a PostgreSQL transaction that does not wait for the answer to each statement.

        An error comes up later than at its statement, at the end at the latest. What SQLAlchemy
        executes in it must return no rows.
        """
        async with self._told(), self.writer.connect() as connection:
            # The driver would wait for its own BEGIN and COMMIT.
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            driver = driver_of(connection)
            async with driver.pipeline():
                await driver.execute("BEGIN")
                yield connection
                await driver.execute("COMMIT")

    @asynccontextmanager
    async def read(self, schema: dict[str, str] | None = None) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that reads one state of the database."""
        async with self._told(), self.reader.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield await _translated(connection, schema)

    async def leave_processors(self, connection: AsyncConnection) -> None:
        """Let PostgreSQL use one process for what this transaction asks, and no helpers to it.

        With two processors a single comparison of large tables would take both.
        """
        if not self.is_sqlite:
            for kind in ("workers_per_gather", "maintenance_workers"):
                await connection.exec_driver_sql(f"SET LOCAL max_parallel_{kind} = 0")

    async def lock_structure(self, connection: AsyncConnection) -> None:
        """Let one process at a time make tables; SQLite has one writer anyway."""
        if not self.is_sqlite:
            lock = "SELECT pg_advisory_xact_lock(hashtext('aorist-structure'))"
            await connection.exec_driver_sql(lock)

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Raise what a driver raises as the log's own errors: `Unavailable`, `Rejected`."""
        try:
            yield
        except (OperationalError, InterfaceError, TimeoutError) as error:
            raise Unavailable(f"{self} does not answer: {first_line(error)}") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(f"{self} does not answer: {first_line(error)}") from error
        except (DataError, psycopg.DataError, OverflowError, UnicodeError) as error:
            raise Rejected(f"the store refused a value: {first_line(error)}") from error

    def connections(self) -> dict[str, int]:
        """Return how many connections are in use and idle."""
        pools: list[Any] = list(
            {id(e): e.sync_engine.pool for e in (self.writer, self.reader)}.values()
        )
        return {
            "active": sum(pool.checkedout() for pool in pools),
            "idle": sum(pool.checkedin() for pool in pools),
        }

    async def close(self) -> None:
        """Close all connections."""
        await self.writer.dispose()
        await self.reader.dispose()


def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """Return PostgreSQL's own connection below SQLAlchemy's, in the same transaction."""
    assert connection.sync_connection is not None  # noqa: S101 - it is open
    driver: Any = connection.sync_connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def first_line(error: Exception) -> str:
    """Return what went wrong, without the values of rows that databases put below it."""
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return reason or type(error).__name__


async def _translated(
    connection: AsyncConnection, schema: dict[str, str] | None
) -> AsyncConnection:
    if schema is None:
        return connection
    return await connection.execution_options(schema_translate_map=schema)


def _digest(*values: object) -> str:
    return hashlib.md5(repr(values).encode(), usedforsecurity=False).hexdigest()


def _sqlite(url: URL, begin: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        connect_args={"timeout": SQLITE_BUSY_S},
        hide_parameters=True,  # an error's text may be logged, and values may be personal
    )
    sync = engine.sync_engine
    sync.dialect.preparer = PrefixedNames
    sync.dialect.identifier_preparer = PrefixedNames(sync.dialect)

    @event.listens_for(sync, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed
        connection.create_function(DIGEST, -1, _digest, deterministic=True)
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(sync, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    @event.listens_for(sync, "before_cursor_execute", retval=True)
    def _prefix(
        _conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        # A translated schema is quoted twice, so it carries two marks.
        return re.sub(SCHEMA_MARK + r"+\.", "_", statement), parameters

    return engine
