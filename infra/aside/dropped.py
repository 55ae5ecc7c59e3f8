"""Facts that were left out of a read model for good: who trusts its rows asks the log for them."""

from collections.abc import Collection

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.interventions import interventions_of

DROPPED = "DropParked"


def subject_of(reader: str, key: str) -> str:
    """Return how an intervention names what a reader has parked of a key."""
    return f"reader {reader}, key {key}"


async def first_dropped(
    connection: AsyncConnection, home: str, readers: Collection[str]
) -> int | None:
    """Return the position of the first fact that any of the readers left out; None for none.

    One that a rebuild has taken in again since is among them: it is read once more, no worse.
    """
    table = interventions_of(home).c
    of_one = [table.subject.startswith(subject_of(name, ""), autoescape=True) for name in readers]
    query = select(func.min(table.position)).where(table.action == DROPPED, or_(*of_one))
    position: int | None = (await connection.execute(query)).scalar()
    return position
