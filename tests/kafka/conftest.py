"""Relays to kill; and what Kafka's client leaves behind is kept within the test that used it."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pytest

from infra.settings import Settings
from tests.brokers import bootstrap
from tests.source import ROOT

NEVER = "never"
ENDING_S = 10


class Relays:
    """Begins relays as processes; see `relaying.py`."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def _ask(self, *words: object) -> str:
        assert self._server.stdin
        assert self._server.stdout
        print(*words, file=self._server.stdin, flush=True)
        answer = self._server.stdout.readline().strip()
        assert answer, "the process that relays are forked from is gone"
        return answer

    def start(
        self,
        settings: Settings,
        prefix: str,
        point: str = NEVER,
        count: int = 1,
        at: str = "",
        contexts: Sequence[str] = ("banking",),
    ) -> int:
        """Begin a relay that kills itself at a point; return its process id."""
        words = settings.database_url, at or bootstrap(), prefix, point, count, *contexts
        return int(self._ask("relay", *words))

    def end_of(self, pid: int) -> str:
        """Wait until it ended; return its exit code, negative for a signal, or `None`."""
        return self._ask("wait", pid)

    @contextmanager
    def worker(self, settings: Settings, prefix: str, contexts: Sequence[str]) -> Iterator[int]:
        """Run a worker that follows Kafka; kill it at the end."""
        words = settings.database_url, bootstrap(), prefix, *contexts
        with self._killed(int(self._ask("work", *words))) as pid:
            yield pid

    @contextmanager
    def running(
        self,
        settings: Settings,
        prefix: str,
        at: str = "",
        contexts: Sequence[str] = ("banking",),
    ) -> Iterator[int]:
        """Run a relay; kill it at the end."""
        with self._killed(self.start(settings, prefix, at=at, contexts=contexts)) as pid:
            yield pid

    @contextmanager
    def _killed(self, pid: int) -> Iterator[int]:
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGKILL)
            self.end_of(pid)


@pytest.fixture(scope="session")
def relays() -> Iterator[Relays]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.kafka.relaying"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:  # closes its input, at which it ends
        yield Relays(server)


@pytest.fixture
def prefix() -> str:
    """The first word of topics that no other test has."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect sockets that a closed client has left, while the test's own filters hold."""
    before = set(client_threads())
    yield
    for thread in {*client_threads()} - before:
        thread.join(ENDING_S)
        assert not thread.is_alive(), "a client that was thrown away ends by itself"
    gc.collect()


def client_threads() -> list[threading.Thread]:
    """Return the threads of Kafka's client that run."""
    return [one for one in threading.enumerate() if one.name.startswith("kafka-")]
