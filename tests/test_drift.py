"""The drift audit: sampled rows equal what their facts fold to, or are named and mended."""

from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from domain import Envelope, Event
from infra.audit import Entry, trail
from infra.discovery import Projecting
from infra.guarding.drift import MENDED, Drift, Pass
from infra.rebuilding.generations import Generation, Kept, generation_of, store
from infra.rows.rowchanges import ImpossibleChange
from projections import Changes
from tests.probe.features import FEATURES
from tests.probe.job import EndJob, JobStarted, PushJob, StartJob
from tests.probe.rows import job, jobs
from tests.scenario import Scenario
from tests.test_readers import reader_of, spoil

A, B = UUID(int=0xA), UUID(int=0xB)
(PROJECTING,) = FEATURES.projections


def name_of(scenario: Scenario, name: str, context: str = "probe") -> str:
    return f"{context}{'_' if scenario.system.databases[context].is_sqlite else '.'}{name}"


def pass_over(
    scenario: Scenario, projecting: Projecting = PROJECTING, sample: int = 200, seed: int = 1
) -> Pass:
    system = scenario.system
    return Pass(
        [projecting],
        system.logs[projecting.context].store,
        system.codec,
        system.databases[projecting.context],
        system.clock,
        sample=sample,
        chance=Random(seed),
    )


def audited(scenario: Scenario, *, mend: bool = False, **options: Any) -> Drift:
    work = pass_over(scenario, **options)
    projecting = options.get("projecting", PROJECTING)

    async def body() -> list[Drift]:
        if projecting.name == PROJECTING.name and projecting is not PROJECTING:
            # As if the changed projection had filled the live tables.
            async with scenario.system.databases["probe"].write() as connection:
                await store(connection, projecting, Kept(generation_of(projecting), None, 0))
        await work.begin()
        while await work.step(2):
            pass
        return await work.end(mend=mend, actor="olga")

    (found,) = scenario.run(body())
    return found


def mended(scenario: Scenario) -> list[Entry]:
    async def body() -> list[Entry]:
        entries = [entry async for entry in trail(scenario.system)]
        return [entry for entry in entries if entry.command.endswith(f".{MENDED}")]

    return scenario.run(body())


@pytest.fixture
def lived(probe: Scenario) -> Scenario:
    for id in (A, B):
        probe.when(StartJob(job_id=id, name="dig"), *[PushJob(job_id=id, note="n")] * 3)
    return probe.when(EndJob(job_id=B, reason="x"))


def test_rows_that_are_right_are_counted(lived: Scenario) -> None:
    found = audited(lived)
    assert (found.good, found.rows, found.position) == (True, 2 + 6, lived.head())
    assert (found.notes, found.differences) == ([], [])


def test_an_empty_log_has_nothing_to_compare(probe: Scenario) -> None:
    found = audited(probe)
    assert (found.good, found.rows, found.position) == (True, 0, 0)


def test_it_compares_where_the_live_rows_are(lived: Scenario) -> None:
    at = reader_of(lived.system).position
    lived.send(PushJob(job_id=A))
    found = audited(lived)
    assert (found.good, found.position) == (True, at)


def test_live_rows_that_move_on_during_a_pass_are_compared_where_they_are_then(
    lived: Scenario,
) -> None:
    work = pass_over(lived)
    lived.run(work.begin())
    lived.run(work.step(3))
    lived.when(PushJob(job_id=A, note="later"), EndJob(job_id=A, reason="y"))
    (found,) = lived.run(work.end(mend=True, actor="olga"))
    assert (found.good, found.total, found.position) == (True, 0, reader_of(lived.system).position)


def test_what_drifted_is_mended_one_row_at_a_time_and_told(lived: Scenario) -> None:
    table = name_of(lived, "jobs")
    lived.sql(f"UPDATE {table} SET pushes = 7, status = 'odd' WHERE status = 'over'")
    lived.sql(f"DELETE FROM {name_of(lived, 'pushes')} WHERE number = 2")
    found = audited(lived, mend=True)
    assert (found.total, found.mended, found.good) == (3, 3, True)
    assert f"probe.jobs {B}: status: 'odd' should be 'over'; pushes: 7 should be 3" in (
        found.differences
    )
    assert lived.rows(job(B))["pushes"] == 3
    assert [entry.resource for entry in mended(lived)] == [B, A, B]
    assert {(entry.actor, entry.position) for entry in mended(lived)} == {("olga", found.position)}
    assert audited(lived).total == 0


