"""The reference for HTTP: a bare FastAPI app whose one route does one INSERT, and no more.

A process of its own, on the server, the loop and the settings of `aorist serve`. Its table has
the columns, constraints and indexes of `banking.events`.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uvicorn
import uvloop
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from infra.clock import SystemIds
from tests.bench.reference import FACT_BYTES, TOPIC

URL_VARIABLE, POOL_VARIABLE = "BENCH_DATABASE_URL", "BENCH_POOL"
INSERT = """
INSERT INTO reference.events (position, stream, version, topic, data, time, actor, command_id,
 correlation_id) VALUES (nextval('reference.position'), %s, 1, %s, %s, %s, %s, %s, %s)
 RETURNING position
"""

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]
ids = SystemIds()


class Deposit(BaseModel):
    """The body."""

    deposit_id: UUID
    amount: int
    currency: str


class Inserted(BaseModel):
    """The answer."""

    id: UUID
    version: int
    position: int


def make_app(pool: Pool) -> FastAPI:
    """Return the app; the pool is open while it serves."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/v1/accounts/{account_id}/deposits")
    async def deposit(account_id: UUID, body: Deposit) -> Inserted:
        stream = ids.new()
        fact = json.dumps({"id": str(body.deposit_id), "amount": body.amount})
        padded = fact[:-1].ljust(FACT_BYTES - 1) + "}"
        now = datetime.now(UTC)
        async with pool.connection() as connection:
            found = await connection.execute(
                INSERT,
                (stream, TOPIC, padded, now, str(account_id), stream, body.deposit_id),
                prepare=True,
            )
            row = await found.fetchone()
        return Inserted(id=account_id, version=1, position=row[0] if row else 0)

    return app


async def _serve() -> None:
    size = int(os.environ[POOL_VARIABLE])
    pool: Pool = AsyncConnectionPool(
        os.environ[URL_VARIABLE],
        min_size=size,
        max_size=size,
        kwargs={"autocommit": True},
        open=False,
    )
    server = uvicorn.Server(
        uvicorn.Config(make_app(pool), host="127.0.0.1", port=0, log_config=None, access_log=False)
    )
    serving = server.startup

    async def startup(sockets: Any = None) -> None:
        await serving(sockets)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}/docs", flush=True)

    server.startup = startup  # type: ignore[method-assign]
    await server.serve()


if __name__ == "__main__":
    uvloop.run(_serve())
