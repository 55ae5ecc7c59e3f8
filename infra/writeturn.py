"""Whose turn it is to write to a SQLite file, among those of one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class WriteTurn:
    """A lock in the order of arrival, that several may have together.

    A log's appends do: one that comes while another is written need not wait here, for they are
    written one behind the other anyway. As soon as somebody else waits, none joins them any more.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0
        """How many want it for themselves."""
        self._together = 0
        """How many have it together."""

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for the turn and have it."""
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._lock.release()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Have the turn with those who have it together, or wait for it and share it."""
        if not self._together or self._waiting:
            await self._lock.acquire()
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._lock.release()
