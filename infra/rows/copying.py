"""Many new rows for a PostgreSQL table by COPY, which takes a third of an INSERT's time."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import psycopg
from psycopg.pq import PipelineStatus

LEAST = 500
"""Rows from which on it is worth its two round trips more."""


class Column(Protocol):
    """What is to be known of a column."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def quoted(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> str:
        """Its type in SQL."""
        ...

    @property
    def dump(self) -> Callable[[Any], Any] | None:
        """Makes of a value what the driver takes; None when that is the value itself."""
        ...


class Copy(NamedTuple):
    """How the rows of one table are copied."""

    statement: bytes
    types: tuple[str, ...]
    values: Callable[[dict[str, Any]], tuple[Any, ...]]
    dumps: tuple[tuple[int, Callable[[Any], Any]], ...]
    """By the place of the column."""


def copy_of(place: str, columns: Sequence[Column]) -> Copy:
    """Return how rows of the columns come into the table at `place`."""
    names = ", ".join(column.quoted for column in columns)
    values = itemgetter(*(column.name for column in columns))
    return Copy(
        f"COPY {place} ({names}) FROM STDIN (FORMAT BINARY)".encode(),
        tuple(column.kind.lower() for column in columns),
        values if len(columns) > 1 else lambda row: (values(row),),
        tuple((n, column.dump) for n, column in enumerate(columns) if column.dump),
    )


def can_copy(driver: psycopg.AsyncConnection[Any], rows: Sequence[Any]) -> bool:
    """Tell whether so many rows are worth it, and the connection can; in a pipeline it cannot."""
    return len(rows) >= LEAST and driver.pgconn.pipeline_status == PipelineStatus.OFF


async def copy_rows(
    driver: psycopg.AsyncConnection[Any], how: Copy, rows: Sequence[dict[str, Any]]
) -> None:
    """Add complete rows. Raises what the driver raises."""
    async with driver.cursor() as cursor, cursor.copy(how.statement) as copy:
        copy.set_types(how.types)
        write, values, dumps = copy.write_row, how.values, how.dumps
        if not dumps:
            for row in rows:
                await write(values(row))
            return
        for row in rows:
            given = list(values(row))
            for place, dump in dumps:
                given[place] = dump(given[place])
            await write(given)