def test_a_live_reader_goes_on_from_a_mended_row(lived: Scenario) -> None:
    lived.sql(f"UPDATE {name_of(lived, 'jobs')} SET pushes = 70 WHERE status = 'running'")
    assert audited(lived, mend=True).mended == 1
    lived.when(PushJob(job_id=A))
    assert lived.rows(job(A))["pushes"] == 4


def test_a_row_that_became_right_meanwhile_is_left_alone(lived: Scenario) -> None:
    table = name_of(lived, "jobs")
    lived.sql(f"UPDATE {table} SET pushes = 7 WHERE status = 'over'")
    work = pass_over(lived)
    lived.run(work.begin())
    while lived.run(work.step(100)):
        pass

    async def body() -> list[Drift]:
        async with lived.system.databases["probe"].read() as connection:
            found = Drift("probe.rows", 0)
            differing = await work._compare(connection, work.folds[0], found)
        assert found.total == 1
        async with lived.system.databases["probe"].write() as connection:
            await connection.execute(update(jobs).where(jobs.c.id == B).values(pushes=3))
        await work._mend(work.folds[0], found, differing, "olga")
        return [found]

    (found,) = lived.run(body())
    assert (found.total, found.mended) == (1, 0)
    assert mended(lived) == []


def test_every_row_is_in_a_sample_sooner_or_later(lived: Scenario) -> None:
    for number in range(40):
        lived.send(StartJob(name=str(number)))
    lived.settle()
    lived.sql(f"DELETE FROM {name_of(lived, 'jobs')} WHERE name = '17'")
    lived.sql(f"UPDATE {name_of(lived, 'jobs')} SET name = 'odd' WHERE name = '31'")
    found = [audited(lived, sample=8, seed=seed) for seed in range(60)]
    named = {said.partition(": ")[2] for one in found for said in one.differences}
    assert named == {"missing", "name: 'odd' should be '31'"}
    assert max(one.rows for one in found) < 8 * 4 + 8


def changed(project: Any) -> Projecting:
    def both(fact: Event, at: Envelope, rows: Changes) -> None:
        PROJECTING.project(fact, at, rows)
        project(fact, at, rows)

    return replace(PROJECTING, project=both)


def test_a_fault_of_the_projection_is_said(lived: Scenario) -> None:
    def project(fact: Event, at: Envelope, rows: Changes) -> None:
        if isinstance(fact, JobStarted):
            raise ImpossibleChange("no")

    found = audited(lived, projecting=changed(project), mend=True)
    assert (found.good, found.failure, found.rows) == (False, "position 1: no", 0)


def test_rows_of_another_version_of_the_projection_are_left_to_a_rebuild(lived: Scenario) -> None:
    async def body() -> None:
        own = generation_of(PROJECTING)
        other = Generation("another", own.layout, own.tables)
        async with lived.system.databases["probe"].write() as connection:
            await store(connection, PROJECTING, Kept(other, None, 0))

    lived.run(body())
    lived.sql(f"UPDATE {name_of(lived, 'jobs')} SET pushes = 7")
    found = audited(lived, mend=True)
    assert (found.rows, found.mended) == (0, 0)
    assert found.notes == ["filled by another version of it; rebuild it with aorist replay"]


def test_a_fact_that_cannot_be_read_stops_a_pass_with_its_place(lived: Scenario) -> None:
    spoil(lived, 3, '{"number": "x"}')
    with pytest.raises(Exception, match="position 3 "):
        audited(lived)


def test_the_background_audit_mends_and_counts(lived: Scenario) -> None:
    lived.sql(f"UPDATE {name_of(lived, 'jobs')} SET pushes = 7 WHERE status = 'over'")
    [audit] = lived.system.guards.audits
    lived.run(audit.once())
    assert lived.rows(job(B))["pushes"] == 3
    assert [entry.actor for entry in mended(lived)] == ["drift:probe"]
    value = lived.system.telemetry.registry.get_sample_value
    counts = {
        result: value("drift_rows_total", {"projection": "probe.rows", "result": result})
        for result in ("compared", "differing", "mended")
    }
    assert counts == {"compared": 8, "differing": 1, "mended": 1}
