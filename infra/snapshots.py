"""Takes snapshots of states beside the commands: they may come late, or never, and do no harm."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from domain import State
from infra.log.group import Pending
from infra.log.histories import Histories, Snapshot
from infra.log.port import Accepted, LogError, Unavailable
from infra.shapes import Shape

MAX_WAITING = 1_000
"""Streams whose snapshots wait to be written; more are left for later."""
CLOSE_S = 5.0
"""How long a stop waits for those that are due."""

log = structlog.get_logger("aorist.snapshots")

Observe = Callable[[str], None]
"""Called with what became of a snapshot: taken, used, unfit, skipped, failed."""


class Offer(NamedTuple):
    """A state that is in the log, or will be when `pending` is accepted."""

    state: State
    version: int
    pending: Pending | None


class Unfaithful(Exception):
    """A state that does not come back from its snapshot as it was."""


class Snapshots:
    """The snapshots of one context's states."""

    def __init__(
        self,
        context: str,
        histories: Histories,
        shapes: Mapping[type[State], Shape[Any]],
        observe: Observe,
    ) -> None:
        self._context = context
        self._histories = histories
        self._observe = observe
        self.shapes = shapes
        self._unfit: dict[tuple[UUID, str, int], None] = {}
        self._offers: dict[UUID, Offer] = {}
        self._task: asyncio.Task[None] | None = None

    # Reading

    def topic_of(self, kind: type[State]) -> str | None:
        """Return what a state's snapshots are found by; None when it has none."""
        shape = self.shapes.get(kind)
        return shape.topic if shape else None

    def decode(self, kind: type[State], data: str) -> State:
        """Return the state in a snapshot. Raises `msgspec.DecodeError`."""
        state: State = self.shapes[kind].decode(data)
        self._observe("used")
        return state

    def unfit(self, id: UUID, kind: type[State], version: int, why: str) -> None:
        """Hear of a snapshot that could not be used; it is deleted."""
        topic = self.shapes[kind].topic
        self._observe("unfit")
        log.warning(
            "snapshot unfit",
            context=self._context,
            kind=kind.KIND,
            stream=str(id),
            version=version,
            why=why,
        )
        if len(self._unfit) < MAX_WAITING:
            self._unfit[id, topic, version] = None
            self._begin()

    # Taking

    def offer(self, id: UUID, state: State, version: int, pending: Pending | None) -> None:
        """Let a state be kept as soon as it is known to be in the log. Never waits, never fails."""
        if type(state) not in self.shapes:
            return
        if len(self._offers) >= MAX_WAITING and id not in self._offers:
            self._observe("skipped")
            return
        self._offers[id] = Offer(state, version, pending)
        self._begin()

    async def written(self) -> None:
        """Wait until nothing waits to be written."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Write what is due, if that is soon done."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=CLOSE_S)
            self._offers.clear()
            self._unfit.clear()
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name=f"{self._context}-snapshots")

    async def _drain(self) -> None:
        while self._unfit or self._offers:
            try:
                # First: what is taken anew must not be deleted.
                while self._unfit:
                    await self._histories.drop(*self._unfit.popitem()[0])
                if self._offers:
                    id = next(iter(self._offers))
                    await self._take(id, self._offers.pop(id))
            except Unavailable as error:
                for _ in range(1 + len(self._offers)):
                    self._observe("failed")
                log.warning("snapshots given up", context=self._context, error=str(error))
                self._offers.clear()
                self._unfit.clear()
            except Exception as error:
                self._observe("failed")
                log.exception("snapshot failed", context=self._context, error=str(error))

    async def _take(self, id: UUID, offer: Offer) -> None:
        if offer.pending is not None and not await _accepted(offer.pending):
            return
        shape = self.shapes[type(offer.state)]
        data = shape.encode(offer.state)
        if shape.decode(data) != offer.state:
            raise Unfaithful(f"{shape.topic}: the state of {id} at version {offer.version}")
        snapshot = Snapshot(id, shape.topic, offer.version, data.decode())
        await self._histories.keep(snapshot, shape.state.SNAPSHOT_EVERY)
        self._observe("taken")


async def _accepted(pending: Pending) -> bool:
    try:
        return isinstance(await pending.outcome(), Accepted)
    except LogError:
        return False  # its command knows
