"""The caches of a process: one for each projection that has a query whose answers are kept."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Column, Select, Table
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList
from sqlalchemy.sql.operators import and_, eq

from infra.asof import tables_of
from infra.caching.cache import Cache, Observe
from infra.caching.looking import Look, PostgresLook, SQLiteLook
from infra.caching.memory import Memory
from infra.caching.stamps import Stamps
from infra.caching.window import Window
from infra.database import Database
from infra.discovery import Misbuilt, Projecting
from infra.log.tail import Tail
from infra.redis import Link
from infra.settings import Settings
from projections import Kept, kept_by

_SOME = UUID(int=0)


class Caches:
    """Finds the cache of a query."""

    def __init__(self, by_projection: Mapping[str, Cache], memory: Memory) -> None:
        self._by_projection = by_projection
        self._memory = memory

    def of(self, query: Select[Any]) -> tuple[Cache, Kept] | None:
        """Return what keeps the answers of a query, and under what; None when nothing does."""
        kept = kept_by(query)
        cache = kept and self._by_projection.get(kept.projection)
        return (cache, kept) if kept and cache else None

    def forget(self) -> None:
        """Forget what this process has in memory."""
        self._memory.clear()

    async def close(self) -> None:
        """Release what is held."""
        for cache in self._by_projection.values():
            await cache.close()


def caches_of(
    projections: Iterable[Projecting],
    stamps: Mapping[str, Stamps],
    databases: Mapping[str, Database],
    pools: Mapping[Database, AsyncConnectionPool[Any]],
    tails: Mapping[str, Tail],
    settings: Settings,
    link: Link | None,
    observe: Observe,
) -> Caches:
    """Return the caches of those projections that have stamps."""
    memory = Memory(settings.cache_bytes)
    made: dict[str, Cache] = {}
    for projecting in projections:
        if projecting.name in stamps and settings.cache_bytes:
            own, database = stamps[projecting.name], databases[projecting.context]
            look: Look = (
                SQLiteLook(own, database)
                if database.is_sqlite
                else PostgresLook(own, pools[database])
            )
            made[projecting.name] = Cache(
                own,
                look,
                Window(projecting),
                tails[projecting.context],
                memory,
                link,
                settings.redis_prefix,
                observe,
            )
    return Caches(made, memory)


def require_by_key(projecting: Projecting) -> None:
    """Raise `Misbuilt` for a cached query that reads other rows than those of its key."""
    for answer in projecting.cached:
        query = answer(_SOME)
        name = f"projections.{projecting.name}.{answer.__name__}"
        if not isinstance(query, Select) or not (tables := tables_of(query)):
            raise Misbuilt(f"{name} is cached, and must answer with a select of one row")
        if foreign := [table.name for table in tables if table not in projecting.tables]:
            raise Misbuilt(
                f"{name} is cached, and must not read {', '.join(foreign)}: what changes rows of "
                "other projections is not noticed"
            )
        if len(tables) > 1 or not _is_by_key(query, *tables):
            raise Misbuilt(
                f"{name} is cached, and must ask for rows of one table whose first column of the "
                "key is its parameter"
            )


def _is_by_key(query: Select[Any], table: Table) -> bool:
    where = query.whereclause
    parts = [where]
    if isinstance(where, BooleanClauseList) and where.operator is and_:
        parts = list(where.clauses)
    first = next(iter(table.primary_key.columns))
    return any(
        isinstance(part, BinaryExpression)
        and part.operator is eq
        and isinstance(part.left, Column)
        and part.left is first
        and isinstance(part.right, BindParameter)
        and part.right.value == _SOME
        for part in parts
    )
