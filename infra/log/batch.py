"""What one batch of appends comes to, worked out once for both stores."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from infra.log.port import Accepted, Append, Encoded, Outcome, Repeated, Stale, Stored, Tracked


class FactRow(msgspec.Struct, frozen=True):
    """A fact's place: which append of the batch it belongs to, its stream and version."""

    append: int
    stream: UUID
    version: int
    fact: Encoded


class Check(msgspec.Struct, frozen=True):
    """A stream that must still be at `expected` in the store."""

    append: int
    stream: UUID
    expected: int


class Batch:
    """The rows of a batch. `stale` holds appends that contradict an earlier one of the batch."""

    def __init__(self, appends: Sequence[Append]) -> None:
        self.appends = appends
        self.facts: list[FactRow] = []
        self.checks: list[Check] = []
        self.tracked: list[tuple[int, Tracked]] = []
        self.claims: list[FactRow] = []
        """Facts of no version expected: theirs must be free."""
        self.stale: dict[int, Stale] = {}
        self.last: list[int] = []
        """For each append, how many facts of the batch are in the log when it is."""
        # By the numbers of the ids: a UUID's hash and comparison are written in Python.
        self._ends: dict[int, int] = {}
        self._places: dict[str, int] = {}
        for number, append in enumerate(appends):
            self._add(number, append)
            self.last.append(len(self.facts))

    def _add(self, number: int, append: Append) -> None:
        ends = self._ends
        for write in append.writes:
            stream, version = write.stream, write.expected
            if version is None:
                for at, fact in zip(write.versions, write.facts, strict=True):
                    self.claims.append(FactRow(number, stream, at, fact))
                    self.facts.append(self.claims[-1])
                continue
            known = ends.get(stream.int)
            if known is None:
                self.checks.append(Check(number, stream, version))
            elif known != version:
                self.stale[number] = Stale(stream)
                return
            for fact in write.facts:
                version += 1
                self.facts.append(FactRow(number, stream, version, fact))
            ends[stream.int] = version
        if append.tracked:
            self._track(number, append.tracked)

    def _track(self, number: int, tracked: Tracked) -> None:
        known = self._places.get(tracked.reader)
        if known is not None and known >= tracked.position:
            self.stale[number] = Stale(None)
        else:
            self._places[tracked.reader] = tracked.position
            self.tracked.append((number, tracked))

    def failed(self, stale: dict[int, Stale], repeated: dict[int, Stored]) -> list[Outcome | None]:
        """Return the outcomes of a batch of which nothing was written."""
        return [
            Repeated(repeated[n]) if n in repeated else stale.get(n)
            for n in range(len(self.appends))
        ]

    def accepted(self, context: str, base: int, time: datetime) -> list[Accepted]:
        """Return the outcomes of a batch that is in the log behind position `base`."""
        return [
            Accepted(context, append, base + last, time)
            for append, last in zip(self.appends, self.last, strict=True)
        ]
