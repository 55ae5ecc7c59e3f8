"""PostgreSQL itself is killed in the midst of commands; the process that writes lives on."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.log.port import Unavailable
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.checkout import bare_checkout
from tests.log.load import Errand, Load, Told, errands, send, start_jobs
from tests.log.server import KILL_BACKEND, MANNERS, Server
from tests.log.verify import violations
from tests.probe.features import FEATURES
from tests.probe.rows import all_jobs
from tests.scenario import until

STREAMS = 12
LOAD = Load("w", writers=12, each=10_000, streams=STREAMS, seed=1)
MORE = 50
"""Commands that are answered between two outages."""
POOL_WAIT_S = 0.2
"""Instead of the 5 s that a command waits for a connection: outages are short here."""


class Writers:
    """Writers that send one command after the other until they are told to stop."""

    def __init__(self, system: System) -> None:
        self.told: list[Told] = []
        self.heard: Counter[type] = Counter()
        self.stopped = False
        self._system = system

    async def run(self) -> None:
        """Send; raises what is neither an answer nor a call to send again."""
        async with asyncio.TaskGroup() as writers:
            for errands_ in errands(LOAD):
                writers.create_task(self._write(errands_))

    async def _write(self, sent: list[Errand]) -> None:
        for errand in sent:
            if self.stopped:
                return
            self.told.append(await send(self._system, errand, self.heard))

    async def more(self) -> None:
        """Wait until more commands have their answers."""
        goal = len(self.told) + MORE
        await until(lambda: len(self.told) >= goal)

    async def unavailable(self) -> None:
        """Wait until somebody hears that PostgreSQL is away."""
        before = self.heard[Unavailable]
        await until(lambda: self.heard[Unavailable] > before)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for checkout in bare_checkout(tmp_path):
        yield Server(checkout)


def test_a_crash_of_postgresql_loses_nothing_and_ends_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.log.postgres.POOL_WAIT_S", POOL_WAIT_S)
    settings = Settings(database_url=server.url, database_connections=4, reader_poll_ms=20)

    async def body() -> None:
        system = await open_system(settings, features=FEATURES)
        await start_jobs(system, STREAMS)
        await system.follow()
        writers = Writers(system)
        async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
            tasks.create_task(writers.run())
            for manner in MANNERS:
                await writers.more()
                await asyncio.to_thread(server.end, manner)
                if manner != KILL_BACKEND:  # for then it recovers by itself
                    await writers.unavailable()
                    await asyncio.to_thread(server.start)
                await writers.more()
            writers.stopped = True
        await system.catch_up()
        assert await violations(system.logs["probe"].store, writers.told) == []
        rows = await system.queries.all(all_jobs(), 1_000)
        assert [row["pushes"] for row in rows] == [row["version"] - 1 for row in rows]
        assert len(rows) == STREAMS + LOAD.writers
        await system.close()

    asyncio.run(body())
