"""How often something may be tried: by whoever tries, in a window of time that slides."""

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import NamedTuple

from limits import RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from domain.identity.claim import folded
from infra.counters import Counters

WINDOW_S = 300
SHARED = 10
"""How many times as often as one may try one account, one may try any, and any may try one."""
MAX_COUNTED = 200_000
"""Counters kept at once, of 300 bytes or so. There are hardly as many tries in a window."""
MAX_NETWORKS = 10_000
"""Addresses whose networks are remembered."""
NETWORK_BITS = 64
"""What of an IPv6 address one customer of a provider has: the rest is theirs to choose."""


class Left(NamedTuple):
    """How many tries are left of how many, and in how many seconds there are more again."""

    tries: int
    reset_s: int
    of: int


class TooManyTries(Exception):
    """It was tried too often; what is `left` says when it may be tried again."""

    def __init__(self, left: Left) -> None:
        super().__init__(f"that was tried too often; try again in {left.reset_s} seconds")
        self.left = left


class Throttle:
    """Counts tries to log in: in this process, and where others count too if `shared` says so."""

    def __init__(
        self, tries: int, shared: Callable[[Storage], Storage] = lambda memory: memory
    ) -> None:
        # `limits` itself keeps it by a weak reference only.
        self._storage = shared(Counters(MAX_COUNTED))
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._own = RateLimitItemPerSecond(tries, WINDOW_S, namespace="own")
        self._shared = RateLimitItemPerSecond(tries * SHARED, WINDOW_S, namespace="shared")

    async def try_login(self, name: str, address: str | None) -> Left:
        """Count one try, by an address, to log in under a name. Raises `TooManyTries`.

        An unknown name counts as a known one does. Who tries one name from one place is stopped
        first, so that others can hardly lock its owner out.
        """
        place = network_of(address)
        account = folded(name)
        await self._count(self._shared, "address", place)
        left = await self._count(self._own, "account", account, place)
        await self._count(self._shared, "account", account)
        return left

    async def try_by_address(self, what: str, address: str | None) -> Left:
        """Count one try at something that needs no name. Raises `TooManyTries`."""
        return await self._count(self._shared, what, network_of(address))

    async def logged_in(self, name: str, address: str | None) -> None:
        """Forget the tries of who knew the password in the end."""
        await self._limiter.clear(self._own, "account", folded(name), network_of(address))

    async def _count(self, limit: RateLimitItemPerSecond, *who: str) -> Left:
        passed = await self._limiter.hit(limit, *who)
        stats = await self._limiter.get_window_stats(limit, *who)
        reset_s = max(1, ceil(stats.reset_time - time.time()))
        left = Left(stats.remaining if passed else 0, reset_s, limit.amount)
        if not passed:
            raise TooManyTries(left)
        return left


@lru_cache(MAX_NETWORKS)
def network_of(address: str | None) -> str:
    """Return what of an address is one caller's: all of IPv4, the network of IPv6."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(known, IPv6Address) and not known.ipv4_mapped:
        return str(ip_network((known, NETWORK_BITS), strict=False))
    return str(known)
