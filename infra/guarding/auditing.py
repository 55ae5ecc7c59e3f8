"""Audits live rows for drift in the background, one pass after the other, at a low rate."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from infra.guarding.drift import Drift, Pass
from infra.guarding.pace import Pace

STEP = 100
"""Facts folded at a time; others have their turn in between."""
REST_S = 60.0
"""Pause before each pass."""

log = structlog.get_logger("aorist.drift")


class Audit:
    """The drift audit of one context. Each process does its own: rows are mended under a lock."""

    def __init__(
        self,
        context: str,
        begin: Callable[[], Pass],
        facts_per_s: int,
        observe: Callable[[Drift], None],
    ) -> None:
        self.name = f"drift:{context}"
        self.failure: str | None = None
        self._begin = begin
        self._pace = Pace(facts_per_s)
        self._observe = observe

    async def once(self) -> Sequence[Drift]:
        """Make one pass; rows that differ are mended."""
        work = self._begin()
        await work.begin()
        while passed := await work.step(STEP):
            await self._pace.take(passed)
            await asyncio.sleep(0)
        found = await work.end(mend=True, actor=self.name)
        for one in found:
            self._observe(one)
            if one.total or one.failure:
                log.error(
                    "read model drifted",
                    projection=one.projection,
                    position=one.position,
                    rows=one.rows,
                    differing=one.total,
                    mended=one.mended,
                    notes=one.notes,
                    error=one.failure,
                )
        return found

    async def run(self) -> None:
        """Make passes until cancelled."""
        while True:
            await asyncio.sleep(REST_S)
            try:
                await self.once()
                self.failure = None
            except Exception as error:  # noqa: BLE001 - kept, logged, and tried again
                reason = str(error).partition("\n")[0]
                failure = f"live rows cannot be audited: {type(error).__name__}: {reason}"
                if failure != self.failure:
                    log.error("audit failed", audit=self.name, error=failure)
                self.failure = failure
