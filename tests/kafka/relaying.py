"""Relays and workers as processes, forked from one that has loaded everything: that takes longer.

Reads lines: `relay URL BOOTSTRAP PREFIX POINT COUNT CONTEXT …` begins a relay that kills itself
when it comes to a point for the `COUNT`th time, and is answered by its process id; so is
`work URL BOOTSTRAP PREFIX CONTEXT …`, which begins a worker that follows Kafka; `wait PID` is
answered by how one ended.
"""

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from api.cli.work import Source, _work
from infra.discovery import discover
from infra.kafka.encode import Encoder
from infra.kafka.mirror import follow, relays
from infra.schemas.versions import committed
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


async def relay(
    url: str, bootstrap: str, prefix: str, point: str, count: str, *contexts: str
) -> None:
    """Mirror contexts until killed."""
    settings = Settings(
        database_url=url, kafka_bootstrap=bootstrap, kafka_prefix=prefix, reader_poll_ms=20
    )
    system = await open_system(settings, contexts)
    await follow(system, relays(system, chunk=CHUNK, watch=Killing(point, int(count))))


async def work(url: str, bootstrap: str, prefix: str, *contexts: str) -> None:
    """Run what falls to one worker, until killed."""
    settings = Settings(
        database_url=url,
        database_connections=4,
        kafka_bootstrap=bootstrap,
        kafka_prefix=prefix,
        reader_poll_ms=100,
    )
    await _work(settings, list(contexts), Source.KAFKA)


VERBS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"relay": relay, "work": work}


def start(verb: str, *words: str) -> int:
    """Begin a process; return its id."""
    pid = os.fork()
    if pid == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        try:
            asyncio.run(VERBS[verb](*words))
        finally:
            os._exit(1)  # it ends by a signal or not at all
    return pid


def wait(pid: str) -> int | None:
    """Wait until one ended; return its exit code, negative for a signal, or None."""
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        found, status = os.waitpid(int(pid), os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def warm() -> None:
    """Do once what each of them would do when it begins."""
    importlib.import_module("infra.kafka.following")  # a worker loads it late
    Encoder(discover().facts, committed())


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        verb, *words = line.split()
        print(wait(*words) if verb == "wait" else start(verb, *words), flush=True)
