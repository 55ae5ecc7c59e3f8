"""The first level: entries in this process, the ones used last, up to so many bytes."""

from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

from infra.caching.stamps import Place

ENTRY_BYTES = 400
"""What an entry takes beside its data, about."""

Name = tuple[str, UUID]


class Entry(NamedTuple):
    """A kept answer."""

    token: bytes
    place: Place
    data: bytes


class Memory:
    """Entries by query and key."""

    def __init__(self, most: int) -> None:
        self.bytes = 0
        self._most = most
        self._entries: OrderedDict[Name, Entry] = OrderedDict()

    def get(self, name: Name) -> Entry | None:
        """Return an entry."""
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry

    def put(self, name: Name, entry: Entry) -> None:
        """Keep an entry; those not used for longest give way."""
        self.drop(name)
        self._entries[name] = entry
        self.bytes += len(entry.data) + ENTRY_BYTES
        while self.bytes > self._most:
            self.drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()
        self.bytes = 0

    def drop(self, name: Name) -> None:
        """Forget an entry, if it is there."""
        gone = self._entries.pop(name, None)
        if gone is not None:
            self.bytes -= len(gone.data) + ENTRY_BYTES
