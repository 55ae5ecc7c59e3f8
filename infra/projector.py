"""Runs projections: live as the output of a reader, and for a rebuild into shadow tables."""

from sqlalchemy.ext.asyncio import AsyncConnection

from infra.changes import Buffer, Changing, ImpossibleChange, Known
from infra.discovery import Projecting
from infra.log.tail import Facts
from infra.moves import Write
from projections.versions import has_history


class Projector:
    """The output of a projection's reader: its row changes."""

    def __init__(self, projecting: Projecting) -> None:
        self._project = projecting.project
        self._name = projecting.name
        self._by_key = any(map(has_history, projecting.tables))

    async def __call__(self, facts: Facts, known: Known | None = None) -> Write:
        """Collect the changes for a batch; the returned function writes them."""
        buffer = Buffer(by_key=self._by_key)
        for fact, at in facts:
            buffer.position = at.position
            try:
                self._project(fact, at, buffer)
            except ImpossibleChange as error:
                raise self.placed(error, at.position, at.position) from error

        return _Writing(self, Changing(buffer, known), facts[0][1].position, facts[-1][1].position)

    def placed(self, error: ImpossibleChange, first: int, last: int) -> ImpossibleChange:
        """Return an error with its place."""
        place = f"position {first}" if first == last else f"positions {first} to {last}"
        return ImpossibleChange(f"projection {self._name}, {place}: {error}")


class _Writing:
    """Writes the changes for a batch; see `infra.moves.Asking`."""

    def __init__(self, projector: Projector, changing: Changing, first: int, last: int) -> None:
        self.ask = changing.ask
        self._projector = projector
        self._changing = changing
        self._first, self._last = first, last

    async def __call__(self, connection: AsyncConnection) -> None:
        """Write."""
        try:
            await self._changing.write(connection)
        except ImpossibleChange as error:
            raise self._projector.placed(error, self._first, self._last) from error
