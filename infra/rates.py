"""How many requests a caller may send: as many in a minute, whichever they are."""

from collections.abc import Awaitable
from math import ceil
from typing import NamedTuple, Protocol

from limits.aio.storage.base import SlidingWindowCounterSupport as Windows

from infra.counters import Counters, Taken

NAME = "requests/"
WINDOW_S = 60
MAX_CALLERS = 100_000
"""Callers whose requests are counted at once. Forgetting one lets it begin anew."""


class Allowance(NamedTuple):
    """Whether a caller's request is within what is allowed, and what is left after it."""

    passed: bool
    left: int
    reset_s: int
    """Until there is more."""
    of: int


class Counting(Protocol):
    """What counts for `Rates`."""

    def take(self, key: str, limit: int, expiry: int) -> Awaitable[Taken]:
        """Count one for a key, unless it would be more than the limit in so many seconds."""
        ...


class Elsewhere:
    """Counts in any storage that `limits` has: one that several processes share."""

    def __init__(self, storage: Windows) -> None:
        self._storage = storage

    async def take(self, key: str, limit: int, expiry: int) -> Taken:
        """Count one for a key, unless it would be more than the limit in so many seconds."""
        passed = await self._storage.acquire_sliding_window_entry(key, limit, expiry)
        return Taken(passed, *await self._storage.get_sliding_window(key, expiry))


class Rates:
    """Counts requests by caller: in this process's memory, unless something else counts."""

    def __init__(self, requests: int, counting: Counting | None = None) -> None:
        self._requests = requests
        self._counting = counting or Counters(MAX_CALLERS)

    async def count(self, caller: str) -> Allowance:
        """Count one request of a caller, and say whether it may be answered."""
        passed, before, before_s, now, now_s = await self._counting.take(
            NAME + caller, self._requests, WINDOW_S
        )
        # As the limiter of `limits` reckons; that one takes longer to name its keys than this.
        left = self._requests - int(before * before_s / WINDOW_S + now) if passed else 0
        more_s = before_s % (WINDOW_S / before) if before else now_s % WINDOW_S
        return Allowance(passed, left if left > 0 else 0, ceil(more_s) or 1, self._requests)
