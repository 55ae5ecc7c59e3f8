"""Many processes at once on the same streams, and readers that follow meanwhile."""

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from infra.bell import Bell
from infra.log.notify import listen
from infra.log.tail import Facts, Tail
from infra.moves import Moves, Write
from infra.readers import Reader
from infra.settings import Settings
from infra.wiring import open_system
from tests.log.appends import store_of
from tests.log.crew import Link, crew, hear_all
from tests.log.load import Load, Told, start_jobs, write
from tests.log.verify import ALL, violations
from tests.probe.features import FEATURES
from tests.scenario import Scenario, until

READERS = 3
STREAMS = 40
STORMS = {"postgres": (8, 32, 6), "sqlite": (4, 16, 5)}
"""For each store: processes, writers in each, commands of each."""


async def follow(link: Link, settings: Settings, name: str, batch: int) -> None:
    """A process: read the log under a name, until told the last position; say what was seen."""
    system = await open_system(settings, features=FEATURES)
    store, database = system.logs["probe"].store, system.databases["probe"]
    bell, seen = Bell(), list[tuple[int, UUID, int]]()

    async def look(facts: Facts) -> Write:
        async def note(_connection: AsyncConnection) -> None:
            seen.extend((at.position, at.stream, at.version) for _, at in facts)

        return note

    reader = Reader(
        name,
        Tail(store, system.codec),
        Moves(database, "probe"),
        look,
        batch=batch,
        bell=bell,
        observe=lambda name, facts, seconds: None,
    )
    tasks = [asyncio.create_task(reader.run(0.05))]
    if not database.is_sqlite:
        tasks.append(asyncio.create_task(listen(database, {"probe": bell})))
    last = await asyncio.to_thread(link.recv)
    await until(lambda: reader.position >= last)
    for task in tasks:
        task.cancel()
    link.send(seen)
    await system.close()


def test_every_reader_sees_every_fact_of_a_storm_once_and_in_order(
    probe: Scenario, settings: Settings, store: str
) -> None:
    probe.run(start_jobs(probe.system, STREAMS))
    processes, writers, each = STORMS[store]
    with crew() as readers, crew() as storm:
        for number in range(READERS):
            readers.start(follow, settings, f"probe.watcher-{number}", (500, 50, 7)[number])
        for number in range(processes):
            load = Load(f"p{number}", writers, each, STREAMS, seed=number)
            storm.start(write, settings, load)
        hear_all(storm.members)
        assert [member.ended() for member in storm.members] == [0] * processes
        for reader in readers.members:
            reader.say(probe.head())
        hear_all(readers.members)
    told: list[Told] = [told for member in storm.members for told in member.heard]
    assert len(told) == processes * writers * each
    assert {one.result for one in told} == {"accepted", "refused", "conflicted"}
    assert probe.run(violations(store_of(probe), told)) == []
    facts = probe.run(store_of(probe).read(0, ALL))
    log = [(one.at.position, one.at.stream, one.at.version) for one in facts]
    assert [reader.heard for reader in readers.members] == [[log]] * READERS
