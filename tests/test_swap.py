"""Rebuilt tables take the place of the live ones, and the previous ones can be put back."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from infra.log.port import Unavailable
from infra.rebuilding.comparison import Comparison
from infra.rebuilding.generations import NothingToUndo, kept, patiently, prune, undo
from infra.rebuilding.rebuild import rebuild
from infra.rebuilding.shadow import RebuiltElsewhere, Shadow
from infra.rows.comparing import compare
from tests.probe.features import FEATURES
from tests.probe.job import JobPushed, JobStarted, PushJob
from tests.probe.rows import job
from tests.scenario import MAX_WAIT_S, TELLER, Scenario
from tests.test_readers import reader_of

A = UUID(int=0xA)
(PROJECTING,) = FEATURES.projections
QUERIES, REBUILDS = 8, 5


def given_jobs(probe: Scenario, *, jobs: int, pushes: int) -> None:
    facts = [JobStarted(name="dig"), *(JobPushed(number=n) for n in range(1, pushes + 1))]
    probe.given({UUID(int=0xA + n): facts for n in range(jobs)})


def rebuilt(probe: Scenario, **options: Any) -> Comparison:
    system = probe.system
    log, database = system.logs["probe"], system.databases["probe"]
    return probe.run(rebuild(PROJECTING, log.store, system.codec, database, **options))


def undone(probe: Scenario) -> int:
    database = probe.system.databases["probe"]
    return probe.run(patiently(database, lambda c: undo(c, PROJECTING), "probe.rows"))


def pruned(probe: Scenario) -> tuple[str, ...]:
    async def work() -> tuple[str, ...]:
        async with probe.system.databases["probe"].write() as connection:
            return await prune(connection, PROJECTING)

    return probe.run(work())


def is_kept(probe: Scenario) -> bool:
    async def work() -> bool:
        async with probe.system.databases["probe"].read() as connection:
            found = await kept(connection, PROJECTING)
        return found is not None and found.previous is not None

    return probe.run(work())


def place(probe: Scenario, schema: str, name: str) -> str:
    return f"{schema}{'_' if probe.system.databases['probe'].is_sqlite else '.'}{name}"


@pytest.fixture
def lived(probe: Scenario) -> Scenario:
    given_jobs(probe, jobs=2, pushes=3)
    return probe


def test_equal_tables_are_swapped_and_the_reader_goes_on(lived: Scenario) -> None:
    assert rebuilt(lived).swapped
    assert is_kept(lived)
    lived.when(PushJob(job_id=A, note="on"))
    assert lived.rows(job(A))["pushes"] == 4
    before = lived.sql(f"SELECT sum(pushes) FROM {place(lived, 'probe_previous', 'jobs')}")
    assert [int(sum_) for (sum_,) in before] == [6]
    assert rebuilt(lived).equal


def test_rows_that_differ_are_not_swapped_unasked(lived: Scenario) -> None:
    lived.sql(f"UPDATE {place(lived, 'probe', 'jobs')} SET pushes = 7")
    assert not rebuilt(lived).swapped
    assert not is_kept(lived)
    assert rebuilt(lived, accept=True).swapped
    assert lived.rows(job(A))["pushes"] == 3


def test_an_undo_brings_back_rows_position_and_version(lived: Scenario) -> None:
    lived.sql(f"UPDATE {place(lived, 'probe', 'jobs')} SET name = 'spoilt'")
    at = rebuilt(lived, accept=True).position
    lived.when(PushJob(job_id=A, note="on"))
    assert undone(lived) == at
    assert lived.rows(job(A))["name"] == "spoilt"
    assert lived.rows(job(A))["pushes"] == 3
    lived.settle()
    assert lived.rows(job(A))["pushes"] == 4, "its reader went on from where the tables were"
    assert reader_of(lived.system).position == lived.head()


def test_an_undo_can_be_undone(lived: Scenario) -> None:
    lived.sql(f"UPDATE {place(lived, 'probe', 'jobs')} SET name = 'spoilt'")
    rebuilt(lived, accept=True)
    undone(lived)
    undone(lived)
    assert lived.rows(job(A))["name"] == "dig"
    assert rebuilt(lived).equal


def test_nothing_is_undone_that_is_not_kept(lived: Scenario) -> None:
    with pytest.raises(NothingToUndo, match=r"probe\.rows has no previous tables"):
        undone(lived)
    rebuilt(lived)
    assert pruned(lived) == ("jobs", "pushes")
    assert pruned(lived) == ()
    with pytest.raises(NothingToUndo):
        undone(lived)


def test_the_next_rebuild_needs_the_place(lived: Scenario) -> None:
    rebuilt(lived)
    lived.when(PushJob(job_id=A, note="on"))
    rebuilt(lived)
    undone(lived)
    assert lived.rows(job(A))["pushes"] == 4


def test_the_reader_goes_on_while_the_tables_are_compared(
    lived: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = lived.head()

    async def meanwhile(*given: Any) -> Any:
        if reader_of(lived.system).position == at:
            await lived.system.dispatch(PushJob(job_id=A, note="meanwhile"), TELLER)
            await asyncio.wait_for(reader_of(lived.system).step(), MAX_WAIT_S)
        return await compare(*given)

    monkeypatch.setattr("infra.rebuilding.rebuild.compare", meanwhile)
    found = rebuilt(lived)
    assert (found.equal, found.swapped) == (True, True)
    assert found.position == lived.head() > at, "what came meanwhile is in the new tables"
    assert lived.rows(job(A))["pushes"] == 4
    assert rebuilt(lived).equal


def test_a_rebuild_that_another_one_took_over_touches_nothing(
    lived: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(*given: Any) -> Any:
        monkeypatch.setattr("infra.rebuilding.rebuild.compare", compare)
        await Shadow(PROJECTING, lived.system.databases["probe"]).begin()
        return await compare(*given)

    monkeypatch.setattr("infra.rebuilding.rebuild.compare", slowly)
    with pytest.raises((RebuiltElsewhere, Unavailable)):
        rebuilt(lived)
    assert lived.rows(job(A))["pushes"] == 3
    assert rebuilt(lived).equal


def test_no_query_fails_and_none_misses_what_it_waited_for_while_tables_are_swapped(
    lived: Scenario,
) -> None:
    system = lived.system
    log, database = system.logs["probe"], system.databases["probe"]
    over = asyncio.Event()
    asked = 0

    async def ask() -> None:
        nonlocal asked
        pushes = 0
        while not over.is_set():
            row = await system.queries.detail(job(A))
            assert row["pushes"] == len(row["pushed"])
            assert row["pushes"] >= pushes, "it went back"
            pushes = row["pushes"]
            asked += 1

    async def push() -> None:
        while not over.is_set():
            answer = await system.dispatch(PushJob(job_id=A, note="x"), TELLER)
            row = await system.queries.detail(job(A), {"probe": answer.receipt.position})
            assert row["pushes"] >= answer.receipt.version - 1, "its own write is missing"

    async def work() -> None:
        await system.follow()
        asking = [asyncio.create_task(ask()) for _ in range(QUERIES)]
        pushing = asyncio.create_task(push())
        for _ in range(REBUILDS):
            found = await rebuild(PROJECTING, log.store, system.codec, database)
            assert found.swapped, found.differences
        over.set()
        await asyncio.gather(pushing, *asking)

    lived.run(work())
    assert asked > REBUILDS


def test_indexes_are_there_after_a_swap_and_an_undo(banking: Scenario) -> None:
    system = banking.system
    (statement,) = [p for p in system.features.projections if p.name == "banking.statement"]
    database = system.databases["banking"]
    expected = indexes(banking)
    assert any("statement_lines_account" in name for (name,) in expected)
    given = (statement, system.logs["banking"].store, system.codec, database)
    banking.run(rebuild(*given))
    assert indexes(banking) == expected
    banking.run(patiently(database, lambda c: undo(c, statement), "banking.statement"))
    assert indexes(banking) == expected
    banking.run(rebuild(*given))
    assert indexes(banking) == expected


def indexes(scenario: Scenario) -> list[Any]:
    if scenario.system.databases["banking"].is_sqlite:
        query = "SELECT name FROM sqlite_master WHERE tbl_name = 'banking_statement_lines'"
        return sorted(scenario.sql(f"{query} AND type = 'index'"))
    query = "SELECT indexname FROM pg_indexes WHERE schemaname = 'banking'"
    return sorted(scenario.sql(f"{query} AND tablename = 'statement_lines'"))
