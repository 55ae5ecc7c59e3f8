"""Fires due deadlines: dispatches their commands and forgets them.

Several workers may do so. Each claims what it is about to fire, for a short while: the others leave
that to it, unless it dies or sleeps meanwhile. Firing twice is inert in any case: each has its key.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import and_, delete, or_, select, tuple_, update

from commands import Clock
from infra.database import Database
from infra.discovery import Features
from infra.dispatch import Dispatcher
from infra.log.port import Unavailable
from infra.processes import deadlines_of, send

MAX_DUE = 100
"""Deadlines fired in one round."""
CLAIM_S = 10.0
"""How long others leave them to the worker that has claimed them; a failed one waits as long."""

log = structlog.get_logger("aorist.deadlines")


class Deadlines:
    """The deadlines of one context's sagas."""

    def __init__(
        self,
        context: str,
        database: Database,
        dispatcher: Dispatcher,
        features: Features,
        clock: Clock,
    ) -> None:
        self.name = f"deadlines:{context}"
        self.failure: str | None = None
        self._database = database
        self._dispatcher = dispatcher
        self._features = features
        self._clock = clock
        self._table = deadlines_of(context)

    async def step(self) -> int:
        """Fire what is due and nobody else fires; returns how many."""
        until, due = await self._claim()
        failed: list[Exception] = []
        fired = 0
        for row in due:
            if self._clock.now() >= until:
                break  # it slept, and others have claimed the rest by now
            try:
                await self._fire(row)
                fired += 1
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - the others are due all the same
                failed.append(error)
        if failed:
            raise failed[0]
        return fired

    async def _claim(self) -> tuple[datetime, Sequence[Any]]:
        """Claim what is due; return until when it is, and the rows, those due first first."""
        table, now = self._table, self._clock.now()
        until = now + timedelta(seconds=CLAIM_S)
        free = or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now)
        due = and_(table.c.due <= now, free)
        async with self._database.read() as connection:
            if (await connection.execute(select(table.c.saga).where(due).limit(1))).first() is None:
                return until, []
        key = list(table.primary_key.columns)
        some = select(*key).where(due).order_by(table.c.due).limit(MAX_DUE)
        claim = (
            update(table)
            .where(tuple_(*key).in_(some.with_for_update(skip_locked=True)), due)
            .values(claimed_until=until)
            .returning(table)
        )
        async with self._database.write() as connection:
            claimed = (await connection.execute(claim)).all()
        return until, sorted(claimed, key=lambda row: row.due)

    async def _fire(self, row: Any) -> None:
        command: TypeAdapter[Any] = TypeAdapter(self._features.command(row.command).command)
        await send(
            self._dispatcher,
            row.saga,
            command.validate_json(row.data),
            f"deadline:{row.name}:{row.key}",
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
        )
        table = self._table
        async with self._database.write() as connection:
            # The key tells this deadline from one that was set again meanwhile.
            await connection.execute(
                delete(table).where(
                    table.c.saga == row.saga,
                    table.c.process == row.process,
                    table.c.name == row.name,
                    table.c.key == row.key,
                )
            )

    async def run(self, poll_s: float) -> None:
        """Fire deadlines until cancelled."""
        while True:
            try:
                fired = await self.step()
                self.failure = None
            except Exception as error:  # noqa: BLE001 - kept, shown by /readyz, and tried again
                fired = 0
                reason = str(error).partition("\n")[0]
                failure = f"deadlines cannot be fired: {type(error).__name__}: {reason}"
                if failure != self.failure:
                    log.error("deadlines stopped", deadlines=self.name, error=failure)
                self.failure = failure
            if not fired:
                await asyncio.sleep(poll_s)
