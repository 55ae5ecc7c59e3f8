"""A writer that is stopped for a while holds nothing that others need."""

import asyncio
import random
import signal

import pytest

from infra.settings import Settings
from tests.log.appends import store_of
from tests.log.crew import crew
from tests.log.held import held
from tests.log.load import Errand, Load, Told, errands, jobs, send, send_all, start_jobs, write
from tests.log.points import HELD_UP, IN_CALL, WHILE_WRITING, Point
from tests.log.verify import violations
from tests.probe.job import PushJob
from tests.scenario import Scenario

STREAMS = 4
PAUSES = 20
PATIENCE_S = 10
"""Far longer than an append takes, far shorter than any time-out that would end a wait."""


# A SQLite file has one writer at a time: who is stopped in its transaction stops the others.
pytestmark = pytest.mark.parametrize("store", ["postgres"])


def test_a_writer_that_is_stopped_at_any_moment_stops_nobody_else(
    probe: Scenario, settings: Settings
) -> None:
    dice = random.Random(1)
    mine = errands(Load("mine", writers=2, each=4 * PAUSES, streams=STREAMS, seed=2))

    async def body() -> list[Told]:
        told: list[Told] = []
        await start_jobs(probe.system, STREAMS)
        with crew() as writers:
            load = Load("theirs", writers=8, each=100, streams=STREAMS, seed=3)
            writer = writers.start(write, settings, load)
            for number in range(PAUSES):
                for _ in range(dice.randint(1, 20)):
                    await writer.hear()
                writer.signal(signal.SIGSTOP)
                async with asyncio.timeout(PATIENCE_S):
                    part = [one[4 * number : 4 * number + 4] for one in mine]
                    told += await send_all(probe.system, part)
                writer.signal(signal.SIGCONT)
            told += await writer.hear_all()
            assert writer.ended() == 0
        return told

    told = probe.run(body())
    assert probe.run(violations(store_of(probe), told)) == []


@pytest.mark.parametrize("place", [IN_CALL, WHILE_WRITING])
def test_a_writer_that_is_stopped_in_its_call_has_it_done_meanwhile(
    probe: Scenario, settings: Settings, place: str
) -> None:
    async def body() -> list[Told]:
        await start_jobs(probe.system, STREAMS)
        with crew() as writers:
            load = Load("theirs", writers=3, each=1, streams=STREAMS, seed=4)
            writer = writers.start(write, settings, load, Point(place, 1))
            await writer.hear()
            async with held(settings.database_url, HELD_UP[place]) as lock:
                writer.say("go on")
                await lock.waiting(1)
                writer.signal(signal.SIGSTOP)
                await lock.release()
            async with asyncio.timeout(PATIENCE_S):
                pushes = [PushJob(job_id=job, note=f"mine-{job}") for job in jobs(STREAMS)]
                mine = [await send(probe.system, Errand(p.note, p, None)) for p in pushes]
            writer.signal(signal.SIGCONT)
            theirs = [one for one in await writer.hear_all() if isinstance(one, Told)]
            assert writer.ended() == 0
        return [*mine, *theirs]

    told = probe.run(body())
    assert len(told) == STREAMS + 3
    assert probe.run(violations(store_of(probe), told)) == []
