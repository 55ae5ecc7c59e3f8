"""Read your writes: a query waits for the reader's position, whatever that does with the facts."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from infra.queries import Aside, Behind
from infra.system import System
from tests.parking import Faulty, retried
from tests.probe.job import NoteKept, PushJob, StartJob
from tests.probe.rows import job
from tests.scenario import Scenario
from tests.test_readers import reader_of

A, B = UUID(int=0xA), UUID(int=0xB)


def read(probe: Scenario, id: UUID, after: int, system: System | None = None) -> Any:
    return probe.run((system or probe.system).queries.detail(job(id), {"probe": after}))


@pytest.fixture(params=["in this process", "in another one"])
def where(request, probe: Scenario, other: System) -> System:
    """The system that answers queries; the readers run in that of the probe."""
    probe.system.queries.local = True
    for system in (probe.system, other):
        system.queries._wait_s = 0.2
    return probe.system if request.param == "in this process" else other


def test_a_position_is_passed_by_a_reader_that_does_not_handle_its_fact(probe, where) -> None:
    probe.send(StartJob(job_id=A, name="a"))
    probe.send(PushJob(job_id=A, note="n"))
    probe.settle()
    kept = next(at for fact, at in probe.facts() if isinstance(fact, NoteKept))
    assert read(probe, A, kept.position, where)["pushes"] == 1
    with pytest.raises(Behind, match=r"probe.rows is at position 3, 1 facts behind 4"):
        read(probe, A, kept.position + 1, where)


def test_a_query_waits_while_the_reader_passes_facts_of_others(probe, where) -> None:
    where.queries._wait_s = 20
    probe.send(StartJob(job_id=A, name="a"))
    wanted = probe.send(StartJob(job_id=B, name="b")).receipt.position
    reader = reader_of(probe.system)
    reader._limit = reader._batch = reader._most = 1

    async def body() -> Any:
        asked = asyncio.create_task(where.queries.detail(job(A), {"probe": wanted}))
        while await reader.step():
            pass
        return await asked

    assert probe.run(body())["name"] == "a"


def test_what_is_parked_is_not_taken_for_read(probe, where) -> None:
    probe.send(StartJob(job_id=A, name="a"))
    probe.send(StartJob(job_id=B, name="b"))
    faulty = Faulty(reader_of(probe.system), {3})
    mine = probe.send(PushJob(job_id=A, note="n")).receipt.position
    theirs = probe.send(PushJob(job_id=B, note="n")).receipt.position
    while probe.run(reader_of(probe.system).step()):
        pass
    with pytest.raises(Aside, match="position 3 and has parked it"):
        read(probe, A, mine, where)
    assert read(probe, B, theirs, where)["pushes"] == 1
    faulty.positions.clear()
    retried(probe)
    assert read(probe, A, mine, where)["pushes"] == 1
