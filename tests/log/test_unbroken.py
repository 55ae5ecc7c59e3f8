"""A position that is missing in the log: whoever reads it stops there, and says so."""

from typing import Any

import pytest

from infra.history import facts_after
from infra.log.codec import Codec
from infra.log.port import CorruptFact
from infra.log.tail import Tail
from infra.log.unbroken import read_on
from infra.readers import Reader
from infra.rebuilding.rebuild import rebuild
from infra.system import System
from tests.log.appends import A, append, fact, store_of
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.probe.rows import job
from tests.scenario import Scenario
from tests.test_readers import reader_of, stored, take_at_once


def events(probe: Scenario) -> str:
    return f"probe{'_' if probe.system.databases['probe'].is_sqlite else '.'}events"


@pytest.fixture
def lived(probe: Scenario) -> Scenario:
    """A job with seven pushes: positions 1 to 8, of which no reader has passed any."""
    probe.send(StartJob(job_id=A, name="dig"))
    for _ in range(7):
        probe.send(PushJob(job_id=A))
    probe.sql(f"CREATE TABLE kept AS SELECT * FROM {events(probe)}")
    return probe


@pytest.fixture(autouse=True)
def _no_copy_is_left(probe: Scenario) -> Any:
    yield
    probe.sql("DROP TABLE IF EXISTS kept")


def lose(probe: Scenario, *positions: int) -> None:
    for position in positions:
        probe.sql(f"DELETE FROM {events(probe)} WHERE position = {position}")


def restore(probe: Scenario) -> None:
    there = f"SELECT position FROM {events(probe)}"
    probe.sql(f"INSERT INTO {events(probe)} SELECT * FROM kept WHERE position NOT IN ({there})")


async def to_the_end(reader: Reader) -> None:
    while await reader.step():
        pass


def positions(found: Any) -> list[int]:
    return [one.at.position for one in found]


def test_what_comes_before_a_gap_is_read_and_then_the_gap_is_named(lived) -> None:
    lose(lived, 5)
    store = store_of(lived)
    assert positions(lived.run(read_on(store, 0, 100))) == [1, 2, 3, 4]
    assert positions(lived.run(read_on(store, 0, 2))) == [1, 2]
    assert positions(lived.run(read_on(store, 5, 100))) == [6, 7, 8]
    for limit in (1, 100):
        with pytest.raises(CorruptFact, match="probe log, position 5 is missing, the next one is"):
            lived.run(read_on(store, 4, limit))


@pytest.mark.parametrize("upto", [None, 8, 100])
def test_the_end_of_the_log_is_no_gap_but_a_lost_end_is(lived, upto: int | None) -> None:
    store = store_of(lived)
    assert lived.run(read_on(store, 8, 100)) == []
    assert lived.run(read_on(store, 4, 100, 4)) == []
    lose(lived, 7, 8)
    assert positions(lived.run(read_on(store, 4, 100, upto))) == [5, 6]
    with pytest.raises(CorruptFact, match="position 7 is missing, and so is all behind it"):
        lived.run(read_on(store, 6, 100, upto))


@pytest.mark.parametrize(("after", "upto"), [(9, None), (8, 9), (9, 10)])
def test_a_log_that_ends_before_the_place_of_its_reader_is_told(lived, after: int, upto) -> None:
    with pytest.raises(CorruptFact, match="probe log ends at position 8, though it was at "):
        lived.run(read_on(store_of(lived), after, 100, upto))


def test_a_fact_that_comes_between_two_looks_is_no_gap(lived) -> None:
    """It is committed after the first look and before the head is read."""
    store = store_of(lived)
    head = store.head

    async def late() -> int:
        store.head = head  # type: ignore[method-assign]
        await store.append([append(A, 8, fact())])
        return await head()

    store.head = late  # type: ignore[method-assign]
    assert positions(lived.run(read_on(store, 8, 100))) == [9]


@pytest.mark.parametrize("batch", [2, 3, 4, 500])
def test_readers_stop_at_a_gap_and_go_on_when_it_is_filled(lived, batch: int) -> None:
    lose(lived, 5)
    for reader in lived.system.readers:
        take_at_once(reader, batch)
        with pytest.raises(CorruptFact, match="position 5 is missing"):
            lived.run(to_the_end(reader))
        assert reader.position == stored(lived, reader.name) == 4, "not a fact behind it"
    assert lived.rows(job(A))["pushes"] == 3
    restore(lived)
    lived.settle()
    assert lived.rows(job(A))["pushes"] == 7


def test_readers_stop_at_a_lost_end(lived) -> None:
    lose(lived, 8)
    reader = reader_of(lived.system)
    assert lived.run(reader.step()) == 7
    with pytest.raises(CorruptFact, match="position 8 is missing"):
        lived.run(reader.step())


def test_a_tail_is_not_joined_across_a_gap(lived) -> None:
    """One reader is in front of the gap, another behind it, and they share a tail."""
    lose(lived, 5)
    tail = Tail(store_of(lived), Codec(FEATURES.facts))

    def read(after: int) -> list[int]:
        return [at.position for _, at in lived.run(tail.read(after, 100))]

    assert read(5) == [6, 7, 8]
    for _ in range(2):
        assert read(0) == [1, 2, 3, 4]
        assert read(5) == [6, 7, 8]
        with pytest.raises(CorruptFact, match="position 5 is missing"):
            read(4)


@pytest.mark.parametrize("lost", [1, 5, 8])
def test_a_rebuild_stops_at_a_gap(lived, lost: int) -> None:
    lived.settle()
    lose(lived, lost)
    system: System = lived.system
    log, database = system.logs["probe"], system.databases["probe"]
    with pytest.raises(CorruptFact, match=f"position {lost} is missing"):
        lived.run(rebuild(FEATURES.projections[0], log.store, system.codec, database))
    assert lived.rows(job(A))["pushes"] == 7, "the live rows stand"


def test_a_list_of_facts_ends_at_a_gap(lived) -> None:
    lose(lived, 5)
    seen = []

    async def body() -> None:
        async for _, at in facts_after(lived.system, "probe", 0, page=2):
            seen.append(at.position)

    with pytest.raises(CorruptFact, match="position 5 is missing"):
        lived.run(body())
    assert seen == [1, 2, 3, 4]
