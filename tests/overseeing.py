"""An operator who looks after processes."""

from uuid import UUID

from infra.aside.unparking import By
from infra.audit import Entry, trail
from infra.instances import Instance, Step, instance_of, instances, steps
from infra.overseeing import compensate, take_again
from tests.scenario import Scenario

OLGA = By(actor="olga", reason="the customer called")


def listed(scenario: Scenario, saga: str | None = None) -> list[Instance]:
    """Return the instances that have not ended, or are stuck."""

    async def read() -> list[Instance]:
        found = [one async for one in instances(scenario.system, saga=saga)]
        return [one for one in found if not one.ended or one.stuck]

    return scenario.run(read())


def shown(scenario: Scenario, id: UUID) -> Instance:
    """Return the one instance that an id names."""
    [found] = scenario.run(instance_of(scenario.system, id))
    return found


def steps_of(scenario: Scenario, id: UUID) -> list[Step]:
    """Return what was sent for it."""
    return scenario.run(steps(scenario.system, shown(scenario, id)))


def again(scenario: Scenario, id: UUID) -> list[str]:
    """Take its step again by hand, and let follow what follows."""
    told = scenario.run(take_again(scenario.system, shown(scenario, id), OLGA))
    scenario.settle()
    return told


def compensated(scenario: Scenario, id: UUID) -> list[str]:
    """End it by hand, and let follow what follows."""
    told = scenario.run(compensate(scenario.system, shown(scenario, id), OLGA))
    scenario.settle()
    return told


def by_olga(scenario: Scenario) -> list[tuple[str, str, str | None]]:
    """Return what stands in the audit trail under her name."""

    async def read() -> list[Entry]:
        return [entry async for entry in trail(scenario.system, actor="olga")]

    found = scenario.run(read())
    return [(one.command.partition(".")[2], one.result, one.reason) for one in found]
