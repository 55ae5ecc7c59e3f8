"""Servers in processes of their own, and load on them from another one."""

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from tests.bench import bare
from tests.bench.ours import CONTEXT, ids
from tests.source import ROOT

CONNECTIONS = 32
START_S, STOP_S = 30, 15
GRACE_S = 60
LEAST_RATE = 100
"""Requests a second below which something hangs."""
LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)/docs")


class LoadFailed(Exception):
    """A request was not answered as it should be."""


@dataclass(frozen=True)
class Server:
    """A server that listens."""

    pid: int
    port: int

    def resident_bytes(self) -> int:
        """Return the memory that it holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found, status
        return int(found[1]) * 1024


@contextmanager
def api(url: str) -> Iterator[Server]:
    """Start `aorist serve` without readers; its log lines, as production has them, go nowhere."""
    words = ["serve", "--development", "--no-readers", "--context", CONTEXT, "--port", "0"]
    # Requests are counted as always; only that one caller may send as many as it can.
    environment = {"AORIST_DATABASE_URL": url, "AORIST_CALLER_REQUESTS": "1000000000"}
    with _started(["api", *words], environment) as server:
        yield server


@contextmanager
def bare_app(url: str, pool: int) -> Iterator[Server]:
    """Start the reference; see `tests.bench.bare`."""
    environment = {bare.URL_VARIABLE: url, bare.POOL_VARIABLE: str(pool)}
    with _started(["tests.bench.bare"], environment) as server:
        yield server


@contextmanager
def _started(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Server(process.pid, _port(process))
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[str]) -> int:
    """Return the port that the process says it listens on."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=START_S):
        if found := LISTENING.search(line):
            return int(found[1])
    raise LoadFailed(f"{process.args!r} ended before it listened")


@dataclass(frozen=True)
class Client:
    """Loads servers with deposits to some accounts."""

    servers: Sequence[Server]
    accounts: Sequence[UUID]
    receipts: Path | None = None
    """Where the answers are kept."""

    def start(self, **options: Any) -> subprocess.Popen[bytes]:
        """Begin a job; see `tests.bench.load.Job`."""
        job = {
            "ports": [server.port for server in self.servers],
            "connections": CONNECTIONS,
            "accounts": self.accounts,
            "prefix": str(ids.new())[:23],
            "receipts": str(self.receipts) if self.receipts else None,
            **options,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin
        process.stdin.write(msgspec.json.encode(job))
        process.stdin.close()
        process.stdin = None  # so that `communicate` leaves it alone
        return process

    @staticmethod
    def finish(process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        """Wait for a job's end and return what it measured. Raises `LoadFailed`."""
        try:
            out, _ = process.communicate(timeout=seconds + GRACE_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise LoadFailed("the load generator failed; see above")
        measured: dict[str, Any] = msgspec.json.decode(out)
        if failure := measured.pop("failure"):
            raise LoadFailed(str(failure))
        return measured

    def load(self, seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
        """Load the servers as much as the connections can."""
        return self.finish(self.start(seconds=seconds, connections=connections), seconds)

    def once_each(self) -> dict[str, Any]:
        """Make a deposit on each account: one server knows them all afterwards."""
        return self.send(len(self.accounts))

    def send(self, requests: int) -> dict[str, Any]:
        """Send so many requests."""
        return self.finish(self.start(requests=requests), requests / LEAST_RATE)
