"""Mends single rows of a read model: as the facts say, with their past, and told in the trail."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Table, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.folds import Fold, plain
from infra.interventions import Intervention, record
from infra.rowsets import Key, Row, change, find, key_names, remove
from infra.rowversions import Kept
from projections.versions import versions_of

MENDED = "MendRow"
"""The action under which a mended row is in the audit trail."""


async def put_right(connection: AsyncConnection, fold: Fold, now: datetime, actor: str) -> int:
    """Put the rows of a fold in the place of those that differ; returns how many did.

    For a transaction that holds the reader where the fold is.
    """
    context, made = fold.projecting.context, []
    for table, rows in fold.rows.items():
        for key, live, right in await differences(connection, table, rows, list(rows)):
            await _put(connection, table, key, right)
            made.append(
                Intervention(
                    time=now,
                    actor=actor,
                    action=MENDED,
                    subject=f"projection {fold.projecting.name}, row {named(table, key)}",
                    resource=next((part for part in key if isinstance(part, UUID)), None),
                    position=fold.position,
                    detail=said(live, right),
                    reason="the live row was not what the facts fold to",
                )
            )
        await _put_past(connection, table, rows, fold.past.get(table))
    for one in made:
        await record(connection, context, one)
    return len(made)


async def differences(
    connection: AsyncConnection, table: Table, rows: dict[Key, Row | None], keys: Sequence[Key]
) -> list[tuple[Key, Row | None, Row | None]]:
    """Return key, live row and folded row of those that are not the same."""
    if not keys:
        return []
    names = [column.name for column in table.primary_key.columns]
    answer = await find(connection, table, list(keys))
    live: dict[Key, Row] = {tuple(row[name] for name in names): row for row in await answer()}
    found = []
    for key in keys:
        there, right = live.get(key), plain(table, rows[key], _as_stored)
        if there != right:
            found.append((key, there, right))
    return found


async def _put(connection: AsyncConnection, table: Table, key: Key, right: Row | None) -> None:
    if right is None:
        await remove(connection, table, [key])
    else:
        await change(connection, table, [right])


async def _put_past(
    connection: AsyncConnection, table: Table, keys: Iterable[Key], past: Kept | None
) -> None:
    """Write the versions of rows anew: since when a row was wrong is not known."""
    versions = versions_of(table)
    if versions is None or past is None:
        return
    columns = [versions.c[name] for name in key_names(table)]
    for key in keys:
        same = [column == part for column, part in zip(columns, key, strict=True)]
        await connection.execute(delete(versions).where(*same))
    await past.store(connection, found=())


def said(live: Row | None, right: Row | None) -> str:
    """Return how a live row differs from the right one."""
    if live is None:
        return "missing"
    if right is None:
        return "should not be there"
    return "; ".join(
        f"{name}: {live[name]!r} should be {right[name]!r}"
        for name in right
        if live.get(name) != right[name]
    )


def _as_stored(document: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


def named(table: Table, key: Key) -> str:
    """Return a row's name for a person."""
    return f"{table.schema}.{table.name} {', '.join(map(str, key))}"
