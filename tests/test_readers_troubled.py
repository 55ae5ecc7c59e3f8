"""Whatever fails, breaks off and is retried: in the end all is as if nothing had been."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as some

from infra.aside.parked import groups
from infra.aside.parking import TooMuchParked
from infra.aside.unparking import retry
from infra.log.port import Unavailable
from infra.log.tail import Facts
from infra.moves import Overtaken, Write
from infra.settings import Settings
from infra.wiring import open_system
from tests.parking import OLGA
from tests.probe.features import FEATURES
from tests.probe.job import JobPushed, JobStarted, NoteKept, PushJob, StartJob
from tests.scenario import Scenario
from tests.test_parking import equal_to_a_rebuild, pushes
from tests.test_readers import reader_of
from tests.test_sagas import SAGA

READERS = ("probe.rows", SAGA)
MAX_ROUNDS = 50
BATCH = 5


class Trouble:
    """The output of a reader: it fails at some facts, and breaks off when it is told to."""

    def __init__(self, reader: Any) -> None:
        self.every = 0
        """Facts at positions that this divides cannot be handled; 0: all can."""
        self.break_off: str | None = None
        """Where its next batch breaks off, before or behind what it writes."""
        self._output = reader.output
        reader._output = self

    async def __call__(self, facts: Facts) -> Write:
        for _, at in facts:
            if self.every and at.position % self.every == 0:
                raise ZeroDivisionError
        write = await self._output(facts)
        place, self.break_off = self.break_off, None

        async def writing(connection: Any) -> None:
            if place == "before":
                raise Unavailable("broken off")
            await write(connection)
            if place == "behind":
                raise Unavailable("broken off")

        return writing


class Worker:
    """A process that follows, as far as the store can tell; it can be killed and begin anew."""

    def __init__(self, probe: Scenario, settings: Settings) -> None:
        self._probe = probe
        self._settings = settings.model_copy(update={"reader_tries": 1, "reader_batch": BATCH})
        self._begin()

    def _begin(self) -> None:
        opening = open_system(self._settings, clock=self._probe.clock, features=FEATURES)
        self.system = self._probe.run(opening)
        self.trouble = {name: Trouble(reader_of(self.system, name)) for name in READERS}
        self._probe.run(self._resume())

    async def _resume(self) -> None:
        for reader in self.system.readers:
            await reader.resume()

    def killed(self) -> None:
        """End without a word, and begin anew: what was in memory is gone, and the trouble stays."""
        before = self.trouble
        self.close()
        self._begin()
        for name, trouble in self.trouble.items():
            trouble.every = before[name].every

    def step(self, name: str) -> int:
        """Handle a batch, or be stopped: by trouble, by an operator who was faster."""
        with suppress(Unavailable, Overtaken, TooMuchParked):
            return self._probe.run(reader_of(self.system, name).step())
        return 0

    def close(self) -> None:
        self._probe.run(self.system.close())


@pytest.fixture
def worker(probe: Scenario, settings: Settings) -> Iterator[Worker]:
    made = Worker(probe, settings)
    yield made
    made.close()


def retried(probe: Scenario) -> int:
    """Let an operator retry all that is parked; returns how much stays so."""

    async def body() -> int:
        for group in await groups(probe.system):
            await retry(probe.system, group, OLGA)
        return len(await groups(probe.system))

    return probe.run(body())


ACTION = some.tuples(
    some.sampled_from(
        ["push"] * 8 + ["step"] * 6 + ["retry", "retry", "fail", "fail", "heal", "break", "kill"]
    ),
    some.sampled_from(READERS),
    some.integers(0, 2),
)


@effort(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=some.lists(ACTION, min_size=10, max_size=40))
def test_parked_and_retried_ends_equal_to_never_parked(
    probe: Scenario, worker: Worker, actions: list[tuple[str, str, int]]
) -> None:
    jobs = [uuid4() for _ in range(3)]
    sent: dict[UUID, list[str]] = {id: [] for id in jobs}
    for id in jobs:
        probe.send(StartJob(job_id=id, name="dig", hours=1_000))
    for what, name, number in actions:
        id, trouble = jobs[number], worker.trouble[name]
        if what == "push":
            sent[id].append(f"{id} {len(sent[id])}")
            probe.send(PushJob(job_id=id, note=sent[id][-1]))
        elif what == "step":
            worker.step(name)
        elif what == "fail":
            trouble.every = (2, 3, 7)[number]
        elif what == "heal":
            trouble.every = 0
        elif what == "break":
            trouble.break_off = ("before", "behind", None)[number]
        elif what == "kill":
            worker.killed()
        else:
            retried(probe)
    _come_to_rest(probe, worker)
    assert equal_to_a_rebuild(probe)
    facts = probe.facts()
    for id, notes in sent.items():
        assert pushes(probe, id) == [*range(1, len(notes) + 1)]
        lived = [fact for fact, at in facts if at.stream == id]
        assert [type(fact) for fact in lived] == [JobStarted] + [JobPushed] * len(notes)
        kept = [f.text for f, _ in facts if isinstance(f, NoteKept) and f.job_id == id]
        assert kept == notes, "each once, in order"


def _come_to_rest(probe: Scenario, worker: Worker) -> None:
    """End the trouble; let the worker and the operator do what is left."""
    for trouble in worker.trouble.values():
        trouble.every, trouble.break_off = 0, None
    for _ in range(MAX_ROUNDS):
        left = retried(probe)
        for name in READERS:
            left += worker.step(name)
        behind = [reader for reader in worker.system.readers if reader.position < probe.head()]
        if not left and not behind:
            return
    raise AssertionError(f"it did not come to rest in {MAX_ROUNDS} rounds")
