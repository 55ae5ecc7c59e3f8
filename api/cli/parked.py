"""`aorist parked`: facts that readers could not handle, and what waits behind them."""

from typing import Annotated

import msgspec
import typer

from api.cli._program import (
    FAILED,
    WRONG_USE,
    Actor,
    Reason,
    aligned,
    fail,
    opened,
    out,
    run,
    settings_of,
    who,
)
from infra.aside.parked import Group, group_of, groups
from infra.aside.parked import parked as rows_of
from infra.aside.unparking import By, Retried, drop, retry
from infra.log.port import CorruptFact
from infra.settings import Settings
from infra.system import System

COLUMNS = ("reader", "key", "facts", "first", "last", "since", "error")

parked = typer.Typer(
    no_args_is_help=True,
    help="Facts that readers could not handle: list, show, retry and drop them.",
)

ReaderName = Annotated[str, typer.Argument(help="Name of a reader: banking.account.")]
Key = Annotated[str, typer.Argument(help="What its facts are parked by, as `list` shows it.")]
OfReader = Annotated[str | None, typer.Option("--reader", help="Only this reader's.")]
OfError = Annotated[
    str | None, typer.Option("--error", help="Only those with this text in their error.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")]


@parked.command("list")
def list_(
    context: typer.Context, reader: OfReader = None, error: OfError = None, json: AsJson = False
) -> None:
    """List what is parked, a line for each reader and key, the oldest first."""
    run(_list(settings_of(context, quiet=True), reader, error, json))


async def _list(settings: Settings, reader: str | None, error: str | None, json: bool) -> None:
    async with opened(settings) as system:
        found = await groups(system, reader=reader, error=error)
    if json:
        for group in found:
            out.print(msgspec.json.encode(group).decode(), markup=False)
        return
    rows: list[tuple[object, ...]] = [COLUMNS]
    for group in found:
        since = group.since.isoformat(timespec="seconds").replace("+00:00", "Z")
        rows.append(
            (group.reader, group.key, group.facts, group.first, group.last, since, group.error)
        )
    out.print(aligned(rows) if found else "nothing is parked", markup=False)


@parked.command()
def show(context: typer.Context, reader: ReaderName, key: Key) -> None:
    """Show what is parked of one key: places, errors, where they came from, and the first fact."""
    run(_show(settings_of(context, quiet=True), reader, key))


async def _show(settings: Settings, reader: str, key: str) -> None:
    async with opened(settings) as system:
        group = await group_of(system, reader, key)
        rows = await rows_of(system, group)
        out.print(f"{group.reader}, key {key}: {group.facts} facts are parked", markup=False)
        for row in rows:
            place = f"  position {row.position}  {row.topic}  {row.stream} version {row.version}"
            said = f"  {row.error} ({row.tries} tries)" if row.error else "  waits behind it"
            out.print(place + said, markup=False)
        if len(rows) < group.facts:
            out.print(f"  and {group.facts - len(rows)} more", markup=False)
        if rows[0].trace:
            out.print(rows[0].trace, markup=False)
        out.print(await _fact(system, group), markup=False)


async def _fact(system: System, group: Group) -> str:
    [found] = await system.logs[group.context].store.read(group.first - 1, 1, upto=group.first)
    try:
        system.codec.decode(found)
    except CorruptFact as error:
        return str(error)
    return found.data.decode()


@parked.command("retry")
def retry_(
    context: typer.Context,
    reason: Reason,
    reader: Annotated[str | None, typer.Argument(help="Name of a reader.")] = None,
    key: Annotated[str | None, typer.Argument(help="One key of it; all without.")] = None,
    error: OfError = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    actor: Actor = None,
) -> None:
    """Handle parked facts again, those of each key in order. Exits 1 when one fails again."""
    if not (reader or error or all_):
        fail("name a reader, a part of the error, or --all", WRONG_USE)
    settings = settings_of(context, quiet=True)
    if not run(_retry(settings, reader, key, error, By(actor=who(actor), reason=reason))):
        raise typer.Exit(FAILED)


async def _retry(
    settings: Settings, reader: str | None, key: str | None, error: str | None, by: By
) -> bool:
    async with opened(settings) as system:
        if reader and key:
            chosen = [await group_of(system, reader, key)]
        else:
            chosen = await groups(system, reader=reader, error=error)
        results = [await retry(system, group, by) for group in chosen]
    for result in results:
        out.print(_told(result), markup=False)
    if not results:
        out.print("nothing like that is parked")
    return all(result.error is None for result in results)


def _told(result: Retried) -> str:
    place = f"{result.group.reader}, key {result.group.key}: {result.handled} facts handled"
    return f"{place}, {result.left} still parked: {result.error}" if result.error else place


@parked.command("drop")
def drop_(
    context: typer.Context,
    reader: ReaderName,
    key: Key,
    reason: Reason,
    whole: Annotated[
        bool, typer.Option("--all", help="What waits behind it too, not the first fact alone.")
    ] = False,
    actor: Actor = None,
) -> None:
    """Leave a fact out for good: what the reader makes of the others is without it.

    The facts behind it stay parked; retry them then.
    """
    by = By(actor=who(actor), reason=reason)
    run(_drop(settings_of(context, quiet=True), reader, key, by, whole))


async def _drop(settings: Settings, reader: str, key: str, by: By, whole: bool) -> None:
    async with opened(settings) as system:
        group = await group_of(system, reader, key)
        left = await drop(system, group, by, whole=whole)
    out.print(f"{reader}, key {key}: {group.facts - left} left out, {left} still parked")
