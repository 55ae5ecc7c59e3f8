"""States are loaded from the log: all of it, in order, in few reads, and never past a fault."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from infra import loading
from infra.loading import IdTaken, fold_upto
from infra.log.port import CorruptFact, Unavailable
from infra.streams import Cached
from tests.log.appends import A, B, store_of
from tests.probe.job import Job, Note, NoteKept
from tests.probe.snapshots import lived
from tests.probe.store import Watched, sql
from tests.scenario import Scenario


def load(probe: Scenario, id: UUID = A) -> Cached:
    return probe.run(probe.system.logs["probe"].streams.get(Job, id))


def load_all(probe: Scenario, *ids: UUID) -> list[Any]:
    async def body() -> list[Any]:
        streams = probe.system.logs["probe"].streams
        return await asyncio.gather(*(streams.get(Job, id) for id in ids), return_exceptions=True)

    return probe.run(body())


def test_a_state_is_what_its_facts_fold_to(probe) -> None:
    entry = load(lived(probe, 9))
    assert (entry.state, entry.version) == (Job(status="running", pushes=9), 10)
    assert (load(probe, B).state, load(probe, B).version) == (Job(), 0)


def test_who_wants_the_same_stream_shares_the_read(probe) -> None:
    watched = Watched(lived(probe, 9).system)
    assert {entry.version for entry in load_all(probe, *[A] * 20)} == {10}
    assert watched.reads == [[(A, 10)]]


def test_streams_that_are_wanted_together_are_read_together(probe, monkeypatch) -> None:
    monkeypatch.setattr(loading, "MAX_STREAMS", 4)
    ids = [uuid4() for _ in range(10)]
    for pushes, id in enumerate(ids):
        lived(probe, pushes, id)
    watched = Watched(probe.system)
    entries = load_all(probe, *ids)
    assert [entry.state.pushes for entry in entries] == list(range(10))
    assert [len(read) for read in watched.reads] == [4, 4, 2]


def test_a_long_stream_takes_several_reads_and_holds_up_no_other(probe, monkeypatch) -> None:
    monkeypatch.setattr(loading, "MAX_FACTS", 8)
    lived(lived(probe, 19), 1, B)
    watched = Watched(probe.system)
    long, short = load_all(probe, A, B)
    assert (long.state.pushes, short.state.pushes) == (19, 1)
    assert watched.reads == [[(A, 4), (B, 2)], [(A, 8)], [(A, 8)], [(A, 0)]]


def test_others_have_their_turn_while_a_long_stream_is_folded(probe, monkeypatch) -> None:
    monkeypatch.setattr(loading, "FOLD_SLICE", 10)
    lived(probe, 199)

    async def body() -> int:
        streams = probe.system.logs["probe"].streams
        loading_it = asyncio.create_task(streams.get(Job, A))
        histories, turns = probe.system.logs["probe"].store.histories, 0
        read = histories.read

        async def told(*args):
            found = await read(*args)
            watching.append(asyncio.create_task(turn()))
            return found

        async def turn() -> None:
            nonlocal turns
            while not loading_it.done():
                turns += 1
                await asyncio.sleep(0)

        watching: list[asyncio.Task[None]] = []
        histories.read = told
        await loading_it
        await asyncio.gather(*watching)
        return turns

    assert probe.run(body()) >= 19


# ── faults in the log ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "DELETE FROM probe.events WHERE position = 5",
            r"probe log, position 6 \(stream .*0a, version 6\): version 5 is missing before it",
        ),
        (
            "DELETE FROM probe.events WHERE position = 1",
            r"position 2 \(stream .*0a, version 2\): version 1 is missing before it",
        ),
        (
            "UPDATE probe.events SET version = 0 WHERE position = 1",
            r"position 1 \(stream .*0a, version 0\): version 1 is missing before it",
        ),
        (
            "UPDATE probe.events SET version = 11 WHERE position = 10",
            r"position 10 \(stream .*0a, version 11\): version 10 is missing before it",
        ),
        (
            "UPDATE probe.events SET topic = 'probe.job.odd' WHERE position = 7",
            r"position 7 \(stream .*0a, version 7\): no fact class has the topic 'probe.job.odd'",
        ),
        (
            "UPDATE probe.events SET data = '{}' WHERE position = 3",
            r"position 3 \(stream .*0a, version 3\): its data is no probe.job.pushed: .*`number`",
        ),
    ],
)
def test_a_fault_in_a_stream_is_told_and_others_are_loaded(probe, statement, told) -> None:
    lived(lived(probe, 9), 2, B)
    sql(probe, statement)
    broken, sound = load_all(probe, A, B)
    assert isinstance(broken, CorruptFact)
    with pytest.raises(CorruptFact, match=told):
        raise broken
    assert sound.version == 3
    with pytest.raises(CorruptFact, match=told):
        load(probe)
    with pytest.raises(CorruptFact):
        probe.state(Job, A)


def test_an_enciphered_fact_cannot_be_read(probe, store: str) -> None:
    lived(probe, 9)
    sealed = "data = x'ff00'" if store == "sqlite" else "data = NULL, sealed = '\\xff00'"
    sql(probe, f"UPDATE probe.events SET {sealed} WHERE position = 4")
    with pytest.raises(CorruptFact, match=r"position 4 .*its data is no probe\.job\.pushed"):
        load(probe)


def test_a_fold_that_fails_is_no_fault_of_the_log(probe, monkeypatch) -> None:
    def evolve(self: Job, event: object) -> Job:
        raise KeyError("a rule looked up what is not there")

    lived(probe, 9)
    monkeypatch.setattr(Job, "evolve", evolve)
    with pytest.raises(KeyError, match="a rule looked up"):
        load(probe)


def test_an_id_of_another_kind_is_taken(probe) -> None:
    lived(probe, 9).given({B: [NoteKept(job_id=A, text="x")]})
    taken, other = load_all(probe, B, A)
    assert isinstance(taken, IdTaken)
    assert "is the id of a probe.note, so no probe.job can have it" in str(taken)
    assert other.version == 10
    assert probe.run(probe.system.logs["probe"].streams.get(Note, B)).version == 1


def test_one_id_wanted_as_two_kinds_is_right_for_one(probe) -> None:
    lived(probe, 9)

    async def body() -> list[Any]:
        streams = probe.system.logs["probe"].streams
        wanted = (streams.get(kind, A) for kind in (Note, Job))
        return list(await asyncio.gather(*wanted, return_exceptions=True))

    note, job = probe.run(body())
    assert isinstance(note, IdTaken)
    assert job.version == 10


def test_a_store_that_is_away_fails_those_who_wait_and_serves_the_next(probe) -> None:
    lived(probe, 9)
    histories = probe.system.logs["probe"].store.histories
    read, away = histories.read, Unavailable("away")

    async def gone(*args):
        histories.read = read
        raise away

    histories.read = gone
    assert load_all(probe, A, B) == [away, away]
    assert [entry.version for entry in load_all(probe, A, B)] == [10, 0]


# ── up to a version ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("upto", [0, 1, 4, 9, 10, 11, 99])
def test_a_stream_is_folded_up_to_a_version(probe, monkeypatch, upto: int) -> None:
    monkeypatch.setattr(loading, "MAX_FACTS", 3)
    lived(probe, 9)
    state, version = probe.run(fold_upto(store_of(probe), probe.system.codec, Job, A, upto))
    assert version == min(upto, 10)
    assert state == (Job() if not version else Job(status="running", pushes=version - 1))


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_nobody_hangs_when_the_reading_task_is_cancelled(probe, monkeypatch, turns: int) -> None:
    """After so many turns of the loop: before it has begun, or in the midst of its first read."""
    lived(probe, 3)
    loader = probe.system.logs["probe"].streams._loader

    async def read_for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    async def body() -> None:
        monkeypatch.setattr(store_of(probe).histories, "read", read_for_ever)
        waiting = [asyncio.create_task(loader.load(Job, id)) for id in (A, B)]
        await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        loader._task.cancel()
        async with asyncio.timeout(20):
            found = await asyncio.gather(*waiting, return_exceptions=True)
            monkeypatch.undo()
            assert [type(one) for one in found] == [Unavailable] * 2
            assert (await loader.load(Job, A)).version == 4
            assert (await loader.load(Job, B)).version == 0

    probe.run(body())
