"""Many writers on one log: other threads, other processes, other systems."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from infra.log.port import Accepted
from infra.settings import Settings
from infra.wiring import open_system
from tests.log.appends import append, fact, store_of
from tests.log.crew import Link, crew, hear_all
from tests.probe.features import FEATURES

WRITERS = 3
BATCHES = 15
APPENDS = 8
"""Appends in each batch; every second one has two facts."""


async def write_batches(settings: Settings, writer: int) -> list[int]:
    """Append as one of several writers; return the positions of the receipts."""
    system = await open_system(settings, features=FEATURES)
    store = system.logs["probe"].store
    positions = []
    try:
        for number in range(BATCHES):
            batch = []
            for index in range(APPENDS):
                facts = [fact()] * (1 + index % 2)
                key = f"{writer}-{number}-{index}"
                batch.append(append(_stream(writer, number, index), 0, *facts, key=key))
            outcomes = await store.append(batch)
            for outcome in outcomes:
                assert isinstance(outcome, Accepted)
                positions.append(outcome.stored.position)
    finally:
        await system.close()
    return positions


async def tell_batches(link: Link, settings: Settings, writer: int) -> None:
    """Do so in a process of its own."""
    link.send(await write_batches(settings, writer))


def _stream(writer: int, number: int, index: int) -> UUID:
    return UUID(int=(writer << 40) + (number << 20) + index)


def expect_gapless(probe, positions: list[list[int]]) -> None:
    facts = WRITERS * BATCHES * APPENDS * 3 // 2
    read = probe.run(store_of(probe).read(0, 10_000))
    assert [one.at.position for one in read] == list(range(1, facts + 1))
    times = [one.at.time for one in read]
    assert times == sorted(times)
    together = [position for writer in positions for position in writer]
    assert len(set(together)) == len(together) == WRITERS * BATCHES * APPENDS
    for writer in positions:
        assert writer == sorted(writer)
    stored = dict(probe.run(store_of(probe).receipts(limit=10_000)))
    assert [one.position for one in stored.values()] == sorted(together)


def test_threads_that_append_at_once_leave_no_gap(probe, settings: Settings) -> None:
    with ThreadPoolExecutor(WRITERS) as threads:
        positions = list(
            threads.map(lambda n: asyncio.run(write_batches(settings, n)), range(WRITERS))
        )
    expect_gapless(probe, positions)


def test_processes_that_append_at_once_leave_no_gap(probe, settings: Settings) -> None:
    with crew() as writers:
        members = [writers.start(tell_batches, settings, number) for number in range(WRITERS)]
        hear_all(members)
        positions = [found for member in members for found in member.heard]
    expect_gapless(probe, positions)
