"""What `aorist relay` runs: the relays, and a small server that says how they are."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.cli._program import fail, opened, out
from infra.kafka.mirror import follow, relays
from infra.kafka.standing import Standing
from infra.log.port import LogError
from infra.settings import Settings
from infra.system import System


async def relayed(settings: Settings, contexts: list[str] | None) -> None:
    """Mirror every log until the process is told to end."""
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    async with opened(settings, contexts) as system:
        relaying = relays(system)
        told = Standing(system, relaying)
        following = asyncio.create_task(follow(system, relaying), name="relays")
        ending = asyncio.create_task(ended.wait())
        out.print(", ".join(f"{r.context} to {r.topic}" for r in relaying), markup=False)
        async with _answering(settings, system, told):
            await asyncio.wait([following, ending], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@asynccontextmanager
async def _answering(settings: Settings, system: System, told: Standing) -> AsyncIterator[None]:
    """Answer /livez, /readyz and /metrics, where a port is set."""
    if settings.relay_port is None:
        yield
        return
    config = uvicorn.Config(
        health(system, told),
        host=settings.host,
        port=settings.relay_port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="relay health")
    while not (server.started or serving.done()):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    if not server.started:
        fail(f"cannot listen on {settings.host}:{settings.relay_port}; choose another relay_port")
    port = server.servers[0].sockets[0].getsockname()[1]
    out.print(f"it says how it is on http://{settings.host}:{port}/readyz", markup=False)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves signals to the verb."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def health(system: System, told: Standing) -> Starlette:
    """Return the app that says how the relays of a process are."""

    async def problems() -> list[str]:
        try:
            return await told.measure()
        except LogError as error:
            return [str(error)]

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        found = await problems()
        return JSONResponse({"ready": not found, "problems": found}, 503 if found else 200)

    async def metrics(_: Request) -> Response:
        await problems()
        return Response(generate_latest(system.telemetry.registry), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=routes)
