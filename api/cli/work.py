"""`aorist work`: the readers alone."""

import asyncio
import signal

import typer

from api.cli._program import Contexts, opened, out, run, settings_of
from api.cli._renewing import renewing
from infra.settings import Settings


def work(context: typer.Context, contexts: Contexts = None) -> None:
    """Run projections, sagas and deadlines without the API, until stopped."""
    run(_work(settings_of(context), contexts))


async def _work(settings: Settings, contexts: list[str] | None) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with opened(settings, contexts) as system, renewing(system):
        await system.follow()
        out.print(f"{len(system.readers)} readers follow {', '.join(system.contexts)}")
        await stop.wait()
