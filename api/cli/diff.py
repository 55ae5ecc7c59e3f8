"""`aorist diff`: what changed in a row between two times, and which facts did it."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from api.cli._program import WRONG_USE, aligned, fail, opened, out, parsed_time, run, settings_of
from infra.asof import position_of
from infra.rowdiff import Change, Difference, difference, tables_called
from infra.settings import Settings

EPILOG = (
    "A time is like 2026-01-31T12:00:00Z; a number is a position of the context's log. "
    "What happened at --from itself is not shown, what happened at --to is."
)
LONGEST = 200
"""Characters of a value that are shown; `--json` has all."""


def diff(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A table with history, or a projection: orders, banking.account.")
    ],
    key: Annotated[
        str, typer.Option(help="The row's key; of a longer key the first parts, with commas.")
    ],
    since: Annotated[
        str | None, typer.Option("--from", help="Time or position; the beginning if left out.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Time or position; now if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what changed in a row, and by which fact, whose command and what it belongs to."""
    given = _place(since, "--from"), _place(until, "--to")
    run(_diff(settings_of(context), name, key, given, as_json))


async def _diff(
    settings: Settings,
    name: str,
    key: str,
    given: tuple[int | datetime | None, int | datetime | None],
    as_json: bool,
) -> None:
    async with opened(settings) as system:
        tables = tables_called(system, name)
        store = system.logs[str(tables[0].schema)].store
        since, until = [
            None if one is None else await position_of(store, system.clock, one) for one in given
        ]
        if since is not None and until is not None and since > until:
            fail(f"--from is at position {since}, behind --to at {until}", WRONG_USE)
        found = await difference(system, tables, key, since, until)
    if as_json:
        for change in found.changes:
            out.print(msgspec.json.encode(_plain(change)).decode(), markup=False)
    else:
        _print(found)


def _place(value: str | None, option: str) -> int | datetime | None:
    if value is not None and value.isascii() and value.isdigit():
        return int(value)
    return parsed_time(value, option)


def _plain(change: Change) -> dict[str, Any]:
    at = change.at
    return {
        "table": change.table,
        "key": change.key,
        "change": _kind(change),
        "position": at.position,
        "time": at.time,
        "topic": at.topic,
        "actor": at.actor,
        "command_id": at.command_id,
        "correlation_id": at.correlation_id,
        "columns": {name: {"from": a, "to": b} for name, (a, b) in change.columns.items()},
    }


def _kind(change: Change) -> str:
    if change.before is None:
        return "inserted"
    return "deleted" if change.after is None else "changed"


def _print(found: Difference) -> None:
    place = f"behind position {found.since} and up to {found.until}"
    if not found.changes:
        there = "the row is as it was" if found.was_there else "there is no such row"
        out.print(f"nothing changed {place}: {there}", markup=False)
        return
    for change in found.changes:
        at = change.at
        time = at.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        out.print(f"{at.position}  {time}  {at.topic}  by {at.actor}", style="bold", markup=False)
        key = ", ".join(map(str, change.key))
        out.print(f"  {change.table} {key} {_said(change)}", markup=False)
        out.print(f"  correlation {at.correlation_id}, command {at.command_id}", markup=False)
        if change.after is not None:
            rows = [
                (f"    {name}", _shown(old) if change.before else "", "→", _shown(new))
                for name, (old, new) in change.columns.items()
            ]
            out.print(aligned(rows), markup=False)


def _said(change: Change) -> str:
    if change.before is None:
        return "did not exist; inserted"
    return "deleted" if change.after is None else "changed"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
