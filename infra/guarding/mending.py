"""Single rows: how live ones differ from what they should be, and how they are put right."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.guarding.folds import plain
from infra.rows.rowsets import Key, Row, change, find, key_names, remove
from infra.rows.rowversions import Kept
from projections.versions import versions_of


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


async def put_past(
    connection: AsyncConnection, table: Table, keys: Iterable[Key], past: Kept
) -> None:
    """Write the versions of rows anew: since when a row was wrong is not known."""
    versions = versions_of(table)
    if versions is None:
        return  # the table is its own history
    columns = [versions.c[name] for name in key_names(table)]
    for key in keys:
        same = [column == part for column, part in zip(columns, key, strict=True)]
        await connection.execute(delete(versions).where(*same))
    await past.store(connection, found=())


async def put(connection: AsyncConnection, table: Table, key: Key, right: Row | None) -> None:
    """Put the right row in the place of the live one, or none."""
    if right is None:
        await remove(connection, table, [key])
    else:
        await change(connection, table, [right])


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


def named_row(table: Table, key: Key) -> str:
    """Return a row's table and key."""
    return f"{table.schema}.{table.name} {', '.join(map(str, key))}"
