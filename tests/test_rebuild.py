"""A projection projected anew: it equals the live tables, or what differs is named."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from sqlalchemy import inspect

from domain import Envelope
from infra.log.port import CorruptFact
from infra.rebuilding.comparison import Comparison
from infra.rebuilding.rebuild import rebuild
from infra.rows.rowchanges import ImpossibleChange
from tests.probe.features import FEATURES
from tests.probe.job import EndJob, JobPushed, JobStarted, PushJob, StartJob
from tests.probe.rows import all_jobs, job
from tests.test_readers import reader_of, spoil

A, B = UUID(int=0xA), UUID(int=0xB)
(PROJECTING,) = FEATURES.projections


def rebuilt(probe, **options) -> Comparison:
    system = probe.system
    log, database = system.logs["probe"], system.databases["probe"]
    found: Comparison = probe.run(rebuild(PROJECTING, log.store, system.codec, database, **options))
    return found


def table_of(probe, name: str) -> str:
    return f"probe{'_' if probe.system.databases['probe'].is_sqlite else '.'}{name}"


def shadows(probe) -> list[str]:
    async def names() -> list[str]:
        database = probe.system.databases["probe"]
        schema = None if database.is_sqlite else "probe_shadow"
        async with database.read() as connection:
            found = await connection.run_sync(lambda c: inspect(c).get_table_names(schema=schema))
        shadowed = [name for name in found if schema or "shadow" in name]
        return [name for name in shadowed if "rebuilding" not in name]

    return list(probe.run(names()))


@pytest.fixture
def lived(probe):
    """A scenario with some history."""
    for id in (A, B):
        probe.when(StartJob(job_id=id, name="dig"), *[PushJob(job_id=id, note="n")] * 3)
    return probe.when(EndJob(job_id=B, reason="x"))


def test_a_rebuild_equals_the_live_tables(lived) -> None:
    found = rebuilt(lived)
    assert (found.equal, found.rows, found.position) == (True, 2 + 6, lived.head())
    assert shadows(lived) == []


def test_an_empty_log_is_rebuilt_too(probe) -> None:
    found = rebuilt(probe)
    assert (found.equal, found.rows, found.position) == (True, 0, 0)


def test_it_compares_where_the_live_reader_stands(lived) -> None:
    at = reader_of(lived.system).position
    lived.send(PushJob(job_id=A))
    found = rebuilt(lived)
    assert (found.equal, found.position) == (True, at)


def test_progress_is_told_up_to_the_end(probe) -> None:
    facts = [JobPushed(number=n) for n in range(1, 50)]
    probe.given({A: [JobStarted(name="dig"), *facts]})
    told: list[tuple[int, int]] = []
    tell = lambda done, total, _: told.append((done, total))  # noqa: E731
    assert rebuilt(probe, batch=40, progress=tell).equal
    assert told == [(40, 50), (50, 50)]


def spoil_rows(probe) -> None:
    jobs, pushes = table_of(probe, "jobs"), table_of(probe, "pushes")
    probe.sql(f"UPDATE {jobs} SET pushes = 7 WHERE name = 'dig' AND status = 'over'")
    probe.sql(
        f"DELETE FROM {pushes} WHERE number = 2 AND job_id = (SELECT id FROM {jobs}"
        " WHERE status = 'over')"
    )
    probe.sql(f"UPDATE {pushes} SET number = 9 WHERE number = 3 AND job_id = (SELECT id FROM"
              f" {jobs} WHERE status = 'running')")  # fmt: skip


def test_what_differs_is_named(lived) -> None:
    spoil_rows(lived)
    found = rebuilt(lived)
    assert not found.equal
    assert sorted(found.differences) == [
        f"probe.jobs {B}: pushes: live 7, rebuilt 3",
        f"probe.pushes {A}, 3: missing in the live table",
        f"probe.pushes {A}, 9: only in the live table",
        f"probe.pushes {B}, 2: missing in the live table",
    ]
    assert lived.rows(job(B))["pushes"] == 7, "it only looks, unless told otherwise"
    assert shadows(lived) == []


def test_the_rebuilt_rows_are_accepted_when_asked_for(lived) -> None:
    spoil_rows(lived)
    assert not rebuilt(lived, accept=True).equal
    assert rebuilt(lived).equal
    assert lived.rows(job(B))["pushes"] == 3
    lived.when(PushJob(job_id=A, note="on"))
    assert lived.rows(job(A))["pushes"] == 4
    assert rebuilt(lived).equal


def test_many_differences_are_told_in_part_and_truly(probe) -> None:
    probe.given({UUID(int=n): [JobStarted(name="dig")] for n in range(1, 100)})
    probe.sql(f"UPDATE {table_of(probe, 'jobs')} SET name = 'other'")
    found = rebuilt(probe)
    assert len(found.differences) == 20
    assert all(said.endswith("name: live 'other', rebuilt 'dig'") for said in found.differences)


def test_a_fact_that_cannot_be_read_stops_it_and_a_second_try_works(lived) -> None:
    was = spoil(lived, 3, '{"number": "x"}')
    with pytest.raises(CorruptFact, match="position 3 "):
        rebuilt(lived)
    spoil(lived, 3, was)
    assert rebuilt(lived).equal
    assert shadows(lived) == []


def test_a_projection_that_changed_is_told_by_its_rows(lived, monkeypatch) -> None:
    before = PROJECTING.project

    def louder(fact: object, at: Envelope, rows) -> None:
        before(fact, at, rows)
        if isinstance(fact, JobStarted):
            rows.update(PROJECTING.tables[0], at.stream, name=fact.name.upper())

    changed = type(PROJECTING)(PROJECTING.name, "probe", louder, PROJECTING.tables)
    monkeypatch.setattr("tests.test_rebuild.PROJECTING", changed)
    assert [said.partition(": ")[2] for said in rebuilt(lived).differences] == [
        "name: live 'dig', rebuilt 'DIG'"
    ] * 2
    rebuilt(lived, accept=True)
    named: list[Mapping[str, object]] = lived.rows(all_jobs())
    assert {row["name"] for row in named} == {"DIG"}


def test_a_projection_with_a_fault_stops_it_at_the_fact(lived, monkeypatch) -> None:
    def faulty(fact: object, at: Envelope, rows) -> None:
        if at.position == 4:
            rows.update(jobs, UUID(int=9), name="x")
        else:
            before(fact, at, rows)

    before, jobs = PROJECTING.project, PROJECTING.tables[0]
    changed = type(PROJECTING)(PROJECTING.name, "probe", faulty, PROJECTING.tables)
    monkeypatch.setattr("tests.test_rebuild.PROJECTING", changed)
    with pytest.raises(
        ImpossibleChange, match=r"projection probe\.rows, position 4: update of jobs"
    ):
        rebuilt(lived)
