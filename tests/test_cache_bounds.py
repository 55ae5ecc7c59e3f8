"""What is kept of queries, and how much of it."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select

from infra.caching import cache, window
from infra.caching.caches import require_by_key
from infra.caching.looking import Latest
from infra.discovery import Misbuilt, discover
from infra.settings import Settings
from infra.wiring import open_system
from projections import cached, kept_by, not_kept
from projections.commerce.product import product
from projections.social.profile import profile, profiles
from tests.caching import JOBS, Processes, processes, two_with_jobs
from tests.probe import rows
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.stores import Stores

A, B = JOBS[:2]


@pytest.fixture
def settings(all_stores: Stores) -> Settings:
    return all_stores.settings("sqlite")


both = pytest.fixture(two_with_jobs, name="both")


# ── bounds ───────────────────────────────────────────────────────────────────────────────────


def test_who_has_missed_too_much_forgets_what_it_knows(
    both: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LOOK_BACK", 2)
    both.all_are_right()
    for _ in range(4):
        both.send(PushJob(job_id=B))
    both.send(PushJob(job_id=A))
    both.send(PushJob(job_id=B))
    both.send(PushJob(job_id=B))
    both.all_are_right()
    assert len(window_of(both)._seen) == 2


def window_of(both: Processes) -> window.Window:
    found = both.systems[0].queries._caches._by_projection["probe.rows"]._window
    assert isinstance(found, window.Window)
    return found


def test_the_window_is_bounded(both: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MAX_FACTS", 2)
    both.all_are_right()
    for _ in range(3):
        both.send(PushJob(job_id=A))
        both.send(PushJob(job_id=B))
        both.all_are_right()
    seen = window_of(both)
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
