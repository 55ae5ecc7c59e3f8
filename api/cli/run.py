"""`aorist run`: carries out a file of commands."""

import asyncio
import json
import os
import stat
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from api.cli._meter import Meter
from api.cli._program import WRONG_USE, Contexts, fail, opened, out, settings_of
from api.cli._program import run as run_verb
from api.cli._renewing import renewing
from infra.commandfile import BrokenLine, CommandFile
from infra.feed import CONCURRENCY, MAX_CONCURRENCY, Feed, Stopped, Tally
from infra.settings import Settings
from infra.system import System

REST_S = 0.25
"""Pause of the readers between batches while commands come in."""
LOOK_EVERY_S = 0.1
STDIN = "-"
EPILOG = (
    'A line is a JSON object: {"command": "RequestTransfer", "fields": {…}} and, if you like, '
    '"context", "actor", "key", "id" (the key when none is given) and "reason". Lines that name '
    "the same id are decided in the order of the file. A file may be run again: a line that was "
    "carried out before has no second effect."
)


def run(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="JSON lines of commands; - for standard input.")],
    contexts: Contexts = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=MAX_CONCURRENCY, help="Lines on their way at a time.")
    ] = CONCURRENCY,
    actor: Annotated[str, typer.Option(help="Who sends the lines that name nobody.")] = "aorist",
    follow: Annotated[
        bool, typer.Option(help="Run readers too; without, a server or `aorist work` does.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Carry out a file of commands, one a line; safe to repeat."""
    settings = settings_of(context, quiet=True)
    with _open(file) as lines:
        run_verb(_run(settings, file, lines, contexts, concurrency, actor, follow, as_json))


def _open(file: str) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", WRONG_USE)


async def _run(
    settings: Settings,
    name: str,
    file: BinaryIO,
    contexts: list[str] | None,
    concurrency: int,
    actor: str,
    follow: bool,
    as_json: bool,
) -> None:
    async with opened(settings, contexts) as system, AsyncExitStack() as background:
        if follow:
            await system.follow(rest_s=REST_S)
            await background.enter_async_context(renewing(system))
        commands = CommandFile(
            file,
            system.features,
            actor=actor,
            line_bytes=settings.body_bytes,
            contexts=system.contexts,
        )
        feed = Feed(system, concurrency)
        size = _size(file)
        started, broken = time.perf_counter(), None
        with Meter(f"run {name}", "lines") as meter:
            watching = asyncio.create_task(_watch(meter, feed.tally, size))
            try:
                await feed.run(commands.pages())
            except (BrokenLine, Stopped) as error:
                broken = error
            finally:
                watching.cancel()
            _show(meter, feed.tally, size)
        seconds = time.perf_counter() - started
        if follow:
            await catch_up(system)
    if as_json:
        out.print(json.dumps(_summary(feed.tally, seconds, broken)), markup=False)
    else:
        out.print(said(feed.tally), markup=False)
        out.print(f"{seconds:,.1f} s, {feed.tally.done / seconds:,.0f} lines a second")
    if broken:
        fail(
            f"{name}, {broken}; stopped there: what is done stays done, "
            "mend the line and run the file again"
        )


def _size(file: BinaryIO) -> int | None:
    """Return the size of a regular file; None for a pipe, whose end nobody knows."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


async def catch_up(system: System) -> None:
    """Wait for the readers, and show how far they are behind."""
    with Meter("readers catch up", "facts") as meter:

        def watch(passed: int, behind: int) -> None:
            meter.show(passed, passed / (passed + behind), behind=behind)

        await system.catch_up(watch)


async def _watch(meter: Meter, tally: Tally, size: int | None) -> None:
    while True:
        _show(meter, tally, size)
        await asyncio.sleep(LOOK_EVERY_S)


def _show(meter: Meter, tally: Tally, size: int | None) -> None:
    part = min(1.0, tally.bytes / size) if size else None
    meter.show(tally.done, part, repeated=tally.repeated, refused=tally.refused)


def _summary(tally: Tally, seconds: float, broken: BrokenLine | Stopped | None) -> dict[str, Any]:
    return {
        "lines": tally.done,
        "seconds": round(seconds, 2),
        "accepted": tally.accepted,
        "repeated": tally.repeated,
        "refused": tally.refused,
        "refusals": {
            code: {"count": refusals.count, "first_lines": refusals.lines}
            for code, refusals in tally.refusals.items()
        },
        "broken": {"line": broken.number, "problem": broken.problem} if broken else None,
    }


def said(tally: Tally) -> str:
    """Return what came of the lines, refusals by code with where they were met first."""
    lines = [
        f"{tally.done:,} lines: {tally.accepted:,} accepted, {tally.repeated:,} repeated, "
        f"{tally.refused:,} refused"
    ]
    for code, refusals in sorted(tally.refusals.items(), key=lambda item: -item[1].count):
        more = ", …" if refusals.count > len(refusals.lines) else ""
        first = ", ".join(map(str, refusals.lines))
        lines.append(f"  {refusals.count:,} refused with {code}: lines {first}{more}")
    return "\n".join(lines)
