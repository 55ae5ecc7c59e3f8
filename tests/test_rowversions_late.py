"""Versions that facts make which were parked: behind what later facts have made of the row."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select

from infra.projector import Projector
from infra.rowversions import LATE
from projections.versions import OPEN, SINCE, UNTIL, held_at, versions_of
from tests.probe.lives import A, B, read, told_as_facts, write
from tests.probe.memory import in_order
from tests.probe.past import PAST, PROJECTING, tracks
from tests.scenario import Scenario


@pytest.fixture
def kept(settings) -> Iterator[Scenario]:
    """1 A starts, 2, 3 and 4 pushed, 5 ended; nothing is handled yet."""
    with closing(Scenario(settings, "probe", features=PAST)) as scenario:
        write(scenario, told_as_facts([(A, "on"), (A, "on"), (A, "on"), (A, "END")]))
        yield scenario


def handle(scenario: Scenario, *positions: int, late: bool = False) -> None:
    facts = [one for one in scenario.facts() if one[1].position in positions]

    async def body() -> None:
        writing = await Projector(PROJECTING)(facts)
        async with scenario.system.databases["probe"].write() as connection:
            await connection.execution_options(**{LATE[0]: late})
            await writing(connection)

    scenario.run(body())


def versions(scenario: Scenario) -> list[tuple[int, int, int]]:
    kept = versions_of(tracks)
    assert kept is not None
    rows = in_order(kept, read(scenario, select(kept)))
    return [(row[SINCE], row[UNTIL], row["pushes"]) for row in rows]


def test_facts_in_order_make_what_they_would_have_made(kept: Scenario) -> None:
    handle(kept, 1)
    handle(kept, 2, 3, late=True)
    assert versions(kept) == [(1, 2, 0), (2, 3, 1), (3, OPEN, 2)]


def test_a_change_before_the_last_one_shows_from_that_one_on(kept: Scenario) -> None:
    handle(kept, 1)
    handle(kept, 2, 4)
    handle(kept, 3, late=True)
    assert versions(kept) == [(1, 2, 0), (2, 4, 1), (4, OPEN, 3)]
    for position, pushes in ((1, 0), (2, 1), (3, 1), (4, 3), (5, 3)):
        (row,) = read(kept, held_at(tracks, position))
        assert row["pushes"] == pushes
    assert read(kept, select(tracks.c.pushes)) == [{"pushes": 3}]


def test_a_deletion_before_the_last_change_deletes_from_there_on(kept: Scenario) -> None:
    handle(kept, 1, 2, 4)
    kept_rows = versions(kept)
    assert kept_rows[-1] == (4, OPEN, 2)
    late_end(kept)
    assert versions(kept) == kept_rows[:-1]
    assert read(kept, held_at(tracks, 4)) == []


def late_end(scenario: Scenario) -> None:
    """The end of the job, as if it had been at position 3."""
    end = [fact for fact, at in scenario.facts() if at.position == 5]
    place = [at for _, at in scenario.facts() if at.position == 3]
    facts = list(zip(end, place, strict=True))

    async def body() -> None:
        writing: Any = await Projector(PROJECTING)(facts)
        async with scenario.system.databases["probe"].write() as connection:
            await connection.execution_options(**{LATE[0]: True})
            await writing(connection)

    scenario.run(body())


def test_other_rows_of_the_batch_are_left_alone(kept: Scenario) -> None:
    write(kept, told_as_facts([(B, "on")]))
    handle(kept, 1, 2, 4, 6)
    handle(kept, 3, 7, late=True)
    assert versions(kept) == [(1, 2, 0), (2, 4, 1), (4, OPEN, 3), (6, 7, 0), (7, OPEN, 1)]
