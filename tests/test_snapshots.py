"""Snapshots: taken beside the commands from what is in the log, and never needed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from infra import snapshots as taking
from infra.log.port import Outcome, Unavailable
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.probe.features import FEATURES
from tests.probe.job import Job, JobPushed, KeepNote, PushJob
from tests.probe.snapshots import (
    PUSH,
    START,
    STARTED,
    A,
    B,
    checked,
    counted,
    lived,
    load,
    pushed,
    snapshots,
    versions,
)
from tests.probe.store import Watched
from tests.scenario import TELLER, Scenario, until

# ── when they are taken ───────────────────────────────────────────────────────────────────────


def test_one_is_taken_each_time_the_stream_has_grown_enough(probe) -> None:
    probe.send(START)
    found = []
    for _ in range(10):
        pushed(probe, 1)
        found.append(versions(probe))
    assert found == [[], [], [4], [4], [4], [4], [8], [8], [8], [8]]
    assert snapshots(probe)[0][1].startswith("probe.job@")
    assert counted(probe, "taken") == 2
    assert checked(probe) == ["1 snapshots"]


def test_a_batch_that_goes_past_takes_one(probe) -> None:
    probe.send(START)

    async def body() -> None:
        await asyncio.gather(*(probe.system.dispatch(PUSH, TELLER) for _ in range(20)))

    probe.run(body())
    [newest] = versions(probe)
    assert newest == 20
    assert checked(probe) == ["1 snapshots"]


def test_one_is_taken_of_a_long_stream_that_is_loaded(probe) -> None:
    lived(probe, 9)
    assert versions(probe) == []
    assert load(probe).version == 10
    assert versions(probe) == [10]
    watched = Watched(probe.system)
    assert load(probe).state == Job(status="running", pushes=9)
    assert watched.reads == [[(A, 1)]], "only the fact that the snapshot ends with"
    assert counted(probe, "used") == 1


def test_the_facts_behind_it_are_folded_on_it(probe) -> None:
    lived(probe, 9)
    load(probe)
    lived_on = [JobPushed(number=n) for n in (10, 11)]
    probe.given({A: lived_on})
    watched = Watched(probe.system)
    entry = load(probe)
    assert (entry.state, entry.version) == (Job(status="running", pushes=11), 12)
    assert watched.reads == [[(A, 3)]]
    assert versions(probe) == [10], "two facts are not enough for another one"


def test_a_process_that_starts_knows_when_the_next_is_due(probe, other) -> None:
    probe.send(START)
    pushed(probe, 5)
    assert versions(probe) == [4]
    pushed(probe, 1, to=other)
    assert versions(probe) == [4]
    pushed(probe, 1, to=other)
    assert versions(probe) == [8]


def test_a_state_of_which_none_are_taken_has_none(probe) -> None:
    for number in range(12):
        probe.send(KeepNote(note_id=B, job_id=A, text=str(number)))
    assert snapshots(probe) == []


@pytest.fixture
def without(probe: Scenario, settings: Settings) -> Iterator[System]:
    """A process that neither takes nor uses snapshots."""
    switched_off = settings.model_copy(update={"snapshots": False})
    system = probe.run(open_system(switched_off, features=FEATURES))
    yield system
    probe.run(system.close())


def test_they_can_be_switched_off(probe, without) -> None:
    lived(probe, 9)
    assert load(probe, without).version == 10
    assert versions(probe) == []
    load(probe)
    assert versions(probe) == [10]
    watched = Watched(without)
    assert load(probe, without).version == 10
    assert watched.reads == [[(A, 10)]], "none is used that is there"


def test_what_is_due_is_written_when_the_system_stops(probe, settings) -> None:
    system = probe.run(open_system(settings, features=FEATURES))

    async def body() -> None:
        await system.dispatch(START, TELLER)
        for _ in range(3):
            await system.dispatch(PUSH, TELLER)
        await system.close()

    probe.run(body())
    assert versions(probe) == [4]


def test_two_processes_take_them_beside_each_other(probe, other) -> None:
    probe.send(START)
    for number in range(40):
        probe.send(PUSH, to=(probe.system, other)[number % 3 == 0])
    for system in (probe.system, other):
        probe.run(system.snapshots_written())
    # An older one that is written last stays until the next.
    assert checked(probe) == [f"{len(versions(probe))} snapshots"]
    assert 1 <= len(versions(probe)) <= 2
    for system in (probe.system, other):
        assert load(probe, system).state == probe.state(Job, A)


# ── only of what is in the log ────────────────────────────────────────────────────────────────


class Gate:
    """A store that lets a batch pass when it is told to, or loses it."""

    context = "probe"
    ahead = 1
    waited_s = 0.0

    def __init__(self, store: Any) -> None:
        self._store = store
        self.open = asyncio.Event()
        self.lost = False

    async def append(self, batch: Any) -> list[Outcome | None]:
        await self.open.wait()
        if self.lost:
            raise Unavailable("the store is away")
        found: list[Outcome | None] = await self._store.append(batch)
        return found


@pytest.mark.parametrize("lost", [False, True])
def test_none_is_taken_before_its_facts_are_in_the_log(probe, lost: bool) -> None:
    probe.send(START)
    pushed(probe, 2)
    group = probe.system.logs["probe"].group
    log = probe.system.logs["probe"]

    async def body() -> None:
        gate = group._store = Gate(group._store)
        push = asyncio.create_task(probe.system.dispatch(PUSH, TELLER))
        await until(lambda: (entry := log.streams.known(A)) is not None and entry.version == 4)
        for _ in range(100):
            await asyncio.sleep(0)
        assert await log.store.histories.page(None, 9) == [], "decided, and not in the log yet"
        gate.lost = lost
        gate.open.set()
        if lost:
            with pytest.raises(Unavailable):
                await push
        else:
            await push

    probe.run(body())
    assert versions(probe) == ([] if lost else [4])


def test_none_is_taken_of_what_was_decided_in_vain(probe, other) -> None:
    """Both decide on version 3; one of them is late, and its state never was."""
    probe.send(START)
    pushed(probe, 2)
    assert probe.run(other.logs["probe"].streams.get(Job, A)).version == 3
    probe.send(PushJob(job_id=A, note="first"))
    probe.send(PushJob(job_id=A, note="second"), to=other)
    for system in (probe.system, other):
        probe.run(system.snapshots_written())
    # An older one that is written last stays until the next.
    assert checked(probe) == [f"{len(versions(probe))} snapshots"]
    assert 1 <= len(versions(probe)) <= 2


# ── never in the way ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError("a fault")])
def test_a_command_does_not_notice_when_they_cannot_be_written(probe, error) -> None:
    histories = probe.system.logs["probe"].store.histories
    keep = histories.keep

    async def fail(*args: object) -> None:
        raise error

    histories.keep = fail
    probe.send(START)
    with structlog.testing.capture_logs() as lines:
        pushed(probe, 4)
    assert [line["event"] for line in lines if line["event"] != "command"] == [
        "snapshots given up" if isinstance(error, Unavailable) else "snapshot failed"
    ]
    assert (counted(probe, "failed"), counted(probe, "taken")) == (1, 0)
    histories.keep = keep
    pushed(probe, 3)
    assert versions(probe) == [8], "the next one is taken when it is due"


def test_those_that_wait_have_a_bound(probe, monkeypatch) -> None:
    monkeypatch.setattr(taking, "MAX_WAITING", 1)
    lived(probe, 9).given({B: [STARTED, *(JobPushed(number=n + 1) for n in range(9))]})

    async def body() -> None:
        streams = probe.system.logs["probe"].streams
        await asyncio.gather(streams.get(Job, A), streams.get(Job, B))

    probe.run(body())
    assert versions(probe) == [10]
    assert (counted(probe, "taken"), counted(probe, "skipped")) == (1, 1)


def test_a_state_that_would_not_come_back_is_not_written(probe) -> None:
    """The outside world: a rule that puts a value of another type than it says into a state."""
    taken = probe.system.logs["probe"].streams.snapshots

    async def body() -> None:
        taken.offer(A, Job(status="new", pushes="three"), 4, None)  # type: ignore[arg-type]
        await taken.written()

    with structlog.testing.capture_logs() as lines:
        probe.run(body())
    assert snapshots(probe) == []
    assert [line["event"] for line in lines] == ["snapshot failed"]
    assert counted(probe, "failed") == 1


def test_a_stop_does_not_wait_for_ever(probe, settings, monkeypatch) -> None:
    monkeypatch.setattr(taking, "CLOSE_S", 0.01)
    system = probe.run(open_system(settings, features=FEATURES))
    lived(probe, 9)
    began = asyncio.Event()

    async def never(*args: object) -> None:
        began.set()
        await asyncio.Event().wait()

    async def body() -> None:
        log = system.logs["probe"]
        log.store.histories.keep = never
        await log.streams.get(Job, A)
        await began.wait()
        await system.close()

    probe.run(body())
    assert versions(probe) == []
