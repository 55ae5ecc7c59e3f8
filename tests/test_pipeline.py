"""Moves in one pipeline of PostgreSQL: few round trips, and the same outcome as step by step."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import driver_of
from infra.log.port import Rejected, Unavailable
from infra.moves import Move, Moves
from infra.rows.changes import Buffer, Changing
from infra.rows.rowchanges import ImpossibleChange
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.probe.rows import all_jobs, job, jobs, pushes
from tests.scenario import Scenario
from tests.stores import Stores
from tests.test_moves import Transactions, all_of, database_of, nothing, places, written
from tests.test_readers import reader_of

A, B = UUID(int=0xA), UUID(int=0xB)


@pytest.fixture
def probe(all_stores: Stores) -> Iterator[Scenario]:
    scenario = Scenario(all_stores.settings("postgres"), "probe", features=FEATURES)
    try:
        yield scenario
    finally:
        scenario.close()


@pytest.fixture
def counted(probe: Scenario) -> Transactions:
    return Transactions(database_of(probe))


@pytest.fixture
def moves(probe: Scenario, counted: Transactions) -> Moves:
    """Three readers at position 1, a job, and its push number 1."""
    made = Moves(counted, "probe")  # type: ignore[arg-type]
    before = Buffer()
    start(probe, before, A)
    before.insert(pushes, job_id=A, number=1, note="")
    for name, write in (("one", Writing(before)), ("two", nothing), ("three", nothing)):
        probe.run(made.alone(Move(name, 0, 1, write)))
    counted.begun = 0
    return made


class Writing:
    """What a projection's reader writes: it looks rows up first."""

    def __init__(self, buffer: Buffer) -> None:
        changing = Changing(buffer)
        self.ask = changing.ask
        self._write = changing.write

    async def __call__(self, connection: AsyncConnection) -> None:
        await self._write(connection)


def start(probe: Scenario, buffer: Buffer, id: UUID, name: str = "dig") -> None:
    buffer.insert(jobs, id=id, name=name, status="running", started_at=probe.clock.now())


def together(probe: Scenario, moves: Moves, *writes: Any) -> list[Any]:
    made = [
        Move(name, 1, 2, write) for name, write in zip(("one", "two", "three"), writes, strict=True)
    ]
    return list(probe.run(all_of(*map(moves.together, made))))


def test_rows_are_looked_up_for_all_and_written_for_all(probe, moves, counted) -> None:
    one, two = Buffer(), Buffer()
    one.add(jobs, A, pushes=2)
    one.update(jobs, A, status="over")
    start(probe, one, B)
    two.delete(pushes, (A, 1))
    two.insert(pushes, job_id=A, number=2, note="n")
    assert together(probe, moves, Writing(one), Writing(two), nothing) == [None] * 3
    assert (counted.pipelines, counted.begun) == (1, 0)
    shown = probe.rows(job(A))
    assert (shown["pushes"], shown["status"]) == (2, "over")
    assert shown["pushed"] == [{"number": 2, "note": "n"}]
    assert len(probe.rows(all_jobs())) == 2


def test_a_statement_runs_after_the_changes_before_it(probe, moves, counted) -> None:
    one = Buffer()
    one.insert(pushes, job_id=A, number=2, note="")
    one.run(delete(pushes).where(pushes.c.job_id == A))
    one.insert(pushes, job_id=A, number=3, note="")
    two = Buffer()
    two.add(jobs, A, pushes=1)
    assert together(probe, moves, Writing(one), Writing(two), nothing) == [None] * 3
    assert (counted.pipelines, counted.begun) == (1, 0)
    assert written(probe) == [3]
    assert probe.rows(job(A))["pushes"] == 1


def faults(probe: Scenario) -> dict[str, tuple[Buffer, type[Exception]]]:
    """What shows when it is applied, when it is sent, and only at the end of the pipeline."""
    missing, refused, clash, late = Buffer(), Buffer(), Buffer(), Buffer()
    missing.update(jobs, B, status="over")
    start(probe, refused, B, "a\0b")
    start(probe, clash, A)
    late.add(jobs, A, pushes=2**63 - 1)
    late.add(jobs, A, version=2**62)
    late.add(jobs, A, version=2**62)
    return {
        "missing": (missing, ImpossibleChange),
        "refused": (refused, Rejected),
        "clash": (clash, ImpossibleChange),
        "late": (late, Rejected),
    }


@pytest.mark.parametrize("name", ["missing", "refused", "clash", "late"])
@pytest.mark.parametrize("place", range(3))
def test_a_fault_is_told_to_its_reader_only(probe, moves, name: str, place: int) -> None:
    faulty, error = faults(probe)[name]
    good = Buffer()
    good.insert(pushes, job_id=B, number=7, note="")
    writes: list[Any] = [Writing(good), nothing]
    writes.insert(place, Writing(faulty))
    found = together(probe, moves, *writes)
    assert isinstance(found.pop(place), error)
    assert found == [None, None]
    expected = [2, 2, 2]
    expected[place] = 1
    assert places(probe) == expected
    assert written(probe) == [1, 7]
    assert len(probe.rows(all_jobs())) == 1


@pytest.mark.parametrize("when", ["asking", "writing"])
def test_a_connection_that_dies_undoes_everything(probe, moves, when: str) -> None:
    """The store is away, as far as anybody can tell: nobody is to blame."""

    async def die(connection: AsyncConnection) -> None:
        await driver_of(connection).execute("SELECT pg_terminate_backend(pg_backend_pid())")

    class Dying(Writing):
        async def __call__(self, connection: AsyncConnection) -> None:
            if when == "writing":
                await die(connection)
            await super().__call__(connection)

    buffer = Buffer()
    buffer.add(jobs, A, pushes=1)
    dying = Dying(buffer)
    if when == "asking":
        dying.ask = die
    found = together(probe, moves, nothing, dying, nothing)
    assert [type(one) for one in found] == [Unavailable] * 3
    assert places(probe) == [1, 1, 1]
    assert probe.rows(job(A))["pushes"] == 0
    assert together(probe, moves, nothing, Writing(buffer), nothing) == [None] * 3
    assert probe.rows(job(A))["pushes"] == 1


def test_nothing_is_seen_before_all_of_it_is(probe, moves) -> None:
    """Whoever waits in the middle of a pipeline has written nothing that others see."""
    one = Buffer()
    one.insert(pushes, job_id=A, number=2, note="")

    async def body() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(connection: AsyncConnection) -> None:
            await driver_of(connection).execute("SELECT 1")
            begun.set()
            await go_on.wait()

        made = [Move("one", 1, 2, Writing(one)), Move("two", 1, 2, slow)]
        moving = asyncio.gather(*map(moves.together, made))
        await begun.wait()
        async with database_of(probe).read() as connection:
            seen = (await connection.execute(select(pushes.c.number))).scalars().all()
        assert seen == [1]
        go_on.set()
        await moving

    probe.run(body())
    assert (written(probe), places(probe)) == ([1, 2], [2, 2, 1])


def test_readers_that_follow_closely_go_by_pipeline(probe, counted) -> None:
    """The way of every day: only the very first move is done a second time, step by step."""
    reader = reader_of(probe.system)
    reader._moves._database = counted
    probe.send(StartJob(job_id=A, name="dig"))
    assert probe.run(reader.step()) == 1
    assert (counted.pipelines, counted.begun) == (1, 1)
    for number in range(5):
        probe.send(PushJob(job_id=A, note=str(number)))
        assert probe.run(reader.step()) == 1
    assert (counted.pipelines, counted.begun) == (6, 1)
    assert probe.rows(job(A))["pushes"] == 5
