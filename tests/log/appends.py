"""Appends as the tests of the log write them, and a store to send them to."""

from typing import Any
from uuid import UUID, uuid4

from infra.log.port import Append, Encoded, Origin, Refusal, Store, Tracked, Write
from tests.scenario import Scenario

A, B, C = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)


def fact(number: int = 1, topic: str = "probe.job.pushed") -> Encoded:
    return Encoded(topic, b'{"number":%d}' % number)


def origin(**changes: Any) -> Origin:
    id = uuid4()
    values: dict[str, Any] = {
        "command_id": id,
        "command": "probe.PushJob",
        "actor": "somebody",
        "key": str(id),
        "fingerprint": "f",
        "correlation_id": id,
        **changes,
    }
    return Origin(**values)


def append(
    stream: UUID = A,
    expected: int = 0,
    *facts: Encoded,
    tracked: Tracked | None = None,
    refusal: Refusal | None = None,
    **meta: Any,
) -> Append:
    return Append(
        origin=origin(**meta),
        writes=(Write(stream, expected, facts),),
        tracked=tracked,
        refusal=refusal,
    )


def store_of(scenario: Scenario) -> Store:
    return scenario.system.logs["probe"].store
