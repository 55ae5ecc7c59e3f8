"""The way of appends: calls one after the other, answers that belong to them, and losses told."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from infra.log.lane import Lane
from tests.stores import Stores

LARGE = 4_000_000
"""Bytes: more than a socket takes at once."""
Test = Callable[[Lane, AsyncConnectionPool], Awaitable[None]]


@pytest.fixture
def lane(all_stores: Stores) -> Callable[..., None]:
    """Run a test with a lane for a query."""
    url = all_stores.settings("postgres").database_url

    def run(query: str, test: Test) -> None:
        async def body() -> None:
            kwargs = {"autocommit": True}
            own = AsyncConnectionPool(url, min_size=0, max_size=1, kwargs=kwargs, open=False)
            async with asyncio.timeout(30), AsyncConnectionPool(url, kwargs=kwargs) as pool:
                lane = Lane(own, query)
                await test(lane, pool)
                await lane.close()
                assert own.closed

        asyncio.run(body())

    return run


def number(value: int) -> bytes:
    return value.to_bytes(4, signed=True)


async def asked(lane: Lane, *values: int) -> int:
    result = await lane.call([number(value) for value in values])
    return int.from_bytes(result.get_value(0, 0) or b"", signed=True)


def test_calls_behind_each_other_have_their_own_answers(lane) -> None:
    async def test(lane: Lane, _: AsyncConnectionPool) -> None:
        found = await asyncio.gather(*(asked(lane, n, 7) for n in range(50)))
        assert found == [n + 7 for n in range(50)]

    lane("SELECT %b::integer + %b::integer", test)


def test_an_error_is_of_its_call_only(lane) -> None:
    async def test(lane: Lane, _: AsyncConnectionPool) -> None:
        calls = [asked(lane, by) for by in (5, 0, 2)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(found[1], errors.DivisionByZero)
        assert (found[0], found[2]) == (2, 5)

    lane("SELECT 10 / %b::integer", test)


def test_what_a_socket_cannot_take_at_once_goes_when_it_can(lane) -> None:
    async def test(lane: Lane, _: AsyncConnectionPool) -> None:
        values = [bytes([65 + n]) * LARGE for n in range(3)]
        found = await asyncio.gather(*(lane.call([value]) for value in values))
        assert [result.get_value(0, 0) for result in found] == values

    lane("SELECT %b::text", test)


def test_a_loss_is_told_to_all_who_wait_and_the_next_call_has_a_new_connection(lane) -> None:
    async def test(lane: Lane, pool: AsyncConnectionPool) -> None:
        first = await asked(lane, 0)
        waiting = [asyncio.create_task(asked(lane, 20)) for _ in range(3)]
        async with pool.connection() as connection:
            while True:  # until the server is at it
                ended = await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid = %s AND wait_event = 'PgSleep'",
                    [first],
                )
                if ended.rowcount:
                    break
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, psycopg.OperationalError) for one in found)
        assert await asked(lane, 0) != first

    lane("SELECT pg_backend_pid() FROM pg_sleep(%b::integer)", test)


def test_a_statement_that_the_server_refuses_is_tried_again_with_the_next_call(lane) -> None:
    async def test(lane: Lane, pool: AsyncConnectionPool) -> None:
        for _ in range(2):
            with pytest.raises(errors.UndefinedTable):
                await asked(lane, 1)
        async with pool.connection() as connection:
            await connection.execute("CREATE TABLE not_there_yet AS SELECT 42 AS number")
        try:
            assert await asked(lane, 1) == 43
        finally:
            async with pool.connection() as connection:
                await connection.execute("DROP TABLE not_there_yet")

    lane("SELECT number + %b::integer FROM not_there_yet", test)


def test_whoever_gives_up_does_not_stop_the_others(lane) -> None:
    async def test(lane: Lane, _: AsyncConnectionPool) -> None:
        await asked(lane, 0)
        impatient, patient = (asyncio.create_task(asked(lane, n)) for n in (1, 2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == 2

    lane("SELECT %b::integer", test)


def test_a_statement_is_planned_once(lane) -> None:
    async def test(lane: Lane, _: AsyncConnectionPool) -> None:
        assert await asked(lane, 1) == 1

    lane("SELECT %b::integer WHERE current_setting('plan_cache_mode') = 'force_generic_plan'", test)
