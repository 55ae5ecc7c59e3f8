"""More commands than can be written: some wait, the others are told at once to come again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg

from infra.dispatch import Answer, Meta
from infra.log.port import Busy
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.probe.features import FEATURES
from tests.probe.job import StartJob
from tests.scenario import TELLER, Scenario

QUEUE, BATCH, MANY = 20, 5, 200


@asynccontextmanager
async def stopped(settings: Settings) -> AsyncIterator[None]:
    """Hold what every append needs: PostgreSQL's head row, or SQLite's write lock."""
    url = settings.database_url
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        file.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            file.execute("ROLLBACK")
            file.close()
    else:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("SELECT * FROM probe.head FOR UPDATE")
            yield
            await connection.rollback()


def small(settings: Settings, **limits: int) -> Settings:
    return settings.model_copy(update=limits)


async def send(system: System, number: int) -> Answer:
    command = StartJob(job_id=UUID(int=number + 1), name=f"job {number}")
    return await system.dispatch(command, TELLER, Meta(key=f"key {number}"))


async def overload(system: System, settings: Settings) -> list[int]:
    """Send many while nothing can be written; returns those that were told to come again."""
    async with stopped(settings):
        tasks = [asyncio.create_task(send(system, number)) for number in range(MANY)]
        refused, waiting = set[asyncio.Task[Answer]](), set(tasks)
        async with asyncio.timeout(10):
            while len(waiting) > QUEUE + BATCH:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
        assert all(isinstance(task.exception(), Busy) for task in refused)
    answers = await asyncio.gather(*waiting)
    assert len({answer.receipt.position for answer in answers}) == len(waiting)
    return [number for number, task in enumerate(tasks) if task in refused]


def test_a_full_queue_refuses_at_once_and_what_waits_is_written(
    probe: Scenario, settings: Settings
) -> None:
    limits = small(settings, append_queue=QUEUE, append_batch=BATCH)

    async def body() -> None:
        system = await open_system(limits, features=FEATURES)
        try:
            again = await overload(system, settings)
            assert len(again) >= MANY - QUEUE - BATCH
            for number in again:  # with the same key: once, although it was sent before
                await send(system, number)
                assert (await send(system, number)).replayed
        finally:
            await system.close()

    probe.run(body())
    assert probe.head() == MANY


def test_commands_on_their_way_have_a_bound_wherever_they_wait(
    probe: Scenario, settings: Settings
) -> None:
    limits = small(settings, commands_in_flight=QUEUE)

    async def body() -> None:
        system = await open_system(limits, features=FEATURES)
        try:
            sent = (send(system, number) for number in range(MANY))
            found = await asyncio.gather(*sent, return_exceptions=True)
            refused = [one for one in found if isinstance(one, Busy)]
            assert len(refused) == MANY - QUEUE
            assert f"{QUEUE} commands are on their way" in str(refused[0])
            assert sum(isinstance(one, Answer) for one in found) == QUEUE
        finally:
            await system.close()

    probe.run(body())
