"""A rebuild that those who are served hardly notice: it goes last, and rests in between.

A process can go last for the processor, and PostgreSQL, which works for it, cannot: what is asked
of that comes in small pieces with pauses.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

GENTLE_BATCH = 2_000
"""Facts in one transaction."""
REST = 3.0
"""Pause after a piece of work, in times of how long that took."""
LAST = 19


def step_back(pid: int = 0) -> None:
    """Let a process, this one by default, have the processor only when no other wants it."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.setpriority(os.PRIO_PROCESS, pid, LAST)


@asynccontextmanager
async def resting(times: float) -> AsyncIterator[None]:
    """Pause after a piece of work for so many times as long as it took."""
    started = time.perf_counter()
    yield
    await asyncio.sleep(times * (time.perf_counter() - started))
