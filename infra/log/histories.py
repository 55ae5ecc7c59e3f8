"""What states are folded from: facts without their envelopes, and snapshots to start from."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

SHAPE_MARK = "@"
"""In the topic of each snapshot of a state, and in no topic of the eventsourcing library's."""
OUTDATED = 2
"""Intervals that another program's snapshot may be behind before it is given up for old."""

FactRow = tuple[int, int, str, str]
"""Anything, version, topic, and data as JSON text (None when it is sealed: no state's fact is)."""

PlacedFact = tuple[int, int, int, str, bytes | str]
"""Position, the number of the stream's id, version, topic, and data as JSON text."""


class Wanted(NamedTuple):
    """A stream to fold: from its newest snapshot of a shape, or from a version on."""

    stream: UUID
    shape: str | None = None
    after: int = -1
    """Without a snapshot, facts of higher versions: all, those that should not be there too."""


class History(NamedTuple):
    """What was found of a stream: facts in order, from the snapshot's own version on."""

    snapshot: tuple[int, str] | None
    """Its version and its data."""
    facts: list[FactRow]


class Snapshot(NamedTuple):
    """A stream's state at a version, as it is kept."""

    stream: UUID
    shape: str
    version: int
    data: str


class Listener(Protocol):
    """Whoever wants to hear of other processes' facts along with the answers to appends."""

    seen: int
    """The position behind which facts are news."""

    def take(self, facts: Sequence[PlacedFact]) -> None:
        """Hear of facts behind it, in order; this process's own may be left out."""
        ...


class Histories(Protocol):
    """What SQLite and PostgreSQL do for the states of one context's streams."""

    listener: Listener | None
    """Heeded by a store that several processes write to, as a rule."""

    async def read(self, wanted: Sequence[Wanted], limit: int) -> list[History]:
        """Return a history for each stream wanted, as of one moment; `limit` facts at most each.

        The facts begin with the one that the snapshot ends with, so that its absence shows.
        """
        ...

    async def behind(self, position: int, limit: int) -> list[PlacedFact]:
        """Return at most `limit` facts behind a position of the log, in order."""
        ...

    async def keep(self, kept: Snapshot, every: int) -> None:
        """Write a snapshot and delete those of its stream that it makes useless.

        These are the older ones of its shape; of other shapes, which programs of another version
        may still use, all but the last taken, and that one too when it is `OUTDATED` intervals of
        `every` facts behind.
        """
        ...

    async def drop(self, stream: UUID, shape: str, version: int) -> None:
        """Delete a snapshot."""
        ...

    async def page(self, after: Snapshot | None, limit: int) -> list[Snapshot]:
        """Return at most `limit` snapshots of states, those behind `after`, in some fixed order."""
        ...

    async def misplaced(self, limit: int) -> list[tuple[int, UUID, int]] | None:
        """Return at most `limit` facts that the log's index of streams has wrong, as places.

        A place is position, stream and version: of a fact it lacks, or of one that is not in the
        log. None where the index is the database's own.
        """
        ...
