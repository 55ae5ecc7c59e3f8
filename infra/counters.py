"""Counters of sliding windows, kept in memory: how often each caller came lately.

That of `limits` looks at every counter it has each time it counts: 0.9 ms with 10,000 callers.
"""

from time import time

import msgspec
from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport

LOOKED_AT = 2
"""Old counters that are looked at for each new one: so there are never many that have run out."""


class _Window:
    """What was counted for a key in its last two windows of time."""

    __slots__ = ("current", "expiry", "previous", "turn")

    def __init__(self, expiry: int, turn: int) -> None:
        self.expiry = expiry
        self.turn = turn
        self.previous = self.current = 0

    def move_to(self, turn: int) -> None:
        """Go on to another window, that of now."""
        self.previous = self.current if turn == self.turn + 1 else 0
        self.turn, self.current = turn, 0

    def is_over(self, now: float) -> bool:
        """Tell whether it says nothing any more."""
        return now // self.expiry > self.turn + 1


class Taken(msgspec.Struct, gc=False):
    """What is counted for a key: in the window before and in this one, with their seconds."""

    passed: bool
    previous: int
    previous_s: float
    """How long the window before counts still, less and less."""
    current: int
    current_s: float
    """How long this window counts."""


class Counters(Storage, SlidingWindowCounterSupport):
    """A storage for `limits`, of at most so many counters of 300 bytes or so.

    For one more, that which has been known for longest is forgotten.
    """

    STORAGE_SCHEME = None

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._windows: dict[str, _Window] = {}

    def __len__(self) -> int:
        """Return how many counters there are."""
        return len(self._windows)

    def take(self, key: str, limit: int, expiry: int, amount: int = 1) -> Taken:
        """Count, unless it would be more than the limit; return what is counted then."""
        now = time()
        turns = now / expiry
        turn = int(turns)
        left = 1 - turns + turn
        window = self._windows.get(key)
        if window is None:
            window = self._add(key, expiry, now)
        elif window.turn != turn:
            window.move_to(turn)
        passed = int(window.previous * left + window.current) + amount <= limit
        if passed:
            window.current += amount
        left_s = left * expiry
        return Taken(
            passed,
            window.previous,
            left_s if window.previous else 0.0,
            window.current,
            left_s + expiry,
        )

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless it would be more than the limit; tell whether it was counted."""
        return self.take(key, limit, expiry, amount).passed

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return what `take` does besides whether it was counted, and count nothing."""
        # Of none at all, one is always too many.
        found = self.take(key, 0, expiry)
        return found.previous, found.previous_s, found.current, found.current_s

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted for a key."""
        self._windows.pop(key, None)

    def _add(self, key: str, expiry: int, now: float) -> _Window:
        self._make_room(now)
        window = self._windows[key] = _Window(expiry, int(now // expiry))
        return window

    def _make_room(self, now: float) -> None:
        for _ in range(min(LOOKED_AT, len(self._windows))):
            key = next(iter(self._windows))
            window = self._windows.pop(key)
            if not window.is_over(now):
                self._windows[key] = window  # behind the others: it is looked at again later
        while len(self._windows) >= self._most:
            del self._windows[next(iter(self._windows))]

    # What follows `limits` asks of a storage; its sliding windows need none of it.

    base_exceptions = ()

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Windows are not counted singly."""
        raise NotImplementedError("count by acquire_sliding_window_entry")

    async def get(self, key: str) -> int:
        """Return what was counted for a key in its newest window."""
        window = self._windows.get(key)
        return window.current if window else 0

    async def get_expiry(self, key: str) -> float:
        """Return when a key's newest window ends, in seconds since 1970."""
        window = self._windows.get(key)
        return float((window.turn + 1) * window.expiry) if window else time()

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    async def reset(self) -> int | None:
        """Forget everything; return how much it was."""
        known = len(self._windows)
        self._windows.clear()
        return known

    async def clear(self, key: str) -> None:
        """Forget what was counted for a key."""
        self._windows.pop(key, None)
