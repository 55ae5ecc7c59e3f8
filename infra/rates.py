"""How many requests a caller may send: as many in a minute, whichever they are."""

from collections.abc import Callable
from math import ceil
from typing import cast

import msgspec
from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport as Windows

from infra.counters import Counters, Taken

NAME = "requests/"
WINDOW_S = 60
MAX_CALLERS = 100_000
"""Callers whose requests are counted at once. Forgetting one lets it begin anew."""


class Allowance(msgspec.Struct, gc=False):
    """Whether a caller's request is within what is allowed, and what is left after it."""

    passed: bool
    left: int
    reset_s: int
    """Until there is more."""
    of: int


class Rates:
    """Counts requests by caller: in this process's memory, and where `shared` counts beside it."""

    def __init__(
        self, requests: int, shared: Callable[[Storage], Storage] = lambda memory: memory
    ) -> None:
        self._requests = requests
        self._storage = cast(Windows, shared(Counters(MAX_CALLERS)))

    async def count(self, caller: str) -> Allowance:
        """Count one request of a caller, and say whether it may be answered."""
        key, most, storage = NAME + caller, self._requests, self._storage
        if isinstance(storage, Counters):  # nothing to wait for
            taken = storage.take(key, most, WINDOW_S)
        else:
            passed = await storage.acquire_sliding_window_entry(key, most, WINDOW_S)
            taken = Taken(passed, *await storage.get_sliding_window(key, WINDOW_S))
        # As the limiter of `limits` reckons; that one takes longer to name its keys than this.
        before, before_s = taken.previous, taken.previous_s
        left = most - int(before * before_s / WINDOW_S + taken.current) if taken.passed else 0
        more_s = before_s % (WINDOW_S / before) if before else taken.current_s % WINDOW_S
        return Allowance(taken.passed, left if left > 0 else 0, ceil(more_s) or 1, most)
