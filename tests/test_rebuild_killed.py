"""`kill -9` of a rebuild: the live tables do not notice, and the next one goes on where it was."""

import signal
from typing import Any

import pytest

from infra.rebuilding import rebuild as rebuilding
from infra.rebuilding.generations import generation_of
from infra.rebuilding.shadow import Shadow
from infra.settings import Settings
from infra.wiring import open_system
from tests.log.crew import Link, crew
from tests.log.points import die
from tests.probe.features import FEATURES
from tests.probe.rows import all_jobs
from tests.scenario import Scenario
from tests.test_swap import PROJECTING, given_jobs, rebuilt

BATCH = 7
IN_A_BATCH = "in the transaction of a batch, when all is written"
AFTER_A_BATCH = "after a batch"
COMPARING = "while it compares"
SWAPPING = "in the swap, before it is committed"
AT = {IN_A_BATCH: BATCH, AFTER_A_BATCH: 2 * BATCH, COMPARING: 24, SWAPPING: 24}
"""The position that it has come to."""


def dying(place: str, function: Any, *, times: int = 1) -> Any:
    """Return `function`, with an end of the process behind its last call."""
    left = times

    async def work(*given: Any, **named: Any) -> Any:
        nonlocal left
        result = await function(*given, **named)
        left -= 1
        if not left:
            die()
        return result

    return work


async def rebuild_and_die(link: Link, settings: Settings, place: str) -> None:
    """A process: rebuild in small batches, and die at a place."""
    system = await open_system(settings, features=FEATURES)
    if place == IN_A_BATCH:
        Shadow.write = dying(place, Shadow.write, times=2)  # type: ignore[method-assign]
    elif place == COMPARING:
        rebuilding.compare = dying(place, rebuilding.compare)  # type: ignore[attr-defined]
    elif place == SWAPPING:
        rebuilding.swap_in = dying(place, rebuilding.swap_in)  # type: ignore[attr-defined]
    link.send("begins")

    def progress(done: int, *_: object) -> None:
        if place == AFTER_A_BATCH and done == 2 * BATCH:
            die()

    log, database = system.logs["probe"], system.databases["probe"]
    given = (PROJECTING, log.store, system.codec, database)
    await rebuilding.rebuild(*given, batch=BATCH, progress=progress)


@pytest.mark.parametrize("place", AT)
def test_a_killed_rebuild_goes_on_from_its_own_position(
    probe: Scenario, settings: Settings, place: str
) -> None:
    given_jobs(probe, jobs=4, pushes=5)
    before = probe.rows(all_jobs())
    with crew() as processes:
        member = processes.start(rebuild_and_die, settings, place)
        probe.run(member.hear_all())
        assert member.ended() == -signal.SIGKILL
    assert probe.rows(all_jobs()) == before
    again = rebuilt(probe)
    assert (again.equal, again.swapped, again.resumed_at) == (True, True, AT[place])
    assert probe.rows(all_jobs()) == before


def test_it_can_be_told_to_begin_afresh(probe: Scenario, settings: Settings) -> None:
    given_jobs(probe, jobs=4, pushes=5)
    with crew() as processes:
        probe.run(processes.start(rebuild_and_die, settings, AFTER_A_BATCH).hear_all())
    again = rebuilt(probe, afresh=True)
    assert (again.equal, again.resumed_at) == (True, 0)


def test_other_code_does_not_go_on_with_it(
    probe: Scenario, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_jobs(probe, jobs=4, pushes=5)
    with crew() as processes:
        probe.run(processes.start(rebuild_and_die, settings, AFTER_A_BATCH).hear_all())
    monkeypatch.setattr("infra.rebuilding.generations.version_of", lambda _: "another")
    generation_of.cache_clear()
    try:
        again = rebuilt(probe)
    finally:
        generation_of.cache_clear()
    assert (again.equal, again.resumed_at) == (True, 0)
