"""Faults for readers: facts that cannot be handled until they are mended."""

from collections.abc import Iterable
from typing import Any

from infra.aside.parked import Group, groups
from infra.aside.unparking import By, Retried, drop, retry
from infra.log.tail import Facts
from infra.moves import Write
from infra.readers import Output, Reader
from infra.system import System
from tests.scenario import Scenario

OLGA = By(actor="olga", reason="mended")


class Faulty:
    """The output of a reader, with a fault at some positions."""

    def __init__(self, reader: Reader, positions: Iterable[int]) -> None:
        self.positions = set(positions)
        self.tried: list[int] = []
        """The positions tried with a fault, in order."""
        self._output = reader.output
        reader._output = self

    async def __call__(self, facts: Facts) -> Write:
        self._try(facts)
        return await self._output(facts)

    async def late(self, facts: Facts) -> Write:
        self._try(facts)
        handle: Output = getattr(self._output, "late", self._output)
        return await handle(facts)

    def _try(self, facts: Facts) -> None:
        for _, at in facts:
            if at.position in self.positions:
                self.tried.append(at.position)
                raise ZeroDivisionError("canary\nvalues of a row")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


def parked(scenario: Scenario, system: System | None = None, **filters: str) -> list[Group]:
    """Return what is parked, and check that the counts are right."""
    return scenario.run(groups(system or scenario.system, **filters))


def retried(scenario: Scenario, system: System | None = None, **filters: str) -> list[Retried]:
    """Retry everything that is parked."""

    async def body() -> list[Retried]:
        where = system or scenario.system
        return [await retry(where, group, OLGA) for group in await groups(where, **filters)]

    return scenario.run(body())


def dropped(scenario: Scenario, group: Group, *, whole: bool = False) -> int:
    """Drop the first fact of a group, or all."""
    return scenario.run(drop(scenario.system, group, OLGA, whole=whole))
