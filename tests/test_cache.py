"""Kept answers: always what the store would say, whatever happens to its rows."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select

from commands.social.follow import FollowMember
from infra.asof import NoHistory
from infra.caching import cache, window
from infra.caching.caches import require_by_key
from infra.caching.looking import Latest
from infra.discovery import Misbuilt, discover
from infra.queries import Behind
from infra.settings import Settings
from infra.wiring import open_system
from projections import cached, kept_by, not_kept
from projections.commerce.product import product
from projections.social.profile import profile, profiles
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


# ── bounds ───────────────────────────────────────────────────────────────────────────────────


def test_who_has_missed_too_much_forgets_what_it_knows(
    both: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LOOK_BACK", 2)
    warmed(both)
    for _ in range(4):
        both.send(PushJob(job_id=B))
    both.send(PushJob(job_id=A))
    both.send(PushJob(job_id=B))
    both.send(PushJob(job_id=B))
    both.all_are_right()


def test_the_window_is_bounded(both: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MAX_FACTS", 2)
    warmed(both)
    for _ in range(3):
        both.send(PushJob(job_id=A))
        both.send(PushJob(job_id=B))
        both.all_are_right()
    seen = both.systems[0].queries._caches._by_projection["probe.rows"]._window  # type: ignore[attr-defined]
    assert len(seen._marks) == len(seen._seen) == 2
    assert set(seen._touched) == {A, B}


def test_the_memory_is_bounded_and_can_be_turned_off(settings: Settings) -> None:
    for most, hits in ((0, 0), (1_000, 1)):
        with processes(settings.model_copy(update={"cache_bytes": most})) as both:
            for id in JOBS:
                both.send(StartJob(job_id=id, name="x" * 100))
            for id in (*JOBS, JOBS[-1], JOBS[0]):
                assert both.row(id) == both.stored(id)
            assert both.looked("hit") == hits, most


def test_who_asks_while_an_answer_is_on_its_way_gets_the_next() -> None:
    async def ask() -> None:
        told = 0
        gate = asyncio.Event()

        async def look() -> int:
            nonlocal told
            told += 1
            answer = told
            await gate.wait()
            return answer

        latest = Latest(look)
        first = asyncio.create_task(latest.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [asyncio.create_task(latest.get()) for _ in range(3)]
        given_up = asyncio.create_task(latest.get())
        await asyncio.sleep(0)
        given_up.cancel()
        gate.set()
        assert await first == 1
        assert await asyncio.gather(*later) == [2, 2, 2]
        await latest.close()

    asyncio.run(ask())


def test_a_store_that_is_away_is_away_for_all_who_ask() -> None:
    async def ask() -> None:
        async def look() -> int:
            raise TimeoutError

        latest = Latest(look)
        found = await asyncio.gather(*(latest.get() for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [TimeoutError] * 3
        await latest.close()

    asyncio.run(ask())


# ── what is kept ─────────────────────────────────────────────────────────────────────────────


def test_profiles_and_products_are_kept_and_nothing_else_is() -> None:
    kept = {
        f"{one.name}.{answer.__name__}" for one in discover().projections for answer in one.cached
    }
    assert kept == {"social.profile.profile", "commerce.product.product"}
    for projecting in discover().projections:
        require_by_key(projecting)
    for answer in (profile, product):
        query = answer(A)
        assert kept_by(query) is not None
        assert kept_by(query)[2] == A  # type: ignore[index]
        assert kept_by(not_kept(query)) is None, "what decides who may see something is read"


def no_key(job_id: UUID):
    return select(rows.jobs)


def other_column(job_id: UUID):
    return select(rows.pushes).where(rows.pushes.c.number == job_id)


def of_others(job_id: UUID):
    return select(profiles).where(profiles.c.id == job_id)


def two_tables(job_id: UUID):
    return select(rows.jobs, rows.pushes).where(rows.jobs.c.id == job_id)


@pytest.mark.parametrize("answer", [no_key, other_column, of_others, two_tables, rows.job])
def test_only_rows_of_a_key_can_be_kept(answer, settings: Settings) -> None:
    (projecting,) = FEATURES.projections
    with pytest.raises(Misbuilt, match="is cached, and must"):
        require_by_key(replace(projecting, cached=(answer,)))


def test_a_program_with_a_wrong_one_does_not_start(settings: Settings) -> None:
    (projecting,) = FEATURES.projections
    wrong = replace(FEATURES, projections=(replace(projecting, cached=(cached(no_key),)),))
    with pytest.raises(Misbuilt):
        asyncio.run(open_system(settings, features=wrong))


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
