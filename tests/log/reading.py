"""One kill of a reader's process at a named place, and what it leaves."""

import random
import signal

from sqlalchemy.ext.asyncio import AsyncConnection

from infra.log.tail import Facts
from infra.moves import Write
from infra.readers import Reader
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log.crew import Crew, Link
from tests.log.points import ANY_MOMENT, die
from tests.probe.features import FEATURES
from tests.probe.job import JobPushed
from tests.probe.rows import all_jobs

BEFORE_WRITING = "before the transaction"
BEFORE_COMMIT = "in the transaction, when all is written"
AFTER_COMMIT = "after the commit, before it goes on"
PLACES = (BEFORE_WRITING, BEFORE_COMMIT, AFTER_COMMIT, ANY_MOMENT)
BATCH = 7
"""Facts that it handles at once."""
MAX_BATCH = 4
"""At which of its batches it dies at the latest."""
MAX_JOBS = 1_000_000


def rows_of(system: System) -> Reader:
    """Return the reader that keeps the rows of jobs."""
    return next(reader for reader in system.readers if reader.name == "probe.rows")


async def read_and_die(link: Link, settings: Settings, place: str, batch: int) -> None:
    """A process: follow the log, say so after each batch, and die at a place of one of them."""
    small = settings.model_copy(update={"reader_batch": BATCH})
    system = await open_system(small, features=FEATURES)
    reader = rows_of(system)
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
    reader._most = BATCH
    await reader.resume()
    await reader.run(0.01)


async def kill_reader_at(place: str, crew: Crew, settings: Settings, dice: random.Random) -> None:
    """Let a process follow the log for some batches, and kill it."""
    batch = dice.randint(1, MAX_BATCH)
    member = crew.start(read_and_die, settings, place, batch)
    if place == ANY_MOMENT:
        for _ in range(batch):
            await member.hear()
        member.kill()
    await member.hear_all()
    assert member.ended() == -signal.SIGKILL, f"it was to die {place}"


async def disagreements(system: System) -> list[str]:
    """Return in sentences where the rows are not what the reader's position says; take it up."""
    reader = rows_of(system)
    await reader.resume()
    recorded = await system.logs["probe"].store.read(0, reader.position)
    facts = [system.codec.decode(one) for one in recorded]
    rows = await system.queries.all(all_jobs(), MAX_JOBS)
    found = sum(row["pushes"] for row in rows)
    expected = sum(isinstance(fact, JobPushed) for fact in facts)
    if found == expected:
        return []
    return [f"at position {reader.position} there were {expected} pushes, and {found} in the rows"]
