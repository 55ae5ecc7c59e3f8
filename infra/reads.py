"""Who reads facts and the audit trail leaves an entry there, before anything is read."""

from uuid import UUID

from commands import Caller, Clock
from infra.database import Database
from infra.interventions import Intervention, record

AGAIN_S = 600
"""Pages of one query, or a query that is asked again and again, are one entry in ten minutes."""
MAX_REMEMBERED = 1_000
"""Queries that are remembered for that; the first to come are the first to go."""
MAX_SUBJECT = 1_000
TRAIL, FACTS = "ReadTrail", "ReadFacts"


class Reads:
    """Notes who reads what, in the users' database."""

    def __init__(self, database: Database, context: str, clock: Clock) -> None:
        self._database = database
        self._context = context
        self._clock = clock
        self._noted: dict[tuple[str, str, str], float] = {}
        """When a query was noted, by reader, kind and query."""

    async def note(
        self,
        by: Caller,
        action: str,
        query: str,
        *,
        correlation_id: UUID | None = None,
        resource: UUID | None = None,
    ) -> None:
        """Note a read. Raises `Unavailable`: what cannot be noted is not read."""
        # What a caller sent may hold what no text in a database can.
        query = "".join(one if one.isprintable() else "·" for one in query[:MAX_SUBJECT])
        now = self._clock.now()
        place = by.actor, action, query
        if now.timestamp() - self._noted.get(place, 0.0) < AGAIN_S:
            return
        made = Intervention(
            time=now,
            actor=by.actor,
            action=action,
            subject=query,
            resource=resource,
            reason=by.reason,
            roles=by.acting,
            address=by.address,
            agent=by.agent,
            correlation_id=correlation_id,
        )
        async with self._database.write() as connection:
            await record(connection, self._context, made)
        self._noted.pop(place, None)
        self._noted[place] = now.timestamp()
        while len(self._noted) > MAX_REMEMBERED:
            del self._noted[next(iter(self._noted))]
