"""States in memory: a command decides on the state that the one before it leaves."""

from collections import OrderedDict
from typing import Any
from uuid import UUID

from domain import Event, Refused, State
from infra.log.codec import Codec
from infra.log.gather import GatheredReads
from infra.log.group import Pending
from infra.log.port import Recorded, Store


class IdTaken(Refused, code="id_taken"):
    """The id belongs to an aggregate of another kind in the same context."""


class Cached:
    """A stream's newest state here, and the append on its way that leads to it."""

    __slots__ = ("pending", "state", "version")

    def __init__(self, state: State, version: int, pending: Pending | None = None) -> None:
        self.state = state
        self.version = version
        self.pending = pending


class Streams:
    """The states of one context's streams, least recently used first to go.

    An entry may be ahead of the log, by appends that are on their way; when one of them fails,
    the entry goes, and the commands decided upon it find out through `Pending.after`. An entry
    may be behind the log, when another process wrote; the version check of the append says so.
    """

    def __init__(self, store: Store, codec: Codec, capacity: int) -> None:
        self._reads = GatheredReads(store)
        self._codec = codec
        self._capacity = capacity
        self._entries: OrderedDict[UUID, Cached] = OrderedDict()

    async def get(self, state: type[State], id: UUID) -> Cached:
        """Return the stream's newest state. Raises `IdTaken` when it is of another kind."""
        entry = self._entries.get(id)
        if entry is None:
            entry = await self._load(state, id)
        else:
            self._entries.move_to_end(id)
        if type(entry.state) is not state:
            if entry.version == 0:
                return Cached(state(), 0)
            raise taken(id, type(entry.state).KIND, state.KIND)
        return entry

    def known(self, id: UUID) -> Cached | None:
        """Return the entry without waiting, of whatever kind; None when there is none."""
        return self._entries.get(id)

    def newest(self, state: type[State], id: UUID) -> Cached | None:
        """Return the entry without waiting; None when there is none of this kind."""
        entry = self._entries.get(id)
        return entry if entry and type(entry.state) is state else None

    def put(self, id: UUID, entry: Cached) -> None:
        """Keep a newer state."""
        self._entries[id] = entry
        self._entries.move_to_end(id)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, id: UUID) -> None:
        """Forget a state that turned out wrong."""
        self._entries.pop(id, None)

    async def _load(self, state: type[State], id: UUID) -> Cached:
        recorded = await self._reads.stream(id)
        entry = self._entries.get(id)  # whoever decided meanwhile has the newer one
        if entry is None:
            entry = Cached(fold(state, id, recorded, self._codec), len(recorded))
            self.put(id, entry)
        return entry


def fold(state: type[State], id: UUID, recorded: list[Recorded], codec: Codec) -> Any:
    """Return the state after all `recorded` facts. Raises `IdTaken` for facts of another kind."""
    facts: list[Event] = codec.decode_all(recorded)
    if recorded and recorded[0].at.kind != state.KIND:
        raise taken(id, recorded[0].at.kind, state.KIND)
    return state().fold(facts)


def taken(id: UUID, holder: str, wanted: str) -> IdTaken:
    """Return the refusal of an id that belongs to an aggregate of the kind `holder`."""
    return IdTaken(f"{id} is the id of a {holder}, so no {wanted} can have it; choose another id")
