"""Two processes on one store that keep answers, and what they kept, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from domain import NotFound
from infra.discovery import Features
from infra.moves import Overtaken
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from projections import not_kept
from tests.probe.features import FEATURES
from tests.probe.job import StartJob
from tests.probe.rows import job_row
from tests.redises import Server
from tests.scenario import Scenario
from tests.test_readers import reader_of

JOBS = [UUID(int=0xA + n) for n in range(4)]
QUERY = "probe.rows.job_row"
MISSING = "nothing"
LONG_MS = 3_000
"""For a Redis that answers, however busy the machine is."""


class Processes:
    """The scenario's system and another one; nothing runs in the background."""

    def __init__(self, probe: Scenario, other: System) -> None:
        self.probe = probe
        self.systems = [probe.system, other]

    def row(self, id: UUID, by: int = 0, after: int = 0) -> Any:
        """Return what a process answers for a job."""
        return self._asked(by, job_row(id), {"probe": after} if after else None)

    def stored(self, id: UUID, by: int = 0) -> Any:
        """Return what it answers when nothing is kept."""
        return self._asked(by, not_kept(job_row(id)), None)

    def all_are_right(self) -> None:
        """Expect every process to answer as its store does."""
        for by in range(len(self.systems)):
            for id in JOBS:
                assert self.row(id, by) == self.stored(id, by), (by, id)

    def _asked(self, by: int, query: Any, after: dict[str, int] | None) -> Any:
        try:
            return self.probe.run(self.systems[by].queries.one(query, after))
        except NotFound:
            return MISSING

    def step(self, by: int = 0) -> None:
        """Let a process's reader handle a batch, if no other has done so."""
        with suppress(Overtaken):
            self.probe.run(reader_of(self.systems[by]).step())

    def send(self, command: object, by: int = 0) -> int:
        """Send a command, and let the process's reader handle it; return its position."""
        answer = self.probe.send(command, to=self.systems[by])
        self.step(by)
        self.step(by)
        return answer.receipt.position

    def looked(self, result: str, level: str = "memory", by: int = 0) -> int:
        """Return how often something came of looking for what is kept."""
        labels = {"query": QUERY, "level": level, "result": result}
        registry = self.systems[by].telemetry.registry
        return int(registry.get_sample_value("cache_lookups_total", labels) or 0)


@contextmanager
def processes(settings: Settings, features: Features = FEATURES) -> Iterator[Processes]:
    """Run two processes with the same settings."""
    probe = Scenario(settings, "probe", features=features)
    try:
        other = probe.run(open_system(settings, features=features))
        try:
            yield Processes(probe, other)
        finally:
            probe.run(other.close())
    finally:
        probe.close()


def two_with_jobs(settings: Settings) -> Iterator[Processes]:
    """A fixture: two processes, and two jobs that both could keep."""
    with processes(settings) as made:
        made.send(StartJob(job_id=JOBS[0], name="a"))
        made.send(StartJob(job_id=JOBS[1], name="b"))
        yield made


def with_redis(settings: Settings, private: Server, ms: int = LONG_MS) -> Settings:
    return settings.model_copy(update={"redis_url": private.url, "redis_ms": ms})


def forget(both: Processes, by: int = 0) -> None:
    """Let a process have nothing in its own memory."""
    both.systems[by].queries.forget()


def entries(private: Server) -> dict[bytes, bytes]:
    """Return what Redis has, by name."""
    return {name: private.client.get(name) for name in private.client.scan_iter("*:cache:*")}  # type: ignore[misc]
