"""Whether a database can be reached at all, told in a sentence before anything is done with it."""

import asyncio
import sqlite3

from infra.database import Database
from infra.log.port import LogError


class StoreAway(Exception):
    """A database cannot be reached; the message names it and says what to do."""


async def reach(database: Database) -> None:
    """Try the database once. Raises `StoreAway`."""
    try:
        if database.is_sqlite:
            # Not by the engine: what its thread says of a file that cannot be opened comes late.
            (await asyncio.to_thread(database.connect)).close()
        else:
            async with database.read() as connection:
                await connection.exec_driver_sql("SELECT 1")
    except (LogError, sqlite3.Error) as error:
        reason = error if isinstance(error, LogError) else f"{database} cannot be opened: {error}"
        asked = "is it running, and is database_url right?"
        if f'"{database.url.username}"' in str(
            reason
        ):  # the server knows no such role, or password
            asked += " Its role is made by aorist migrate with database_owner."
        raise StoreAway(f"{reason}; {asked}") from error
