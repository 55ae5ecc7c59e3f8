"""Rows that change by other means than the next facts: what is kept of them is read anew."""

import pytest
from sqlalchemy import delete

from domain import Envelope, Event
from infra.caching import window
from projections import Changes
from tests.caching import JOBS, Processes, two_with_jobs
from tests.parking import Faulty, parked, retried
from tests.probe import rows
from tests.probe.features import FEATURES
from tests.probe.job import PushJob
from tests.test_drift import audited, name_of
from tests.test_readers import reader_of, spoil
from tests.test_swap import rebuilt, undone

A, B = JOBS[:2]
both = pytest.fixture(two_with_jobs, name="both")


def warmed(both: Processes) -> None:
    """Let both processes keep what there is."""
    both.all_are_right()
    both.all_are_right()


def test_rebuilt_tables_are_read_anew_and_so_are_those_put_back(both: Processes) -> None:
    probe = both.probe
    jobs = name_of(probe, "jobs")
    probe.sql(f"UPDATE {jobs} SET name = 'wrong'" + returning(both))
    warmed(both)
    assert both.row(A, by=1)["name"] == "wrong"
    assert rebuilt(probe, accept=True).swapped
    both.all_are_right()
    assert both.row(A, by=1)["name"] == "a"
    undone(probe)
    both.all_are_right()
    assert both.row(A, by=1)["name"] == "wrong"


def returning(both: Processes) -> str:
    return "" if both.probe.system.databases["probe"].is_sqlite else " RETURNING 1"


def test_an_undo_goes_back_and_the_way_from_there_is_gone_again(both: Processes) -> None:
    rebuilt(both.probe)
    for _ in range(3):
        both.send(PushJob(job_id=A))
    warmed(both)
    undone(both.probe)
    both.all_are_right()
    assert both.row(A, by=1)["pushes"] == 0
    both.probe.run(both.systems[1].readers[0].resume_all(both.systems[1].readers))
    for _ in range(3):
        both.step(by=1)
        both.all_are_right()
    assert both.row(A, by=0)["pushes"] == 3


def test_a_row_that_is_mended_is_read_anew(both: Processes) -> None:
    both.probe.sql(f"UPDATE {name_of(both.probe, 'jobs')} SET name = 'drifted'" + returning(both))
    warmed(both)
    assert audited(both.probe, mend=True).mended == 2
    both.all_are_right()
    assert both.row(A, by=1)["name"] == "a"


def test_facts_that_were_parked_count_when_they_are_retried(both: Processes) -> None:
    reader = reader_of(both.systems[0])
    faulty = Faulty(reader, {3})
    both.send(PushJob(job_id=A))
    for _ in range(3):
        both.send(PushJob(job_id=B))
    assert [group.key for group in parked(both.probe)] == [str(A)]
    warmed(both)
    faulty.positions.clear()
    assert [one.handled for one in retried(both.probe)] == [1]
    both.all_are_right()
    assert both.row(A, by=1)["pushes"] == 1


def test_rows_that_other_code_has_changed_are_read_anew(both: Processes) -> None:
    """In a deployment of other code, which may change rows that this one's would not."""
    warmed(both)
    stamps = both.systems[1].readers[0].output._stamps  # type: ignore[attr-defined]
    stamps.code = "other"
    both.probe.sql(f"UPDATE {name_of(both.probe, 'jobs')} SET name = 'x'" + returning(both))
    both.send(PushJob(job_id=B), by=1)
    assert both.row(A)["name"] == "x"
    assert both.row(A)["name"] == "x"
    assert both.looked("off") == 2, "as long as the other code is the last to have changed any"
    both.step()
    both.send(PushJob(job_id=B))
    warmed(both)
    assert both.looked("off") == 2


def test_tables_that_were_rebuilt_after_other_code_are_kept_again(both: Processes) -> None:
    stamps = both.systems[1].readers[0].output._stamps  # type: ignore[attr-defined]
    stamps.code = "other"
    both.send(PushJob(job_id=B), by=1)
    both.row(A)
    assert both.looked("off") == 1
    assert rebuilt(both.probe, accept=True).swapped
    assert both.row(A) == both.row(A) == both.stored(A)
    assert (both.looked("off"), both.looked("hit")) == (1, 1)


def test_facts_that_cannot_be_read_make_answers_be_read_anew(both: Processes) -> None:
    warmed(both)
    both.send(PushJob(job_id=A), by=1)
    both.send(PushJob(job_id=A), by=1)
    spoil(both.probe, 3, '{"number": "none"}')
    both.all_are_right()
    assert both.row(A)["pushes"] == 2


def test_a_database_that_is_restored_below_a_process_has_another_history(both: Processes) -> None:
    warmed(both)
    probe = both.probe
    at = "'2026-01-01T00:00:00+00:00'"
    probe.sql(
        f"UPDATE {name_of(probe, 'events')} SET time = {at} WHERE position = 2" + returning(both)
    )
    probe.sql(f"UPDATE {name_of(probe, 'jobs')} SET name = 'of then'" + returning(both))
    both.send(PushJob(job_id=B), by=1)
    both.all_are_right()
    assert both.row(A)["name"] == "of then"


def sweeping(fact: Event, at: Envelope, changes: Changes) -> None:
    changes.run(delete(rows.jobs))


def faulty(fact: Event, at: Envelope, changes: Changes) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("project", [sweeping, faulty])
def test_what_a_fact_may_have_changed_is_not_held(both: Processes, project) -> None:
    (first, second) = both.probe.facts()
    (projecting,) = FEATURES.projections
    seen = window.Window(projecting)
    seen.take([first])
    place = seen.place
    assert place is not None
    assert seen.holds(A, place)
    seen._project = project
    seen.take([second])
    assert not seen.holds(A, place)
