"""`kill -9` of reading processes: what they wrote and how far they are always agree."""

import random
import signal

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.log.tail import Facts
from infra.readers import Write
from infra.settings import Settings
from infra.wiring import open_system
from tests.log.crew import Link, Member, crew
from tests.log.load import ANN, jobs, start_jobs
from tests.log.points import ANY_MOMENT, die
from tests.probe.features import FEATURES
from tests.probe.job import JobPushed, PushJob
from tests.probe.rows import all_jobs, job
from tests.scenario import Scenario
from tests.test_readers import reader_of, stored

BEFORE_WRITING = "before the transaction"
BEFORE_COMMIT = "in the transaction, when all is written"
AFTER_COMMIT = "after the commit, before it goes on"
PLACES = (BEFORE_WRITING, BEFORE_COMMIT, AFTER_COMMIT, ANY_MOMENT)
JOBS, PUSHES = 3, 40
BATCH = 7
KILLS = 3


async def read_and_die(link: Link, settings: Settings, place: str, batch: int) -> None:
    """A process: follow the log, say so after each batch, and die at a place of one of them."""
    system = await open_system(settings, features=FEATURES)
    reader = reader_of(system)
    output = reader._output
    handled = 0

    async def dying(facts: Facts) -> Write:
        nonlocal handled
        handled += 1
        write = await output(facts)
        if place == BEFORE_WRITING and handled == batch:
            die()

        async def writing(connection: AsyncConnection) -> None:
            await write(connection)
            if place == BEFORE_COMMIT and handled == batch:
                die()

        return writing

    def passed(name: str, facts: int, seconds: float) -> None:
        if place == AFTER_COMMIT and handled == batch:
            die()
        link.send(reader.position)

    reader._output, reader._observe = dying, passed
    await reader.resume()
    await reader.run(0.01)


async def killed(member: Member, place: str, batches: int) -> None:
    """Wait for its end; kill it after so many batches when it does not die by itself."""
    if place == ANY_MOMENT:
        for _ in range(batches):
            await member.hear()
        member.kill()
    await member.hear_all()
    assert member.ended() == -signal.SIGKILL


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_reader_has_written_what_its_position_says(
    probe: Scenario, settings: Settings, place: str
) -> None:
    dice = random.Random(place)
    small = settings.model_copy(update={"reader_batch": BATCH})

    async def send() -> None:
        for id in jobs(JOBS):
            for number in range(PUSHES):
                await probe.system.dispatch(PushJob(job_id=id, note=str(number)), ANN)

    async def kill() -> None:
        with crew() as readers:
            batch = dice.randint(1, 4)
            await killed(readers.start(read_and_die, small, place, batch), place, batch)

    probe.run(start_jobs(probe.system, JOBS))
    probe.run(send())
    places = [0]
    for _ in range(KILLS):
        probe.run(kill())
        places.append(stored(probe))
        pushes = sum(row["pushes"] for row in probe.rows(all_jobs()))
        facts = [fact for fact, at in probe.facts() if at.position <= places[-1]]
        assert pushes == sum(isinstance(fact, JobPushed) for fact in facts)
    assert places == sorted(places)
    assert places[-1] > 0
    if place != ANY_MOMENT:  # then it may be quicker than the news of it
        assert places[-1] < probe.head(), "it was killed on its way"
    probe.settle()
    for id in jobs(JOBS):
        row = probe.rows(job(id))
        assert row["pushes"] == PUSHES
        assert [int(push["note"]) for push in row["pushed"]] == list(range(PUSHES))
