"""What PostgreSQL's function `append` answers, read from its binary format; see its migration."""

import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg.pq.abc import PGresult

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""
FLOAT = struct.Struct(">d")


class Answer(NamedTuple):
    """One row: what became of a batch, or of one append or check of it by its number."""

    outcome: str
    number: int
    """For a batch that was accepted, the position before it."""
    moment: datetime
    """The time of a batch that was accepted."""
    waited_s: float


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
