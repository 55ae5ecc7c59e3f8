"""The window: which of the log's last facts concerned which keys of a projection."""

from collections import deque
from uuid import UUID

from domain import Envelope, Event
from infra.caching.stamps import Place, mark_of
from infra.discovery import Projecting
from infra.log.tail import Facts
from infra.rows.changes import Buffer

MAX_FACTS = 10_000
"""Facts whose keys are remembered: what was read before them is not known to be right."""


class Window:
    """The last facts that a projection has passed, as far as they are known here."""

    def __init__(self, projecting: Projecting) -> None:
        self._project = projecting.project
        self.position = 0
        self._seen: deque[tuple[int, frozenset[UUID]]] = deque()
        """Position and keys of each fact in the window."""
        self._marks: dict[int, bytes] = {}
        self._touched: dict[UUID, int] = {}
        """Position of the last fact that concerned a key."""
        self._all = 0
        """Position of the last fact that may have concerned every key."""

    @property
    def place(self) -> Place | None:
        """The last fact's; None when none is known."""
        mark = self._marks.get(self.position)
        return None if mark is None else Place(self.position, mark)

    def restart(self, position: int, mark: bytes | None = None) -> None:
        """Forget everything, and go on behind `position`."""
        self.position, self._all = position, 0
        self._seen.clear()
        self._touched.clear()
        self._marks.clear()
        if mark is not None:
            self._see(position, mark, frozenset())

    def take(self, facts: Facts) -> None:
        """Take in the facts that come next."""
        for fact, at in facts:
            keys = self._keys(fact, at)
            if keys is None:
                self._all, keys = at.position, frozenset()
            for key in keys:
                self._touched[key] = at.position
            self._see(at.position, mark_of(at.stream, at.time), keys)
            self.position = at.position

    def holds(self, key: UUID, place: Place) -> bool:
        """Tell whether what was read by a key at a place is the same here."""
        return (
            self._marks.get(place.position) == place.mark
            and self._touched.get(key, 0) <= place.position
            and self._all <= place.position
        )

    def _see(self, position: int, mark: bytes, keys: frozenset[UUID]) -> None:
        self._seen.append((position, keys))
        self._marks[position] = mark
        if len(self._seen) > MAX_FACTS:
            gone, concerned = self._seen.popleft()
            del self._marks[gone]
            for key in concerned:
                if self._touched[key] == gone:
                    del self._touched[key]

    def _keys(self, fact: Event, at: Envelope) -> frozenset[UUID] | None:
        """Return the first parts of the keys of rows that a fact concerns; None for all."""
        buffer = Buffer()
        try:
            self._project(fact, at, buffer)
        except Exception:  # noqa: BLE001 - its reader meets the same, and sees to it
            return None
        if any(verb == "run" for verb, *_ in buffer.asked):
            return None
        return frozenset(key[0] for _, _, key, *_ in buffer.asked)
