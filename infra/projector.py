"""Runs projections: live as the output of a reader, and for a rebuild into shadow tables."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain import Envelope, Event
from infra.caching.stamps import Stamps
from infra.discovery import Projecting
from infra.log.tail import Facts
from infra.moves import Write
from infra.rows.changes import Buffer, Changing
from infra.rows.known import Known
from infra.rows.rowchanges import ImpossibleChange
from projections.versions import has_history


class Projector:
    """The output of a projection's reader: its row changes."""

    def __init__(self, projecting: Projecting, stamps: Stamps | None = None) -> None:
        self._project = projecting.project
        self._key_of = projecting.key_of
        self._name = projecting.name
        self._stamps = stamps
        """Of one whose rows are kept in memory: those who do must hear of unusual changes."""
        self._by_key = any(map(has_history, projecting.tables))

    async def __call__(self, facts: Facts, known: Known | None = None) -> Write:
        """Collect the changes for a batch; the returned function writes them."""
        return self._collected(facts, Buffer(by_key=self._by_key), known)

    async def late(self, facts: Facts) -> Write:
        """Do the same for facts that some behind them have overtaken."""
        return self._collected(facts, Buffer(by_key=self._by_key, late=True), None)

    def _collected(self, facts: Facts, buffer: Buffer, known: Known | None) -> Write:
        for fact, at in facts:
            buffer.position = at.position
            try:
                self._project(fact, at, buffer)
            except ImpossibleChange as error:
                raise self.placed(error, at.position, at.position) from error
        first, last = facts[0][1].position, facts[-1][1].position
        told = self._stamps if buffer.asked else None
        return _Writing(self, Changing(buffer, known), first, last, told, late=buffer.late)

    def key_of(self, fact: Event | None, at: Envelope) -> str | None:
        """Return what a fact is parked by; see `infra.aside.parking.KeyOf`."""
        if self._key_of is None:
            return str(at.stream)
        key = None if fact is None else self._key_of(fact, at)
        return None if key is None else str(key)

    def placed(self, error: ImpossibleChange, first: int, last: int) -> ImpossibleChange:
        """Return an error with its place."""
        place = f"position {first}" if first == last else f"positions {first} to {last}"
        return ImpossibleChange(f"projection {self._name}, {place}: {error}")


class _Writing:
    """Writes the changes for a batch; see `infra.moves.Asking`."""

    def __init__(
        self,
        projector: Projector,
        changing: Changing,
        first: int,
        last: int,
        stamps: Stamps | None,
        *,
        late: bool,
    ) -> None:
        self.ask = changing.ask
        self._projector = projector
        self._changing = changing
        self._first, self._last = first, last
        self._stamps = stamps
        self._late = late

    async def __call__(self, connection: AsyncConnection) -> None:
        """Write."""
        try:
            await self._changing.write(connection)
        except ImpossibleChange as error:
            raise self._projector.placed(error, self._first, self._last) from error
        if self._stamps is not None:
            await self._stamps.written(connection, late=self._late)
