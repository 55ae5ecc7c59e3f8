"""A relay as a process of its own that kills itself at a named point: `URL PREFIX POINT COUNT`."""

import asyncio
import os
import signal
import sys

from infra.kafka.mirror import follow, relays
from infra.settings import Settings
from infra.wiring import open_system

CHUNK = 20


class Killing:
    """Kills this process when it comes to a point for the `count`th time."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def __call__(self, point: str) -> None:
        """Look where it is."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, bootstrap: str, prefix: str, point: str, count: str) -> None:
    """Mirror `banking` until killed."""
    settings = Settings(
        database_url=url, kafka_bootstrap=bootstrap, kafka_prefix=prefix, reader_poll_ms=20
    )
    system = await open_system(settings, ["banking"])
    await follow(system, relays(system, chunk=CHUNK, watch=Killing(point, int(count))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
