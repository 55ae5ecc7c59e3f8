"""Parking with several workers and operators at once: nothing twice, nothing out of order."""

import asyncio

import pytest

from commands import Caller
from infra.aside.parked import groups
from infra.aside.unparking import retry
from infra.guarding.drift import Drift, Pass
from infra.moves import Overtaken
from infra.system import System
from tests.parking import OLGA, Faulty, parked, retried
from tests.probe.job import PushJob
from tests.scenario import until
from tests.test_parking import BOTH, ROWS, A, B, equal_to_a_rebuild, pushes, stepped, stuck
from tests.test_readers import reader_of

PROBER = Caller(actor="prober")

__all__ = ["stuck"]  # a fixture


async def _retry_all(system: System) -> None:
    for group in await groups(system):
        await retry(system, group, OLGA)


def test_a_worker_that_does_not_know_that_a_key_is_free_again_moves_nothing(
    probe, other, stuck
) -> None:
    """The worker would park the later fact for ever, behind nothing."""
    theirs = reader_of(other)
    probe.run(theirs.resume())
    stuck.positions.clear()
    retried(probe)
    probe.send(PushJob(job_id=A, note="later"))
    with pytest.raises(Overtaken):
        probe.run(theirs.step())
    assert probe.run(theirs.step()) == 1
    assert (parked(probe), pushes(probe, A)) == ([], [1, 2, 3])


def test_a_worker_that_does_not_know_that_a_key_is_parked_moves_nothing(probe, other) -> None:
    theirs = reader_of(other)
    for command in BOTH:
        probe.send(command)
    probe.run(theirs.resume())
    Faulty(reader_of(probe.system), {2})
    stepped(probe)
    probe.send(PushJob(job_id=B))
    with pytest.raises(Overtaken):
        stepped(probe, other)
    stepped(probe, other)
    assert [(one.key, one.first, one.last) for one in parked(probe)] == [(str(B), 2, 3)]


def test_operators_and_workers_at_once_lose_nothing_and_double_nothing(probe, other) -> None:
    """Two workers follow and two operators retry, while facts of the same keys come in."""
    for command in BOTH:
        probe.send(command)
    faults = [Faulty(reader_of(system), range(3, 30, 4)) for system in (probe.system, other)]

    async def body() -> None:
        for system in (probe.system, other):
            await system.follow()
        for number in range(20):
            await probe.system.dispatch(PushJob(job_id=(A, B)[number % 2], note="n"), PROBER)
        reader = reader_of(probe.system)
        head = await probe.system.logs["probe"].store.head()
        await until(lambda: reader.position >= head or reader_of(other).position >= head)
        for faulty in faults:
            faulty.positions.clear()
        for _ in range(20):
            await asyncio.gather(*(_retry_all(system) for system in (probe.system, other)))
            if not await groups(probe.system):
                return
        raise AssertionError("something stays parked")

    probe.run(body())
    assert equal_to_a_rebuild(probe)
    assert (pushes(probe, A), pushes(probe, B)) == ([*range(1, 11)], [*range(1, 11)])


def test_an_audit_for_drift_leaves_rows_alone_that_lack_parked_facts(probe, stuck) -> None:
    """It would mend them, and a retry would then do everything a second time."""
    log, database = probe.system.logs["probe"], probe.system.databases["probe"]

    async def audited() -> Drift:
        work = Pass([ROWS], log.store, probe.system.codec, database, probe.clock)
        await work.begin()
        while await work.step(100):
            pass
        [found] = await work.end(mend=True, actor="drift:probe")
        return found

    found = probe.run(audited())
    assert (found.total, found.mended, pushes(probe, A)) == (0, 0, [])
    assert "2 parked facts are left out" in found.notes[0]
    stuck.positions.clear()
    retried(probe)
    assert equal_to_a_rebuild(probe)
    found = probe.run(audited())
    assert (found.good, found.notes, found.rows > 0) == (True, [], True)
