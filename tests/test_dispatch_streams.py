"""Commands on one stream, from one process and from several: each decides on the newest state."""

import asyncio
from uuid import UUID, uuid4

import pytest

from commands import Caller
from infra.dispatch import (
    MAX_DECISIONS,
    Answer,
    Contended,
)
from infra.log.port import Busy, Stale
from tests.probe.job import (
    CountJob,
    EndJob,
    Job,
    JobOver,
    JobPushed,
    JobStarted,
    NoSuchJob,
    NoteKept,
    PushBoth,
    PushJob,
    StartJob,
)
from tests.scenario import TELLER

A, B = UUID(int=0xA), UUID(int=0xB)
ann, bob = TELLER, Caller(actor="bob")
start = StartJob(job_id=A, name="dig")


def test_commands_for_one_stream_take_turns(probe) -> None:
    probe.send(start)

    async def body() -> list[Answer]:
        pushes = [PushJob(job_id=A, note=str(n)) for n in range(64)]
        return list(await asyncio.gather(*(probe.system.dispatch(p, ann) for p in pushes)))

    answers: list[Answer] = probe.run(body())
    facts = [fact for fact, _ in probe.facts()[1:]]
    assert [fact.number for fact in facts] == list(range(1, 65))
    assert sorted(answer.receipt.version for answer in answers) == list(range(2, 66))
    for number, answer in enumerate(answers):
        assert answer.receipt.position == answer.receipt.version
        assert facts[answer.receipt.version - 2].note == str(number)


def test_a_refusal_in_between_is_about_the_state_before_it(probe) -> None:
    probe.send(start)

    async def body() -> list[object]:
        commands = [PushJob(job_id=A), EndJob(job_id=A, reason="x"), PushJob(job_id=A)]
        sent = (probe.system.dispatch(command, ann) for command in commands)
        return list(await asyncio.gather(*sent, return_exceptions=True))

    assert [type(one) for one in probe.run(body())] == [Answer, Answer, JobOver]


def test_processes_that_race_decide_on_the_newest_state(probe, other) -> None:
    """A refusal may only be about what had happened before it: no command is decided too early."""
    jobs = [uuid4() for _ in range(6)]

    async def race(job: UUID) -> None:
        systems = (probe.system, other)
        await systems[0].dispatch(StartJob(job_id=job, name="dig"), ann)
        sent = [systems[n % 2].dispatch(PushJob(job_id=job), ann) for n in range(8)]
        sent.insert(5, systems[0].dispatch(EndJob(job_id=job, reason="x"), ann))
        for found in await asyncio.gather(*sent, return_exceptions=True):
            assert isinstance(found, Answer | JobOver), repr(found)

    async def body() -> None:
        await asyncio.gather(*map(race, jobs))

    probe.run(body())
    for job in jobs:
        facts = [(fact, at) for fact, at in probe.facts() if at.stream == job]
        assert [at.version for _, at in facts] == list(range(1, len(facts) + 1))
        numbers = [fact.number for fact, _ in facts if isinstance(fact, JobPushed)]
        assert numbers == list(range(1, len(numbers) + 1))
        ended = facts[-1][1]
        for _, stored in probe.run(probe.system.logs["probe"].store.receipts(limit=999)):
            if stored.stream == job and stored.refusal:
                assert stored.position >= ended.position, "refused after the end, not before"
                assert stored.version == ended.version


def test_another_process_is_seen_by_a_refusal_too(probe, other) -> None:
    with pytest.raises(NoSuchJob):
        probe.send(PushJob(job_id=A), to=other)
    probe.send(start)
    # The other one still has the empty stream in memory; its refusal would be about the past.
    assert probe.send(PushJob(job_id=A), to=other).receipt.version == 2
    assert probe.send(PushJob(job_id=A)).receipt.version == 3


def test_a_repeat_gets_the_position_and_version_it_found(probe, other) -> None:
    probe.send(start)
    probe.send(PushJob(job_id=A))
    repeat = probe.send(start, to=other)
    assert (repeat.receipt.version, repeat.receipt.position) == (2, 2)
    assert not repeat.replayed


def test_what_a_handler_looked_at_is_what_it_decides_on(probe) -> None:
    probe.send(start)

    async def body() -> None:
        await asyncio.gather(*(probe.system.dispatch(CountJob(job_id=A), ann) for _ in range(8)))

    probe.run(body())
    assert [fact.note for fact, _ in probe.facts()[1:]] == [str(n) for n in range(8)]


def test_several_streams_change_together_or_not_at_all(probe) -> None:
    probe.when(start, PushBoth(job_id=A, other_id=B))
    assert [type(refusal) for refusal in probe.refusals] == [NoSuchJob]
    assert [type(fact) for fact in probe.new_facts()] == [JobStarted]
    probe.when(PushBoth(job_id=A, other_id=A)).then(
        JobPushed(number=1, note="both"),
        JobPushed(number=2, note="both"),
        NoteKept(job_id=A, text="both"),
        NoteKept(job_id=A, text="both"),
    )


def test_who_is_overtaken_for_ever_gives_up(probe) -> None:
    """The outside world: a writer that is always faster."""
    store = probe.system.logs["probe"].store

    class Faster:
        context, tries = "probe", 0

        async def append(self, batch):
            Faster.tries += 1
            return [Stale(A)] * len(batch)

        def __getattr__(self, name):
            return getattr(store, name)

    probe.system.logs["probe"].group._store = Faster()
    with pytest.raises(Contended, match="same key"):
        probe.send(start)
    assert Faster.tries == MAX_DECISIONS


def test_a_full_queue_is_busy_and_the_key_is_free_again(probe) -> None:
    group = probe.system.logs["probe"].group
    group._queue = 0
    with pytest.raises(Busy):
        probe.send(start, key="k")
    group._queue = 10
    assert not probe.send(start, key="k").replayed


def test_states_decided_in_memory_equal_the_log(probe) -> None:
    probe.when(start, *[PushJob(job_id=A)] * 5, EndJob(job_id=A, reason="x"))
    entry = probe.system.logs["probe"].streams.known(A)
    assert (entry.state, entry.version) == (probe.state(Job, A), 7)
