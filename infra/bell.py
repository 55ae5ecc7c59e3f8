"""A bell: wakes whoever waits for news. Losing a ring costs a poll, never a fact."""

import asyncio


class Bell:
    """Rings for one process. Who waits hears the next ring, or gives up after a time."""

    def __init__(self) -> None:
        self.rings = 0
        """How often it has rung: who looks for news notes it first, and waits for more."""
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake everyone who waits."""
        self.rings += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seconds: float, heard: int | None = None) -> None:
        """Wait for the next ring, at most `seconds`; not at all when it is past `heard` rings.

        What rings while somebody looks for news may tell of what he has just missed.
        """
        if heard is not None and heard != self.rings:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)
