"""What comes back by a lane, read from PostgreSQL's binary format."""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg.pq.abc import PGresult

from infra.log.histories import PlacedFact

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""
FLOAT = struct.Struct(">d")
HEARD_COLUMNS = (1, 4, 5, 6, 7)
"""Where a fact is that comes with an answer: behind what `append` returns, its position beside."""


class Answer(NamedTuple):
    """One row of `append`, see its migration: what became of a batch, or of one append or check
    of it by its number.
    """

    outcome: str
    number: int
    """For a batch that was accepted, the position before it."""
    moment: datetime
    """The time of a batch that was accepted."""
    waited_s: float


def placed(result: PGresult) -> list[PlacedFact]:
    """Return rows of position, stream, version, topic, and data as text."""
    return [_placed(result, row, range(5)) for row in range(result.ntuples)]


def heard(result: PGresult) -> list[PlacedFact]:
    """Return the facts that came with an answer: rows without an outcome, before all others."""
    found = []
    for row in range(result.ntuples):
        if result.get_value(row, 0) is not None:
            break
        found.append(_placed(result, row, HEARD_COLUMNS))
    return found


def _placed(result: PGresult, row: int, columns: Iterable[int]) -> PlacedFact:
    cells = [result.get_value(row, column) or b"" for column in columns]
    position, stream, version, topic, data = cells
    return (
        int.from_bytes(position),
        int.from_bytes(stream),
        int.from_bytes(version),
        topic.decode(),
        data,
    )


def answers(result: PGresult, first: int = 0) -> list[Answer]:
    """Return the rows of an answer, from the `first` on."""
    found = []
    for row in range(first, result.ntuples):
        outcome, number, moment, waited = [result.get_value(row, column) for column in range(4)]
        microseconds = int.from_bytes(moment or b"", signed=True)
        found.append(
            Answer(
                bytes(outcome or b"").decode(),
                int.from_bytes(number or b"", signed=True),
                BEGINNING + timedelta(microseconds=microseconds),
                FLOAT.unpack(waited or bytes(8))[0],
            )
        )
    return found
