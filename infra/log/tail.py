"""The log's last facts in memory, decoded once for all readers that follow it."""

import asyncio
from collections.abc import Sequence

from domain import Envelope, Event
from infra.log.codec import Codec
from infra.log.port import CorruptFact, Store
from infra.log.unbroken import read_on

MAX_KEPT = 5_000
"""Facts kept in memory for each log; for a while up to twice as many."""

Facts = Sequence[tuple[Event, Envelope]]


class Tail:
    """What the readers of one log read through; those that are close to its end share it."""

    def __init__(self, store: Store, codec: Codec) -> None:
        self.context = store.context
        self._store = store
        self._codec = codec
        self._facts: list[tuple[Event, Envelope]] = []
        """Facts of consecutive positions."""
        self._turn = asyncio.Lock()
        self._coming: dict[tuple[int, int], asyncio.Task[Facts]] = {}
        """Reads that have not begun, by position and limit: whoever wants the same shares them."""
        self._reading: set[asyncio.Task[Facts]] = set()

    async def read(self, after: int, limit: int) -> Facts:
        """Return at most `limit` facts behind the position `after`, in order.

        A fact that is missing or cannot be decoded ends them; when it is the very first, raises
        `CorruptFact`.
        """
        found = self._kept(after, limit)
        if found:
            return found
        wanted = after, limit
        if wanted not in self._coming:
            self._coming[wanted] = asyncio.create_task(
                self._in_turn(after, limit), name=f"{self.context}-tail"
            )
            self._reading.add(self._coming[wanted])
            self._coming[wanted].add_done_callback(self._ended)
        return await asyncio.shield(self._coming[wanted])

    async def close(self) -> None:
        """Break off what is being read."""
        for reading in self._reading:
            reading.cancel()
        if self._reading:
            await asyncio.wait(self._reading)

    def _ended(self, reading: asyncio.Task[Facts]) -> None:
        self._reading.discard(reading)
        if not reading.cancelled():
            reading.exception()  # whoever asked for it may have gone away

    async def _in_turn(self, after: int, limit: int) -> Facts:
        async with self._turn:
            # Taken out before the read: whoever comes during it may need to see more.
            del self._coming[after, limit]
            # Whoever had the turn may have read just that.
            return self._kept(after, limit) or await self._read(after, limit)

    def _kept(self, after: int, limit: int) -> Facts:
        if not self._facts:
            return ()
        start = after + 1 - self._facts[0][1].position
        return self._facts[start : start + limit] if start >= 0 else ()

    async def _read(self, after: int, limit: int) -> Facts:
        facts: list[tuple[Event, Envelope]] = []
        for recorded in await read_on(self._store, after, limit):
            try:
                facts.append((self._codec.decode(recorded), recorded.at))
            except CorruptFact:
                if not facts:
                    raise
                break  # what comes before it is handled first
        self._keep(facts)
        # Not the list that is kept: it grows while whoever asked works on these.
        return tuple(facts)

    def _keep(self, facts: list[tuple[Event, Envelope]]) -> None:
        if not facts:
            return
        last = self._facts[-1][1].position if self._facts else 0
        first = facts[0][1].position
        if first == last + 1:
            self._facts += facts
            if len(self._facts) > 2 * MAX_KEPT:  # not at every read
                del self._facts[:-MAX_KEPT]
        elif first > last:
            self._facts = facts
