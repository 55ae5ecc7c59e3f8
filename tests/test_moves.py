"""Readers' moves: those that are ready at once share a transaction, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import Database
from infra.log.port import Unavailable
from infra.moves import Move, Moves, Overtaken, Write
from tests.probe.job import StartJob
from tests.probe.rows import pushes
from tests.scenario import Scenario
from tests.test_readers import A, reader_of, stored, take_at_once

NAMES = ("one", "two", "three")


class Transactions:
    """The outside world: a database that counts the transactions begun, or is away."""

    def __init__(self, database: Database) -> None:
        self.is_sqlite = database.is_sqlite
        self.begun = 0
        self.pipelines = 0
        self.away = False
        self._database = database
        self.read = database.read

    @asynccontextmanager
    async def write(self) -> Any:
        self.begun += 1
        if self.away:
            raise Unavailable("away")
        async with self._database.write() as connection:
            yield connection

    @asynccontextmanager
    async def pipelined(self) -> Any:
        self.pipelines += 1
        if self.away:
            raise Unavailable("away")
        async with self._database.pipelined() as connection:
            yield connection

    def took(self, steps: int, pipelines: int) -> None:
        """Expect so many transactions step by step, and so many pipelines before, if any."""
        expected = (steps, 0 if self.is_sqlite else pipelines)
        assert (self.begun, self.pipelines) == expected


def database_of(probe: Scenario) -> Database:
    return probe.system.databases["probe"]


@pytest.fixture
def counted(probe: Scenario) -> Transactions:
    return Transactions(database_of(probe))


@pytest.fixture
def moves(counted: Transactions) -> Moves:
    return Moves(counted, "probe")  # type: ignore[arg-type]


def writing(number: int) -> Write:
    """Write a row that tells who was there."""

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(insert(pushes), {"job_id": A, "number": number, "note": ""})

    return write


async def failing(_: AsyncConnection) -> None:
    raise ZeroDivisionError


async def nothing(_: AsyncConnection) -> None:
    """Only move."""


def written(probe: Scenario) -> list[int]:
    dot = "_" if database_of(probe).is_sqlite else "."
    return [row[0] for row in probe.sql(f"SELECT number FROM probe{dot}pushes ORDER BY number")]


def places(probe: Scenario) -> list[int]:
    return [stored(probe, name) for name in NAMES]


async def all_of(*made: Awaitable[None]) -> list[Any]:
    async with asyncio.timeout(20):
        return await asyncio.gather(*made, return_exceptions=True)


def moving(
    make: Callable[[Move], Awaitable[None]], before: int, after: int, *writes: Write
) -> list[Awaitable[None]]:
    """Move each reader, in turn with what it writes."""
    made = [writing(after * 10 + n) for n in range(3)]
    return [
        make(Move(name, before, after, write))
        for name, write in zip(NAMES, [*writes, *made[len(writes) :]], strict=True)
    ]


def test_moves_that_are_ready_at_once_share_a_transaction(probe, moves, counted) -> None:
    for before in range(3):
        assert probe.run(all_of(*moving(moves.together, before, before + 1))) == [None] * 3
    # The very first one is out of the ordinary: there are no positions to compare with.
    counted.took(3 if counted.is_sqlite else 1, 3)
    assert places(probe) == [3, 3, 3]
    assert written(probe) == [10, 11, 12, 20, 21, 22, 30, 31, 32]


def test_who_comes_while_one_is_written_goes_in_the_next(probe, moves, counted) -> None:
    async def body() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_: AsyncConnection) -> None:
            begun.set()
            await go_on.wait()

        first = asyncio.create_task(moves.together(Move("slow", 0, 1, slow)))
        await begun.wait()
        rest = [asyncio.ensure_future(one) for one in moving(moves.together, 0, 1)]
        await asyncio.sleep(0)
        counted.took(1, 1)
        go_on.set()
        assert await all_of(first, *rest) == [None] * 4
        counted.took(2, 2)

    probe.run(body())


def test_readers_at_different_places_move_together_too(probe, moves, counted) -> None:
    probe.run(moves.alone(Move("one", 0, 5, writing(5))))
    made = [Move("one", 5, 7, writing(7)), Move("two", 0, 3, writing(3))]
    assert probe.run(all_of(*map(moves.together, made))) == [None, None]
    counted.took(2, 1)
    assert places(probe) == [7, 3, 0]


@pytest.mark.parametrize("before", [0, 1])
def test_a_fault_in_one_stops_that_one_only(probe, moves, counted, before: int) -> None:
    for name in NAMES[: 3 * before]:
        probe.run(moves.alone(Move(name, 0, before, nothing)))
    begun = counted.begun
    failed, *rest = probe.run(all_of(*moving(moves.together, before, 2, failing)))
    assert isinstance(failed, ZeroDivisionError)
    assert rest == [None, None]
    assert (places(probe), written(probe)) == ([before, 2, 2], [21, 22])
    # All together, and then each for itself; a pipeline that fails is done again step by step.
    counted.took(begun + (4 if counted.is_sqlite or not before else 1), 4)


def test_one_that_was_overtaken_writes_nothing_and_stops_nobody(probe, moves, counted) -> None:
    probe.run(moves.alone(Move("two", 0, 9, writing(9))))
    one, two, three = probe.run(all_of(*moving(moves.together, 0, 1)))
    assert isinstance(two, Overtaken)
    assert (one, three) == (None, None)
    assert (places(probe), written(probe)) == ([1, 9, 1], [9, 10, 12])
    counted.took(2, 1)
    for before in (1, 10):
        with pytest.raises(Overtaken):
            probe.run(moves.alone(Move("two", before, 11, writing(11))))


def test_a_store_that_is_away_is_asked_once_for_all(probe, moves, counted) -> None:
    counted.away = True
    found = probe.run(all_of(*moving(moves.together, 0, 1)))
    assert [str(one) for one in found] == ["away"] * 3
    assert counted.begun + counted.pipelines == 1
    counted.away = False
    assert probe.run(all_of(*moving(moves.together, 0, 1))) == [None] * 3


def test_who_gives_up_before_it_begins_writes_nothing(probe, moves) -> None:
    async def body() -> None:
        waiting = [asyncio.ensure_future(one) for one in moving(moves.together, 0, 1)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        one, two, three = await all_of(*waiting)
        assert (one, three) == (None, None)
        assert isinstance(two, asyncio.CancelledError)

    probe.run(body())
    assert (places(probe), written(probe)) == ([1, 0, 1], [10, 12])


def test_closing_undoes_what_is_being_written_and_nobody_hangs(probe, moves) -> None:
    async def body() -> None:
        begun = asyncio.Event()

        async def stuck(_: AsyncConnection) -> None:
            begun.set()
            await asyncio.Event().wait()

        writes = [writing(1), stuck]
        waiting = [asyncio.ensure_future(one) for one in moving(moves.together, 0, 1, *writes)]
        await begun.wait()
        late = asyncio.ensure_future(moves.together(Move("late", 0, 1, failing)))
        await asyncio.sleep(0)
        await moves.close()
        found = await all_of(*waiting, late)
        assert [type(one) for one in found] == [Unavailable] * 4

    probe.run(body())
    assert (places(probe), written(probe)) == ([0, 0, 0], [])


def test_of_two_workers_one_moves_each_reader(probe) -> None:
    ours, theirs = (Moves(database_of(probe), "probe") for _ in range(2))
    for before in range(4):
        both = probe.run(
            all_of(
                *moving(ours.together, before, before + 1),
                *moving(theirs.together, before, before + 1),
            )
        )
        for index in range(3):
            outcomes = {type(both[index]), type(both[index + 3])}
            assert outcomes == {type(None), Overtaken}, both
        assert places(probe) == [before + 1] * 3


@pytest.mark.parametrize("store", ["postgres"])
def test_a_reader_that_is_held_elsewhere_holds_nobody_up(probe, moves) -> None:
    """A rebuild holds the row of the reader that it compares with, for as long as that takes."""
    probe.run(all_of(*moving(moves.together, 0, 1)))
    hold = "SELECT FROM probe.readers WHERE name = 'two' FOR UPDATE"
    with psycopg.connect(database_of(probe).conninfo) as holder:
        holder.execute(hold)
        one, two, three = probe.run(all_of(*moving(moves.together, 1, 2)))
        assert isinstance(two, Overtaken)
        assert (one, three) == (None, None)
    probe.run(moves.alone(Move("two", 1, 2, writing(1))))
    assert places(probe) == [2, 2, 2]


def test_a_reader_that_is_far_behind_moves_alone(probe, counted, moves) -> None:
    """Its batches are full, and those who are close to the end do not wait for it."""
    for number in range(5):
        probe.send(StartJob(name=str(number)))
    together: list[int] = []

    async def noted(move: Move) -> None:
        together.append(move.after)
        await Moves.together(moves, move)

    moves.together = noted
    for reader in probe.system.readers:
        reader._moves = moves
        take_at_once(reader, 2)
    reader = reader_of(probe.system)
    assert [probe.run(reader.step()) for _ in range(3)] == [2, 2, 1]
    assert together == [5]
    counted.took(3 if counted.is_sqlite else 2, 1)
