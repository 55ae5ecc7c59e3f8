"""What wakes readers: bells and notifications, none of which may be counted on."""

import asyncio
from uuid import UUID

import pytest

from commands import Caller
from infra.bell import Bell
from tests.probe.job import StartJob
from tests.scenario import Scenario, until
from tests.test_readers import reader_of

NEVER_S = 3_600.0
"""A poll that no test lives to see."""
A = UUID(int=0xA)
ann = Caller(actor="ann")


async def following(scenario: Scenario) -> None:
    """Let every reader follow; none of them polls."""
    for reader in scenario.system.readers:
        await reader.resume()
        scenario.system._start(reader.run(NEVER_S), reader.name)


def test_a_ring_wakes_everyone_who_waits() -> None:
    async def body() -> None:
        bell = Bell()
        waiting = [asyncio.create_task(bell.wait(NEVER_S)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.ring()
        async with asyncio.timeout(20):
            await asyncio.gather(*waiting)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bell.wait(NEVER_S)  # a ring is for those who wait already

    asyncio.run(body())


def test_a_ring_while_somebody_looks_is_heard() -> None:
    async def body() -> None:
        bell = Bell()
        heard = bell.rings
        bell.ring()
        async with asyncio.timeout(20):
            await bell.wait(NEVER_S, heard)

    asyncio.run(body())


def test_a_fact_that_comes_while_a_reader_looks_needs_no_poll(probe) -> None:
    """It is committed, and the bell rings, between the reader's look and its going to rest."""
    reader = reader_of(probe.system)
    read = reader._tail.read
    looks: list[int] = []

    async def late(after, limit):
        found = await read(after, limit)
        if not looks:
            looks.append(len(found))
            await probe.system.dispatch(StartJob(name="late"), ann)
        return found

    async def body() -> None:
        reader._tail.read = late  # type: ignore[method-assign]
        await following(probe)
        await until(lambda: reader.position == 1)

    probe.run(body())
    assert looks == [0]
