"""Callers who go away at any moment: their commands happen once or not at all, as the key tells."""

import asyncio
import random

from tests.log.appends import store_of
from tests.log.killing import contradictions
from tests.log.load import Errand, Load, Told, errands, send, start_jobs
from tests.log.verify import violations
from tests.probe.job import StartJob
from tests.scenario import Scenario

STREAMS = 4
CALLERS, COMMANDS = 10, 25
MAX_TURNS = 200
"""Turns of the loop after which a caller is gone at the latest: more than a command takes."""


def test_callers_who_go_away_leave_no_doubt(probe: Scenario) -> None:
    dice = random.Random(1)
    callers = errands(Load("c", CALLERS, COMMANDS, STREAMS, seed=1))
    told: list[Told] = []
    again: list[Told] = []
    gone = 0

    async def call(sent: list[Errand]) -> None:
        nonlocal gone
        for errand in sent:
            task = asyncio.create_task(send(probe.system, errand))
            for _ in range(dice.randint(0, MAX_TURNS)):
                await asyncio.sleep(0)
            task.cancel()
            try:
                told.append(await task)
            except asyncio.CancelledError:
                gone += 1
            # Some ask again while their first try may still be on its way; who builds upon it must.
            knows = errand.expected is not None or isinstance(errand.command, StartJob)
            if knows or dice.random() < 0.5:
                told.append(await send(probe.system, errand))

    async def body() -> None:
        await start_jobs(probe.system, STREAMS)
        await asyncio.gather(*map(call, callers))
        for sent in callers:
            again.extend([await send(probe.system, errand) for errand in sent])

    probe.run(body())
    assert 0 < gone < CALLERS * COMMANDS, "some were too late, and have their answer"
    assert contradictions(told, again) == []
    assert probe.run(violations(store_of(probe), again)) == []
