"""Hears PostgreSQL's notifications and rings the bell. They only wake: polling finds all facts."""

import asyncio

import psycopg
import structlog

from infra.bell import Bell
from infra.database import Database

RECONNECT_S = 1.0

log = structlog.get_logger("aorist.notify")


async def listen(database: Database, context: str, bell: Bell) -> None:
    """Ring `bell` at every append to the context's log, by whichever process; until cancelled."""
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True)
            async with connection:
                await connection.execute(f"LISTEN aorist_{context}")
                async for _ in connection.notifies():
                    bell.ring()
        except (psycopg.Error, OSError) as error:
            log.warning("notifications lost, polling goes on", context=context, error=str(error))
        await asyncio.sleep(RECONNECT_S)
