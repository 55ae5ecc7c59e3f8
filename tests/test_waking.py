"""What wakes readers: bells and notifications, none of which may be counted on."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog

from commands import Caller
from infra.bell import Bell
from infra.database import Database
from infra.log.notify import listen
from infra.readers import Reader
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


LISTENERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN %' AND state = 'idle'
"""
only_postgres = pytest.mark.parametrize("store", ["postgres"])


def database_of(scenario: Scenario) -> Database:
    return next(iter(scenario.system.databases.values()))


def rung(bell: Bell, times: int) -> bool:
    return bell.rings >= times


def at(reader: Reader, position: int) -> bool:
    return reader.position == position


async def sql(scenario: Scenario, statement: str) -> list[Any]:
    """Run a statement on a connection of its own."""
    conninfo = database_of(scenario).conninfo
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        return await (await connection.execute(statement)).fetchall()


@only_postgres
def test_another_process_wakes_readers_by_a_notification(probe, other) -> None:
    async def body() -> None:
        await following(probe)
        probe.system._listen()
        await until(lambda: probe.system.bells["probe"].rings > 0)
        await other.dispatch(StartJob(name="dig"), ann)
        await until(lambda: reader_of(probe.system).position == 1)

    probe.run(body())


@only_postgres
def test_one_connection_listens_for_all_contexts_of_a_database(world) -> None:
    async def body() -> None:
        world.system._listen()
        bells = world.system.bells
        await until(lambda: all(bell.rings for bell in bells.values()))
        assert len(await sql(world, LISTENERS)) == 1
        for context, bell in bells.items():
            before = {other: bells[other].rings for other in bells}
            await sql(world, f"SELECT pg_notify('aorist_{context}', '1')")
            await until(partial(rung, bell, before[context] + 1))
            assert {c: b.rings for c, b in bells.items()} == before | {context: bell.rings}

    world.run(body())


@only_postgres
def test_a_listener_that_was_cut_off_comes_back_and_rings_for_what_it_missed(probe, other) -> None:
    async def body() -> None:
        await following(probe)
        probe.system._listen()
        bell = probe.system.bells["probe"]
        for number in (1, 2):
            await until(partial(rung, bell, number))
            await sql(probe, LISTENERS.replace("pid", "pg_terminate_backend(pid)", 1))
            await other.dispatch(StartJob(name="unheard"), ann)
            await until(partial(at, reader_of(probe.system), number))
        await until(lambda: len(lines) == 4)

    with structlog.testing.capture_logs(processors=[only_notifications]) as lines:
        probe.run(body())
    said = ["notifications lost, polling goes on", "notifications heard again"]
    assert [line["event"] for line in lines] == said * 2


def only_notifications(_logger: object, _name: str, event: Any) -> Any:
    if "notifications" not in event["event"]:
        raise structlog.DropEvent
    return event


def test_without_any_notification_polling_finds_all_facts(probe, other, monkeypatch) -> None:
    async def deaf(*_: object) -> None:
        await asyncio.sleep(NEVER_S)

    monkeypatch.setattr("infra.system.listen", deaf)

    async def body() -> None:
        await probe.system.follow()
        for number in range(1, 6):
            await other.dispatch(StartJob(name="unheard"), ann)
            await until(partial(at, reader_of(probe.system), number))
        assert probe.system.bells["probe"].rings == 0

    probe.run(body())


def test_listening_never_ends_by_itself(monkeypatch) -> None:
    """Nobody is there; it goes on trying, and says so once."""
    monkeypatch.setattr("infra.log.notify.RECONNECT_S", 0.01)
    database = Database("postgresql://nobody@127.0.0.1:1/nowhere", 2)
    tries: list[object] = []
    connect = psycopg.AsyncConnection.connect

    async def counted(*given: Any, **options: Any) -> Any:
        tries.append(given)
        return await connect(*given, **options)

    async def body() -> None:
        task = asyncio.create_task(listen(database, {"probe": Bell()}))
        await until(lambda: len(tries) >= 3 or task.done())
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        await database.close()

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", counted)
    with structlog.testing.capture_logs() as lines:
        asyncio.run(body())
    assert [line["event"] for line in lines] == ["notifications lost, polling goes on"]
