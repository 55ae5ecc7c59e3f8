"""PostgreSQL answers, and will not do it: what is tried again, and what callers hear."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

import psycopg
import pytest

from infra.log.group import MAX_TRIES
from infra.log.port import Accepted, LogError, Rejected, Stored, Taken, Unavailable
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log.appends import A, B, append, fact
from tests.log.held import held
from tests.log.points import HELD_UP, IN_CALL
from tests.probe.features import FEATURES

UNWILLING = """
    CREATE SEQUENCE probe.tries;
    CREATE FUNCTION probe.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('probe.tries') <= {times} THEN -- which counts what is rolled back, too
            RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'unwilling';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER refuse AFTER INSERT ON probe.receipts
        FOR EACH STATEMENT EXECUTE FUNCTION probe.refuse();
"""
WILLING = "DROP FUNCTION probe.refuse CASCADE; DROP SEQUENCE probe.tries"
PASSING = {
    "08006": "connection failure",
    "25006": "read-only: it was the primary until a moment ago",
    "25P04": "transaction timeout",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock timeout",
    "57014": "statement timeout, or cancelled",
    "57P01": "shutting down",
    "57P02": "crash of another server process",
    "57P03": "starting up, or in recovery",
    "58030": "I/O error",
}
"""What passes: the append is tried again, and answered `Unavailable` in the end."""
STAYING = {
    "0A000": (LogError, "not supported"),
    "22P02": (Rejected, "no JSON"),
    "22001": (Rejected, "too long a value"),
    "23502": (Rejected, "no value"),
    "23505": (Taken, "there already"),
    "42501": (LogError, "no permission"),
    "54000": (Rejected, "too large a value for an index"),
    "P0001": (Rejected, "a rule of a trigger"),
    "42883": (LogError, "no such function"),
    "XX001": (LogError, "data corrupted"),
}
"""What stays: to try again is no use."""


pytestmark = pytest.mark.parametrize("store", ["postgres"])


@asynccontextmanager
async def opened(settings: Settings, *options: str) -> AsyncIterator[System]:
    """Yield a system whose connections have settings of their own: `lock_timeout=50`."""
    words = "%20".join(f"-c%20{option}" for option in options)
    url = f"{settings.database_url}?options={words}" if options else settings.database_url
    system = await open_system(settings.model_copy(update={"database_url": url}), features=FEATURES)
    try:
        async with asyncio.timeout(30):
            yield system
    finally:
        await system.close()


async def send(system: System, key: str = "k", stream: UUID = A) -> Stored:
    """Send an append by way of the group, as a command does; return its receipt."""
    outcome = await system.logs["probe"].group.submit(append(stream, 0, fact(), key=key)).outcome()
    assert isinstance(outcome, Accepted)
    return outcome.stored


@contextmanager
def unwilling(settings: Settings, state: str, times: int) -> Iterator[psycopg.Connection]:
    """Let PostgreSQL answer appends with an error, a number of times."""
    with psycopg.connect(settings.database_url, autocommit=True) as server:
        server.execute(UNWILLING.format(state=state, times=times).encode())
        try:
            yield server
        finally:
            server.execute(WILLING)


def tries(server: psycopg.Connection) -> int:
    row = server.execute("SELECT last_value FROM probe.tries").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("state", PASSING)
def test_what_passes_is_tried_again(settings: Settings, state: str) -> None:
    async def body() -> None:
        async with opened(settings) as system:
            with unwilling(settings, state, MAX_TRIES - 1) as server:
                assert (await send(system)).position == 1
                assert tries(server) == MAX_TRIES
            assert await system.logs["probe"].store.head() == 1

    asyncio.run(body())


def test_what_does_not_pass_in_time_is_unavailable_and_leaves_nothing(settings: Settings) -> None:
    async def body() -> None:
        async with opened(settings) as system:
            with unwilling(settings, "53100", MAX_TRIES):
                with pytest.raises(Unavailable, match="unwilling"):
                    await send(system)
                assert await system.logs["probe"].store.head() == 0
                assert (await send(system)).position == 1

    asyncio.run(body())


@pytest.mark.parametrize("state", STAYING)
def test_what_stays_is_told_at_once(settings: Settings, state: str) -> None:
    async def body() -> None:
        async with opened(settings) as system:
            with unwilling(settings, state, 1000) as server:
                with pytest.raises(LogError, match="unwilling") as raised:
                    await send(system)
                assert raised.type is STAYING[state][0]
                assert tries(server) == 1
            assert await system.logs["probe"].store.head() == 0

    asyncio.run(body())


@pytest.mark.parametrize("option", ["lock_timeout=50", "statement_timeout=50"])
def test_a_lock_that_is_held_for_too_long_is_unavailable(settings: Settings, option: str) -> None:
    async def body() -> None:
        async with (
            opened(settings, option) as system,
            held(settings.database_url, HELD_UP[IN_CALL]) as lock,
        ):
            with pytest.raises(Unavailable, match="timeout"):
                await send(system)
            await lock.release()
            assert (await send(system)).position == 1

    asyncio.run(body())


def test_another_isolation_level_costs_tries_and_changes_nothing(settings: Settings) -> None:
    """Under REPEATABLE READ whoever waited for the head row is told to begin again."""
    option = "default_transaction_isolation=repeatable%5C%20read"

    async def body() -> None:
        async with (
            opened(settings, option) as one,
            opened(settings, option) as other,
            held(settings.database_url, HELD_UP[IN_CALL]) as lock,
        ):
            sent = [
                asyncio.create_task(send(one, "k", A)),
                asyncio.create_task(send(other, "l", B)),
            ]
            await lock.waiting(2)
            await lock.release()
            receipts = await asyncio.gather(*sent)
            assert sorted(receipt.position for receipt in receipts) == [1, 2]

    asyncio.run(body())


def test_a_server_that_has_become_read_only_is_unavailable(settings: Settings) -> None:
    """As after a failover: connections lead to what is a standby now, and later do no longer."""
    few = settings.model_copy(update={"database_connections": MAX_TRIES - 1})
    name = settings.database_url.rpartition("/")[2]
    others = "datname = current_database() AND pid <> pg_backend_pid()"

    async def body() -> None:
        server = await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True)
        async with opened(few) as system, server:
            store = system.logs["probe"].store
            await server.execute(
                f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode()
            )
            try:
                cut = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}"
                await server.execute(cut.encode())
                with pytest.raises(Unavailable, match="read-only"):
                    await send(system)
            finally:
                await server.execute(
                    f"ALTER DATABASE {name} RESET default_transaction_read_only".encode()
                )
            with suppress(Unavailable):
                await store.head()  # the pool may have had a connection by then, and lost it
            assert await store.head() == 0
            assert (await send(system)).position == 1, "on a connection that is new"

    asyncio.run(body())
