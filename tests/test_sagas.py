"""Sagas: what they send has one effect, however often a fact comes; deadlines outlive a process."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from infra.dispatch import Meta
from infra.log.port import Unavailable
from infra.moves import Overtaken
from infra.processes import caller_of
from infra.wiring import open_system
from tests.probe.features import FEATURES
from tests.probe.job import (
    EndJob,
    Job,
    JobEnded,
    JobPushed,
    JobStarted,
    KeepNote,
    Note,
    NoteKept,
    PushJob,
    StartJob,
)
from tests.probe.process import NOTES
from tests.scenario import Scenario
from tests.test_readers import reader_of

A, B = UUID(int=0xA), UUID(int=0xB)
SAGA = "saga:probe.process@probe"
start = StartJob(job_id=A, name="dig")
hour = timedelta(hours=1)


def deadlines(probe: Scenario) -> list[tuple[object, ...]]:
    dot = "_" if probe.system.databases["probe"].is_sqlite else "."
    return probe.sql(f"SELECT name, command, key FROM probe{dot}deadlines ORDER BY key")


# ── steps ────────────────────────────────────────────────────────────────────────────────────


def test_a_step_has_the_facts_correlation_and_names_its_cause(probe) -> None:
    correlation = UUID(int=77)
    probe.send(start)
    sent = probe.send(PushJob(job_id=A, note="n"), correlation_id=correlation)
    probe.settle()
    pushed, kept = [at for _, at in probe.facts()[1:]]
    assert isinstance(probe.facts()[2][0], NoteKept)
    assert kept.actor == "saga:probe.process"
    assert (kept.correlation_id, kept.causation_id) == (correlation, pushed.command_id)
    assert pushed.position == sent.receipt.position


def test_a_fact_that_comes_again_is_inert(probe) -> None:
    """The steps were sent, and then the position was not written."""
    probe.when(start)
    probe.send(PushJob(job_id=A, note="enough"))
    reader = reader_of(probe.system, SAGA)
    react = reader._output

    async def crashing(facts):
        write = await react(facts)

        async def fail(connection):
            await write(connection)
            raise Unavailable("the store is away")

        return fail

    reader._output = crashing
    for _ in range(3):
        with pytest.raises(Unavailable):
            probe.run(reader.step())
    reader._output = react
    probe.settle()
    assert [fact for fact, _ in probe.facts()] == [
        JobStarted(name="dig"),
        JobPushed(number=1, note="enough"),
        NoteKept(job_id=A, text="enough"),
        JobEnded(reason="enough after 1"),
    ]
    assert deadlines(probe) == []


def test_another_process_may_have_sent_the_steps(probe, other) -> None:
    probe.when(start)
    ours, theirs = reader_of(probe.system, SAGA), reader_of(other, SAGA)
    probe.run(theirs.resume())
    probe.send(PushJob(job_id=A, note="n"))
    assert probe.run(theirs.step()) == 1
    with pytest.raises(Overtaken):
        probe.run(ours.step())
    probe.settle()
    assert [type(fact) for fact, _ in probe.facts()] == [JobStarted, JobPushed, NoteKept]


def test_the_state_is_that_of_the_fact_also_after_another_process_took_some(probe, other) -> None:
    """A state in memory that missed facts would end the job with a wrong number."""
    probe.when(start, PushJob(job_id=A, note="one"))
    theirs = reader_of(other, SAGA)
    probe.run(theirs.resume())
    for note in ("two", "three"):
        probe.send(PushJob(job_id=A, note=note))
        assert probe.run(theirs.step()) > 0
    probe.send(PushJob(job_id=A, note="enough"))
    probe.settle()
    assert probe.facts()[-1][0] == JobEnded(reason="enough after 4")


def test_the_state_is_as_of_the_fact_however_late_it_is_read(probe) -> None:
    probe.given({A: [JobStarted(name="dig")]})
    notes = ("one", "enough", "three")
    probe.when(*(PushJob(job_id=A, note=note) for note in notes))
    assert JobEnded(reason="enough after 2") in probe.new_facts()


def test_a_refused_step_is_kept_and_the_saga_goes_on(probe) -> None:
    probe.when(start, PushJob(job_id=A, note="refused"), PushJob(job_id=A, note="fine"))
    assert [fact.text for fact in probe.new_facts() if isinstance(fact, NoteKept)] == ["fine"]
    receipts = probe.run(probe.system.logs["probe"].store.receipts(limit=99))
    refused = [one for _, one in receipts if one.refusal]
    assert [(one.command, one.actor, one.roles) for one in refused] == [
        ("probe.KeepNote", caller_of("probe.process").actor, None)
    ]


def test_a_step_that_reads_otherwise_the_second_time_counts_as_sent(probe) -> None:
    """What a saga read from another context may have moved on between two tries."""
    probe.when(start)
    probe.send(PushJob(job_id=A, note="first"))
    note = uuid5(NOTES, f"{A}:1")
    command = KeepNote(note_id=note, job_id=A, text="before")
    meta = Meta(key="probe:2:0", command_id=UUID(int=5))
    probe.run(probe.system.dispatch(command, caller_of("probe.process"), meta))
    probe.settle()
    assert probe.state(Note, note).text == "before"


def test_processes_are_beside_each_other_and_the_facts_of_one_in_order(probe) -> None:
    jobs = [UUID(int=n) for n in range(1, 41)]
    probe.when(*(StartJob(job_id=id, name="dig") for id in jobs))
    pushes = (PushJob(job_id=id, note=f"{id} {n}") for n in range(3) for id in jobs)
    probe.when(*pushes)
    for id in jobs:
        kept = [f.text for f, _ in probe.facts() if isinstance(f, NoteKept) and f.job_id == id]
        assert kept == [f"{id} {n}" for n in range(3)]


# ── deadlines ────────────────────────────────────────────────────────────────────────────────


def test_a_deadline_fires_once_when_it_is_due(probe) -> None:
    probe.when(start)
    assert deadlines(probe) == [("idle", "probe.EndJob", "probe:1:0")]
    probe.after(hour - timedelta(seconds=30)).then()
    probe.after(timedelta(seconds=31)).then(JobEnded(reason="idle"))
    probe.after(hour).then()
    assert deadlines(probe) == []


def test_a_deadline_that_is_set_again_moves(probe) -> None:
    probe.when(start).after(timedelta(minutes=45)).when(PushJob(job_id=A, note="n"))
    probe.after(timedelta(minutes=45)).then()
    probe.after(timedelta(minutes=16)).then(JobEnded(reason="idle"))


def test_a_cancelled_deadline_never_fires(probe) -> None:
    probe.when(start, EndJob(job_id=A, reason="done"))
    assert deadlines(probe) == []
    probe.after(10 * hour).then()


def test_a_deadline_survives_the_end_of_its_process(settings) -> None:
    first = Scenario(settings, "probe", features=FEATURES)
    first.when(start, StartJob(job_id=B, name="long", hours=5))
    first.close()
    second = Scenario(settings, "probe", features=FEATURES)
    second.after(2 * hour).then(JobEnded(reason="idle"))
    assert second.state(Job, B).status == "running"
    second.close()
    third = Scenario(settings, "probe", features=FEATURES)
    third.clock.moved = 2 * hour
    third.after(4 * hour).then(JobEnded(reason="idle"))
    third.after(hour).then()
    third.close()


def test_a_deadline_that_fired_and_was_not_forgotten_fires_in_vain(probe, other) -> None:
    probe.when(start)
    probe.clock.moved = 2 * hour
    (ours,) = probe.system.deadlines
    fire = ours._fire

    async def twice(row):
        await fire(row)
        await fire(row)

    ours._fire = twice
    assert probe.run(ours.step()) == 1
    assert [type(fact) for fact, _ in probe.facts()] == [JobStarted, JobEnded]


def test_two_processes_fire_a_deadline_once(probe, settings) -> None:
    probe.when(*(StartJob(name=str(n)) for n in range(20)))
    probe.clock.moved = 2 * hour
    other = probe.run(open_system(settings, clock=probe.clock, features=FEATURES))

    async def body() -> None:
        workers = [system.deadlines[0] for system in (probe.system, other)]
        while any(await asyncio.gather(*(worker.step() for worker in workers))):
            pass
        await other.close()

    probe.run(body())
    assert [type(fact) for fact, _ in probe.facts()] == [JobStarted] * 20 + [JobEnded] * 20


def test_one_that_cannot_be_fired_does_not_hold_up_the_others(probe) -> None:
    probe.when(start, StartJob(job_id=B, name="other"))
    dot = "_" if probe.system.databases["probe"].is_sqlite else "."
    probe.sql(f"UPDATE probe{dot}deadlines SET data = '[\"canary\"]' WHERE key = 'probe:1:0'")
    probe.clock.moved = 2 * hour
    (ours,) = probe.system.deadlines
    with pytest.raises(ValueError, match="EndJob"):
        probe.run(ours.step())
    assert probe.facts()[-1][0] == JobEnded(reason="idle")
    assert probe.facts()[-1][1].stream == B
    assert [key for _, _, key in deadlines(probe)] == ["probe:1:0"]


def test_a_deadline_set_by_a_late_reaction_counts_from_then(probe) -> None:
    probe.send(start)
    probe.clock.moved = 3 * hour  # the saga was away
    probe.settle()
    probe.after(hour - timedelta(seconds=30)).then()
    probe.after(timedelta(seconds=31)).then(JobEnded(reason="idle"))
