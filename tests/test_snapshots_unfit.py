"""Snapshots that do not fit, and those of programs of another version: not used, and cleared."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import structlog

from infra.log.histories import Snapshot
from infra.log.port import CorruptFact
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.probe.job import Job, JobPushed, NoteKept
from tests.probe.newer import NEWER, NEWEST, NewerJob, NewestJob
from tests.probe.snapshots import (
    PUSH,
    A,
    B,
    checked,
    counted,
    lived,
    load,
    pushed,
    snapshots,
    versions,
)
from tests.probe.store import Watched, sql
from tests.scenario import Scenario


@pytest.fixture
def newer(probe: Scenario, settings: Settings) -> Iterator[System]:
    """A process with newer code on the same store."""
    system = probe.run(open_system(settings, features=NEWER))
    yield system
    probe.run(system.close())


@pytest.fixture
def newest(probe: Scenario, settings: Settings) -> Iterator[System]:
    """A process with code that is newer still."""
    system = probe.run(open_system(settings, features=NEWEST))
    yield system
    probe.run(system.close())


# ── what does not fit is not used ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE probe.snapshots SET data = '[]'", "it cannot be read: Expected `object`"),
        ('UPDATE probe.snapshots SET data = \'{"pushes":"9"}\'', "it cannot be read: Expected"),
        ("UPDATE probe.snapshots SET version = 11", "the stream has no such version"),
        ("UPDATE probe.snapshots SET version = 4000000000", "the stream has no such version"),
    ],
)
def test_one_that_does_not_fit_is_told_dropped_and_taken_anew(probe, statement, why) -> None:
    lived(probe, 9)
    load(probe)
    sql(probe, statement)
    with structlog.testing.capture_logs() as lines:
        entry = load(probe)
    assert (entry.state, entry.version) == (Job(status="running", pushes=9), 10)
    [line] = lines
    assert (line["event"], line["log_level"]) == ("snapshot unfit", "warning")
    assert (line["stream"], line["kind"]) == (str(A), "probe.job")
    assert why in line["why"]
    assert counted(probe, "unfit") == 1
    assert versions(probe) == [10]
    assert checked(probe) == ["1 snapshots"]


def test_a_gap_behind_it_is_a_gap_in_the_log(probe) -> None:
    lived(probe, 9)
    load(probe)
    probe.given({A: [JobPushed(number=10), JobPushed(number=11)]})
    sql(probe, "DELETE FROM probe.events WHERE position = 11")
    with pytest.raises(CorruptFact, match=r"position 12 .*version 11 is missing before it"):
        load(probe)
    assert counted(probe, "unfit") == 1


def test_a_fact_behind_it_that_cannot_be_read_is_no_fault_of_the_snapshot(probe) -> None:
    lived(probe, 9)
    load(probe)
    probe.given({A: [JobPushed(number=10)]})
    sql(probe, "UPDATE probe.events SET data = '{}' WHERE position = 11")
    with pytest.raises(CorruptFact, match="position 11"):
        load(probe)
    assert (counted(probe, "unfit"), versions(probe)) == (0, [10])


def test_they_may_be_deleted_at_any_time(probe) -> None:
    lived(probe, 9)
    for _ in range(3):
        assert load(probe).state == Job(status="running", pushes=9)
        assert versions(probe) == [10]
        sql(probe, "DELETE FROM probe.snapshots")
    probe.send(PUSH)
    assert load(probe).state == probe.state(Job, A)


def test_one_of_another_kind_is_another_kinds(probe) -> None:
    lived(probe, 9)
    load(probe)
    probe.given({B: [NoteKept(job_id=A, text="x")]})
    sql(probe, f"UPDATE probe.snapshots SET stream = '{B}', version = 1")
    entry = probe.run(probe.system.logs["probe"].streams.get(Job, UUID(int=0xC)))
    assert entry.version == 0
    with pytest.raises(Exception, match=r"is the id of a probe\.note"):
        probe.run(probe.system.logs["probe"].streams.get(Job, B))


# ── two programs of different versions ────────────────────────────────────────────────────────


def test_other_code_does_not_find_them_and_takes_its_own(probe, newer) -> None:
    lived(probe, 9)
    load(probe)
    entry = load(probe, newer, NewerJob)
    assert entry.state == NewerJob(status="running", pushes=9, last="")
    assert (counted(probe, "used", newer), counted(probe, "taken", newer)) == (0, 1)
    assert versions(probe) == [10, 10]
    assert len({topic for _, topic in snapshots(probe)}) == 2


def test_two_programs_at_once_leave_each_other_s_alone(probe, newer) -> None:
    lived(probe, 9)
    load(probe)
    load(probe, newer, NewerJob)
    for number in range(30):
        system, kind = ((probe.system, Job), (newer, NewerJob))[number % 2]
        pushed(probe, 1, to=system)
        fresh = load(probe, system, kind)
        assert fresh.version == 11 + number
        assert fresh.state == probe.state(kind, A)
    for system in (probe.system, newer):
        # Each load found one of its own: a stream is folded from its start by neither.
        assert counted(probe, "used", system) >= 15
        assert counted(probe, "taken", system) <= 12
    assert len(versions(probe)) == 2


def test_those_of_code_that_is_gone_go_when_the_stream_has_grown(probe, newer) -> None:
    lived(probe, 9)
    load(probe)
    load(probe, newer, NewerJob)
    pushed(probe, 7, to=newer)
    assert versions(probe) == [10, 14]
    pushed(probe, 1, to=newer)
    assert versions(probe) == [18]


def test_of_code_before_that_only_the_last_is_left(probe, newer, newest) -> None:
    lived(probe, 9)
    load(probe)
    load(probe, newer, NewerJob)
    load(probe, newest, NewestJob)
    kept = {topic for _, topic in snapshots(probe)}
    topics = {
        system.logs["probe"].streams.snapshots.topic_of(kind)
        for system, kind in ((newer, NewerJob), (newest, NewestJob))
    }
    assert kept == topics


def test_an_older_one_does_not_replace_a_newer_one(probe, other) -> None:
    lived(probe, 9)
    load(probe)
    topic = probe.system.logs["probe"].streams.snapshots.topic_of(Job)
    late = Snapshot(A, topic, 5, '{"status":"running","pushes":4}')
    probe.run(other.logs["probe"].store.histories.keep(late, 4))
    watched = Watched(probe.system)
    assert load(probe).version == 10
    assert watched.reads == [[(A, 1)]]
