"""A fact that cannot be handled stands aside with what follows it; the others go on."""

from datetime import timedelta
from uuid import UUID

import pytest
import structlog

from commands import Caller
from infra.aside import parking
from infra.aside.parking import TooMuchParked
from infra.audit import Entry, trail
from infra.log.port import Unavailable
from infra.moves import Overtaken
from infra.rebuilding.generations import undo
from infra.rebuilding.rebuild import rebuild
from infra.system import System
from tests.parking import Faulty, dropped, parked, retried
from tests.probe.features import FEATURES
from tests.probe.job import JobStarted, PushJob, StartJob
from tests.probe.rows import all_jobs, job
from tests.scenario import Scenario
from tests.test_readers import reader_of, spoil, stored

A, B, C = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
BOTH = [StartJob(job_id=A, name="a"), StartJob(job_id=B, name="b")]
PROBER = Caller(actor="prober")
ROWS = FEATURES.projections[0]


def stepped(probe: Scenario, system: System | None = None) -> None:
    """Let the projection handle all there is."""
    reader = reader_of(system or probe.system)
    while probe.run(reader.step()):
        pass


def equal_to_a_rebuild(probe: Scenario) -> bool:
    log, database = probe.system.logs["probe"], probe.system.databases["probe"]
    return probe.run(rebuild(ROWS, log.store, probe.system.codec, database, swap=False)).equal


def entries(probe: Scenario, actor: str = "olga") -> list[Entry]:
    async def read() -> list[Entry]:
        return [entry async for entry in trail(probe.system, actor=actor)]

    return probe.run(read())


def pushes(probe: Scenario, id: UUID) -> list[int]:
    return [push["number"] for push in probe.rows(job(id))["pushed"]]


@pytest.fixture
def stuck(probe: Scenario) -> Faulty:
    """Position 3 is faulty: the first push of A. 4 is B's, 5 is A's, 6 is B's."""
    for command in (*BOTH, *(PushJob(job_id=id, note="n") for id in (A, B, A, B))):
        probe.send(command)
    faulty = Faulty(reader_of(probe.system), {3})
    stepped(probe)
    return faulty


# ── standing aside ───────────────────────────────────────────────────────────────────────────


def test_a_faulty_fact_is_parked_with_those_behind_it_and_the_others_go_on(probe, stuck) -> None:
    assert (reader_of(probe.system).position, stored(probe)) == (6, 6)
    [group] = parked(probe)
    assert (group.reader, group.key, group.first, group.last) == ("probe.rows", str(A), 3, 5)
    assert (group.facts, group.error) == (2, "ZeroDivisionError: canary")
    assert (pushes(probe, A), pushes(probe, B)) == ([], [1, 2])
    tries = probe.system.settings.reader_tries
    assert len(stuck.tried) >= tries, "it is tried alone so often, and in batches before"
    probe.send(PushJob(job_id=A, note="later"))
    tried = len(stuck.tried)
    stepped(probe)
    assert (parked(probe)[0].last, len(stuck.tried)) == (7, tried), "what follows is not tried"


def test_parked_and_retried_ends_equal_to_never_parked(probe, stuck) -> None:
    assert not equal_to_a_rebuild(probe)
    stuck.positions.clear()
    [result] = retried(probe)
    assert (result.handled, result.left, result.error) == (2, 0, None)
    assert (parked(probe), pushes(probe, A)) == ([], [1, 2])
    probe.send(PushJob(job_id=A, note="later"))
    stepped(probe)
    assert pushes(probe, A) == [1, 2, 3]
    assert equal_to_a_rebuild(probe)


def test_a_retry_keeps_what_it_handles_and_stops_at_the_next_fault(probe, stuck) -> None:
    stuck.positions = {5}
    [result] = retried(probe)
    assert (result.handled, result.left) == (1, 1)
    assert result.error == "ZeroDivisionError: canary"
    [group] = parked(probe)
    assert (group.first, group.error, pushes(probe, A)) == (5, result.error, [1])
    stuck.positions.clear()
    assert [one.handled for one in retried(probe)] == [1]
    assert equal_to_a_rebuild(probe)


def test_what_is_dropped_is_left_out_and_the_others_can_be_retried(probe, stuck) -> None:
    probe.send(PushJob(job_id=A, note="later"))
    stepped(probe)
    [group] = parked(probe)
    assert dropped(probe, group) == 2
    assert [one.handled for one in retried(probe)] == [2]
    assert pushes(probe, A) == [2, 3]
    assert not equal_to_a_rebuild(probe)
    stuck.positions = {8}
    probe.send(PushJob(job_id=A, note="later"))
    stepped(probe)
    assert dropped(probe, parked(probe)[0], whole=True) == 0
    assert parked(probe) == []


def test_what_is_done_by_hand_lands_in_the_audit_trail(probe, stuck) -> None:
    retried(probe)
    stuck.positions.clear()
    dropped(probe, parked(probe)[0])
    retried(probe)
    found = [(one.command, one.result, one.position, one.resource) for one in entries(probe)]
    assert found == [
        ("probe.RetryParked", "failed", 3, A),
        ("probe.DropParked", "done", 3, A),
        ("probe.RetryParked", "done", 5, A),
    ]
    assert {one.reason for one in entries(probe)} == {"mended"}
    assert entries(probe)[0].detail == (
        f"reader probe.rows, key {A}: position 3: ZeroDivisionError: canary"
    )


