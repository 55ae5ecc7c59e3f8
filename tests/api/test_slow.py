"""Clients and requests that take too long, on a real server: they end, and nothing is in doubt."""

import asyncio
import json
import sqlite3
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import uvicorn
from starlette.types import Message

from api.bounds import MAX_HEAD
from api.timeouts import Timeouts
from infra.collector import paused
from infra.settings import Settings
from tests.api.http import ALICE, Http, problem
from tests.api.test_server import Client, serving
from tests.scenario import Scenario, until
from tests.stores import Stores

PROFILE = {"name": "Alice"}
BEGUN = b"POST /api/v1/profiles HTTP/1.1\r\nHost: x\r\nAorist-Actor: a\r\n"
CLOSED_S = 10
Body = Callable[[Client, uvicorn.Server], Awaitable[None]]


@pytest.fixture
def world(all_stores: Stores) -> Iterator[Scenario]:
    """How long something takes has nothing to do with the store."""
    scenario = Scenario(all_stores.settings("sqlite"), None)
    yield scenario
    scenario.close()


@pytest.fixture
def serve(world: Scenario, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr("api.connections.LOOK_TICKS", 1)

    def run(body: Body, **settings: Any) -> None:
        world.system.settings = world.system.settings.model_copy(update=settings)

        async def served() -> None:
            async with serving(world, follow=False) as (client, server):
                await body(client, server)

        world.run(served())

    return run


async def said(server: uvicorn.Server, *parts: bytes, reads: bool = True) -> tuple[int, str]:
    """Send parts of a request, then wait; return the status and the code before the end."""
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(CLOSED_S):
        for part in parts:
            writer.write(part)
            await writer.drain()
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["code"]


SLOW = {
    "nothing": b"",
    "half a head": BEGUN,
    "half a header": BEGUN + b"X-",
    "half a body": BEGUN + b"Content-Length: 100\r\n\r\n{",
    "half a body in chunks": BEGUN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_who_sends_part_of_a_request_is_not_waited_for(serve, sent: bytes) -> None:
    async def body(_: Client, server: uvicorn.Server) -> None:
        assert await said(server, sent) == (408, "too_slow_a_client")
        await until(lambda: not server.server_state.connections | server.server_state.tasks)

    serve(body, client_s=0.1)


def test_dripping_does_not_help(serve) -> None:
    async def body(_: Client, server: uvicorn.Server) -> None:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(BEGUN)
        # Its first line: what is written after it resets the connection.
        answer = asyncio.create_task(reader.readline())
        async with asyncio.timeout(CLOSED_S):
            while not answer.done():
                writer.write(b"X: x\r\n")
                await asyncio.sleep(0.01)
        assert b" 408 " in await answer
        writer.close()

    serve(body, client_s=0.2)


def test_a_head_without_an_end_is_431(serve) -> None:
    async def body(_: Client, server: uvicorn.Server) -> None:
        endless = BEGUN + b"X: " + b"x" * (2 * MAX_HEAD)
        assert await said(server, endless) == (431, "head_too_large")

    serve(body)


def test_what_is_no_http_is_400(serve) -> None:
    async def body(_: Client, server: uvicorn.Server) -> None:
        assert await said(server, b"nonsense\r\n\r\n") == (400, "malformed_request")

    serve(body)


def test_who_does_not_read_is_let_go(serve) -> None:
    async def body(_: Client, server: uvicorn.Server) -> None:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        await until(lambda: bool(server.server_state.connections))
        await until(lambda: not server.server_state.connections | server.server_state.tasks)
        del reader
        writer.close()

    serve(body, client_s=0.2)


def test_so_many_clients_and_no_more(serve) -> None:
    async def body(client: Client, server: uvicorn.Server) -> None:
        assert (await client.get("/livez")).status_code == 200  # stays connected
        assert await said(server) == (503, "busy")
        assert (await client.get("/livez")).status_code == 200

    serve(body, connections=1)


# ── requests ─────────────────────────────────────────────────────────────────────────────────


def test_a_query_that_takes_too_long_is_given_up(api: Http) -> None:
    system = api.scenario.system
    system.settings = system.settings.model_copy(update={"request_s": 0.05})
    waits = api.get(f"/profiles/{ALICE}", headers={"Aorist-After": "social=7"})
    assert "was given up" in problem(waits, 503, "too_slow")["detail"]
    system.settings = system.settings.model_copy(update={"request_s": 30})
    problem(api.get(f"/profiles/{ALICE}"), 404, "not_found")


def test_queries_that_are_given_up_leave_their_connections(all_stores: Stores) -> None:
    """More of them than there are connections: PostgreSQL has a table locked meanwhile."""
    scenario = Scenario(all_stores.settings("postgres"), None)
    http, system = Http(scenario), scenario.system
    system.settings = system.settings.model_copy(update={"request_s": 0.05})
    path = f"/profiles/{ALICE}"
    try:
        with psycopg.connect(system.databases["social"].conninfo) as other:
            other.execute("LOCK TABLE social.profiles IN ACCESS EXCLUSIVE MODE")
            for _ in range(system.settings.database_connections + 2):
                problem(http.get(path), 503, "too_slow")
            asking = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            assert other.execute(asking, ["social.profiles"]).fetchone() == (0,)
        system.settings = system.settings.model_copy(update={"request_s": 30})
        problem(http.get(path), 404, "not_found")
        assert system.databases["social"].connections()["active"] == 0
    finally:
        http.close()
        scenario.close()


def test_a_command_that_takes_too_long_goes_on_and_its_key_says_what_came_of_it(
    serve, world: Scenario
) -> None:
    """The file is locked by another process; meanwhile nobody is told that it failed."""
    file = world.system.databases["social"].path

    async def body(client: Client, _: uvicorn.Server) -> None:
        async def post(key: str) -> Any:
            headers = {"Idempotency-Key": key}
            return await client.post("/api/v1/profiles", json=PROFILE, headers=headers)

        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            late = await post("k")
            detail = problem(late, 503, "too_slow")["detail"]
            assert "goes on; send it again with the same Idempotency-Key" in detail
            problem(await post("k"), 409, "in_flight")
            other.execute("ROLLBACK")
        again = await post("k")
        while again.status_code == 409:
            again = await post("k")
        assert again.status_code == 201
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json()["position"]["value"] == await world.system.logs["social"].store.head()

    serve(body, request_s=0.1)


def test_an_answer_that_has_begun_has_time(serve, world: Scenario) -> None:
    async def body(client: Client, _: uvicorn.Server) -> None:
        headers = {"Aorist-Actor": "job:x", "Aorist-Roles": "operator"}
        url = "/api/v1/events/stream?context=social"
        async with client.stream("GET", url, headers=headers) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == ": connected"
            await asyncio.sleep(0.2)  # longer than a request may take
            await client.post("/api/v1/profiles", json=PROFILE)
            async with asyncio.timeout(CLOSED_S):
                while await anext(lines) != "event: social.profile.created":
                    pass

    serve(body, request_s=0.1)


def test_bounds_have_defaults() -> None:
    settings = Settings()
    assert (settings.request_s, settings.client_s, settings.connections) == (30, 20, 1_000)


def test_a_request_that_has_ended_is_freed_without_the_collector() -> None:
    """What is left in cycles is freed in pauses in which nobody is answered."""

    async def body() -> None:
        timeouts = Timeouts()

        def request() -> weakref.ref[Any]:
            async def answer(message: Message, late: bool) -> None:
                assert not deadline.passed

            deadline = timeouts.begin({"type": "http"}, 60.0, answer)
            timeouts.met(deadline)
            deadline.end()
            return weakref.ref(answer)

        with paused():
            assert request()() is None

    asyncio.run(body())
