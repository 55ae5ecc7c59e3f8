"""`aorist relay`: the mirror of every log on Kafka."""

import asyncio
import signal
from contextlib import suppress

import typer

from api.cli._program import WRONG_USE, Contexts, fail, opened, out, run, settings_of
from infra.schemas.versions import Broken
from infra.settings import Settings


def relay(context: typer.Context, contexts: Contexts = None) -> None:
    """Mirror facts to Kafka, every one once and in order, until stopped.

    Needs `kafka_bootstrap`. Several may run: one works for each log, the others wait for it.
    """
    settings = settings_of(context)
    if not settings.kafka_bootstrap:
        fail("kafka_bootstrap is not set; set it to HOST:PORT of a Kafka broker", WRONG_USE)
    try:
        run(_relay(settings, contexts))
    except Broken as error:
        fail(str(error))


async def _relay(settings: Settings, contexts: list[str] | None) -> None:
    # Kafka's client takes a while to load, and no other verb needs it.
    from infra.kafka.mirror import follow, relays

    async with opened(settings, contexts) as system:
        relaying = relays(system)
        following = asyncio.create_task(follow(system, relaying))
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, following.cancel)
        out.print(f"{', '.join(f'{r.context} to {r.topic}' for r in relaying)}", markup=False)
        with suppress(asyncio.CancelledError):
            await following
