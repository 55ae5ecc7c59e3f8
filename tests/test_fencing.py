"""A worker that was paused and wakes up after another took over changes nothing."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from commands import Caller
from infra import deadlines
from infra.moves import Overtaken
from infra.processes import deadlines_of
from infra.readers import SURE_S, Reader
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log.crew import Link, crew
from tests.log.pausing import pause, paused, wake
from tests.probe.features import FEATURES
from tests.probe.job import EndJob, PushJob, StartJob
from tests.probe.rows import all_jobs
from tests.probe.store import sql
from tests.scenario import MAX_WAIT_S, Scenario, until
from tests.test_readers import reader_of
from tests.test_sagas import SAGA

A, B = UUID(int=0xA), UUID(int=0xB)
PROBER = Caller(actor="prober")
BEFORE, WITHIN = "before the transaction", "in the transaction, when all is written"


def impatient(settings: Settings) -> Settings:
    """The same store, where a paused transaction is undone soon."""
    if settings.database_url.startswith("sqlite"):
        return settings
    url = f"{settings.database_url}?options=-c%20idle_in_transaction_session_timeout%3D500ms"
    return settings.model_copy(update={"database_url": url})


class Counted:
    """What a system sends, counted."""

    def __init__(self, system: System) -> None:
        self.keys: list[str] = []
        dispatch = system.dispatcher.dispatch

        async def counting(command: Any, by: Any, meta: Any = None, turn: Any = None) -> Any:
            self.keys.append(meta.key)
            return await dispatch(command, by, meta, turn)

        system.dispatcher.dispatch = counting  # type: ignore[method-assign]


def state_of(probe: Scenario) -> list[Any]:
    """Everything that a worker could change."""
    tables = ("events", "receipts", "readers", "jobs", "pushes", "deadlines", "parked")
    return [sorted(map(repr, sql(probe, f"SELECT * FROM probe.{table}"))) for table in tables]


async def handle_paused(link: Link, settings: Settings, name: str, place: str) -> None:
    """A process: handle a batch, stop in the middle of it, and say how it ended."""
    system = await open_system(impatient(settings), features=FEATURES)
    reader = reader_of(system, name)
    output: Any = reader.output

    async def pausing(facts):
        write = await output(facts)
        if place == BEFORE:
            pause()

        async def writing(connection):
            await write(connection)
            if place == WITHIN:
                pause()

        return writing

    await reader.resume()
    reader._output = pausing
    link.send(await _ended(reader))
    await system.close()


async def _ended(reader: Reader) -> str:
    try:
        return f"passed {await reader.step()}"
    except Exception as error:  # noqa: BLE001 - it is told
        return type(error).__name__


@pytest.mark.parametrize("place", [BEFORE, WITHIN])
@pytest.mark.parametrize("name", ["probe.rows", SAGA])
def test_a_woken_reader_writes_nothing(
    probe: Scenario, settings: Settings, store: str, name: str, place: str
) -> None:
    if store == "sqlite" and place == WITHIN:
        place = BEFORE  # a paused process holds the whole file: nobody can go on before it does
    for command in (StartJob(job_id=A, name="a"), PushJob(job_id=A, note="n")):
        probe.send(command)

    async def body() -> str:
        with crew() as workers:
            sleeper = workers.start(handle_paused, settings, name, place)
            await paused(sleeper)
            await probe.system.dispatch(StartJob(job_id=B, name="b"), PROBER)
            await _go_on(probe.system)
            before = state_of(probe)
            wake(sleeper)
            said = await sleeper.hear()
            assert state_of(probe) == before
            return str(said)

    assert probe.run(body()) in ("Overtaken", "Unavailable")
    assert [row["name"] for row in probe.rows(all_jobs())] == ["a", "b"]
    assert probe.rows(all_jobs())[0]["pushes"] == 1


async def _go_on(system: System) -> None:
    """Let the readers of this process handle everything, waiting for locks of the paused one."""
    await system.follow()
    head = 0

    def done() -> bool:
        return all(reader.position >= head for reader in system.readers)

    for _ in range(3):  # the saga makes new facts on the way
        head = await system.logs["probe"].store.head()
        await until(done)
    for task in system.tasks:
        task.cancel()


async def send_paused(link: Link, settings: Settings) -> None:
    """A process: stop between the first and the second command of a saga's batch."""
    system = await open_system(settings, features=FEATURES)
    reader = reader_of(system, SAGA)
    sent = Counted(system)
    output: Any = reader.output
    send = output._send

    async def pausing(command: object, key: str, at: Any) -> None:
        if len(sent.keys) == 1:
            pause()
        await send(command, key, at)

    output._send = pausing
    await reader.resume()
    link.send((await _ended(reader), sent.keys))
    await system.close()


