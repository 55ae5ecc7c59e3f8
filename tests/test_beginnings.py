"""Histories that begin on filled tables: what is known of them, and how they become whole."""

from contextlib import closing
from typing import Any

from sqlalchemy import select

from projections.versions import OPEN, beginning_of, held_at, versions_of
from tests.probe import past
from tests.probe.lives import A, B, follow, read, told_as_facts, write
from tests.probe.memory import in_order, rows_after
from tests.probe.past import PAST, TABLES, tracks
from tests.scenario import Scenario
from tests.test_readers import reader_of
from tests.test_rowversions import places, rebuilt

NEW = ("tracks_history", "steps_history", "past_history_from")


def drop_histories(scenario: Scenario) -> None:
    """Leave what a program wrote whose projection had no history."""
    for name in NEW:
        scenario.sql(f"DROP TABLE probe{dot(scenario)}{name}")


def forget(scenario: Scenario) -> None:
    """Leave nothing of who made the tables: a program that knew no histories said nothing of it."""
    drop_histories(scenario)
    scenario.sql(f"DELETE FROM probe{dot(scenario)}versions")


def dot(scenario: Scenario) -> str:
    return "_" if scenario.system.databases["probe"].is_sqlite else "."


def begins(scenario: Scenario) -> list[dict[str, Any]]:
    beginning = beginning_of(tracks)
    assert beginning is not None
    return read(scenario, select(beginning))


def test_a_history_that_begins_late_begins_with_the_rows_as_they_are(settings) -> None:
    lives = told_as_facts([(A, "on"), (B, "on"), (A, "END"), (A, "on"), (B, "anew")])
    with closing(Scenario(settings, "probe", features=PAST)) as before:
        write(before, lives[:3])
        follow(before)
        forget(before)
    with closing(Scenario(settings, "probe", features=PAST)) as kept:
        assert places(kept, versions_of(tracks), "id") == [(B, 5, OPEN)]
        assert begins(kept) == [{"position": 5}]
        kept.run(reader_of(kept.system, "probe.past").resume())
        write(kept, lives[3:])
        follow(kept)
        facts = kept.facts()
        for position in range(5, len(facts) + 1):
            for made in TABLES:
                found = in_order(made, read(kept, held_at(made, position)))
                assert found == rows_after(past.project, facts[:position], made)
        assert "probe.past_history_from 5: only in the live table" in rebuilt(kept).differences
        rebuilt(kept, accept=True)
        assert rebuilt(kept).equal
        assert begins(kept) == []


def test_a_history_that_begins_with_the_log_is_known_from_there(settings) -> None:
    with closing(Scenario(settings, "probe", features=PAST)) as before:
        forget(before)
    with closing(Scenario(settings, "probe", features=PAST)) as kept:
        write(kept, told_as_facts([(A, "on")]))
        follow(kept)
        assert rebuilt(kept).equal


def test_tables_that_are_new_give_way_to_rebuilt_ones(settings) -> None:
    with closing(Scenario(settings, "probe", features=PAST)) as before:
        write(before, told_as_facts([(A, "on"), (B, "on")]))
        follow(before)
        rebuilt(before)  # what is stored of it is what a program without history would store
        drop_histories(before)
        store = f"probe{dot(before)}versions"
        for prefix in ("", "previous_"):
            named = f"{prefix}tables = 'tracks,steps,told', {prefix}layout = 'x'"
            before.sql(f"UPDATE {store} SET {named}, {prefix}version = 'y'")
        for name in NEW:
            before.sql(f"DROP TABLE probe_previous{dot(before)}{name}")
    with closing(Scenario(settings, "probe", features=PAST)) as kept:
        rebuilt(kept, accept=True)
        assert begins(kept) == []
        assert rebuilt(kept).equal
        assert places(kept, versions_of(tracks), "id") == [
            *((A, 1, 2), (A, 2, OPEN), (B, 3, 4), (B, 4, OPEN))
        ]
