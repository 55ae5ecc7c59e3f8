"""Keeps the states in memory up with what other processes append to the same log.

A command that was decided on an old state is found out when it is appended, and is decided again;
that costs more than to hear of the other's fact in time. Nobody listens while nobody else writes:
the first command that is overtaken begins it. When nothing of use comes any more, it looks seldom,
and after a while no more: others who begin to write again are to be heard of before many states
here are old, for then many commands are overtaken at once.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from infra.log.histories import PlacedFact
from infra.log.port import LogError, Store

MAX_FACTS = 500
"""Facts in one read; nothing else is done while they are taken."""
MAX_BEHIND = 20_000
"""Facts before the end of the log that it begins with. What others appended while nobody listened
is in them, so that not each old state has to be found out by a command that is overtaken."""
POLL_S = 0.01
"""How often it looks: as long as another's fact goes unnoticed."""
ALONG_S = 0.05
"""For how long it does not look by itself after facts came along with an append."""
QUIET_S = 2.0
"""For how long nothing of use comes before it looks seldom only."""
SELDOM_S = 0.25
"""How often that is. A command that is overtaken makes it look at once."""
IDLE_S = 60.0
"""For how long nothing of use comes before it ends."""

log = structlog.get_logger("aorist.following")

Hear = Callable[[int, int, str, bytes | str], bool]
"""Takes a fact: the number of its stream's id, version, topic and data; returns whether it was
another process's, and of use."""


class Following:
    """Follows one log for the states in memory."""

    def __init__(self, store: Store, hear: Hear) -> None:
        self._store = store
        self._hear = hear
        self._task: asyncio.Task[None] | None = None
        self._overtaken = asyncio.Event()
        """Set when a command was; only who looks seldom waits for that."""
        self.seen = 0
        """The position of the last fact that it has taken."""
        self._useful_at = self._heard_at = 0.0
        """When one was of use, and when facts came along with an append, in the loop's time."""

    def begin(self) -> None:
        """Follow from here on: a command was overtaken, so another process writes too."""
        self._overtaken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"{self._store.context}-following")

    async def close(self) -> None:
        """Stop."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=POLL_S)

    async def _run(self) -> None:
        clock, histories = asyncio.get_running_loop().time, self._store.histories
        try:
            self.seen = max(self.seen, await self._store.head() - MAX_BEHIND)
            histories.listener = self
            self._useful_at = clock()
            while clock() - self._useful_at < IDLE_S:
                if clock() - self._heard_at < ALONG_S:
                    await asyncio.sleep(ALONG_S)
                    continue
                facts = await histories.behind(self.seen, MAX_FACTS)
                self._take(facts)
                if len(facts) < MAX_FACTS:
                    await self._pause(seldom=clock() - self._useful_at > QUIET_S)
        except LogError as error:
            # The next command that is overtaken begins anew, and until then each finds out itself.
            log.warning("following ended", context=self._store.context, error=str(error))
        finally:
            histories.listener = None

    def take(self, facts: Sequence[PlacedFact]) -> None:
        """Hear of facts that came along with the answer to an append."""
        self._heard_at = asyncio.get_running_loop().time()
        self._take(facts)

    async def _pause(self, *, seldom: bool) -> None:
        if not seldom:
            await asyncio.sleep(POLL_S)
            return
        self._overtaken.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._overtaken.wait(), SELDOM_S)

    def _take(self, facts: Sequence[PlacedFact]) -> None:
        useful = False
        for _, stream, version, topic, data in facts:
            useful |= self._hear(stream, version, topic, data)
        if facts:
            self.seen = max(self.seen, facts[-1][0])
        if useful:
            self._useful_at = asyncio.get_running_loop().time()
