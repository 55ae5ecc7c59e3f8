"""What is parked belongs to the tables that lack it: a rebuild has it, the tables before do not."""

from uuid import UUID

import pytest

from infra.rebuilding.generations import prune, undo
from infra.rebuilding.rebuild import rebuild
from tests.parking import Faulty, parked, retried
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.scenario import Scenario
from tests.test_parking import equal_to_a_rebuild, pushes, stepped
from tests.test_readers import reader_of

A, B = UUID(int=0xA), UUID(int=0xB)
(ROWS,) = FEATURES.projections


@pytest.fixture
def stuck(probe: Scenario) -> Faulty:
    """The first push of A, at position 2, is parked, and the second with it."""
    for command in (StartJob(job_id=A, name="a"), *[PushJob(job_id=A, note="n")] * 2):
        probe.send(command)
    faulty = Faulty(reader_of(probe.system), {2})
    stepped(probe)
    assert [group.facts for group in parked(probe)] == [2]
    return faulty


def accept(probe: Scenario) -> None:
    log, database = probe.system.logs["probe"], probe.system.databases["probe"]
    options = {"accept": True}
    assert probe.run(rebuild(ROWS, log.store, probe.system.codec, database, **options)).swapped


def put_back(probe: Scenario) -> None:
    async def body() -> None:
        async with probe.system.databases["probe"].write() as connection:
            await undo(connection, ROWS)

    probe.run(body())


def test_rebuilt_tables_have_what_was_parked(probe, stuck) -> None:
    accept(probe)
    assert (parked(probe), pushes(probe, A)) == ([], [1, 2])
    probe.send(PushJob(job_id=A, note="later"))
    with pytest.raises(Exception, match="another worker"):
        stepped(probe)  # it learns that the key is free
    stepped(probe)
    assert (parked(probe), pushes(probe, A)) == ([], [1, 2, 3])


def test_tables_that_are_put_back_lack_it_and_it_is_parked_again(probe, stuck) -> None:
    accept(probe)
    probe.send(PushJob(job_id=A, note="later"))
    probe.send(StartJob(job_id=B, name="b"))
    put_back(probe)
    with pytest.raises(Exception, match="another worker"):
        stepped(probe)
    stepped(probe)
    assert [(group.first, group.facts) for group in parked(probe)] == [(2, 3)]
    assert pushes(probe, A) == []
    stuck.positions.clear()
    retried(probe)
    assert pushes(probe, A) == [1, 2, 3]
    assert equal_to_a_rebuild(probe)


def test_pruned_tables_take_it_with_them(probe, stuck) -> None:
    async def pruned() -> None:
        async with probe.system.databases["probe"].write() as connection:
            await prune(connection, ROWS)

    accept(probe)
    probe.run(pruned())
    prefix = "probe_" if probe.system.databases["probe"].is_sqlite else "probe."
    assert probe.sql(f"SELECT * FROM {prefix}parked") == []
