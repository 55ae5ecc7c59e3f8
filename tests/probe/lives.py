"""Lives of jobs as facts, put in a log and read back from rows whose past is kept."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain import Event
from tests.probe.job import JobEnded, JobPushed, JobStarted
from tests.scenario import Scenario
from tests.test_readers import reader_of, take_at_once

A, B, C = (UUID(int=number) for number in (0xA, 0xB, 0xC))


def lives() -> st.SearchStrategy[list[tuple[UUID, list[Event]]]]:
    """Jobs' facts in the order in which they happen: several by one command, and alone."""
    notes = st.sampled_from(["", "on", "brief", "anew", "on"])
    moves = st.lists(st.tuples(st.sampled_from([A, B]), notes | st.just("END")), max_size=14)
    return moves.flatmap(lambda made: st.just(told_as_facts(made)))


def told_as_facts(moves: Iterable[tuple[UUID, str]]) -> list[tuple[UUID, list[Event]]]:
    pushes: dict[UUID, int] = {}
    running: set[UUID] = set()
    found: list[tuple[UUID, list[Event]]] = []
    for id, note in moves:
        facts: list[Event] = []
        if id not in running:
            facts.append(JobStarted(name="dig"))
            running.add(id)
        if note == "END":
            facts.append(JobEnded(reason="x"))
            running.discard(id)
        else:
            pushes[id] = pushes.get(id, 0) + 1
            facts.append(JobPushed(number=pushes[id], note=note))
        found.append((id, facts))
    return found


def write(scenario: Scenario, lives: Iterable[tuple[UUID, list[Event]]]) -> None:
    """Put facts in the log; the reader is left alone."""
    for id, facts in lives:
        scenario.run(scenario._append(id, facts))


def read(scenario: Scenario, statement: Any) -> list[dict[str, Any]]:
    async def body() -> list[dict[str, Any]]:
        async with scenario.system.databases["probe"].read() as connection:
            return [dict(row) for row in (await connection.execute(statement)).mappings()]

    return scenario.run(body())


def follow(scenario: Scenario, batches: Iterable[int] = ()) -> None:
    """Let the reader write so many facts at a time, then all that are left."""
    reader = reader_of(scenario.system, "probe.past")
    for size in (*batches, 5_000):
        take_at_once(reader, size)
        scenario.run(reader.step())
