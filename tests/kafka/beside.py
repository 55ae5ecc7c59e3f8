"""A relay in a thread of the test: for what kills no process and needs no broker of its own."""

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from api.cli._relaying import health
from infra.kafka.mirror import follow
from infra.kafka.parts import mirrors
from infra.kafka.producing import Watch, nobody
from infra.kafka.relay import MAX_CHUNK, Relay
from infra.kafka.standing import Standing
from infra.kafka.topics import Connection
from infra.log.tail import Tail
from infra.settings import Settings
from infra.wiring import open_system
from tests.brokers import bootstrap

JOIN_S = 60
T = TypeVar("T")


class Beside:
    """A relay that runs, and what it tells by HTTP."""

    def __init__(self, relay: Relay, tail: Tail, app: Any) -> None:
        self.relay = relay
        self.tail = tail
        """Through which it reads the log; nobody else does."""
        self.over = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self._app = app

    def ready(self) -> tuple[int, list[str]]:
        """Return the status of /readyz and its problems."""
        answer = self._get("/readyz")
        return answer.status_code, answer.json()["problems"]

    def figure(self, name: str) -> float | None:
        """Return a metric."""
        found = re.search(rf"^{re.escape(name)} (.*)$", self._get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else None

    def _get(self, path: str) -> httpx.Response:
        async def get() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
                return await client.get(path)

        return asyncio.run_coroutine_threadsafe(get(), self.loop).result(JOIN_S)


async def _mirror(
    settings: Settings, connection: Connection, chunk: int, watch: Watch, made: Future[Beside]
) -> None:
    """Mirror until it is over."""
    system = await open_system(settings, ["banking"])
    try:
        (mirror,) = mirrors(system)
        mirror = replace(mirror, connection={**mirror.connection, **connection})
        relay = Relay(mirror, system.bells["banking"], chunk=chunk, watch=watch)
        told = Beside(relay, mirror.tail, health(system, Standing(system, [relay])))
        following = asyncio.create_task(follow(system, [relay]))
        made.set_result(told)
        ending = asyncio.create_task(told.over.wait())
        await asyncio.wait([following, ending], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        # A producer that it was just making is thrown away when it is made.
        await asyncio.to_thread(relay._thread.shutdown)
        await asyncio.sleep(0)
    finally:
        await system.close()


@contextmanager
def beside(
    settings: Settings,
    prefix: str,
    *,
    connection: Connection | None = None,
    chunk: int = MAX_CHUNK,
    watch: Watch = nobody,
    **more: Any,
) -> Iterator[Beside]:
    """Mirror `banking` from a thread until the end; `more` are settings."""
    told = {"kafka_bootstrap": bootstrap(), "kafka_prefix": prefix, "kafka_partitions": 2}
    given = Settings(**{**settings.model_dump(), **told, **more})
    made: Future[Beside] = Future()
    ended: Future[None] = Future()

    def run() -> None:
        try:
            asyncio.run(_mirror(given, connection or {}, chunk, watch, made))
            ended.set_result(None)
        except Exception as error:  # noqa: BLE001 - told where the test can see it
            for future in (made, ended):
                if not future.done():
                    future.set_exception(error)

    thread = threading.Thread(target=run, name="relay")
    thread.start()
    running = made.result(JOIN_S)
    try:
        yield running
    finally:
        running.loop.call_soon_threadsafe(running.over.set)
        ended.result(JOIN_S)
        thread.join()
