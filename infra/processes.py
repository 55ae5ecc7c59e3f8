"""Runs sagas: facts in, their commands dispatched, their deadlines kept as rows."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import msgspec
import structlog
from sqlalchemy import Column, Index, MetaData, Table, Text, Uuid
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Caller, Clock
from domain import PROCESS, Envelope, Event, Refused, State
from infra.discovery import Features, Running
from infra.dispatch import Dispatcher, KeyReused, Meta
from infra.loading import IdTaken, fold
from infra.log.codec import Codec
from infra.log.port import Store
from infra.log.tail import Facts
from infra.moves import Overtaken, Write
from infra.rows.rowsets import add, remove
from projections import Moment
from sagas import Cancel, Deadline

MAX_AT_ONCE = 64
"""Process instances of one saga whose commands are on their way at the same time."""
MAX_STATES = 20_000
"""Process states kept in memory per saga."""
COMMAND_IDS = UUID("6f1a3c1e-5d0f-4f6e-9a34-0c9a55d3b6f2")
"""Namespace of the ids of commands that sagas send."""

log = structlog.get_logger("aorist.saga")


@cache
def deadlines_of(context: str) -> Table:
    """Return the table of deadlines of a context's sagas."""
    return Table(
        "deadlines",
        MetaData(),
        Column("saga", Text, primary_key=True),
        Column("process", Uuid, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("due", Moment),
        Column("command", Text),
        Column("data", Text),
        Column("key", Text),
        Column("correlation_id", Uuid),
        Column("causation_id", Uuid),
        Column("claimed_until", Moment),
        Index("deadlines_due", "due"),
        schema=context,
    )


DeadlineRows = dict[tuple[UUID, str], dict[str, Any] | None]
"""By process and name, the last word on each deadline of a batch; None forgets it."""


class SagaRunner:
    """The output of a saga's reader over one followed context."""

    def __init__(
        self,
        running: Running,
        store: Store,
        codec: Codec,
        features: Features,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        followed: str,
    ) -> None:
        self.caller = caller_of(running.name)
        self._running = running
        self._saga = running.saga
        self._store = store
        self._codec = codec
        self._features = features
        self._dispatcher = dispatcher
        self._clock = clock
        self._own = self._saga.process.KIND.partition(".")[0] == followed
        self._states: OrderedDict[UUID, State] = OrderedDict()
        self._upto: int | None = None
        """The position up to which the states in memory have seen every fact."""
        self._gate = asyncio.Semaphore(MAX_AT_ONCE)
        self._deadlines = deadlines_of(running.context)
        self.confirm: Callable[[], Awaitable[None]] | None = None
        """Asked before a command is sent; raises when the batch is another worker's by now."""

    async def __call__(self, facts: Facts) -> Write:
        """React to a batch: processes beside each other, the facts of one in order."""
        if self._upto is None or facts[0][1].position != self._upto + 1:
            # Some facts come again, or were another worker's, or are parked.
            self._states.clear()
        self._upto = None
        processes: dict[UUID, list[tuple[Event, Envelope]]] = {}
        for fact, at in facts:
            id = self._saga.locate(fact, at)
            if id is not None:
                processes.setdefault(id, []).append((fact, at))
        rows: DeadlineRows = {}
        try:
            async with asyncio.TaskGroup() as tasks:
                for id, concerned in processes.items():
                    tasks.create_task(self._process(id, concerned, rows))
        except ExceptionGroup as failed:
            overtaken = (one for one in failed.exceptions if isinstance(one, Overtaken))
            raise next(overtaken, failed.exceptions[0]) from failed
        self._upto = facts[-1][1].position

        async def write(connection: AsyncConnection) -> None:
            await self._write_deadlines(connection, rows)

        return write

    def key_of(self, fact: Event | None, at: Envelope) -> str | None:
        """Return the process instance a fact is parked by; see `infra.aside.parking.KeyOf`."""
        if at.kind == self._saga.process.KIND:
            return str(at.stream)
        id = None if fact is None else self._saga.locate(fact, at)
        return None if id is None else str(id)

    def forget(self) -> None:
        """Forget all states: some facts come again, or another worker had some."""
        self._states.clear()
        self._upto = None

    async def _process(
        self,
        id: UUID,
        facts: list[tuple[Event, Envelope]],
        rows: DeadlineRows,
    ) -> None:
        async with self._gate:
            for fact, at in facts:
                try:
                    state = await self._state(id, fact, at)
                except IdTaken:
                    continue  # the fact names something else than a process of this saga
                for number, step in enumerate(self._saga.react(id, fact, state)):
                    key = f"{at.context}:{at.position}:{number}"
                    if isinstance(step, Deadline):
                        rows[id, step.name] = self._row(id, step, at, key)
                    elif isinstance(step, Cancel):
                        rows[id, step.name] = None
                    else:
                        await self._send(step, key, at)

    async def _send(self, command: object, key: str, at: Envelope) -> None:
        if self.confirm is not None:
            await self.confirm()
        await send(
            self._dispatcher,
            self._running.name,
            command,
            key,
            correlation_id=at.correlation_id,
            causation_id=at.command_id,
        )

    async def _state(self, id: UUID, fact: Event, at: Envelope) -> State:
        """Return the process's state: as of the fact when both are of one log, else the newest.

        The reader sees every fact of its log in order, so a state in memory is folded on.
        """
        process = self._saga.process
        if not self._own:
            return fold(process, id, await self._store.stream(id), self._codec)  # type: ignore[no-any-return]
        known = self._states.get(id)
        if known is None:
            recorded = await self._store.stream(id)
            before = [one for one in recorded if one.at.position <= at.position]
            state: State = fold(process, id, before, self._codec)
        else:
            state = known.evolve(fact) if at.kind == process.KIND else known
        self._states[id] = state
        self._states.move_to_end(id)
        while len(self._states) > MAX_STATES:
            self._states.popitem(last=False)
        return state

    def _row(self, id: UUID, deadline: Deadline, at: Envelope, key: str) -> dict[str, Any]:
        handling = self._features.handlings[type(deadline.command)]
        return {
            "saga": self._running.name,
            "process": id,
            "name": deadline.name,
            # Counted from when the process could react: an outage does not eat its time.
            "due": self._clock.now() + deadline.after,
            "command": handling.name,
            "data": msgspec.json.encode(deadline.command).decode(),
            "key": key,
            "correlation_id": at.correlation_id,
            "causation_id": at.command_id,
            "claimed_until": None,
        }

    async def _write_deadlines(self, connection: AsyncConnection, rows: DeadlineRows) -> None:
        if not rows:
            return
        table = self._deadlines
        await remove(connection, table, [(self._running.name, *place) for place in rows])
        if kept := [row for row in rows.values() if row is not None]:
            await add(connection, table, kept)


def caller_of(saga: str) -> Caller:
    """Return the actor that a saga's commands have."""
    return Caller(actor=PROCESS + saga)


async def send(
    dispatcher: Dispatcher,
    saga: str,
    command: object,
    key: str,
    *,
    correlation_id: UUID,
    causation_id: UUID,
) -> None:
    """Dispatch a saga's command under a key, so that sending it again is inert.

    A refusal is kept in the audit trail and logged; the process goes on, and its deadline
    ends it should it wait in vain. Errors of the store are raised: the step is tried again.
    """
    try:
        await dispatcher.dispatch(
            command,
            caller_of(saga),
            Meta(
                key=key,
                command_id=uuid5(COMMAND_IDS, f"{saga}:{key}"),
                correlation_id=correlation_id,
                causation_id=causation_id,
            ),
        )
    except KeyReused:
        # The step was sent before and then read otherwise, from a state that has moved on since:
        # what was sent then counts.
        log.warning(
            "saga step sent before",
            saga=saga,
            command=type(command).__name__,
            key=key,
            correlation_id=str(correlation_id),
        )
    except Refused as refusal:
        log.warning(
            "saga step refused",
            saga=saga,
            command=type(command).__name__,
            key=key,
            code=refusal.code,
            correlation_id=str(correlation_id),
        )
