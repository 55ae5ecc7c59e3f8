"""One kill of a writer's process at a named point, and what another one finds afterwards."""

import asyncio
import random
import signal
from collections.abc import Sequence

from infra.settings import Settings
from infra.system import System
from tests.log.crew import Crew, Member
from tests.log.held import held
from tests.log.load import Errand, Load, Told, errands, send_all, write
from tests.log.points import ANY_MOMENT, HELD_UP, Point

MAX_APPEND = 4
"""At which of its appends a process dies at the latest; see `Point`."""


async def kill_at(
    place: str, crew: Crew, settings: Settings, survivor: System, load: Load
) -> tuple[list[Told], list[Told]]:
    """Kill a process that carries `load`, then let `survivor` send all of it again.

    Returns what the process was told before it died, and what the survivor is told.
    """
    dice = random.Random(load.seed)
    member = crew.start(write, settings, load, Point(place, dice.randint(1, MAX_APPEND)))
    everything = errands(load)
    if place in HELD_UP:
        again = await _kill_held_up(place, member, survivor, everything, early=dice.random() < 0.5)
    else:
        if place == ANY_MOMENT:
            for _ in range(dice.randint(1, load.writers * load.each // 2)):
                await member.hear()
            member.kill()
        await member.hear_all()
        again = await send_all(survivor, everything)
    assert member.ended() == -signal.SIGKILL, f"it was to die {place}"
    return [said for said in member.heard if isinstance(said, Told)], again


async def _kill_held_up(
    place: str, member: Member, survivor: System, sent: Sequence[Sequence[Errand]], *, early: bool
) -> list[Told]:
    """Kill it while PostgreSQL runs its append; send again `early`: while that is still running."""
    while not isinstance(await member.hear(), Point):
        pass
    async with held(survivor.databases["probe"].conninfo, HELD_UP[place]) as lock:
        member.say("go on")
        (running,) = await lock.waiting(1)
        member.kill()
        await member.hear_all()
        assert await lock.waiting(1) == [running], "the server has not noticed"
        if not early:
            await lock.release()
            return await send_all(survivor, sent)
        again = asyncio.create_task(send_all(survivor, sent))
        assert running in await lock.waiting(2)
        await lock.release()
        return await again


def contradictions(told: Sequence[Told], again: Sequence[Told]) -> list[str]:
    """Return in sentences where a second answer is another one than the first."""
    answers = {one.key: one._replace(tries=1) for one in again}
    return [
        f"first {first}, then {answers[first.key]}"
        for first in told
        if answers[first.key] != first._replace(tries=1)
    ]
