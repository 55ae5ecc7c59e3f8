"""Keeps background work from taking more than its share."""

import asyncio


class Pace:
    """At most so many things a second, on the average from one call to the next."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._free_at = 0.0

    async def take(self, things: int) -> None:
        """Wait until what was taken before has had its time; 0 a second waits for nothing."""
        if not self._per_s:
            return
        clock = asyncio.get_running_loop().time
        if (pause := self._free_at - clock()) > 0:
            await asyncio.sleep(pause)
        self._free_at = clock() + things / self._per_s
