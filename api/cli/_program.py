"""What all verbs share: settings, an opened system, and how to fail with a sentence."""

import getpass
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
import uvloop
from rich.console import Console

from commands import Caller
from domain import Refused
from infra.candidates.whatif import RunFailed
from infra.collector import look_rarely
from infra.configuration import load
from infra.discovery import Misbuilt
from infra.keys import NoKeys
from infra.log.port import LogError
from infra.logging import configure
from infra.queries import Behind
from infra.reach import StoreAway
from infra.rebuilding.shadow import RebuiltElsewhere
from infra.rows.rowchanges import ImpossibleChange
from infra.settings import Settings, WrongConfiguration
from infra.system import ReaderStopped, System
from infra.wiring import open_system

T = TypeVar("T")

WRONG_USE = 2
FAILED = 1

MENDABLE = (
    *(LogError, Refused, LookupError, Misbuilt, StoreAway, ReaderStopped),
    *(NoKeys, Behind, RunFailed, ImpossibleChange, RebuiltElsewhere),
)
"""What the user of a verb can do something about."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Contexts = Annotated[
    list[str] | None,
    typer.Option("--context", help="Only this context; may be given several times."),
]
Reason = Annotated[
    str, typer.Option(help="Why; it is kept in the audit trail.", show_default=False)
]
Actor = Annotated[
    str | None, typer.Option(help="Who does it; by default the name you are logged in under.")
]


def who(actor: str | None) -> str:
    """Return the name that the audit trail shows for what is done by hand."""
    return actor or f"operator:{getpass.getuser()}"


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Return rows of cells as lines with straight columns, the same in a terminal and a pipe."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong on stderr and exit."""
    err.print(f"aorist: {message}", markup=False)
    raise typer.Exit(code)


def settings_of(context: typer.Context, *, quiet: bool = False, **options: object) -> Settings:
    """Return the settings for a verb; exits with the name of a wrong one.

    A `quiet` verb writes no log line for each command, unless a log level is configured.
    """
    given = dict(context.obj or {})
    try:
        settings, sources = load(given.pop("file", None), **{**given, **options})
    except WrongConfiguration as wrong:
        fail(str(wrong), WRONG_USE)
    if quiet and sources["log_level"] == "default":
        settings = settings.model_copy(update={"log_level": "warning"})
    configure(settings)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a verb's coroutine; what its user can mend becomes one sentence."""
    try:
        return uvloop.run(work)
    except MENDABLE as error:
        fail(str(error.args[0] if error.args else error))
    except KeyboardInterrupt:
        fail("interrupted", 130)


@asynccontextmanager
async def opened(settings: Settings, contexts: Iterable[str] | None = ()) -> AsyncIterator[System]:
    """Open a system and close it at the end."""
    system = await open_system(settings, contexts or ())
    look_rarely()
    try:
        yield system
    finally:
        await system.close()


async def noted(system: System, action: str, verb: str, **asked: object) -> None:
    """Leave an entry in the audit trail that somebody reads facts, or the trail itself."""
    if system.logins:
        given = [f"{name}={value}" for name, value in sorted(asked.items()) if value is not None]
        by = Caller(actor=who(None))
        await system.logins.reads.note(by, action, " ".join([verb, *given]))


def parsed_time(value: str | None, option: str) -> datetime | None:
    """Return an RFC 3339 time; without a zone it is UTC."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        fail(f"{option} {value!r} is no time; write it like 2026-01-31T12:00:00Z", WRONG_USE)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parsed_id(value: str, option: str) -> UUID:
    """Return a UUID."""
    try:
        return UUID(value)
    except ValueError:
        fail(f"{option} {value!r} is no UUID", WRONG_USE)


def a_context(system: System, context: str) -> str:
    """Return the context's name when the system has it. Raises `LookupError`."""
    if context not in system.contexts:
        raise LookupError(
            f"no context is called {context!r}; there are {', '.join(system.contexts)}"
        )
    return context
