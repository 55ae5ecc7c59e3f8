"""Kept answers: always what the store would say, whatever happens to its rows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from commands.social.follow import FollowMember
from domain import Envelope, Event
from infra.asof import NoHistory
from infra.caching import window
from infra.queries import Behind
from infra.settings import Settings
from projections import Changes, not_kept
from projections.social.profile import profile
from tests.caching import JOBS, MISSING, Processes, processes
from tests.parking import Faulty, parked, retried
from tests.probe import rows
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.scenario import Scenario
from tests.social.members import ALICE, BOB, JOINED, alice
from tests.test_drift import audited, name_of
from tests.test_readers import reader_of, spoil
from tests.test_swap import rebuilt, undone

A, B = JOBS[:2]


@pytest.fixture
def both(settings: Settings) -> Iterator[Processes]:
    with processes(settings) as made:
        made.send(StartJob(job_id=A, name="a"))
        made.send(StartJob(job_id=B, name="b"))
        yield made


def warmed(both: Processes) -> None:
    """Let both processes keep what there is."""
    both.all_are_right()
    both.all_are_right()


def test_an_answer_is_given_again_while_no_fact_changes_it(both: Processes) -> None:
    assert both.row(A) == both.row(A) == both.stored(A)
    assert (both.looked("miss"), both.looked("hit")) == (1, 1)


def test_a_fact_about_another_key_changes_nothing(both: Processes) -> None:
    both.row(A)
    for _ in range(3):
        both.send(PushJob(job_id=B))
        assert both.row(A) == both.stored(A)
    assert both.looked("hit") == 3


def test_a_fact_about_the_key_makes_it_be_read_again(both: Processes) -> None:
    both.row(A)
    both.send(PushJob(job_id=A))
    assert both.row(A)["pushes"] == 1
    assert both.looked("hit") == 0
    assert both.row(A)["pushes"] == 1
    assert both.looked("hit") == 1


def test_what_another_process_has_projected_counts_at_once(both: Processes) -> None:
    warmed(both)
    both.send(PushJob(job_id=A), by=1)
    assert both.row(A, by=0)["pushes"] == 1, "its own reader has not moved"
    assert reader_of(both.systems[0]).position < reader_of(both.systems[1]).position


def test_a_process_that_follows_nothing_keeps_answers_too(both: Processes) -> None:
    """As `serve --no-readers` does: its readers never move."""
    for pushes in range(1, 4):
        both.send(PushJob(job_id=A), by=0)
        assert [both.row(A, by=1)["pushes"] for _ in range(2)] == [pushes] * 2
    assert both.looked("hit", by=1) == 3


def test_a_position_is_waited_for_as_ever(both: Processes) -> None:
    both.row(A)
    system = both.systems[0]
    system.queries._wait_s = 0.01
    position = both.probe.send(PushJob(job_id=A)).receipt.position
    with pytest.raises(Behind):
        both.row(A, after=position)
    both.step()
    assert both.row(A, after=position)["pushes"] == 1


def test_the_past_is_not_asked_of_what_is_kept(both: Processes) -> None:
    both.row(A)
    with pytest.raises(NoHistory):
        both.probe.run(both.systems[0].queries.one(rows.job_row(A), as_of="1"))


def test_what_is_missing_is_found_once_it_is_there(both: Processes) -> None:
    assert both.row(JOBS[2]) == MISSING
    both.send(StartJob(job_id=JOBS[2], name="c"))
    assert both.row(JOBS[2])["name"] == "c"


def test_an_answer_belongs_to_who_asked(both: Processes) -> None:
    both.row(A)["name"] = "spoilt"
    both.row(A)["name"] = "spoilt"
    assert both.row(A)["name"] == "a"


# ── rows that change by other means than the next facts ──────────────────────────────────────


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


def test_a_profile_changes_by_what_others_do(social: Scenario) -> None:
    social.given(JOINED)
    queries = social.system.queries
    before = [social.run(queries.one(profile(id))) for id in (ALICE, BOB)]
    social.when(FollowMember(member_id=BOB), by=alice)
    after = [social.run(queries.one(profile(id))) for id in (ALICE, BOB)]
    assert [(b["following"], a["following"]) for b, a in zip(before, after, strict=True)] == [
        (0, 1),
        (0, 0),
    ]
    assert after == [social.run(queries.one(not_kept(profile(id)))) for id in (ALICE, BOB)]
