"""What comes back by a lane, read from PostgreSQL's binary format."""

import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg.pq.abc import PGresult

from infra.log.histories import PlacedFact

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""
FLOAT = struct.Struct(">d")


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
    found = []
    for row in range(result.ntuples):
        cells = [result.get_value(row, column) or b"" for column in range(5)]
        position, stream, version, topic, data = cells
        found.append(
            (
                int.from_bytes(position),
                int.from_bytes(stream),
                int.from_bytes(version),
                topic.decode(),
                data,
            )
        )
    return found


def answers(result: PGresult) -> list[Answer]:
    """Return the rows of an answer."""
    found = []
    for row in range(result.ntuples):
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
