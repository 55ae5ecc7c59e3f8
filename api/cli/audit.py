"""`aorist audit`: who did what, when, why, from where, with which result."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from api.cli._program import (
    a_context,
    aligned,
    err,
    noted,
    opened,
    out,
    parsed_id,
    parsed_time,
    run,
    settings_of,
)
from infra.audit import Entry, trail
from infra.reads import TRAIL
from infra.settings import Settings

TABLE_LIMIT = 1_000
"""Entries in a table, unless told otherwise: it is made in memory."""
COLUMNS = ("time", "actor", "command", "resource", "result", "reason", "address", "detail")


class Format(StrEnum):
    """How the trail is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def audit(
    context: typer.Context,
    only: Annotated[
        str | None, typer.Option("--context", help="Only this context's commands.")
    ] = None,
    resource: Annotated[str | None, typer.Option(help="Id of an aggregate it was about.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who sent it.")] = None,
    correlation_id: Annotated[str | None, typer.Option(help="What it belongs to.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this time.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many entries.")] = None,
    format: Annotated[Format, typer.Option(help="How to write it.")] = Format.TABLE,
) -> None:
    """Print the audit trail, refused commands included, in the order of each log."""
    filters = {
        "resource": None if resource is None else parsed_id(resource, "--resource"),
        "actor": actor,
        "correlation_id": (
            None if correlation_id is None else parsed_id(correlation_id, "--correlation-id")
        ),
        "since": parsed_time(since, "--since"),
        "until": parsed_time(until, "--until"),
    }
    if limit is None and format is Format.TABLE:
        limit = TABLE_LIMIT
    run(_audit(settings_of(context), only, filters, limit, format))


async def _audit(
    settings: Settings,
    context: str | None,
    filters: dict[str, Any],
    limit: int | None,
    format: Format,
) -> None:
    async with opened(settings) as system:
        contexts = () if context is None else (a_context(system, context),)
        await noted(system, TRAIL, "audit", context=context, **filters)
        entries = _first(trail(system, contexts=contexts, **filters), limit)
        match format:
            case Format.TABLE:
                _table([entry async for entry in entries])
            case Format.CSV:
                out.print(_csv(Entry.__struct_fields__), markup=False)
                async for entry in entries:
                    out.print(_csv(msgspec.to_builtins(entry).values()), markup=False)
            case Format.JSON:
                await _json(entries)


async def _first(entries: AsyncIterator[Entry], limit: int | None) -> AsyncIterator[Entry]:
    seen = 0
    async for entry in entries:
        if seen == limit:
            err.print(f"aorist: there are more than {limit} entries; narrow it or raise --limit")
            return
        seen += 1
        yield entry


def _table(entries: list[Entry]) -> None:
    rows: list[tuple[object, ...]] = [COLUMNS]
    for entry in entries:
        plain = msgspec.to_builtins(entry)
        plain["time"] = entry.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rows.append(tuple(plain[name] for name in COLUMNS))
    out.print(aligned(rows), markup=False)


async def _json(entries: AsyncIterator[Entry]) -> None:
    """Write one JSON array, entry by entry, so that any length goes through."""
    before = "["
    async for entry in entries:
        out.print(before + msgspec.json.encode(entry).decode(), markup=False)
        before = ","
    out.print("]" if before == "," else "[]", markup=False)


def _csv(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_safe(value) for value in values])
    return line.getvalue()


def _safe(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets a quote in front."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
