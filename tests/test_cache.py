"""Kept answers: always what the store would say, whatever happens to its rows."""

import pytest

from commands.social.follow import FollowMember
from infra.asof import NoHistory
from infra.queries import Behind
from infra.settings import Settings
from projections import not_kept
from projections.social.profile import profile
from tests.caching import JOBS, MISSING, Processes, two_with_jobs
from tests.probe import rows
from tests.probe.job import PushJob, StartJob
from tests.scenario import Scenario
from tests.social.members import ALICE, BOB, JOINED, alice
from tests.stores import Stores
from tests.test_readers import reader_of

A, B = JOBS[:2]


@pytest.fixture
def settings(all_stores: Stores) -> Settings:
    """What depends on the store is in test_cache_rows.py."""
    return all_stores.settings("postgres")


both = pytest.fixture(two_with_jobs, name="both")


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
    both.all_are_right()
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
