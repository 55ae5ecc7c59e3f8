"""Versions of rows: at each position what the facts up to there make, however they were written."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, select

from domain import Event
from infra.moves import Overtaken
from infra.readers import Reader
from infra.rebuilding.rebuild import rebuild
from infra.rows.rowchanges import ImpossibleChange
from infra.wiring import open_system
from projections import key, text
from projections.versions import (
    OPEN,
    SINCE,
    UNTIL,
    held_at,
    keep_history,
    versions_of,
)
from tests.probe import past
from tests.probe.lives import A, B, C, follow, lives, read, told_as_facts, write
from tests.probe.memory import in_order, rows_after
from tests.probe.past import PAST, PROJECTING, TABLES, steps, told, tracks
from tests.scenario import Scenario
from tests.stores import Stores
from tests.test_readers import reader_of


@pytest.fixture
def kept(settings) -> Iterator[Scenario]:
    """A scenario of the probe whose rows have history."""
    scenario = Scenario(settings, "probe", features=PAST)
    yield scenario
    scenario.close()


def run_on(scenario: Scenario, reader: Reader) -> None:
    """Step until the end, or until what stops the reader."""
    while scenario.run(reader.step()):
        pass


def history_of(scenario: Scenario) -> dict[str, list[dict[str, Any]]]:
    return {
        kept.name: in_order(kept, read(scenario, select(kept)))
        for table in TABLES
        if (kept := versions_of(table)) is not None
    }


def start_again(scenario: Scenario) -> None:
    """Empty the read model; its reader begins anew."""

    async def body() -> None:
        async with scenario.system.databases["probe"].write() as connection:
            for made in PROJECTING.tables:
                await connection.execute(made.delete())

    scenario.run(body())
    dot = "_" if scenario.system.databases["probe"].is_sqlite else "."
    scenario.sql(f"DELETE FROM probe{dot}readers")
    scenario.run(reader_of(scenario.system, "probe.past").resume())


def rebuilt(scenario: Scenario, **options: Any) -> Any:
    system = scenario.system
    log, database = system.logs["probe"], system.databases["probe"]
    return scenario.run(rebuild(PROJECTING, log.store, system.codec, database, **options))


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lives=lives(), batches=st.lists(st.integers(1, 5), max_size=8))
@example(  # a job ends and starts again in one batch, and its row is another
    lives=told_as_facts([(A, "on"), (A, "END"), (A, "on"), (A, "anew"), (A, "brief")]), batches=[]
)
def test_at_each_position_there_is_what_the_facts_up_to_there_make(
    all_stores: Stores, store: str, lives: list[tuple[UUID, list[Event]]], batches: list[int]
) -> None:
    with closing(Scenario(all_stores.settings(store), "probe", features=PAST)) as kept:
        write(kept, lives)
        follow(kept, batches)
        facts = kept.facts()
        for position in range(len(facts) + 1):
            for made in TABLES:
                found = in_order(made, read(kept, held_at(made, position)))
                wanted = rows_after(past.project, facts[:position], made)
                assert found == wanted, (position, made.name)
        in_parts = history_of(kept)
        start_again(kept)
        follow(kept)
        assert history_of(kept) == in_parts, "the same however the facts fall into batches"
        assert rebuilt(kept).equal


@pytest.fixture
def lived(kept: Scenario) -> Scenario:
    """Jobs that were started, pushed, ended and started again."""
    write(kept, told_as_facts([(A, "on"), (B, "on"), (A, "anew"), (A, "END"), (A, "on")]))
    return kept


def places(scenario: Scenario, kept: Table | None, *key: str) -> list[tuple[Any, ...]]:
    assert kept is not None
    rows = in_order(kept, read(scenario, select(kept)))
    return [(*(row[name] for name in key), row[SINCE], row[UNTIL]) for row in rows]


def test_several_changes_by_one_fact_are_one_version_and_a_deletion_closes_it(lived) -> None:
    follow(lived)
    # 1 A starts, 2 pushed, 3 B starts, 4 pushed, 5 A pushed, 6 ended, 7 starts again, 8 pushed
    assert places(lived, versions_of(tracks), "id") == [
        (A, 1, 2),
        (A, 2, 5),
        (A, 5, 6),
        (A, 7, 8),
        (A, 8, OPEN),
        (B, 3, 4),
        (B, 4, OPEN),
    ]
    assert places(lived, versions_of(steps), "number") == [
        (1, 2, OPEN),
        (2, 5, OPEN),
        (3, 8, OPEN),
        (1, 4, OPEN),
    ]
    assert versions_of(told) is None, "rows that are only added are their own history"


def test_a_row_that_comes_and_goes_by_one_fact_leaves_no_version(kept) -> None:
    write(kept, told_as_facts([(A, "brief"), (A, "on")]))
    follow(kept)
    assert places(kept, versions_of(steps), "number") == [(2, 3, OPEN)]


def test_a_batch_that_fails_leaves_no_versions_and_its_first_half_does(lived, monkeypatch) -> None:
    before = PROJECTING.project

    def faulty(fact: Event, at: Any, rows: Any) -> None:
        before(fact, at, rows)
        if at.position == 6:
            rows.update(tracks, C, name="is not there")

    reader = reader_of(lived.system, "probe.past")
    monkeypatch.setattr(reader._output, "_project", faulty)
    reader.parking = None  # it stops where it cannot go on
    with pytest.raises(ImpossibleChange, match="position 6: update of tracks"):
        run_on(lived, reader)
    assert reader.position == 5
    in_part = places(lived, versions_of(tracks), "id")
    assert in_part == [(A, 1, 2), (A, 2, 5), (A, 5, OPEN), (B, 3, 4), (B, 4, OPEN)]
    monkeypatch.undo()
    follow(lived)
    assert rebuilt(lived).equal


def test_who_is_overtaken_leaves_no_versions(lived, settings) -> None:
    other = lived.run(open_system(settings, features=PAST))
    try:
        slow, fast = (reader_of(system, "probe.past") for system in (lived.system, other))
        lived.run(slow.resume())
        lived.run(fast.resume())
        assert lived.run(fast.step()) == 8
        with pytest.raises(Overtaken):
            lived.run(slow.step())
        assert rebuilt(lived).equal
    finally:
        lived.run(other.close())


def test_a_history_that_differs_from_a_rebuild_is_told_and_replaced(lived) -> None:
    follow(lived)
    dot = "_" if lived.system.databases["probe"].is_sqlite else "."
    lived.sql(f"UPDATE probe{dot}tracks_history SET pushes = 7 WHERE since_position = 4")
    lived.sql(f"DELETE FROM probe{dot}steps_history WHERE since_position = 5")
    assert sorted(rebuilt(lived).differences) == [
        f"probe.steps_history {A}, 2, 5: missing in the live table",
        f"probe.tracks_history {B}, 4: pushes: live 7, rebuilt 1",
    ]
    assert not rebuilt(lived, accept=True).equal
    assert rebuilt(lived).equal


def test_rows_that_are_only_added_are_held_to_it(kept, monkeypatch) -> None:
    write(kept, told_as_facts([(A, "on")]))
    reader = reader_of(kept.system, "probe.past")
    for ask in (
        lambda at, rows: rows.insert(told, position=at.position + 1, job_id=A, note="x"),
        lambda at, rows: rows.update(told, 2, note="other"),
        lambda at, rows: rows.delete(told, 2),
    ):

        def faulty(fact: Event, at: Any, rows: Any, ask: Any = ask) -> None:
            if at.position == 2:
                rows.insert(told, position=2, job_id=A, note="x")
                ask(at, rows)

        monkeypatch.setattr(reader._output, "_project", faulty)
        reader.parking = None
        with pytest.raises(ImpossibleChange, match="told: its history says that rows are only"):
            run_on(kept, reader)


def test_a_projection_with_history_runs_no_statements(lived, monkeypatch) -> None:
    reader = reader_of(lived.system, "probe.past")
    monkeypatch.setattr(reader._output, "_project", lambda fact, at, rows: rows.run(select(1)))
    reader.parking = None
    with pytest.raises(ImpossibleChange, match="runs no statements; move the table"):
        run_on(lived, reader)


def test_what_cannot_have_history_is_refused_when_it_is_declared() -> None:
    info = {"projection": "tests.probe.elsewhere"}
    clashing = Table("clashing", MetaData(), key(), text("since_position"), info=info)
    with pytest.raises(TypeError, match="has history and a column since_position; rename it"):
        keep_history(clashing, True)
    with pytest.raises(TypeError, match="no column 'place' to take its history from"):
        keep_history(clashing, "place")
