"""Compares two fillings of a table by a digest of each row, computed in the database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, Text, and_, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import DIGEST

MAX_SHOWN = 20
"""Differing rows that a comparison names for each table."""

Row = Mapping[str, Any]


class Differing:
    """What a comparison of one table found."""

    def __init__(self, rows: int, total: int, named: list[str]) -> None:
        self.rows = rows
        """In the rebuilt table."""
        self.total = total
        self.named = named
        """The first differing rows in the order of the key, each as a sentence."""


async def compare(connection: AsyncConnection, live: Table, rebuilt: Table) -> Differing:
    """Compare two tables of the same columns, as the transaction sees them."""
    rows = (await connection.execute(select(func.count()).select_from(rebuilt))).scalar_one()
    found = (await connection.execute(_differing(connection, live, rebuilt))).all()
    total = found[0][0] if found else 0
    named = []
    for _, *both in found:
        half = len(both) // 2
        key = tuple(
            a if a is not None else b for a, b in zip(both[:half], both[half:], strict=True)
        )
        sides = [await _row(connection, table, key) for table in (live, rebuilt)]
        named.append(_said(live, key, *sides))
    return Differing(rows, total, named)


def _differing(connection: AsyncConnection, live: Table, rebuilt: Table) -> Select[Any]:
    """Return keys whose rows differ, as they are on each side, with how many there are in all."""
    is_sqlite = connection.dialect.name == "sqlite"
    left = _digests(live, is_sqlite=is_sqlite).subquery("live")
    right = _digests(rebuilt, is_sqlite=is_sqlite).subquery("rebuilt")
    names = [column.name for column in live.primary_key.columns]
    same_key = and_(*(left.c[name] == right.c[name] for name in names))
    order: list[ColumnElement[Any]] = [func.coalesce(left.c[n], right.c[n]) for n in names]
    return (
        select(
            func.count().over(),
            *(left.c[name] for name in names),
            *(right.c[name] for name in names),
        )
        .select_from(left.join(right, same_key, full=True))
        .where(left.c.digest.is_distinct_from(right.c.digest))
        .order_by(*order)
        .limit(MAX_SHOWN)
    )


def _digests(table: Table, *, is_sqlite: bool) -> Select[Any]:
    keys = list(table.primary_key.columns)
    if is_sqlite:
        digest = getattr(func, DIGEST)(*table.columns)
    else:
        digest = func.md5(cast(func.row(*table.columns), Text))
    return select(*keys, digest.label("digest"))


async def _row(connection: AsyncConnection, table: Table, key: tuple[Any, ...]) -> Row | None:
    columns = zip(table.primary_key.columns, key, strict=True)
    query = select(table).where(*(column == value for column, value in columns))
    found = (await connection.execute(query)).mappings().first()
    return dict(found) if found else None


def _said(table: Table, key: tuple[Any, ...], live: Row | None, rebuilt: Row | None) -> str:
    name = f"{table.schema}.{table.name} {', '.join(str(part) for part in key)}"
    if live is None or rebuilt is None:
        where = "missing in" if live is None else "only in"
        return f"{name}: {where} the live table"
    columns = [
        f"{column}: live {live[column]!r}, rebuilt {rebuilt[column]!r}"
        for column in live
        if live[column] != rebuilt[column]
    ]
    return f"{name}: {'; '.join(columns)}"