def test_a_woken_process_sends_nothing_more(probe: Scenario, settings: Settings) -> None:
    probe.send(StartJob(job_id=A, name="a"))
    for note in ("one", "two", "three"):
        probe.send(PushJob(job_id=A, note=note))

    async def body() -> tuple[str, list[str]]:
        with crew() as workers:
            sleeper = workers.start(send_paused, settings)
            await paused(sleeper)
            await probe.system.settle()
            before = state_of(probe)
            await _longer_than_it_trusts()
            wake(sleeper)
            said: tuple[str, list[str]] = await sleeper.hear()
            assert state_of(probe) == before
            return said

    assert probe.run(body()) == ("Overtaken", ["probe:2:0"])


async def _longer_than_it_trusts() -> None:
    await asyncio.sleep(SURE_S)


def test_a_reader_asks_only_when_it_has_not_moved_for_a_while(probe, other) -> None:
    reader = reader_of(probe.system, SAGA)
    probe.send(StartJob(job_id=A, name="a"))
    probe.run(reader.step())
    probe.send(PushJob(job_id=A, note="n"))
    theirs = reader_of(other, SAGA)
    probe.run(theirs.resume())
    probe.run(theirs.step())
    sent = Counted(probe.system)
    reader._sure_at -= 60
    with pytest.raises(Overtaken):
        probe.run(reader.step())
    assert sent.keys == []


# ── deadlines ────────────────────────────────────────────────────────────────────────────────

JOBS = 40


async def fire(link: Link, settings: Settings) -> None:
    """A process: fire what is due, a few at a time, until nothing is left; say what was sent."""
    deadlines.MAX_DUE = 3
    system = await open_system(settings, features=FEATURES)
    sent = Counted(system)
    [timers] = system.deadlines
    link.send("ready")
    await _told(link)
    async with asyncio.timeout(MAX_WAIT_S):
        while await _left(system):
            await timers.step()
    link.send(sent.keys)
    await system.close()


async def _told(link: Link) -> None:
    await asyncio.to_thread(link.recv)


async def _left(system: System) -> int:
    async with system.databases["probe"].read() as connection:
        query = select(func.count()).select_from(deadlines_of("probe"))
        return int((await connection.execute(query)).scalar_one())


def test_several_workers_fire_each_deadline_once(probe: Scenario, settings: Settings) -> None:
    jobs = [UUID(int=n) for n in range(1, JOBS + 1)]
    for id in jobs:
        probe.send(StartJob(job_id=id, name="idle", hours=0))
    probe.run(reader_of(probe.system, SAGA).step())

    async def body() -> list[str]:
        with crew() as workers:
            members = [workers.start(fire, settings) for _ in range(3)]
            for member in members:
                await member.hear()
            for member in members:
                member.say("go")
            return [key for member in members for key in await member.hear()]

    sent = probe.run(body())
    assert sorted(sent) == sorted(f"deadline:idle:probe:{n}:0" for n in range(1, JOBS + 1))
    receipts = probe.run(probe.system.logs["probe"].store.receipts(limit=999))
    ended = [one for _, one in receipts if one.command == f"probe.{EndJob.__name__}"]
    assert (len(ended), {one.facts for one in ended}) == (JOBS, {1})


async def claim_paused(link: Link, settings: Settings) -> None:
    """A process: claim what is due, stop before firing it, and say what was sent."""
    deadlines.CLAIM_S = 0.5
    system = await open_system(settings, features=FEATURES)
    sent = Counted(system)
    [timers] = system.deadlines
    claim = timers._claim

    async def pausing() -> Any:
        claimed = await claim()
        pause()
        return claimed

    timers._claim = pausing  # type: ignore[method-assign]
    await timers.step()
    link.send(sent.keys)
    await system.close()


def test_who_sleeps_over_its_claim_leaves_the_deadlines_to_others(
    probe: Scenario, settings: Settings
) -> None:
    for id in (A, B):
        probe.send(StartJob(job_id=id, name="idle", hours=0))
    probe.run(reader_of(probe.system, SAGA).step())
    [timers] = probe.system.deadlines

    async def body() -> Any:
        with crew() as workers:
            sleeper = workers.start(claim_paused, settings)
            await paused(sleeper)
            async with asyncio.timeout(MAX_WAIT_S):
                while await _left(probe.system):
                    await timers.step()
            before = state_of(probe)
            wake(sleeper)
            said = await sleeper.hear()
            assert state_of(probe) == before
            return said

    assert probe.run(body()) == []
