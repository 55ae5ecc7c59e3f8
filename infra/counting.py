"""SharedCounters of limits: in Redis for all processes together, and in this process beside it.

Both must let a try pass. Without Redis the process's own counters decide, and they have counted
all along: its going away, or being emptied, gives nobody more tries in a process than one has.
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TypeVar

from limits.aio.storage import RedisStorage, Storage
from limits.aio.storage.base import SlidingWindowCounterSupport

from infra.redis import Away, Link

T = TypeVar("T")
Window = tuple[int, float, int, float]
"""The count of the window before, its seconds to live, and the same of the newest window."""

USE = "limits"
NAME_BYTES = 16


def shared_counters(own: Storage, link: Link | None, prefix: str) -> Storage:
    """Return where to count: in `own`, this process's memory, and in Redis where there is one."""
    return own if link is None else SharedCounters(own, link, prefix)


class SharedCounters(Storage, SlidingWindowCounterSupport):
    """A storage for `limits` that counts in two places."""

    STORAGE_SCHEME = None

    def __init__(self, own: Storage, link: Link, prefix: str) -> None:
        super().__init__()
        if not isinstance(own, SlidingWindowCounterSupport):
            raise TypeError(f"{type(own).__name__} has no sliding windows")
        self._own: SlidingWindowCounterSupport = own
        self._memory = own
        self._link = link
        self._shared = RedisStorage(
            "redis://127.0.0.1:6379",  # the pool knows better
            implementation="redispy",
            key_prefix=f"{prefix}:limits",
            connection_pool=link.pool,  # type: ignore[arg-type]
        )

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless it would be more than the limit; tell whether it was counted."""
        name = _name(key)
        shared = await self._asked(
            lambda: self._shared.acquire_sliding_window_entry(name, limit, expiry, amount)
        )
        own = await self._own.acquire_sliding_window_entry(key, limit, expiry, amount)
        return own and shared is not False

    async def get_sliding_window(self, key: str, expiry: int) -> Window:
        """Return the windows of where more was counted."""
        name = _name(key)
        own = await self._own.get_sliding_window(key, expiry)
        shared = await self._asked(lambda: self._shared.get_sliding_window(name, expiry))
        return max(own, shared or own, key=lambda one: one[0] * one[1] / expiry + one[2])

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted for a key; what other processes counted for themselves stays."""
        name = _name(key)
        await self._own.clear_sliding_window(key, expiry)
        await self._asked(lambda: self._shared.clear_sliding_window(name, expiry))

    async def _asked(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what Redis says; None without it."""
        try:
            return await self._link.call(USE, work)
        except Away:
            return None

    # What follows `limits` asks of a storage; its sliding windows need none of it.

    base_exceptions = ()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count in this process only."""
        return await self._memory.incr(key, expiry, amount)

    async def get(self, key: str) -> int:
        """Return what was counted in this process."""
        return await self._memory.get(key)

    async def get_expiry(self, key: str) -> float:
        """Return when a counter of this process runs out."""
        return await self._memory.get_expiry(key)

    async def check(self) -> bool:
        """The process's memory is always there."""
        return await self._memory.check()

    async def reset(self) -> int | None:
        """Forget what was counted in this process."""
        return await self._memory.reset()

    async def clear(self, key: str) -> None:
        """Forget a counter of this process."""
        await self._memory.clear(key)


def _name(key: str) -> str:
    """Return a name for a key that tells nothing of logins and addresses, and is short."""
    return blake2b(key.encode(), digest_size=NAME_BYTES).hexdigest()
