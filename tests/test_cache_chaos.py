"""Kept answers are the store's at every step, whatever happens and in whatever order."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from uuid import UUID

import pytest

from domain import Refused
from infra.rebuilding.generations import NothingToUndo
from infra.settings import Settings
from infra.system import System
from tests.caching import JOBS, Processes, entries, forget, processes, with_redis
from tests.probe.job import EndJob, PushJob, StartJob
from tests.probe.rows import job_row
from tests.redises import Server
from tests.scenario import MAX_WAIT_S, TELLER
from tests.test_drift import audited, name_of
from tests.test_swap import rebuilt, undone

SEED, STEPS = 1, 30
PUSHES, READERS = 5, 1


@pytest.fixture
def both(settings: Settings, private: Server) -> Iterator[Processes]:
    with processes(with_redis(settings, private)) as made:
        yield made


class Chaos:
    """Does something at random to the store, to readers, or to Redis."""

    def __init__(self, both: Processes, private: Server, random: Random) -> None:
        self._both = both
        self._private = private
        self._random = random
        self._seen: dict[bytes, bytes] = {}

    def act(self) -> None:
        acts = [*[self.command] * 9, *[self.follow] * 6, self.poison, self.replay, self.flush]
        acts += [self.restart, self.swap, self.undo, self.drift]
        self._random.choice(acts)()

    @property
    def _by(self) -> int:
        return self._random.randrange(2)

    def command(self) -> None:
        id = self._random.choice(JOBS)
        kinds = [PushJob(job_id=id), PushJob(job_id=id), StartJob(job_id=id, name="job")]
        kinds += [EndJob(job_id=id, reason="over")]
        with suppress(Refused):
            command = self._random.choice(kinds)
            self._both.probe.send(command, to=self._both.systems[self._by])

    def follow(self) -> None:
        self._both.step(self._by)

    def poison(self) -> None:
        found = entries(self._private)
        values = [*found.values(), b"garbage"]
        for name in found:
            self._private.client.set(name, self._random.choice(values))

    def replay(self) -> None:
        """Put back what was there once."""
        for name, entry in self._seen.items():
            self._private.client.set(name, entry)
        self._seen |= entries(self._private)

    def flush(self) -> None:
        self._private.client.flushall()

    def restart(self) -> None:
        self._private.kill()
        self._both.all_are_right()
        self._private.restore()

    def swap(self) -> None:
        rebuilt(self._both.probe, accept=True)

    def undo(self) -> None:
        with suppress(NothingToUndo):
            undone(self._both.probe)

    def drift(self) -> None:
        """Let a row be wrong, as the store has it, until it is mended."""
        probe = self._both.probe
        is_sqlite = probe.system.databases["probe"].is_sqlite
        jobs = name_of(probe, "jobs")
        audited(probe, mend=True)
        self._both.all_are_right()
        swapped = f"UPDATE {jobs} SET name = 'drifted {self._random.random()}'"
        probe.sql(swapped + ("" if is_sqlite else " RETURNING 1"))
        audited(probe, mend=True)


def test_kept_answers_are_the_stores_at_every_step(both: Processes, private: Server) -> None:
    random = Random(SEED)
    chaos = Chaos(both, private, random)
    for _ in range(STEPS):
        chaos.act()
        if random.random() < 0.2:
            forget(both, by=random.randrange(2))
        both.all_are_right()
    for result in ("hit", "miss"):
        assert both.looked(result, "memory") > 5, result
    assert sum(both.looked("hit", "redis", by) for by in (0, 1)) > 0


def test_nobody_sees_time_go_back_while_both_processes_follow(both: Processes) -> None:
    """Whoever has seen something, or has changed it, sees no older state in any process."""
    for id in JOBS:
        both.send(StartJob(job_id=id, name="job"))
    one, other = both.systems

    async def write(id: UUID, systems: Sequence[System]) -> None:
        for number in range(1, PUSHES + 1):
            answer = await systems[number % 2].dispatch(PushJob(job_id=id), TELLER)
            after = {"probe": answer.receipt.position}
            for system in systems:
                row = await system.queries.one(job_row(id), after)
                assert row["pushes"] == number, "one's own writes are seen everywhere"

    async def read(id: UUID, writing: "asyncio.Task[None]") -> None:
        seen = 0
        while not writing.done():
            for system in (one, other, other, one):
                row = await system.queries.one(job_row(id))
                assert row["pushes"] >= seen
                seen = row["pushes"]

    async def all_at_once() -> None:
        await one.follow()
        await other.follow()
        async with asyncio.timeout(MAX_WAIT_S), asyncio.TaskGroup() as group:
            for id in JOBS:
                writing = group.create_task(write(id, (one, other)))
                for _ in range(READERS):
                    group.create_task(read(id, writing))

    both.probe.run(all_at_once())
    assert both.looked("hit") > PUSHES
