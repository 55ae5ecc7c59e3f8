"""Differences of rows: each version is one change, an end without a successor is a deletion."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain import Event
from infra.rowdiff import Difference, difference
from projections.versions import held_at
from tests.probe.lives import A, B, follow, lives, read, told_as_facts, write
from tests.probe.past import PAST, steps, told, tracks
from tests.scenario import Scenario
from tests.stores import Stores


@pytest.fixture
def kept(settings) -> Iterator[Scenario]:
    """A scenario of the probe whose rows have history."""
    with closing(Scenario(settings, "probe", features=PAST)) as scenario:
        yield scenario


def compared(scenario: Scenario, *tables: Any, key: object, **between: int) -> Difference:
    given = between.get("since"), between.get("until")
    found: Difference = scenario.run(difference(scenario.system, tables, str(key), *given))
    return found


def test_a_row_that_ends_and_begins_again_is_deleted_and_inserted(kept: Scenario) -> None:
    # 1 starts, 2 pushed, 3 ended, 4 starts again, 5 pushed
    write(kept, told_as_facts([(A, "on"), (A, "END"), (A, "on")]))
    follow(kept)
    found = compared(kept, tracks, key=A)
    assert [(c.at.position, c.before is None, c.after is None) for c in found.changes] == [
        *((1, True, False), (2, False, False), (3, False, True)),
        *((4, True, False), (5, False, False)),
    ]
    assert found.changes[1].columns["last"] == (None, "on")
    assert found.changes[2].columns["name"] == ("dig", None)
    assert (found.since, found.until, found.was_there) == (0, 5, False)
    later = compared(kept, tracks, key=A, since=2, until=4)
    assert [change.at.position for change in later.changes] == [3, 4]
    assert later.was_there


def test_several_tables_are_told_in_the_order_of_the_log(kept: Scenario) -> None:
    write(kept, told_as_facts([(A, "on"), (B, "on"), (A, "brief")]))
    follow(kept)
    found = compared(kept, tracks, steps, key=A)
    assert [(c.at.position, c.table) for c in found.changes] == [
        *((1, "probe.tracks"), (2, "probe.tracks"), (2, "probe.steps"), (5, "probe.tracks")),
    ]


def test_a_row_that_is_only_added_has_one_change(kept: Scenario) -> None:
    write(kept, told_as_facts([(A, "on"), (A, "on")]))
    follow(kept)
    (change,) = compared(kept, told, key=3).changes
    assert (change.before, change.at.position) == (None, 3)
    assert compared(kept, told, key=2, since=2).changes == []


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lives=lives(), ends=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_changes_lead_from_the_first_state_to_the_last(
    all_stores: Stores, store: str, lives: list[tuple[Any, list[Event]]], ends: tuple[int, int]
) -> None:
    with closing(Scenario(all_stores.settings(store), "probe", features=PAST)) as kept:
        write(kept, lives)
        follow(kept)
        head = kept.head()
        since, until = sorted(min(end, head) for end in ends)
        for table in (tracks, steps):
            names = [column.name for column in table.primary_key]
            rows = {tuple(r[n] for n in names): r for r in read(kept, held_at(table, since))}
            after = {tuple(r[n] for n in names): r for r in read(kept, held_at(table, until))}
            for id in (A, B):
                for change in compared(kept, table, key=id, since=since, until=until).changes:
                    assert rows.pop(change.key, None) == change.before
                    if change.after is not None:
                        rows[change.key] = change.after
            assert rows == after
