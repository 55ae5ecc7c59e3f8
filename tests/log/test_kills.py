"""`kill -9` of writing processes: what was acknowledged is there, and nothing else."""

import pytest

from infra.settings import Settings
from tests.log.appends import store_of
from tests.log.crew import crew
from tests.log.killing import contradictions, kill_at
from tests.log.load import Load, Told, start_jobs
from tests.log.points import ANY_MOMENT, POINTS
from tests.log.verify import violations
from tests.scenario import Scenario

KILLS = 2
STREAMS = 4


@pytest.mark.parametrize(
    ("store", "place"), [(store, place) for store, places in POINTS.items() for place in places]
)
def test_a_killed_writer_leaves_what_was_acknowledged_and_no_doubt(
    probe: Scenario, settings: Settings, place: str
) -> None:
    told: list[Told] = []
    probe.run(start_jobs(probe.system, STREAMS))
    with crew() as writers:
        for number in range(KILLS):
            load = Load(f"k{number}", writers=6, each=8, streams=STREAMS, seed=number)
            before, again = probe.run(kill_at(place, writers, settings, probe.system, load))
            assert contradictions(before, again) == []
            assert probe.run(violations(store_of(probe), again)) == []
            told += before
    assert told or place != ANY_MOMENT, "somebody was answered"
