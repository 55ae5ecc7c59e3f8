"""Readers: output and position move together, in order, and never past a faulty fact."""

import asyncio
from uuid import UUID

import pytest
import structlog
from sqlalchemy import text

from commands import Caller
from infra.log.port import CorruptFact, Unavailable
from infra.log.tail import Tail
from infra.moves import Overtaken
from infra.readers import FAR, Reader
from infra.system import System
from tests.log.appends import append, store_of
from tests.log.appends import fact as encoded
from tests.probe.job import JobPushed, PushJob, StartJob
from tests.probe.rows import all_jobs, job
from tests.scenario import Scenario, until

A, B = UUID(int=0xA), UUID(int=0xB)
ann = Caller(actor="ann")
start = StartJob(job_id=A, name="dig")


def reader_of(system: System, name: str = "probe.rows") -> Reader:
    return next(reader for reader in system.readers if reader.name == name)


def take_at_once(reader: Reader, facts: int) -> None:
    """Let a reader handle so many facts at once, however far behind it is."""
    reader._limit = reader._batch = reader._most = facts


def stored(probe, name: str = "probe.rows") -> int:
    dot = "_" if next(iter(probe.system.databases.values())).is_sqlite else "."
    rows = probe.sql(f"SELECT position FROM probe{dot}readers WHERE name = '{name}'")
    return rows[0][0] if rows else 0


def spoil(probe, position: int, data: str) -> str:
    """Change the data of a fact behind the system's back; returns what it was."""
    return spoil_of(probe, "probe", position, data)


def spoil_of(scenario: Scenario, context: str, position: int, data: str) -> str:
    """The same in a log that is named."""
    dot = "_" if scenario.system.databases[context].is_sqlite else "."
    place = f"{context}{dot}events"
    where = f"WHERE position = {position}"
    (before,) = scenario.sql(f"SELECT CAST(data AS text) FROM {place} {where}")[0]
    scenario.sql(f"UPDATE {place} SET data = '{data}' {where}")
    return str(before)


def test_a_reader_passes_every_fact_once_and_keeps_its_place(probe, other) -> None:
    for number in range(5):
        probe.send(StartJob(name=str(number)))
    reader = reader_of(probe.system)
    take_at_once(reader, 2)
    assert [probe.run(reader.step()) for _ in range(4)] == [2, 2, 1, 0]
    assert (reader.position, stored(probe)) == (5, 5)
    again = reader_of(other)
    probe.run(again.resume())
    assert (again.position, probe.run(again.step())) == (5, 0)


def test_a_projection_that_is_far_behind_takes_more_at_once_and_a_process_does_not(probe) -> None:
    jobs = [StartJob(name=str(number)) for number in range(7 * FAR)]

    async def body() -> None:
        await asyncio.gather(*(probe.system.dispatch(command, ann) for command in jobs))

    probe.run(body())
    for reader, expected in (
        (reader_of(probe.system), [2, 4, 8, 16, 20, 20, 0]),
        (reader_of(probe.system, "saga:probe.process@probe"), [2] * 6),
    ):
        reader._limit = reader._batch = 2
        reader._most = 2 if reader.is_process else 2 * FAR
        assert [probe.run(reader.step()) for _ in expected] == expected
    probe.send(start)
    reader = reader_of(probe.system)
    assert probe.run(reader.step()) == 1
    assert reader._limit == 2, "close to the end its batches are small again"


def test_output_and_position_are_written_together_or_not_at_all(probe) -> None:
    probe.send(start)
    reader = reader_of(probe.system)
    write = reader._output

    async def torn(facts):
        inner = await write(facts)

        async def store(connection):
            await inner(connection)
            raise Unavailable("torn")

        return store

    reader._output = torn
    with pytest.raises(Unavailable):
        probe.run(reader.step())
    assert (probe.rows(all_jobs()), stored(probe), reader.position) == ([], 0, 0)
    reader._output = write
    assert probe.run(reader.step()) == 1
    assert (len(probe.rows(all_jobs())), stored(probe)) == (1, 1)


@pytest.mark.parametrize("before", [0, 1])
def test_a_worker_that_comes_late_writes_nothing_and_goes_on_from_there(
    probe, other, before: int
) -> None:
    ours, theirs = reader_of(probe.system), reader_of(other)
    for number in range(before):
        probe.send(StartJob(name=str(number)))
    probe.run(ours.step())
    probe.run(theirs.resume())
    probe.send(start)
    probe.send(PushJob(job_id=A))
    assert probe.run(ours.step()) == 2
    with pytest.raises(Overtaken):
        probe.run(theirs.step())
    assert theirs.position == 2 + before
    probe.send(PushJob(job_id=A))
    assert probe.run(theirs.step()) == 1
    with pytest.raises(Overtaken):
        probe.run(ours.step())
    assert probe.rows(job(A))["pushes"] == 2


