"""The way to a Redis that may be away: each call is bounded, and none waits for a dead one.

What is in it can be made again, and nobody is refused or let in because it is away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from infra.settings import Settings

T = TypeVar("T")
Observe = Callable[[str, str], None]
"""Called with what a call was for, and its result: answered, wrong, failed, skipped."""

MAX_CALLS = 64
"""Calls at once; further ones do without."""
CONNECTIONS_A_CALL = 2
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 8.0
"""After a call that failed none is made for so long; it doubles as long as they fail."""

AWAY = "Redis does not answer: each process counts tries by itself, and reads what others have kept"

log = structlog.get_logger("aorist.redis")


class Away(Exception):
    """Redis did not answer, or with an error, or was not asked; do without it."""


class Link:
    """The connections to a Redis, with a circuit breaker before them."""

    def __init__(self, url: str, timeout_s: float, observe: Observe) -> None:
        self.pool = ConnectionPool.from_url(
            url,
            max_connections=MAX_CALLS * CONNECTIONS_A_CALL,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
            # A managed service's announcements: asking for them is a round trip more.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self.client: Redis = Redis(connection_pool=self.pool)
        self._timeout_s = timeout_s
        self._observe = observe
        self._calls = 0
        self._pause_s = 0.0
        self._closed_at = 0.0
        """When the next call may be tried, while calls fail; in monotonic time."""

    async def call(self, use: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns, a call of the client. Raises `Away`, in time."""
        if self._calls >= MAX_CALLS or not self._may_try():
            self._observe(use, "skipped")
            raise Away
        self._calls += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await work()
        except ResponseError as error:
            # It is there: what it was asked for cannot be done, as with a value of another type.
            self._works()
            self._observe(use, "wrong")
            raise Away from error
        except Exception as error:  # whatever else it sends: it must not break anything
            self._fails(error)
            self._observe(use, "failed")
            raise Away from error
        finally:
            self._calls -= 1
        self._works()
        self._observe(use, "answered")
        return found

    async def answers(self) -> bool:
        """Tell whether it answers."""
        try:
            await self.call("health", self.client.ping)
        except Away:
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        await self.pool.disconnect()

    def _may_try(self) -> bool:
        """Tell whether a call may be made; after a failure one at a time."""
        if not self._pause_s:
            return True
        now = time.monotonic()
        if now < self._closed_at:
            return False
        self._closed_at = now + self._pause_s  # the others wait for how this one ends
        return True

    def _works(self) -> None:
        if self._pause_s:
            log.info("redis answers again")
        self._pause_s = 0.0

    def _fails(self, error: Exception) -> None:
        now = time.monotonic()
        if not self._pause_s:
            log.warning("redis is away", error=type(error).__name__)
            self._pause_s = FIRST_PAUSE_S
        elif now >= self._closed_at - self._pause_s:
            self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
        self._closed_at = now + self._pause_s


def link_to(settings: Settings, observe: Observe) -> Link | None:
    """Return the way to the Redis of the settings; None where none is set."""
    if not settings.redis_url:
        return None
    return Link(settings.redis_url, settings.redis_ms / 1000, observe)
