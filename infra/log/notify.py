"""Hears PostgreSQL's notifications and rings the bells. They only wake: polling finds all facts."""

import asyncio
from collections.abc import Mapping

import psycopg
import structlog

from infra.bell import Bell
from infra.database import Database

RECONNECT_S = 1.0
CONNECT_S = 5
"""How long a try to connect may take."""

log = structlog.get_logger("aorist.notify")


async def listen(database: Database, bells: Mapping[str, Bell]) -> None:
    """Ring a context's bell at every append to its log, by whichever process; until cancelled."""
    channels = {f"aorist_{context}": bell for context, bell in bells.items()}
    lost = False
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                database.conninfo, autocommit=True, connect_timeout=CONNECT_S
            ) as connection:
                for channel in channels:
                    await connection.execute(f"LISTEN {channel}")
                for bell in channels.values():
                    bell.ring()  # there may have been news while nobody listened
                if lost:
                    log.info("notifications heard again", contexts=[*bells])
                    lost = False
                async for notification in connection.notifies():
                    channels[notification.channel].ring()
        except (psycopg.Error, OSError) as error:
            if not lost:
                reason = str(error).strip().partition("\n")[0]
                log.warning("notifications lost, polling goes on", contexts=[*bells], error=reason)
            lost = True
        await asyncio.sleep(RECONNECT_S)
