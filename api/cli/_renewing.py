"""Rebuilds what other code has filled, in a process of its own beside the one that serves."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from infra.log.port import LogError
from infra.rebuilding.gently import step_back
from infra.rebuilding.renewal import Outdated, is_rebuilt_elsewhere, is_renewed
from infra.system import System

POLL_S = 1.0
"""How often it looks whether another process has done it."""
RETRY_S = 30.0
"""Pause after a rebuild that failed."""
STOP_S = 5

log = structlog.get_logger("aorist.renewal")


@asynccontextmanager
async def renewing(system: System) -> AsyncIterator[None]:
    """Rebuild outdated projections in the background, one at a time."""
    for outdated in system.outdated:
        log.warning(
            "projection outdated",
            projection=outdated.projecting.name,
            what="code" if outdated.fits else "tables",
            does="it is rebuilt beside the live tables, which go on serving",
        )
    task = asyncio.create_task(_renew([*system.outdated], system), name="renewal")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _renew(outdated: Sequence[Outdated], system: System) -> None:
    for one in outdated:
        name = one.projecting.name
        while True:
            try:
                pause = await _renewed(one, system)
            except LogError as error:
                log.warning("renewal waits", projection=name, error=str(error))
                pause = RETRY_S
            if pause is None:
                break
            await asyncio.sleep(pause)
        await system.renewed(one)
        log.warning("projection renewed", projection=name)


async def _renewed(one: Outdated, system: System) -> float | None:
    """Do what is to be done now; returns after how long to look again, None when it is done."""
    database = system.databases[one.projecting.context]
    if await is_renewed(database, one.projecting):
        return None
    if await is_rebuilt_elsewhere(database, one.projecting):
        return POLL_S
    code = await _rebuild(one.projecting.name, system)
    if await is_renewed(database, one.projecting):
        return None
    log.error("rebuild failed", projection=one.projecting.name, code=code)
    return RETRY_S


async def _rebuild(name: str, system: System) -> int:
    """Run `aorist replay NAME --accept` on the same stores; it is killed when this one ends."""
    settings = system.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api", "replay", name, "--accept", "--gently"),
        stdout=subprocess.DEVNULL,  # stderr is ours: progress goes there as JSON lines
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "AORIST_DATABASE_URL": settings.database_url,
            "AORIST_CONTEXT_DATABASE_URLS": json.dumps(settings.context_database_urls),
            "AORIST_LOG_LEVEL": "warning",
        },
    )
    try:
        step_back(process.pid)  # while it is loaded, too
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()  # the next one goes on where it was
            await asyncio.wait_for(process.wait(), STOP_S)
