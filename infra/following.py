"""Keeps the states in memory up with what other processes append to the same log.

A command that was decided on an old state is found out when it is appended, and is decided again;
that costs more than to hear of the other's fact in time. Nobody listens while nobody else writes:
the first command that is overtaken begins it, and it ends when nothing of use has come for a while.
"""

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from domain import State
from infra.log.codec import Codec
from infra.log.histories import PlacedFact
from infra.log.port import LogError, Store

MAX_FACTS = 500
"""Facts in one read; nothing else is done while they are taken."""
MAX_BEHIND = 20_000
"""Facts before the end of the log that it begins with. What others appended while nobody listened
is in them, so that not each old state has to be found out by a command that is overtaken."""
POLL_S = 0.01
"""How often it looks: as long as another's fact goes unnoticed."""
IDLE_S = 2.0
"""For how long nothing of use comes before it ends."""

log = structlog.get_logger("aorist.following")

Know = Callable[[UUID], tuple[State, int] | None]
"""Returns the state and the version that is in memory, when it may be replaced."""
Renew = Callable[[UUID, State | None, int], None]
"""Puts a newer one in its place; None for one that cannot be kept."""


class Following:
    """Follows one log for the states in memory."""

    def __init__(self, store: Store, codec: Codec, know: Know, renew: Renew) -> None:
        self._store = store
        self._codec = codec
        self._know = know
        self._renew = renew
        self._task: asyncio.Task[None] | None = None
        self._seen = 0
        """The position of the last fact that it has taken."""

    def begin(self) -> None:
        """Follow from here on: another process writes too."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"{self._store.context}-following")

    async def close(self) -> None:
        """Stop."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=POLL_S)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            self._seen = max(self._seen, await self._store.head() - MAX_BEHIND)
            useful = clock()
            while clock() - useful < IDLE_S:
                facts = await self._store.histories.behind(self._seen, MAX_FACTS)
                if facts:
                    self._seen = facts[-1][0]
                    if self._take(facts):
                        useful = clock()
                if len(facts) < MAX_FACTS:
                    await asyncio.sleep(POLL_S)
        except LogError as error:
            # The next command that is overtaken begins anew, and until then each finds out itself.
            log.warning("following ended", context=self._store.context, error=str(error))

    def _take(self, facts: list[PlacedFact]) -> bool:
        """Bring states up to date; returns whether one was behind."""
        useful = False
        for _, stream, version, topic, data in facts:
            known = self._know(stream)
            if known is None or known[1] >= version:
                continue  # of no interest here, or this process's own
            useful = True
            state: State | None = None
            if known[1] + 1 == version:
                try:
                    state = known[0].evolve(self._codec.decode_as[topic](data))
                except Exception:  # noqa: BLE001 - whoever needs the state is told what is wrong
                    state = None
            self._renew(stream, state, version)
        return useful
