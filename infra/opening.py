"""Opens the stores of contexts: databases, pools of connections, logs; several may share one."""

from psycopg_pool import AsyncConnectionPool

from infra.database import Database
from infra.log.port import Store
from infra.log.postgres import PostgresStore, open_pool
from infra.log.sqlite import SQLiteStore
from infra.reach import StoreAway


class Opening:
    """What has been opened so far."""

    def __init__(self, connections: int) -> None:
        self.pools: dict[Database, AsyncConnectionPool] = {}
        """Of the logs in PostgreSQL."""
        self._connections = connections
        """Per database, and as many again for its logs."""
        self._by_url: dict[str, Database] = {}

    def database(self, url: str) -> Database:
        """Return the database at a URL. Raises `StoreAway`."""
        if url not in self._by_url:
            try:
                self._by_url[url] = Database(url, self._connections)
            except OSError as error:
                raise StoreAway(f"cannot make the folder of {url}: {error.strerror}") from error
        return self._by_url[url]

    async def store(self, context: str, database: Database) -> Store:
        """Return a context's log in a database."""
        if database.is_sqlite:
            return SQLiteStore(database, context)
        if database not in self.pools:
            self.pools[database] = await open_pool(database, self._connections)
        return PostgresStore(self.pools[database], context)

    async def close(self) -> None:
        """Release everything."""
        for pool in self.pools.values():
            await pool.close()
        for database in self._by_url.values():
            await database.close()
