"""Relays as processes, forked from one that has loaded everything: that takes longer than they do.

Reads lines: `start URL BOOTSTRAP PREFIX POINT COUNT` begins a relay that kills itself when it comes
to a point for the `COUNT`th time, and is answered by its process id; `wait PID` by how it ended.
"""

import asyncio
import os
import signal
import sys
import time

from infra.kafka.mirror import follow, relays
from infra.settings import Settings
from infra.wiring import open_system

CHUNK = 20
LONGEST_S = 60


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


async def relay(url: str, bootstrap: str, prefix: str, point: str, count: str) -> None:
    """Mirror `banking` until killed."""
    settings = Settings(
        database_url=url, kafka_bootstrap=bootstrap, kafka_prefix=prefix, reader_poll_ms=20
    )
    system = await open_system(settings, ["banking"])
    await follow(system, relays(system, chunk=CHUNK, watch=Killing(point, int(count))))


def start(*words: str) -> int:
    """Begin a relay; return its process id."""
    pid = os.fork()
    if pid == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        try:
            asyncio.run(relay(*words))
        finally:
            os._exit(1)  # it ends by a signal or not at all
    return pid


def wait(pid: str) -> int | None:
    """Wait until a relay ended; return its exit code, negative for a signal, or None."""
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        found, status = os.waitpid(int(pid), os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


if __name__ == "__main__":
    for line in sys.stdin:
        verb, *words = line.split()
        print(start(*words) if verb == "start" else wait(*words), flush=True)
