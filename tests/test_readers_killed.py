"""`kill -9` of reading processes: what they wrote and how far they are always agree."""

import random

import pytest

from infra.settings import Settings
from tests.log.crew import crew
from tests.log.load import ANN, jobs, start_jobs
from tests.log.points import ANY_MOMENT
from tests.log.reading import PLACES, disagreements, kill_reader_at, rows_of
from tests.probe.job import PushJob
from tests.probe.rows import job
from tests.scenario import Scenario

JOBS, PUSHES = 3, 40
KILLS = 2


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_reader_has_written_what_its_position_says(
    probe: Scenario, settings: Settings, place: str
) -> None:
    dice = random.Random(place)

    async def send() -> None:
        await start_jobs(probe.system, JOBS)
        for id in jobs(JOBS):
            for number in range(PUSHES):
                await probe.system.dispatch(PushJob(job_id=id, note=str(number)), ANN)

    probe.run(send())
    places = [0]
    with crew() as readers:
        for _ in range(KILLS):
            probe.run(kill_reader_at(place, readers, settings, dice))
            assert probe.run(disagreements(probe.system)) == []
            places.append(rows_of(probe.system).position)
    assert places == sorted(places)
    assert places[-1] > 0
    if place != ANY_MOMENT:  # then it may be quicker than the news of it
        assert places[-1] < probe.head(), "it was killed on its way"
    probe.settle()
    for id in jobs(JOBS):
        row = probe.rows(job(id))
        assert row["pushes"] == PUSHES
        assert sorted(int(push["note"]) for push in row["pushed"]) == list(range(PUSHES))
