"""PostgreSQL goes away in mid-append: a key says what happened."""

import asyncio
import random
from collections.abc import Iterator

import psycopg
import pytest

from commands import Caller
from infra.database import SILENCE
from infra.dispatch import Answer, Meta
from infra.log.group import MAX_TRIES
from infra.log.port import Unavailable
from infra.system import System
from tests.log.appends import A, B
from tests.probe.features import FEATURES
from tests.probe.job import OddName, PushJob, StartJob
from tests.scenario import Scenario
from tests.stores import Stores

COMMANDS = 150
KILLS = 12
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""
ann = Caller(actor="ann")


@pytest.fixture
def probe(all_stores: Stores) -> Iterator[Scenario]:
    scenario = Scenario(all_stores.settings("postgres"), "probe", features=FEATURES)
    try:
        yield scenario
    finally:
        scenario.close()


def test_commands_have_one_effect_though_connections_die(probe) -> None:
    system: System = probe.system
    conninfo = next(iter(system.databases.values())).conninfo

    async def push(number: int) -> Answer:
        while True:
            try:
                command = PushJob(job_id=A, note=str(number))
                return await system.dispatch(command, ann, Meta(key=f"push-{number}"))
            except Unavailable:
                await asyncio.sleep(0.01)

    async def kill() -> None:
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            for _ in range(KILLS):
                await asyncio.sleep(random.uniform(0, 0.02))
                await connection.execute(TERMINATE)

    async def body() -> list[Answer]:
        await system.dispatch(StartJob(job_id=A, name="dig"), ann, Meta(key="start"))
        killing = asyncio.create_task(kill())
        answers: list[Answer] = []
        async with asyncio.timeout(60):
            while not killing.done() or len(answers) < COMMANDS:
                start = len(answers)
                answers += await asyncio.gather(*(push(start + n) for n in range(10)))
        await killing
        # Whoever is in doubt asks again, and has the answer of the first time.
        again = await push(0)
        assert (again.receipt, again.replayed) == (answers[0].receipt, True)
        return answers

    answers = probe.run(body())
    facts = [fact.note for fact, _ in probe.facts()[1:]]
    assert sorted(facts, key=int) == [str(n) for n in range(len(answers))], "each exactly once"
    assert sorted(answer.receipt.version for answer in answers) == list(range(2, len(answers) + 2))
    for number, answer in enumerate(answers):
        assert facts[answer.receipt.version - 2] == str(number), "each receipt is the command's own"


def test_connections_that_died_unnoticed_fail_no_command(probe) -> None:
    """PostgreSQL was started again: every connection that is kept is dead, and nobody knows."""
    system: System = probe.system
    store = system.logs["probe"].store
    conninfo = next(iter(system.databases.values())).conninfo

    async def body() -> None:
        await system.dispatch(StartJob(job_id=A, name="dig"), ann)
        (pool,) = system.pools.values()
        while pool.get_stats()["pool_size"] < pool.max_size:
            await asyncio.gather(*(store.head() for _ in range(pool.max_size)))
        assert pool.max_size > MAX_TRIES
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute(TERMINATE)
        assert (await system.dispatch(PushJob(job_id=A), ann)).receipt.version == 2

    probe.run(body())


def test_a_server_that_falls_silent_is_given_up(probe) -> None:
    """Its machine has lost its power, so nothing will ever say that the connection is cut."""
    database = next(iter(probe.system.databases.values()))
    asked: list[dict[str, str]] = []

    async def body() -> None:
        (pool,) = probe.system.pools.values()
        async with pool.connection() as connection:
            asked.append(connection.info.get_parameters())
        async with database.read() as engine:
            raw = await engine.get_raw_connection()
            assert raw.driver_connection is not None
            asked.append(raw.driver_connection.info.get_parameters())

    probe.run(body())
    for parameters in asked:
        assert {name: int(parameters[name]) for name in SILENCE} == SILENCE


def test_an_answer_that_never_came_is_given_by_the_key(probe) -> None:
    """The backend dies after its commit and before its answer."""
    system = probe.system
    store = system.logs["probe"].store

    async def body() -> None:
        await system.dispatch(StartJob(job_id=A, name="dig"), ann)
        cut = _CutAfterCommit(store, 3)
        system.logs["probe"].group._store = cut
        meta = Meta(key="k")
        with pytest.raises(Unavailable):
            await system.dispatch(PushJob(job_id=A), ann, meta)
        answer = await system.dispatch(PushJob(job_id=A), ann, meta)
        assert (answer.replayed, answer.receipt.version) == (True, 2)
        assert await store.head() == 2

    probe.run(body())


def test_a_lost_answer_is_found_again_at_once(probe) -> None:
    """For the caller it is the first answer; what is in memory comes from the log."""
    system = probe.system
    store = system.logs["probe"].store
    system.logs["probe"].group._store = _CutAfterCommit(store, 1)
    start = probe.send(StartJob(job_id=A, name="dig"), by=ann)
    assert (start.replayed, start.receipt.version) == (False, 1)
    system.logs["probe"].group._store = _CutAfterCommit(store, 1)
    with pytest.raises(OddName):
        probe.send(StartJob(job_id=B, name="odd"), by=ann)
    assert not probe.send(PushJob(job_id=A), by=ann).replayed
    assert probe.head() == 2


class _CutAfterCommit:
    """Lets the store commit, and loses its answers for a number of times."""

    context = "probe"
    ahead = 1
    waited_s = 0.0

    def __init__(self, store, times: int) -> None:
        self._store = store
        self._times = times

    async def append(self, batch):
        outcomes = await self._store.append(batch)
        if self._times:
            self._times -= 1
            raise Unavailable("the answer was lost")
        return outcomes
