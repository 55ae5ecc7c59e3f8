"""States in memory follow the log while another process writes to it too."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from infra import following
from infra.log.histories import PlacedFact
from infra.log.port import Stale, Unavailable
from infra.streams import MAX_UNFOLDED, Cached
from infra.system import System
from tests.log.appends import append, fact
from tests.probe.job import Job, PushJob, StartJob
from tests.scenario import Scenario, until

A, B = UUID(int=0xA), UUID(int=0xB)


def cached(system: System, id: UUID = A) -> int | None:
    """The version of a job that a system has in memory."""
    entry = system.logs["probe"].streams.newest(Job, id)
    return entry.version if entry else None


def follows(system: System) -> bool:
    task = system.logs["probe"].streams.following._task
    return task is not None and not task.done()


def overtake(probe: Scenario, other: System) -> None:
    """Both systems know the job, and `probe.system` has found out that the other one writes."""
    probe.send(StartJob(job_id=A, name="dig"))
    probe.send(PushJob(job_id=A), to=other)
    probe.send(PushJob(job_id=A))


def test_who_is_alone_follows_nobody(probe: Scenario) -> None:
    probe.send(StartJob(job_id=A, name="dig"))
    probe.send(PushJob(job_id=A))
    assert not follows(probe.system)


def test_after_the_first_conflict_states_are_brought_up_to_date(
    probe: Scenario, other: System
) -> None:
    overtake(probe, other)
    assert follows(probe.system)
    for _ in range(5):
        probe.send(PushJob(job_id=A), to=other)
    probe.run(until(lambda: cached(probe.system) == 8))
    before = probe.system.logs["probe"].streams.newest(Job, A)
    assert before is not None
    assert before.state == probe.state(Job, A)
    answer = probe.send(PushJob(job_id=A))
    assert answer.receipt.version == 9


def test_what_was_missed_before_the_first_conflict_is_made_up_for(
    probe: Scenario, other: System
) -> None:
    probe.send(StartJob(job_id=B, name="fill"))
    probe.send(PushJob(job_id=B), to=other)
    assert cached(probe.system, B) == 1
    overtake(probe, other)
    probe.run(until(lambda: cached(probe.system, B) == 2))


def test_what_is_not_in_memory_is_left_alone(probe: Scenario, other: System) -> None:
    overtake(probe, other)
    probe.send(StartJob(job_id=B, name="fill"), to=other)
    probe.send(PushJob(job_id=A), to=other)
    probe.run(until(lambda: cached(probe.system) == 4))
    assert cached(probe.system, B) is None


def test_a_state_that_was_lost_is_no_ground_to_go_on_from(probe: Scenario, other: System) -> None:
    """Its command has not heard of the loss yet, when what another process wrote is heard of."""
    overtake(probe, other)
    log = probe.system.logs["probe"]

    async def body() -> None:
        pending = log.group.submit(append(A, 0, fact()))
        assert await pending.outcome() == Stale(A)
        lost = Cached(A, Job(status="over"), 4, pending)
        log.streams.put(lost)
        log.streams.following._take([(5, A.int, 5, "probe.job.pushed", '{"number": 4}')])
        assert log.streams.known(A) is lost, "whoever decides on it is lost as well"

    probe.run(body())


def test_facts_wait_until_the_state_is_wanted_but_not_too_many_of_them(
    probe: Scenario, other: System
) -> None:
    overtake(probe, other)
    streams = probe.system.logs["probe"].streams
    for _ in range(MAX_UNFOLDED + 1):
        probe.send(PushJob(job_id=A), to=other)
    probe.run(until(lambda: streams.following.seen == 3 + MAX_UNFOLDED + 1))
    entry = streams._entries[A.int]
    assert (entry.version, len(entry.heard)) == (3 + MAX_UNFOLDED, 1)
    wanted = streams.newest(Job, A)
    assert wanted is not None
    assert (wanted.version, wanted.state) == (3 + MAX_UNFOLDED + 1, probe.state(Job, A))


def test_what_others_append_does_not_put_a_snapshot_off(probe: Scenario, other: System) -> None:
    overtake(probe, other)
    before = probe.system.logs["probe"].streams.newest(Job, A)
    assert before is not None
    assert before.due == Job.SNAPSHOT_EVERY
    probe.send(PushJob(job_id=A), to=other)
    probe.run(until(lambda: cached(probe.system) == 4))
    after = probe.system.logs["probe"].streams.newest(Job, A)
    assert after is not None
    assert after.due == before.due


def test_a_state_that_a_fact_is_missing_of_is_forgotten(probe: Scenario, other: System) -> None:
    overtake(probe, other)
    log = probe.system.logs["probe"]

    async def body() -> None:
        log.streams.following._take([(9, A.int, 9, "probe.job.pushed", b'{"number": 8}')])

    probe.run(body())
    assert cached(probe.system) is None
    assert probe.send(PushJob(job_id=A)).receipt.version == 4


def test_when_nothing_of_use_comes_it_looks_seldom_until_a_command_is_overtaken(
    probe: Scenario, other: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in (A, B):
        probe.send(StartJob(job_id=id, name="dig"))
    monkeypatch.setattr(following, "QUIET_S", 0.0)
    monkeypatch.setattr(following, "SELDOM_S", 3600)
    probe.send(PushJob(job_id=A), to=other)
    probe.send(PushJob(job_id=A))
    overtaken = probe.system.logs["probe"].streams.following._overtaken
    probe.run(until(lambda: not overtaken.is_set()))
    for id in (A, B):
        probe.send(PushJob(job_id=id), to=other)
    probe.run(asyncio.sleep(0.1))
    assert (cached(probe.system), cached(probe.system, B)) == (3, 1)
    probe.send(PushJob(job_id=A))
    probe.run(until(lambda: cached(probe.system, B) == 2))


@pytest.mark.parametrize("store", ["postgres"])
def test_others_facts_come_along_with_this_process_s_own_appends(
    probe: Scenario, other: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = probe.system.logs["probe"].store.histories

    async def nothing(position: int, limit: int) -> list[object]:
        return []

    monkeypatch.setattr(histories, "behind", nothing)
    overtake(probe, other)
    probe.run(until(lambda: histories.listener is not None))
    probe.send(StartJob(job_id=B, name="fill"))
    listener, taken = histories.listener, list[int]()
    assert listener is not None
    take = listener.take

    def noting(facts: Sequence[PlacedFact]) -> None:
        taken.extend(position for position, *_ in facts)
        take(facts)

    monkeypatch.setattr(listener, "take", noting)
    probe.send(PushJob(job_id=A), to=other)
    probe.send(PushJob(job_id=B))
    assert cached(probe.system) == 4
    assert 5 in taken
    assert 4 not in taken, "it is this process's own, and known"


def test_it_ends_when_nothing_of_use_comes(
    probe: Scenario, other: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "IDLE_S", 0.05)
    overtake(probe, other)
    for _ in range(3):
        probe.send(PushJob(job_id=A))  # its own facts are of no use to it
    probe.run(until(lambda: not follows(probe.system)))


def test_a_fact_that_cannot_be_read_leaves_it_to_whoever_needs_the_state(
    probe: Scenario, other: System, store: str
) -> None:
    overtake(probe, other)
    dot = "_" if store == "sqlite" else "."
    probe.send(StartJob(job_id=B, name="fill"))
    probe.sql(f"UPDATE probe{dot}head SET position = 5")
    statement = {
        "sqlite": "INSERT INTO probe_events SELECT 5, stream, 2, 'probe.job.gone', '{}',"
        " time, actor, command_id, correlation_id, NULL, NULL FROM probe_events"
        " WHERE position = 4",
        "postgres": "INSERT INTO probe.events SELECT 5, stream, 2, 'probe.job.gone', '{}', NULL,"
        " time, actor, command_id, correlation_id, NULL, NULL FROM probe.events"
        " WHERE position = 4",
    }[store]
    probe.sql(statement)
    probe.run(until(lambda: cached(probe.system, B) is None))


def test_a_store_that_is_away_ends_it_until_the_next_conflict(
    probe: Scenario, other: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtake(probe, other)
    histories = probe.system.logs["probe"].store.histories

    async def away(position: int, limit: int) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(histories, "behind", away)
    probe.run(until(lambda: not follows(probe.system)))
    monkeypatch.undo()
    probe.send(PushJob(job_id=A), to=other)
    assert probe.send(PushJob(job_id=A)).receipt.version == 5
    assert follows(probe.system)
