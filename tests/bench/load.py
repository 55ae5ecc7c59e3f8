"""The load generator, a process of its own: keep-alive connections that POST ready-made bytes.

Each connection sends a request, waits for its answer and sends the next. It reads a `Job` from
stdin and writes what it measured to stdout, both as JSON. It is the same for every server.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

ACTOR = "00000000-0000-7000-8000-000000000001"
HEAD = (
    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAorist-Actor: %s\r\n"
    "Content-Type: application/json\r\nContent-Length: %d\r\nIdempotency-Key: "
)
BODY = '{"deposit_id":"%s-%012x","amount":100,"currency":"EUR"}'
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "
AGAIN = (b"503", b"409")
"""Answers after which a request is sent again, with its key."""
MAX_AGAIN = 50
GRACE_S = 30


class Job(msgspec.Struct, kw_only=True):
    """What to send, where to, and how much of it."""

    ports: list[int]
    """Servers; the connections are spread over them."""
    connections: int
    accounts: list[str]
    """Ids; each round through them has another order."""
    prefix: str
    """The first four parts of a UUID, which no other job has; keys are made of it."""
    seconds: float = 0.0
    requests: int = 0
    """Most requests; 0 for as many as fit into the seconds."""
    rate: float = 0.0
    """Requests a second; 0 for as many as the connections can do."""
    receipts: str | None = None
    """File for the answers: one line `[key, body]` for each."""


class Load:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latencies: list[float] = []
        self.again = 0
        self.answers: list[tuple[int, bytes]] = []
        self.failure: str | None = None
        self.open = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        length = len(BODY % (job.prefix, 0))
        paths = (f"/api/v1/accounts/{account}/deposits" for account in job.accounts)
        self._heads = [(HEAD % (path, ACTOR, length)).encode() for path in paths]
        self._numbers = iter(range(job.requests) if job.requests else range(10**9))
        self._turns = self._shuffled()
        self.started = self.ended = time.perf_counter()

    def _shuffled(self) -> Iterator[bytes]:
        chance = random.Random(self.job.prefix)
        while True:
            chance.shuffle(self._heads)
            yield from self._heads

    def next(self) -> tuple[int, bytes] | None:
        """Return the next request; None when the job is over."""
        over = self.job.seconds and time.perf_counter() - self.started > self.job.seconds
        if over or self.failure:
            return None
        number = next(self._numbers, None)
        if number is None:
            return None
        body = BODY % (self.job.prefix, number)
        key = key_of(self.job.prefix, number)
        return number, b"%s%s\r\n\r\n%s" % (next(self._turns), key.encode(), body.encode())

    def due(self, number: int) -> float:
        """Return when a request may be sent."""
        return self.started + number / self.job.rate if self.job.rate else 0.0

    def measured(self) -> dict[str, Any]:
        """Return what came out; a failure first of all."""
        seconds = self.ended - self.started
        parts = statistics.quantiles(self.latencies, n=1000, method="inclusive")
        return {
            "failure": self.failure,
            "done": len(self.latencies),
            "rate": len(self.latencies) / seconds,
            "again": self.again,
            "p50_ms": parts[499] * 1000,
            "p99_ms": parts[989] * 1000,
            "max_ms": max(self.latencies) * 1000,
        }


def key_of(prefix: str, number: int) -> str:
    """Return the idempotency key of a job's request."""
    return f"{prefix}-{number:012x}"


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._sent = 0.0
        self._tries = 0
        self._number, self._request = 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._load.open += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The last one ends the job. Servers have no reason to close one."""
        if self._request:
            self._load.failure = f"a connection was lost: {exc}"
        self._load.open -= 1
        if not self._load.open and not self._load.done.done():
            self._load.done.set_result(None)

    def _next(self) -> None:
        following = self._load.next()
        if following is None:
            self._request = b""
            self._transport.close()
            return
        self._number, self._request = following
        self._tries = 0
        due = self._load.due(self._number)
        if due > time.perf_counter():
            loop = asyncio.get_running_loop()
            loop.call_later(due - time.perf_counter(), self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came; a whole answer lets the next request go."""
        received = self._received = self._received + data
        head = received.find(END_OF_HEAD)
        if head < 0:
            return
        length = received.find(LENGTH, 0, head)
        if length < 0:
            self._fail("an answer without a length")
            return
        end = received.find(b"\r\n", length)
        body = head + len(END_OF_HEAD)
        if len(received) < body + int(received[length + len(LENGTH) : end]):
            return
        self._received = b""
        self._answered(received[9:12], received[body:])

    def _answered(self, status: bytes, body: bytes) -> None:
        load = self._load
        if status == b"200":
            load.latencies.append(time.perf_counter() - self._sent)
            if load.job.receipts:
                load.answers.append((self._number, body))
            self._next()
        elif status in AGAIN and self._tries < MAX_AGAIN:
            self._tries += 1
            load.again += 1
            self._transport.write(self._request)  # its latency goes on
        else:
            self._fail(f"{status.decode()}: {body.decode()}")

    def _fail(self, why: str) -> None:
        self._load.failure = why
        self._request = b""
        self._transport.close()


async def run(job: Job) -> Load:
    """Do the job."""
    load = Load(job)
    loop = asyncio.get_running_loop()
    for number in range(job.connections):
        port = job.ports[number % len(job.ports)]
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    await asyncio.wait_for(load.done, job.seconds + job.requests / 100 + GRACE_S)
    load.ended = time.perf_counter()
    return load


def keep(load: Load, path: str) -> None:
    """Add the answers to the file."""
    with Path(path).open("a", encoding="utf-8") as file:
        for number, body in load.answers:
            file.write(json.dumps([key_of(load.job.prefix, number), json.loads(body)]) + "\n")


def main() -> None:
    """Read the job, do it, tell what came out."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    load = uvloop.run(run(job))
    if job.receipts:
        keep(load, job.receipts)
    print(json.dumps(load.measured()))


if __name__ == "__main__":
    main()
