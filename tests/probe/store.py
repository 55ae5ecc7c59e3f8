"""What a test does behind the system's back, and what it sees of the store being read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from infra.log.histories import History, Wanted
from infra.system import System
from tests.scenario import Scenario


def sql(scenario: Scenario, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on the store of the probe; `probe.events` is named as in PostgreSQL."""
    sqlite = scenario.system.databases["probe"].is_sqlite
    return scenario.sql(statement.replace("probe.", "probe_") if sqlite else statement)


class Watched:
    """The histories of a store, with what was read of them."""

    def __init__(self, system: System) -> None:
        log = system.logs["probe"]
        self._histories = log.store.histories
        self.reads: list[list[tuple[UUID, int]]] = []
        """For each read, the streams and how many facts there were of each."""
        log.store.histories = self

    async def read(self, wanted: Sequence[Wanted], limit: int) -> list[History]:
        found = await self._histories.read(wanted, limit)
        pairs = zip(wanted, found, strict=True)
        self.reads.append([(one.stream, len(history.facts)) for one, history in pairs])
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._histories, name)
