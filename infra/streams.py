"""States in memory: a command decides on the state that the one before it leaves."""

from collections import OrderedDict
from uuid import UUID

from domain import State
from infra.following import Following
from infra.loading import Loader, taken
from infra.log.codec import Codec
from infra.log.group import Pending
from infra.log.port import Store
from infra.snapshots import Snapshots

MAX_UNFOLDED = 16
"""Facts of other processes that a state waits for before they are folded, wanted or not."""

HeardFact = tuple[str, bytes | str]
"""Topic, and data as JSON text."""


class Cached:
    """A stream's newest state here, and the append on its way that leads to it."""

    __slots__ = ("due", "heard", "id", "pending", "state", "version")

    def __init__(
        self, id: UUID, state: State, version: int, pending: Pending | None = None
    ) -> None:
        self.id = id
        self.state = state
        self.version = version
        self.pending = pending
        self.due: int | None = None
        """The version from which on a snapshot is due; None when it is not known yet."""
        self.heard: tuple[HeardFact, ...] = ()
        """What other processes have appended since, in order and without a gap."""


class Streams:
    """The states of one context's streams, least recently used first to go.

    An entry may be ahead of the log, by appends that are on their way; when one of them fails,
    the entry goes, and the commands decided upon it find out through `Pending.after`. An entry
    may be behind the log, when another process wrote; the version check of the append says so.
    """

    def __init__(self, store: Store, codec: Codec, capacity: int, snapshots: Snapshots) -> None:
        self.snapshots = snapshots
        self._loader = Loader(store, codec, snapshots)
        self._decode_as = codec.decode_as
        self._capacity = capacity
        # By the numbers of the ids: a UUID's hash and comparison are written in Python.
        self._entries: OrderedDict[int, Cached] = OrderedDict()
        self.following = Following(store, self._hear)
        """Begun when a command turns out to be decided on an old state."""

    async def get(self, state: type[State], id: UUID) -> Cached:
        """Return the stream's newest state. Raises `IdTaken` when it is of another kind."""
        entry = self._kept_up(id.int)
        if entry is None:
            entry = await self._load(state, id)
        else:
            self._entries.move_to_end(id.int)
        if type(entry.state) is not state:
            if entry.version == 0:
                return Cached(id, state(), 0)
            raise taken(id, type(entry.state).KIND, state.KIND)
        return entry

    def known(self, id: UUID) -> Cached | None:
        """Return the entry without waiting, of whatever kind; None when there is none."""
        return self._kept_up(id.int)

    def newest(self, state: type[State], id: UUID) -> Cached | None:
        """Return the entry without waiting; None when there is none of this kind."""
        entry = self._kept_up(id.int)
        return entry if entry and type(entry.state) is state else None

    def put(self, entry: Cached) -> None:
        """Keep a newer state."""
        if entry.state.SNAPSHOT_EVERY:
            self._offer(entry)
        key = entry.id.int
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, id: UUID) -> None:
        """Forget a state that turned out wrong."""
        self._entries.pop(id.int, None)

    def _kept_up(self, key: int) -> Cached | None:
        """Return the entry, with what was heard since folded; None when there is none to be had."""
        entry = self._entries.get(key)
        if entry is None or not entry.heard:
            return entry
        state = entry.state
        try:
            for topic, data in entry.heard:
                state = state.evolve(self._decode_as[topic](data))
        except Exception:  # noqa: BLE001 - whoever needs the state loads it, and is told what is wrong
            del self._entries[key]
            return None
        newer = Cached(entry.id, state, entry.version + len(entry.heard))
        newer.due = entry.due
        self._entries[key] = newer  # whoever has the old one goes on with that
        return newer

    def _hear(self, key: int, version: int, topic: str, data: bytes | str) -> bool:
        """Note a fact; returns whether it is another process's, on a state that is in memory.

        It is folded when the state is wanted: with others, while all that takes is at hand, or
        never.
        """
        entry = self._entries.get(key)
        if entry is None:
            return False
        known = entry.version + len(entry.heard)
        pending = entry.pending
        if version <= known:
            return False  # this process's own
        if pending and (pending.lost or not pending.done):
            return False  # overtaken on its way, or not even in the log: it finds out by itself
        if version > known + 1:
            del self._entries[key]
            return True
        entry.heard += ((topic, data),)
        if len(entry.heard) >= MAX_UNFOLDED:
            self._kept_up(key)
        return True

    async def _load(self, state: type[State], id: UUID) -> Cached:
        loaded = await self._loader.load(state, id)
        entry = self._kept_up(id.int)  # whoever decided meanwhile has the newer one
        if entry is None:
            entry = Cached(id, loaded.state, loaded.version)
            entry.due = loaded.base + state.SNAPSHOT_EVERY
            self.put(entry)
        return entry

    def _offer(self, entry: Cached) -> None:
        """Have a snapshot taken when the stream has grown enough since the last one known."""
        every = entry.state.SNAPSHOT_EVERY
        if entry.due is None:
            before = self._entries.get(entry.id.int)
            # Without one in memory it is not known: the next load will tell.
            entry.due = before.due if before and before.due is not None else entry.version + every
        if entry.version >= entry.due:
            entry.due = entry.version + every
            self.snapshots.offer(entry.id, entry.state, entry.version, entry.pending)
