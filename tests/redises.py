"""Redis for tests: private servers that can be killed, paused and emptied, and one that lies."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from infra.services import redis
from infra.services._system import free_port

REDIS_VARIABLE = "AORIST_TEST_REDIS_URL"
NO_REDIS = f"{REDIS_VARIABLE} is not set: run `make services`, or the whole suite by `make test`"
NO_PROGRAM = "make services uses containers here: no redis-server is installed"
SECONDS = 10


def shared_url() -> str:
    """Return where the server of `make services` is."""
    found = os.environ.get(REDIS_VARIABLE)
    if not found:
        raise RuntimeError(NO_REDIS)
    return found


class Server:
    """A private server, without a password."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client = Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        program = redis.program()
        assert program, NO_PROGRAM
        words = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
        self._process = subprocess.Popen(
            [program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < until, "redis-server did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it as a loss of power would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it stand still, its connections open."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def restore(self) -> None:
        """Let it run, whatever was done to it."""
        if self._process is None:
            self.start()
        else:
            self.resume()

    def close(self) -> None:
        """End it."""
        self.kill()
        self.client.close()

    def _answers(self) -> bool:
        with suppress(NoConnection):
            return bool(self.client.ping())
        return False


@contextmanager
def server() -> Iterator[Server]:
    """Run a private server and end it."""
    if redis.program() is None:
        pytest.skip(NO_PROGRAM)
    made = Server()
    try:
        yield made
    finally:
        made.close()


@asynccontextmanager
async def liar(answer: bytes) -> AsyncIterator[str]:
    """Run what answers everything with the same bytes; yields where it is."""

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(10_000):
                writer.write(answer)
                await writer.drain()
        writer.close()

    made = await asyncio.start_server(lie, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{made.sockets[0].getsockname()[1]}/0"
    finally:
        made.close()
