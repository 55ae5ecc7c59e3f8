"""`aorist work`: the readers alone."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli._program import WRONG_USE, Contexts, fail, opened, out, run, settings_of
from api.cli._renewing import renewing
from infra.settings import Settings
from infra.system import System

if TYPE_CHECKING:
    from infra.kafka.sharing import Shares


class Source(StrEnum):
    """Where readers take facts from."""

    LOG = "log"
    KAFKA = "kafka"


def work(
    context: typer.Context,
    contexts: Contexts = None,
    source: Annotated[
        Source, typer.Option("--from", help="kafka: from the mirror, readers shared by a group.")
    ] = Source.LOG,
) -> None:
    """Run projections, sagas and deadlines without the API, until stopped."""
    settings = settings_of(context)
    if source is Source.KAFKA and not settings.kafka_bootstrap:
        fail("kafka_bootstrap is not set; set it to HOST:PORT of a Kafka broker", WRONG_USE)
    run(_work(settings, contexts, source))


async def _work(settings: Settings, contexts: list[str] | None, source: Source) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with (
        opened(settings, contexts) as system,
        _fed(system, source) as shared,
        renewing(system),
    ):
        await system.follow()
        names = ", ".join(system.contexts)
        out.print(f"{len(system.readers)} readers follow {names}, from {source}")
        if why := await _ended(stop, shared):
            fail(why)


async def _ended(stop: asyncio.Event, shared: "Shares | None") -> str:
    """Wait until somebody stops it; return why it cannot go on, if that comes first."""
    stopping = asyncio.create_task(stop.wait())
    if shared is None:
        await stopping
        return ""
    failing = asyncio.create_task(shared.ended())
    await asyncio.wait([stopping, failing], return_when=asyncio.FIRST_COMPLETED)
    return failing.result() if failing.done() else ""


@asynccontextmanager
async def _fed(system: System, source: Source) -> AsyncIterator["Shares | None"]:
    """Have the readers take facts from where they should; yield how they are shared, if so."""
    if source is Source.LOG:
        yield None
        return
    # Here, as Kafka's client takes a while to load, and other verbs need nothing of it.
    from infra.kafka.following import from_kafka

    async with from_kafka(system) as shares:
        yield shares
