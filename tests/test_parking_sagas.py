"""A process instance that is stuck is parked, not its saga; retried, it ends as if it never was."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import Event
from infra.wiring import open_system
from tests.parking import OLGA, Faulty, parked, retried
from tests.probe.features import FEATURES
from tests.probe.job import JobEnded, JobPushed, JobStarted, Note, NoteKept, PushJob, StartJob
from tests.scenario import Scenario
from tests.test_readers import reader_of
from tests.test_sagas import SAGA, deadlines

A, B = UUID(int=0xA), UUID(int=0xB)


def kept(probe: Scenario, id: UUID) -> list[str]:
    """Return the notes of a job, in the order they were kept."""
    return [f.text for f, _ in probe.facts() if isinstance(f, NoteKept) and f.job_id == id]


def lives(probe: Scenario, fault_at: int | None = None) -> list[tuple[UUID, Event]]:
    """Let two jobs live, one perhaps with a fault for a while; return the facts by stream."""
    probe.when(StartJob(job_id=A, name="a"), StartJob(job_id=B, name="b"))
    faulty = Faulty(reader_of(probe.system, SAGA), {fault_at} if fault_at else ())
    probe.when(*(PushJob(job_id=id, note=f"{id.int} 1") for id in (A, B)))
    probe.when(*(PushJob(job_id=id, note=f"{id.int} 2") for id in (A, B)))
    if fault_at:
        assert (kept(probe, A), kept(probe, B)) == ([], ["11 1", "11 2"])
        [group] = parked(probe)
        assert (group.reader, group.key, group.facts) == (SAGA, str(A), 2)
        faulty.positions.clear()
        [result] = retried(probe)
        assert (result.handled, result.left) == (2, 0)
    probe.when(PushJob(job_id=A, note="enough"))
    assert kept(probe, A) == ["10 1", "10 2", "enough"]
    return sorted(((at.stream, fact) for fact, at in probe.facts()), key=repr)


def test_parked_and_retried_ends_equal_to_never_parked(probe, settings, tmp_path) -> None:
    ended = lives(probe, fault_at=3)
    untroubled = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/other.db"})
    other = Scenario(untroubled, "probe", features=FEATURES)
    assert ended == lives(other)
    assert (A, JobEnded(reason="enough after 3")) in ended
    other.close()


def test_the_state_is_as_of_the_parked_fact(probe) -> None:
    probe.when(StartJob(job_id=A, name="a"))
    faulty = Faulty(reader_of(probe.system, SAGA), {2})
    probe.when(PushJob(job_id=A, note="enough"), PushJob(job_id=A), PushJob(job_id=A))
    faulty.positions.clear()
    retried(probe)
    probe.settle()
    assert JobEnded(reason="enough after 1") in [fact for fact, _ in probe.facts()]


def test_a_retry_elsewhere_is_noticed_before_the_next_fact(probe, settings) -> None:
    """The command line retries in a process of its own: the worker's states are old then."""
    probe.when(StartJob(job_id=A, name="a"))
    faulty = Faulty(reader_of(probe.system, SAGA), {2})
    probe.when(PushJob(job_id=A, note="one"), PushJob(job_id=A, note="two"))
    faulty.positions.clear()
    elsewhere = probe.run(open_system(settings, features=FEATURES))
    assert [one.handled for one in retried(probe, elsewhere)] == [2]
    probe.run(elsewhere.close())
    probe.when(PushJob(job_id=A, note="enough"))
    assert kept(probe, A) == ["one", "two", "enough"]
    assert probe.facts()[-1][0] == JobEnded(reason="enough after 3")


def test_a_step_that_was_sent_before_the_fault_is_not_sent_again(probe) -> None:
    """The reaction breaks off between its two commands."""
    probe.when(StartJob(job_id=A, name="a"))
    output: Any = reader_of(probe.system, SAGA).output
    react, broken = output._saga.react, True

    def breaking(id, fact, job):
        for number, step in enumerate(react(id, fact, job)):
            if broken and isinstance(fact, JobPushed) and number == 2:
                raise KeyError("canary")
            yield step

    output._saga = replace(output._saga, react=breaking)
    probe.when(PushJob(job_id=A, note="enough"))
    assert kept(probe, A) == ["enough"]
    assert [group.first for group in parked(probe)] == [2]
    broken = False
    retried(probe)
    probe.settle()
    assert kept(probe, A) == ["enough"]
    assert probe.facts()[-1][0] == JobEnded(reason="enough after 1")


def test_a_parked_process_is_ended_by_its_deadline_all_the_same(probe) -> None:
    """Its facts wait: what follows from the end is done when they are retried."""
    probe.when(StartJob(job_id=A, name="a"))
    faulty = Faulty(reader_of(probe.system, SAGA), {2})
    probe.when(PushJob(job_id=A, note="n"))
    probe.after(timedelta(hours=2)).then(JobEnded(reason="idle"))
    assert parked(probe)[0].facts == 2
    faulty.positions.clear()
    retried(probe)
    assert (kept(probe, A), deadlines(probe)) == (["n"], [])


@pytest.mark.parametrize("at", [1, 2])
def test_a_deadline_is_set_by_the_retry(probe, at: int) -> None:
    faulty = Faulty(reader_of(probe.system, SAGA), {at})
    probe.when(StartJob(job_id=A, name="a"), PushJob(job_id=A, note="n"))
    assert len(deadlines(probe)) == at - 1
    faulty.positions.clear()
    retried(probe)
    assert [key for _, _, key in deadlines(probe)] == ["probe:2:1"]
    probe.after(timedelta(minutes=61)).then(JobEnded(reason="idle"))
    assert [type(f) for f, at in probe.facts() if at.stream == A] == [
        JobStarted, JobPushed, JobEnded
    ]  # fmt: skip


def test_who_retried_stands_in_the_trail_and_the_process_is_the_actor(probe) -> None:
    probe.when(StartJob(job_id=A, name="a"))
    faulty = Faulty(reader_of(probe.system, SAGA), {2})
    probe.when(PushJob(job_id=A, note="n"))
    faulty.positions.clear()
    retried(probe)
    assert {at.actor for fact, at in probe.facts() if isinstance(fact, NoteKept)} == {
        "saga:probe.process"
    }
    assert OLGA.actor not in {at.actor for _, at in probe.facts()}
    assert probe.state(Note, probe.facts()[-1][1].stream).text == "n"