def test_two_workers_at_once_do_everything_once(probe, other) -> None:
    jobs = [StartJob(name=str(number)) for number in range(30)]

    async def body() -> None:
        systems = (probe.system, other)
        for system in systems:
            await system.follow()
        for command in jobs:
            await probe.system.dispatch(command, ann)
        await until(lambda: min(reader_of(s).position for s in systems) == len(jobs))

    with structlog.testing.capture_logs() as lines:
        probe.run(body())
    assert [row["name"] for row in probe.rows(all_jobs())] == [c.name for c in jobs]
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert [r.failure for s in (probe.system, other) for r in s.readers] == [None] * 4


def test_a_fact_of_an_unknown_topic_stops_readers(probe) -> None:
    probe.run(store_of(probe).append([append(B, 0, encoded(1, "probe.job.vanished"))]))
    for reader in probe.system.readers:
        with pytest.raises(CorruptFact, match=r"'probe\.job\.vanished'"):
            probe.run(reader.step())


def test_a_running_reader_says_where_it_stands_and_recovers(probe) -> None:
    probe.when(start)
    probe.send(PushJob(job_id=A))
    probe.send(PushJob(job_id=A))
    reader = reader_of(probe.system)
    events = "probe_events" if probe.system.databases["probe"].is_sqlite else "probe.events"
    topic = f"UPDATE {events} SET topic = '%s' WHERE position = 2"
    probe.sql(topic % "probe.job.renamed")

    async def body() -> None:
        await probe.system.follow()
        await until(lambda: all(one.failure for one in probe.system.readers))
        await asyncio.sleep(0.3)  # it tries again, and says so once
        await asyncio.to_thread(probe.sql, topic % JobPushed.TOPIC)
        await until(lambda: reader.position >= 3)
        assert reader.failure is None

    with structlog.testing.capture_logs() as lines:
        probe.run(body())
    stopped = [line for line in lines if line["event"] == "reader stopped"]
    assert sorted(line["reader"] for line in stopped) == ["probe.rows", "saga:probe.process@probe"]
    assert all("position 2 " in line["error"] for line in stopped)
    batches = [line for line in lines if line["event"] == "reader batch"]
    assert {"reader", "context", "position", "facts", "ms"} <= set(batches[0])


def test_what_a_database_says_of_a_row_is_not_told(probe) -> None:
    probe.send(StartJob(job_id=A, name="canary"))
    reader = reader_of(probe.system)

    async def faulty(facts):
        async def store(connection):
            values = "VALUES (:a, :b, NULL, 0, :c, 0, 0)"
            table = "probe_jobs" if connection.dialect.name == "sqlite" else "probe.jobs"
            await connection.execute(
                text(f"INSERT INTO {table} {values}"),
                {"a": A, "b": "canary", "c": facts[0][1].time}
                if connection.dialect.name != "sqlite"
                else {"a": "x", "b": "canary", "c": "y"},
            )

        return store

    reader._output = faulty
    dot = "_" if probe.system.databases["probe"].is_sqlite else "."
    with structlog.testing.capture_logs() as lines:
        probe.run(reader.step())
    [(error, trace)] = probe.sql(f"SELECT error, trace FROM probe{dot}parked")
    assert "status" in error
    assert "canary" not in f"{error} {trace} {lines}"


def test_a_store_that_is_away_stops_a_reader_at_once(probe) -> None:
    probe.send(start)
    reader = reader_of(probe.system)
    tries = 0

    async def away(facts):
        nonlocal tries
        tries += 1
        raise Unavailable("away")

    reader._output = away
    with pytest.raises(Unavailable):
        probe.run(reader.step())
    assert tries == 1, "a smaller batch would not help"


def test_a_reader_may_leave_history_out(probe) -> None:
    probe.send(start)
    reader = reader_of(probe.system)
    probe.run(reader.skip_to(1))
    probe.run(reader.skip_to(0))
    assert (reader.position, stored(probe)) == (1, 1)
    assert probe.run(reader.step()) == 0


def test_facts_that_were_read_stay_as_they_are_while_others_come_in(probe: Scenario) -> None:
    """Whoever works on them takes their end for the new position: no more may appear behind it."""
    system = probe.system
    tail = Tail(system.logs["probe"].store, system.codec)
    for command in (start, StartJob(job_id=B, name="dig")):
        probe.send(command)
    first = probe.run(tail.read(1, 10))  # it does not begin with the log: others have read that
    probe.send(PushJob(job_id=A, note="n"))
    second = probe.run(tail.read(2, 10))
    assert [at.position for _, at in first] == [2]
    assert [at.position for _, at in second] == [3]
    assert [at.position for _, at in probe.run(tail.read(1, 10))] == [2, 3]
