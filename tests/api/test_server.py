"""A real server on the loopback: streams of facts, readers beside it, a database that goes away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from api.connections import Server
from api.http import make_app
from tests.api.http import ALICE, OPERATOR, problem
from tests.log.test_unsteady_postgres import TERMINATE
from tests.scenario import Scenario, until

AS_ALICE = {"Aorist-Actor": str(ALICE)}
PROFILE = {"name": "Alice"}
Client = httpx.AsyncClient


@asynccontextmanager
async def serving(
    scenario: Scenario, *, follow: bool = True
) -> AsyncIterator[tuple[Client, uvicorn.Server]]:
    app, settings = make_app(scenario.system, follow=follow), scenario.system.settings
    server = Server(app, settings, port=0, timeout_graceful_shutdown=5)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started or task.done())
    port = server.servers[0].sockets[0].getsockname()[1]
    async with Client(base_url=f"http://127.0.0.1:{port}", headers=AS_ALICE, timeout=10) as client:
        try:
            yield client, server
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def serve(world: Scenario):
    def run(body: Callable[[Client, uvicorn.Server], Awaitable[None]]) -> None:
        async def served() -> None:
            async with serving(world) as (client, server):
                await body(client, server)

        world.run(served())

    return run


@asynccontextmanager
async def stream(client: Client, query: str = "", **headers: str) -> AsyncIterator[Any]:
    """Yield a function that returns the next event as (id, event, data), or a comment."""
    url = f"/api/v1/events/stream?context=social{query}"
    async with client.stream("GET", url, headers={**OPERATOR, **headers}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()

        async def following() -> Any:
            fields: dict[str, str] = {}
            async with asyncio.timeout(10):
                async for line in lines:
                    if line.startswith(":"):
                        fields["comment"] = line[1:].strip()
                    elif line:
                        name, _, value = line.partition(": ")
                        fields[name] = value
                    elif "comment" in fields:
                        return fields["comment"]
                    else:
                        data = fields["data"]
                        shown = json.loads(data) if data.startswith("{") else data
                        return int(fields.get("id", 0)), fields["event"], shown
            return None

        assert await following() == "connected"
        yield following


async def post(client: Client, path: str, body: Any = None, **headers: str) -> httpx.Response:
    answer = await client.post(f"/api/v1{path}", json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer


def test_commands_facts_and_queries_over_the_wire(serve) -> None:
    async def body(client: Client, _: uvicorn.Server) -> None:
        made = await post(client, "/profiles", PROFILE)
        after = {"Aorist-After": made.headers["Aorist-Position"]}
        shown = await client.get(f"/api/v1/profiles/{ALICE}", headers=after)
        assert (shown.status_code, shown.json()["name"]) == (200, "Alice")
        assert (await client.get("/readyz")).status_code == 200

    serve(body)


def test_a_stream_begins_now_and_goes_on_from_the_last_event(serve) -> None:
    async def body(client: Client, _: uvicorn.Server) -> None:
        await post(client, "/profiles", PROFILE)
        async with stream(client) as following:
            await post(client, "/posts", {"text": "one", "publish": True})
            first, second = await following(), await following()
            assert [first[:2], second[:2]] == [
                (2, "social.post.drafted"),
                (3, "social.post.published"),
            ]
            assert first[2]["position"] == 2
            assert first[2]["data"]["content"]["text"] == "one"
        await post(client, "/posts", {"text": "two"})
        async with stream(client, **{"Last-Event-ID": "2"}) as following:
            assert [(await following())[0] for _ in range(2)] == [3, 4]
        async with stream(client, "&after=0&topic=social.profile.") as following:
            assert (await following())[:2] == (1, "social.profile.created")
        async with stream(client, "&after=0", **{"Last-Event-ID": "3"}) as following:
            assert (await following())[0] == 4, "the last event goes before the query"

    serve(body)


def test_a_silent_stream_says_that_it_lives(serve, monkeypatch) -> None:
    import api.system

    assert api.system.HEARTBEAT_S == 15.0
    monkeypatch.setattr("api.system.HEARTBEAT_S", 0.1)

    async def body(client: Client, _: uvicorn.Server) -> None:
        async with stream(client) as following:
            assert [await following() for _ in range(3)] == ["alive"] * 3

    serve(body)


def test_a_stream_that_nobody_hears_is_cleared_away(serve) -> None:
    async def body(client: Client, server: uvicorn.Server) -> None:
        for _ in range(3):
            async with stream(client):
                assert len(server.server_state.tasks) == 1
            await until(lambda: not server.server_state.tasks)

    serve(body)


@pytest.mark.parametrize("damage", ["UPDATE {} SET data = '[]'", "DELETE FROM {}"])
def test_a_stream_ends_at_a_corrupt_or_lost_fact_and_says_so(serve, world, damage: str) -> None:
    events = f"social{'_' if world.system.databases['social'].is_sqlite else '.'}events"

    async def body(client: Client, _: uvicorn.Server) -> None:
        await post(client, "/profiles", PROFILE)
        await post(client, "/posts", {"text": "one"})
        await post(client, "/posts", {"text": "two"})
        await asyncio.to_thread(world.sql, damage.format(events) + " WHERE position = 2")
        async with stream(client, "&after=0") as following:
            assert (await following())[0] == 1
            id, event, said = await following()
            assert (id, event) == (0, "corrupt_fact")
            assert "position 2 " in said
            assert await following() is None

    serve(body)


@pytest.mark.parametrize("store", ["postgres"])
def test_a_database_that_goes_away_in_mid_command_leaves_no_doubt(serve, world) -> None:
    """Each command happened or did not; its key says which, and a retry gives one effect."""
    conninfo = world.system.databases["social"].conninfo

    async def body(client: Client, _: uvicorn.Server) -> None:
        await post(client, "/profiles", PROFILE)
        statuses: list[int] = []

        async def write(number: int) -> str:
            while True:
                answer = await client.post(
                    "/api/v1/posts",
                    json={"text": str(number)},
                    headers={"Idempotency-Key": f"post {number}"},
                )
                statuses.append(answer.status_code)
                if answer.status_code == 201:
                    return str(answer.json()["id"])
                problem(answer, 503, "unavailable")

        async def kill() -> None:
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as server:
                for _ in range(20):
                    await server.execute(TERMINATE)
                    await asyncio.sleep(0.005)

        killing = asyncio.create_task(kill())
        ids: list[str] = []
        while not killing.done():
            ids += await asyncio.gather(*(write(len(ids) + n) for n in range(8)))
        await killing
        page = await client.get("/api/v1/events?context=social&limit=1000", headers=OPERATOR)
        facts = [item for item in page.json()["items"] if item["topic"] == "social.post.drafted"]
        texts = [item["data"]["content"]["text"] for item in facts]
        assert sorted(texts, key=int) == [str(n) for n in range(len(ids))], "each exactly once"
        assert {item["stream"] for item in facts} == set(ids)
        await until(lambda: not any(reader.failure for reader in world.system.readers))
        after = {"Aorist-After": f"social={page.json()['items'][-1]['position']}"}
        listed = await client.get(f"/api/v1/profiles/{ALICE}/posts?limit=200", headers=after)
        assert listed.status_code == 200

    serve(body)


def test_the_end_of_the_server_ends_everything_once(world) -> None:
    async def body() -> None:
        async with serving(world) as (client, _):
            await post(client, "/profiles", PROFILE)
        assert world.system.tasks == []
        await world.system.close()

    world.run(body())