# ── what is parked, and what is not ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("data", ['{"number": "x"}', "{}", "[]"])
def test_a_fact_whose_data_cannot_be_read_is_parked_until_it_is_repaired(probe, data: str) -> None:
    probe.when(*BOTH)
    for id in (A, B, A):
        probe.send(PushJob(job_id=id, note="canary"))
    was = spoil(probe, 3, data)
    with structlog.testing.capture_logs() as lines:
        probe.settle()
    assert {(one.reader, one.key, one.first, one.facts) for one in parked(probe)} == {
        ("probe.rows", str(A), 3, 2),
        ("saga:probe.process@probe", str(A), 3, 2),
    }
    assert "canary" not in repr(lines)
    assert all("CorruptFact" in (one.error or "") for one in retried(probe))
    spoil(probe, 3, was)
    retried(probe)
    probe.settle()
    assert (parked(probe), pushes(probe, A), pushes(probe, B)) == ([], [1, 2], [1])
    notes = [fact for fact, _ in probe.facts() if type(fact).__name__ == "NoteKept"]
    assert len(notes) == 3


def test_a_store_that_is_away_parks_nothing(probe, stuck) -> None:
    async def away(facts):
        raise Unavailable("away")

    probe.send(PushJob(job_id=B))
    reader_of(probe.system)._output = away
    with pytest.raises(Unavailable):
        stepped(probe)
    assert [one.key for one in parked(probe)] == [str(A)]


def test_a_change_that_the_rows_do_not_allow_is_found_among_many(probe) -> None:
    for number in range(20):
        probe.send(StartJob(name=str(number)))
    history = {A: [JobStarted(name="dig")]}
    probe.run(probe._append(A, history[A]))
    probe.run(probe._append(A, history[A]))  # position 22 inserts the row a second time
    for number in range(10):
        probe.send(StartJob(name=f"later {number}"))
    stepped(probe)
    [group] = parked(probe)
    assert (group.first, group.facts) == (22, 1)
    assert "projection probe.rows, position 22: " in (group.error or "")
    assert len(probe.rows(all_jobs())) == 31


def test_a_fault_in_many_keys_stops_the_reader_until_some_are_let_go(probe, monkeypatch) -> None:
    monkeypatch.setattr(parking, "MAX_KEYS", 2)
    for number in range(5):
        probe.send(StartJob(name=str(number)))
    faulty = Faulty(reader_of(probe.system), {1, 2, 4})
    with pytest.raises(TooMuchParked, match="position 4 "):
        stepped(probe)
    assert (stored(probe), len(parked(probe))) == (3, 2)
    faulty.positions = {4}
    retried(probe)
    stepped(probe)
    assert (stored(probe), [one.first for one in parked(probe)]) == (5, [4])


def test_too_many_facts_behind_one_stop_the_reader(probe, stuck, monkeypatch) -> None:
    monkeypatch.setattr(parking, "MAX_FACTS", 3)
    for _ in range(3):
        probe.send(PushJob(job_id=A, note="n"))
    with pytest.raises(TooMuchParked, match="2 facts are parked"):
        stepped(probe)
    stuck.positions.clear()
    retried(probe)
    stepped(probe)
    assert equal_to_a_rebuild(probe)


def test_rebuilt_tables_have_what_was_parked_and_the_previous_ones_have_it_parked(
    probe, stuck
) -> None:
    log, database = probe.system.logs["probe"], probe.system.databases["probe"]
    stuck.positions.clear()
    probe.run(rebuild(ROWS, log.store, probe.system.codec, database, accept=True))
    assert (parked(probe), pushes(probe, A)) == ([], [1, 2])
    probe.send(PushJob(job_id=A, note="later"))
    with pytest.raises(Overtaken):
        stepped(probe)
    stepped(probe)
    assert equal_to_a_rebuild(probe)

    async def back() -> None:
        async with database.write() as connection:
            await undo(connection, ROWS)

    probe.run(back())
    assert ([one.facts for one in parked(probe)], pushes(probe, A)) == ([2], [])
    probe.send(PushJob(job_id=A, note="last"))
    with pytest.raises(Overtaken):
        stepped(probe)
    stepped(probe)
    assert [one.facts for one in parked(probe)] == [4], "what came meanwhile stands behind it"
    retried(probe)
    assert equal_to_a_rebuild(probe)


def test_what_is_parked_is_measured_and_told(probe, stuck) -> None:
    probe.clock.moved += timedelta(minutes=2)

    def measured(name: str, reader: str = "probe.rows") -> float | None:
        labels = {"reader": reader, "context": "probe"}
        found: float | None = probe.system.telemetry.registry.get_sample_value(name, labels)
        return found

    probe.run(probe.system.measure())
    assert measured("reader_parked_facts") == 2
    assert measured("reader_parked_keys") == 1
    assert measured("reader_parked_lag_facts") == 4, "from position 3 to 6"
    assert 120 <= (measured("reader_parked_age_seconds") or 0) < 180
    assert measured("reader_parked_facts", "saga:probe.process@probe") == 0
    assert measured("reader_health") == 1
    assert measured("reader_health", "saga:probe.process@probe") == 2
    reader_of(probe.system).failure = "stopped"
    probe.run(probe.system.measure())
    assert measured("reader_health") == 0
    [told] = probe.system.telemetry.gauges.told()
    assert told.startswith("probe.rows: 2 facts of 1 keys are parked, the oldest for 12")
    stuck.positions.clear()
    retried(probe)
    probe.run(probe.system.measure())
    assert measured("reader_parked_facts") == 0
    assert probe.system.telemetry.gauges.told() == []
