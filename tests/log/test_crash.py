"""PostgreSQL itself is killed in the midst of commands; the process that writes lives on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.wiring import open_system
from tests.checkout import bare_checkout_or_skip
from tests.log.load import Load, start_jobs
from tests.log.outage import Writers, outage
from tests.log.server import MANNERS, Server
from tests.log.verify import violations
from tests.probe.features import FEATURES
from tests.probe.rows import all_jobs
from tests.scenario import until

STREAMS = 12
LOAD = Load("w", writers=12, each=10_000, streams=STREAMS, seed=1)
POOL_WAIT_S = 0.2
"""Instead of the 5 s that a command waits for a connection: outages are short here."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for checkout in bare_checkout_or_skip(tmp_path):
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
        writers = Writers(system, LOAD)
        async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
            tasks.create_task(writers.run())
            for manner in MANNERS:
                await outage(server, manner, writers)
            writers.stopped = True
        # Readers try again ever more slowly: the pause after the last failure may be a long one.
        await until(lambda: not any(reader.failure for reader in system.readers))
        await system.catch_up()
        assert await violations(system.logs["probe"].store, writers.told) == []
        rows = await system.queries.all(all_jobs(), 1_000)
        assert [row["pushes"] for row in rows] == [row["version"] - 1 for row in rows]
        assert len(rows) == STREAMS + LOAD.writers
        await system.close()

    asyncio.run(body())
