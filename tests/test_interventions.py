"""What is done beside commands stands in the audit trail among them, with who and why."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from infra.audit import Entry, Place, trail
from infra.interventions import Intervention, record
from tests.probe.job import PushJob, StartJob
from tests.scenario import Scenario

A, B = UUID(int=0xA), UUID(int=0xB)


def made(probe: Scenario, action: str, **values: Any) -> Intervention:
    return Intervention(
        time=probe.clock.now(), actor="olga", action=action, subject="reader probe.rows", **values
    )


def recorded(probe: Scenario, *some: Intervention) -> None:
    async def write() -> None:
        for one in some:
            async with probe.system.databases["probe"].write() as connection:
                await record(connection, "probe", one)

    probe.run(write())


def entries(probe: Scenario, **filters: Any) -> list[Entry]:
    async def read() -> list[Entry]:
        return [entry async for entry in trail(probe.system, **filters)]

    return probe.run(read())


def named(found: list[Entry]) -> list[str]:
    return [entry.command.partition(".")[2] for entry in found]


@pytest.fixture
def lived(probe: Scenario) -> Scenario:
    probe.send(StartJob(job_id=A, name="dig"))
    probe.clock.moved += timedelta(minutes=1)
    probe.send(PushJob(job_id=A))
    recorded(
        probe,
        made(probe, "MendRow", resource=A, position=2, detail="pushes 7 -> 1", reason="drift"),
        made(probe, "ReportBreach", resource=B, result="breached", correlation_id=UUID(int=7)),
    )
    return probe


def test_an_intervention_says_who_did_what_to_what_and_why(lived: Scenario) -> None:
    [mended] = entries(lived, resource=A, actor="olga")
    assert (mended.command, mended.result, mended.reason) == ("probe.MendRow", "done", "drift")
    assert (mended.resource, mended.position, mended.facts) == (A, 2, 0)
    assert mended.detail == "reader probe.rows: pushes 7 -> 1"
    assert mended.correlation_id == mended.command_id
    [breach] = entries(lived, correlation_id=UUID(int=7))
    assert (breach.result, breach.detail) == ("breached", "reader probe.rows")


def test_commands_and_interventions_stand_in_the_order_of_time(lived: Scenario) -> None:
    everything = ["StartJob", "PushJob", "MendRow", "ReportBreach"]
    assert named(entries(lived)) == everything
    assert named(entries(lived, since=lived.clock.now() - timedelta(seconds=30))) == everything[2:]
    assert named(entries(lived, until=lived.clock.now() - timedelta(seconds=30))) == everything[:2]


def test_the_trail_goes_on_from_every_place(lived: Scenario) -> None:
    found = entries(lived)
    for index, entry in enumerate(found):
        context, receipt, intervention = entry.place.split(":")
        after = Place(context, int(receipt), int(intervention))
        assert entries(lived, after=after) == found[index + 1 :]


def test_what_is_undone_leaves_no_trace(lived: Scenario) -> None:
    async def torn() -> None:
        async with lived.system.databases["probe"].write() as connection:
            await record(connection, "probe", made(lived, "MendRow"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lived.run(torn())
    assert len(entries(lived)) == 4
