"""A load on a few shared streams: what is sent, and what whoever sent it was told."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

from commands import Caller
from domain import Refused
from infra.dispatch import Contended, InFlight, Meta
from infra.log.port import Busy, LogError, Unavailable
from infra.session import VersionMoved
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log.crew import Link
from tests.log.points import ANY_MOMENT, Point, prepare
from tests.probe.features import FEATURES
from tests.probe.job import PushBoth, PushJob, StartJob

ANN = Caller(actor="ann")
NEVER_STARTED = UUID(int=0xFFFF)
AGAIN = (Unavailable, Busy, Contended, InFlight)
"""What says: send it again with the same key."""
MAX_TRIES = 500
PAUSE_S = 0.02


class Load(NamedTuple):
    """What one process sends: `writers` at a time, `each` commands a writer, on `streams` jobs."""

    name: str
    writers: int
    each: int
    streams: int
    seed: int


class Errand(NamedTuple):
    """One command, with its key."""

    key: str
    command: object
    expected: int | None


class Told(NamedTuple):
    """What came of an errand."""

    key: str
    result: str
    """`accepted`, `refused` or `conflicted`: the version was not the expected one."""
    position: int = 0
    stream: UUID | None = None
    version: int = 0
    tries: int = 1


def jobs(streams: int) -> list[UUID]:
    """Return the ids of the jobs that all loads of so many streams share."""
    return [UUID(int=number + 1) for number in range(streams)]


def errands(load: Load) -> list[list[Errand]]:
    """Return what each writer sends, in order: the same for the same load.

    Most of it is for the shared jobs, some for a job of the writer's own, of which it knows the
    version: it expects that one, or another one, which has no effect.
    """
    dice = random.Random(load.seed)
    shared = jobs(load.streams)

    def of_writer(name: str) -> Iterator[Errand]:
        own, version = uuid5(NEVER_STARTED, name), 1
        yield Errand(f"{name}-0", StartJob(job_id=own, name="dig"), None)
        for number in range(1, load.each):
            key = f"{name}-{number}"
            kind = dice.random()
            if kind < 0.1:
                yield Errand(key, PushJob(job_id=NEVER_STARTED, note=key), None)  # refused
            elif kind < 0.2:
                one, other = dice.sample(shared, 2)
                yield Errand(key, PushBoth(job_id=one, other_id=other), None)
            elif kind < 0.3:
                yield Errand(key, PushJob(job_id=own, note=key), version - 1)  # conflicted
            elif kind < 0.4:
                yield Errand(key, PushJob(job_id=own, note=key), version)
                version += 1
            else:
                expected = 1 if kind < 0.5 else None  # which is right for one of many at most
                yield Errand(key, PushJob(job_id=dice.choice(shared), note=key), expected)

    return [list(of_writer(f"{load.name}-{writer}")) for writer in range(load.writers)]


async def start_jobs(system: System, streams: int) -> None:
    """Start the jobs that the loads share."""
    started = (
        system.dispatch(StartJob(job_id=job, name="dig"), ANN, Meta(key=f"start-{job}"))
        for job in jobs(streams)
    )
    await asyncio.gather(*started)


async def send(system: System, errand: Errand, heard: Counter[type] | None = None) -> Told:
    """Send one, with the same key until there is an answer; count in `heard` what came before."""
    # Half of the senders use the same id again too, as processes do.
    same = uuid5(NEVER_STARTED, errand.key) if errand.key[-1] in "02468" else None
    meta = Meta(key=errand.key, expected=errand.expected, command_id=same)
    for tries in range(1, MAX_TRIES + 1):
        try:
            receipt = (await system.dispatch(errand.command, ANN, meta)).receipt
        except Refused:
            return Told(errand.key, "refused", tries=tries)
        except VersionMoved:
            return Told(errand.key, "conflicted", tries=tries)
        except AGAIN as error:
            if heard is not None:
                heard[type(error)] += 1
            await asyncio.sleep(PAUSE_S)
        else:
            found = (receipt.position, receipt.stream, receipt.version)
            return Told(errand.key, "accepted", *found, tries=tries)
    raise LogError(f"{errand.key} has no answer after {MAX_TRIES} tries")


async def send_all(system: System, sent: Iterable[Sequence[Errand]]) -> list[Told]:
    """Send what several writers have to send, and return what they were told."""

    async def one(errands: Sequence[Errand]) -> list[Told]:
        return [await send(system, errand) for errand in errands]

    return [told for writer in await asyncio.gather(*map(one, sent)) for told in writer]


async def write(link: Link, settings: Settings, load: Load, point: Point | None = None) -> None:
    """A process: carry the load, say what was told at once, and die at `point`."""
    system = await open_system(settings, features=FEATURES)
    if point:
        prepare(system, point, link)

    async def one(errands: Sequence[Errand]) -> None:
        for errand in errands:
            link.send(await send(system, errand))

    async with asyncio.TaskGroup() as writers:
        for errands_ in errands(load):
            writers.create_task(one(errands_))
    if point and point.place == ANY_MOMENT:
        await asyncio.to_thread(link.recv)  # the end comes from outside
    await system.close()
