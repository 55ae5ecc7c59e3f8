"""Fires due deadlines: dispatches their commands and forgets them."""

import asyncio
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import delete, select

from commands import Clock
from infra.database import Database
from infra.discovery import Features
from infra.dispatch import Dispatcher
from infra.log.port import Unavailable
from infra.processes import deadlines_of, send

MAX_DUE = 100
"""Deadlines fired in one round."""

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
        """Fire what is due; returns how many. Firing twice is inert: each has its key."""
        table = self._table
        async with self._database.read() as connection:
            due = (
                await connection.execute(
                    select(table)
                    .where(table.c.due <= self._clock.now())
                    .order_by(table.c.due)
                    .limit(MAX_DUE)
                )
            ).all()
        failed: list[Exception] = []
        for row in due:
            try:
                await self._fire(row)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - the others are due all the same
                failed.append(error)
        if failed:
            raise failed[0]
        return len(due)

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
