"""Queries as of a position or a time: what they would have answered then."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from domain import Event, NotFound
from infra.asof import BadAsOf, BeforeHistory, NoHistory, NotYet
from infra.cursors import BadCursor
from infra.queries import Behind
from projections import Detail, Listing
from tests.probe.lives import A, B, C, follow, lives, told_as_facts, write
from tests.probe.past import PAST, all_tracks, mixed, one_track, sums, track, tracks_called
from tests.probe.rows import all_jobs
from tests.scenario import MAX_ROWS, Scenario
from tests.stores import Stores
from tests.test_beginnings import forget
from tests.test_readers import reader_of


@pytest.fixture
def kept(settings) -> Iterator[Scenario]:
    """A scenario of the probe whose rows have history."""
    with closing(Scenario(settings, "probe", features=PAST)) as scenario:
        yield scenario


@pytest.fixture
def lived(kept: Scenario) -> Scenario:
    """1 A starts, 2 pushed, 3 B starts, 4 pushed, 5 A pushed, 6 ended, 7 starts again, 8 pushed."""
    write(kept, told_as_facts([(A, "on"), (B, "on"), (A, "anew"), (A, "END"), (A, "on")]))
    follow(kept)
    return kept


def answer(scenario: Scenario, query: Any, as_of: object = None) -> Any:
    """Return what a query answers; None when there is nothing."""
    queries = scenario.system.queries
    text = None if as_of is None else str(as_of)
    try:
        if isinstance(query, Listing):
            rows, following = scenario.run(queries.page(query, MAX_ROWS, as_of=text))
            assert following is None
            return rows
        if isinstance(query, Detail):
            return scenario.run(queries.detail(query, as_of=text))
        return scenario.run(queries.one(query, as_of=text))
    except NotFound:
        return None


QUERIES = (track(A), one_track(B), one_track(C), tracks_called("dig"), all_tracks(), sums())


@hypothesis_settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lives=lives())
def test_as_of_a_position_is_answered_what_was_answered_then(
    all_stores: Stores, store: str, lives: list[tuple[Any, list[Event]]]
) -> None:
    with closing(Scenario(all_stores.settings(store), "probe", features=PAST)) as kept:
        answers = [[answer(kept, query) for query in QUERIES]]
        for life in lives:
            write(kept, [life])
            follow(kept)
            answers += [[]] * (len(life[1]) - 1)  # between facts of one command nobody asks
            answers.append([answer(kept, query) for query in QUERIES])
        for position, then in enumerate(answers):
            if then:
                assert [answer(kept, query, position) for query in QUERIES] == then


def test_a_time_means_the_last_position_until_then(lived: Scenario) -> None:
    times = [at.time for _, at in lived.facts()]
    for position, time in enumerate(times, start=1):
        last = max(number for number, other in enumerate(times, start=1) if other <= time)
        assert answer(lived, all_tracks(), time.isoformat()) == answer(lived, all_tracks(), last)
        assert last >= position
    earlier = (times[0] - timedelta(microseconds=1)).isoformat()
    assert answer(lived, all_tracks(), earlier) == []
    assert answer(lived, track(A), 0) is None
    assert answer(lived, all_tracks(), lived.clock.now().isoformat()) == answer(lived, all_tracks())


def test_what_cannot_be_known_is_refused_with_what_to_do(lived: Scenario) -> None:
    later = (lived.clock.now() + timedelta(minutes=1)).isoformat()
    for wrong, as_of, says in (
        (NotYet, 9, "position 9 is not written yet: the log of probe ends at 8"),
        (NotYet, later, "is in the future"),
        (BadAsOf, "noon", "neither a position nor a time with its zone; write it like 1234"),
        (BadAsOf, "2026-01-31T12:00:00", "with its zone"),
        (BadAsOf, "-1", "neither"),
        (BadAsOf, "9" * 19, "neither"),
        (BadAsOf, "", "neither"),
    ):
        with pytest.raises(wrong, match=says):
            answer(lived, all_tracks(), as_of)
    for query in (mixed(), Listing(all_jobs(), by=())):
        with pytest.raises(NoHistory, match=r"the past of probe.* is not kept.*leave as_of out"):
            answer(lived, query, 3)


def test_a_future_that_the_log_has_reached_is_known(lived: Scenario) -> None:
    lived.clock.moved -= timedelta(hours=1)
    last = lived.facts()[-1][1].time
    assert answer(lived, all_tracks(), last.isoformat()) == answer(lived, all_tracks())
    with pytest.raises(NotYet):
        answer(lived, all_tracks(), (last + timedelta(microseconds=1)).isoformat())


def test_a_list_goes_on_as_of_the_position_of_its_first_page(kept: Scenario) -> None:
    write(kept, told_as_facts([(A, "on"), (B, "on"), (C, "on")]))
    follow(kept)
    queries = kept.system.queries
    now = kept.clock.now().isoformat()
    first, cursor = kept.run(queries.page(all_tracks(), 1, as_of=now))
    write(kept, told_as_facts([(C, "on"), (C, "END")])[1:])
    follow(kept)
    assert [row["id"] for row in answer(kept, all_tracks())] == [A, B]
    for as_of in (None, now):
        second, _ = kept.run(queries.page(all_tracks(), 5, cursor, as_of=as_of))
        assert [row["id"] for row in (*first, *second)] == [A, B, C]
    with pytest.raises(BadCursor, match=r"first page was asked as of .*, not 3; leave as_of out"):
        kept.run(queries.page(all_tracks(), 5, cursor, as_of="3"))
    _, plain = kept.run(queries.page(all_tracks(), 1))
    with pytest.raises(BadCursor, match="first page was asked as of now, not 3"):
        kept.run(queries.page(all_tracks(), 1, plain, as_of="3"))


def test_a_query_waits_until_its_rows_are_known_or_says_how_far_behind_they_are(
    lived: Scenario,
) -> None:
    write(lived, told_as_facts([(B, "on"), (B, "on")])[1:])
    queries = lived.system.queries
    queries.local = True
    queries._wait_s = 0.05
    with pytest.raises(Behind, match=r"probe.past is at position 8, 1 facts behind 9"):
        answer(lived, one_track(B), 9)
    assert answer(lived, one_track(B), 8)["pushes"] == 1
    queries._wait_s = 10

    async def body() -> Any:
        asking = asyncio.create_task(queries.one(one_track(B), as_of="9"))
        await asyncio.sleep(0)
        await reader_of(lived.system, "probe.past").step()
        return await asking

    assert lived.run(body())["pushes"] == 2


def test_a_history_that_begins_late_says_from_where_it_is_known(settings) -> None:
    lives = told_as_facts([(A, "on"), (B, "on"), (A, "anew")])
    with closing(Scenario(settings, "probe", features=PAST)) as before:
        write(before, lives)
        follow(before)
        forget(before)
    with closing(Scenario(settings, "probe", features=PAST)) as kept:
        assert answer(kept, track(A), 5) == answer(kept, track(A))
        says = "history of probe.past begins at position 5, and 4 is before it; `aorist replay"
        with pytest.raises(BeforeHistory, match=says):
            answer(kept, track(A), 4)
