"""`aorist events`: pages through the logs, or follows them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import typer

from api.cli._facts import as_json_line, as_line
from api.cli._program import (
    WRONG_USE,
    a_context,
    fail,
    noted,
    opened,
    out,
    parsed_id,
    run,
    settings_of,
)
from domain import Envelope, Event
from infra.history import facts_after
from infra.reads import FACTS
from infra.settings import Settings
from infra.system import System

DEFAULT_LIMIT = 100


def events(
    context: typer.Context,
    only: Annotated[
        str | None, typer.Option("--context", help="Only this context's log; all by default.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="Only facts behind this position.")] = 0,
    topic: Annotated[
        str | None, typer.Option(help="Only this topic, or those that begin so: banking.transfer.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Only this aggregate's id.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many from each log.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new facts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print facts in the order of their log."""
    if after and only is None:
        fail("--after is a position in one log; name it with --context", WRONG_USE)
    if limit is None and not follow:
        limit = DEFAULT_LIMIT
    settings = settings_of(context)
    id = None if stream is None else parsed_id(stream, "--stream")
    run(_events(settings, only, after, topic, id, limit, follow, as_json))


async def _events(
    settings: Settings,
    context: str | None,
    after: int,
    topic: str | None,
    stream: UUID | None,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    async with opened(settings) as system:
        contexts = system.contexts if context is None else (a_context(system, context),)
        await noted(system, FACTS, "events", context=context, topic=topic, stream=stream)
        written = as_json_line if as_json else as_line
        positions = dict.fromkeys(contexts, after)
        poll_s = settings.reader_poll_ms / 1000
        while True:
            for one in contexts:
                async for fact, at in _pages(system, one, positions, topic, stream, limit):
                    out.print(written(fact, at), markup=False)
            if not follow:
                return
            await asyncio.sleep(poll_s)


async def _pages(
    system: System,
    context: str,
    positions: dict[str, int],
    topic: str | None,
    stream: UUID | None,
    limit: int | None,
) -> AsyncIterator[tuple[Event, Envelope]]:
    seen = 0
    facts = facts_after(system, context, positions[context], topic=topic, stream=stream)
    async for fact, at in facts:
        yield fact, at
        positions[context] = at.position
        seen += 1
        if seen == limit:
            return
