"""Where the live tables of a projection are, and which facts on the way there they lack."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside.parking import parked_of
from infra.discovery import Projecting
from infra.moves import positions_of


class Whereabouts(NamedTuple):
    """A projection's place in the log."""

    position: int = 0
    epoch: int = 0
    """How often parked facts were let go."""
    parked: frozenset[int] = frozenset()
    """The positions of the facts that are parked: they have changed nothing."""


async def whereabouts(connection: AsyncConnection, projecting: Projecting) -> Whereabouts:
    """Return where a projection's live tables are, as the transaction sees them."""
    readers, parked = positions_of(projecting.context), parked_of(projecting.context)
    place = select(readers.c.position, readers.c.epoch).where(readers.c.name == projecting.name)
    row = (await connection.execute(place)).first()
    if row is None:
        return Whereabouts()
    aside = select(parked.c.position).where(parked.c.reader == projecting.name)
    found = await connection.execute(aside)
    return Whereabouts(row.position, row.epoch, frozenset(found.scalars()))
