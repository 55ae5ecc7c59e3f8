"""Readers: follow a log from a stored position, and commit output and position together."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import is_process
from infra.aside.parking import Parked, Parking, TooMuchParked, concerns_a_fact, said
from infra.bell import Bell
from infra.log.port import MAX_PAGE, CorruptFact
from infra.log.tail import Facts, Tail
from infra.moves import Move, Moves, Overtaken, Write
from infra.rows.rowsets import Row

MAX_BACKOFF_S = 10.0
"""Longest pause between two tries of a reader that cannot go on."""
FIRST_BACKOFF_S = 0.1
SURE_S = 1.0
"""For how long a process trusts that nobody else has moved its reader; then it asks."""
FAR = 10
"""A projection that is far behind takes up to so many times its batch: few large writes."""

log = structlog.get_logger("aorist.reader")


class Output(Protocol):
    """What a reader does with facts."""

    async def __call__(self, facts: Facts) -> Write:
        """Work on a batch; the returned function writes its output in the reader's transaction.

        It may be called again for the same facts after a failure.
        """
        ...


@runtime_checkable
class Orderly(Protocol):
    """An output that depends on the order of facts of different keys."""

    async def late(self, facts: Facts) -> Write:
        """Work on facts that were parked: some behind them were handled before."""
        ...


class Reader:
    """Follows one context's log under a name."""

    def __init__(
        self,
        name: str,
        tail: Tail,
        moves: Moves,
        output: Output,
        *,
        batch: int,
        bell: Bell,
        observe: Callable[[str, int, float], None],
        parking: Parking | None = None,
    ) -> None:
        self.name = name
        self.context = tail.context
        self.position = 0
        self.failure: str | None = None
        """Why it cannot go on; None while it can."""
        self.moved = Bell()
        self.rest_s = 0.0
        """Pause after a batch that was not full: a bulk load wants few large batches."""
        self.parking = parking
        """What stands aside; without it the reader stops at a fact that it cannot handle."""
        self.turn = asyncio.Lock()
        """Held while a batch is handled, or parked facts are tried again."""
        self._tail = tail
        self._moves = moves
        self._output = output
        self._batch = batch
        self._bell = bell
        self._observe = observe
        self._sure_at = -SURE_S
        """When its position was last known to be the stored one, in the loop's time."""
        self._handling = False
        self._asking = asyncio.Lock()
        self._limit = batch
        # A process repeats its commands from its last position on: its batches stay small.
        self._most = batch if self.is_process else max(batch, min(FAR * batch, MAX_PAGE))

    @property
    def is_process(self) -> bool:
        """Whether it runs a saga: what it does makes new facts."""
        return is_process(self.name)

    @property
    def home(self) -> str:
        """The context that keeps its position and what it parks."""
        return self._moves.home

    @property
    def output(self) -> Output:
        """What it does with facts."""
        return self._output

    async def resume(self) -> None:
        """Take the position up from the store."""
        await self.resume_all([self])

    @staticmethod
    async def resume_all(readers: Iterable["Reader"]) -> None:
        """Take the positions of many readers up, by one query for each context they live in."""
        homes: dict[str, list[Reader]] = {}
        for reader in readers:
            homes.setdefault(reader.home, []).append(reader)
        for together in homes.values():
            places = await together[0]._moves.places()
            for reader in together:
                place = places.get(reader.name, Parked())
                reader.position = place.position
                reader._sure_at = asyncio.get_running_loop().time()
                if reader.parking:
                    reader.parking.know(place)
                reader.moved.ring()

    async def skip_to(self, position: int) -> None:
        """Leave out everything up to `position`: for a reader that must not act on history."""
        if position > self.position:
            await self._move(position, None, [], close=False)

    async def confirm(self) -> None:
        """Make sure, before a command is sent for a batch, that nobody else has moved on.

        A worker that was paused and wakes up in the middle of a batch sends nothing more: others
        have gone on. Raises `Overtaken`. It costs nothing while the reader moves.
        """
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if not self._handling or now - self._sure_at < SURE_S:
                return
            place = (await self._moves.places()).get(self.name, Parked())
            epoch = self.parking.epoch if self.parking else place.epoch
            if (place.position, place.epoch) != (self.position, epoch):
                raise Overtaken(f"{self.name} was moved by another worker; nothing more is sent")
            self._sure_at = now

    async def step(self) -> int:
        """Handle one batch; returns how many facts it passed. Raises what stops the reader.

        When a batch fails, half of it is tried, and so on, so that everything before a faulty
        fact is kept; that fact is tried a few times more, and parked.
        """
        async with self.turn:
            return await self._step()

    async def _step(self) -> int:
        started = time.perf_counter()
        while (passed := await self._try()) is None:
            pass  # a smaller batch is next
        self._limit = min(self._limit * 2, self._most if passed == self._limit else self._batch)
        seconds = time.perf_counter() - started
        if passed:
            self._observe(self.name, passed, seconds)
            log.info(
                "reader batch",
                reader=self.name,
                context=self.context,
                position=self.position,
                facts=passed,
                ms=round(seconds * 1000, 2),
            )
        return passed

    async def _try(self) -> int | None:
        """Handle a batch; None when it failed and a smaller one, made now, may tell why."""
        try:
            if self._limit > 1 or self.parking is None:
                return await self._handle()
            return await self._handle_one(self.parking)
        except (Overtaken, TooMuchParked):
            await self.resume()  # somebody else may have moved it, or let facts go
            raise
        except CorruptFact as error:
            if self._limit == 1 or self.parking is None or error.at is None:
                raise
            self._limit = 1  # the place is known
            return None
        except Exception as error:
            if self._limit == 1 or not concerns_a_fact(error):
                raise
            self._limit //= 2
            return None

    async def _handle_one(self, parking: Parking) -> int:
        """Handle the next fact, or park it."""
        try:
            return await parking.insisted(self._handle)
        except Exception as error:
            row = await self._aside(parking, error) if parking.may_park(error) else None
            if row is None:
                raise
            await self._move(row["position"], None, [row], close=False)
            where = {"reader": self.name, "context": self.context, "position": row["position"]}
            log.error("fact parked", **where, key=row["key"], error=said(error))
            return 1

    async def _aside(self, parking: Parking, error: Exception) -> Row | None:
        if isinstance(error, CorruptFact):
            return parking.aside(None, error.at, error) if error.at else None
        fact, at = (await self._tail.read(self.position, 1))[0]
        return parking.aside(fact, at, error)

    async def run(self, poll_s: float) -> None:
        """Follow until cancelled. A fault is logged and tried again, ever more slowly."""
        pause = FIRST_BACKOFF_S
        while True:
            heard = self._bell.rings  # what rings from here on may tell of what is not seen below
            try:
                passed = await self.step()
            except Overtaken:
                self.failure, pause = None, FIRST_BACKOFF_S
                # Another worker does it; this one stands by.
                await self._bell.wait(poll_s, heard)
                continue
            except Exception as error:  # noqa: BLE001 - kept, shown by /readyz, and tried again
                self._fail(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_BACKOFF_S)
                continue
            self.failure, pause = None, FIRST_BACKOFF_S
            if not passed:
                await self._bell.wait(poll_s, heard)
            if passed < self._batch and self.rest_s:
                await asyncio.sleep(self.rest_s)

    def _fail(self, error: Exception) -> None:
        failure = f"stopped after position {self.position}: {said(error)}"
        if failure != self.failure:
            log.error("reader stopped", reader=self.name, context=self.context, error=failure)
        self.failure = failure

    async def _handle(self) -> int:
        facts = await self._tail.read(self.position, self._limit)
        if not facts:
            return 0
        free, held = self.parking.split(facts) if self.parking else (facts, [])
        self._handling = True
        try:
            write = await self._output(free) if free else None
        finally:
            self._handling = False
        # One that is far behind has enough to write by itself, and one that failed may fail again.
        close = len(facts) < self._limit == self._batch
        await self._move(facts[-1][1].position, write, held, close=close)
        return len(facts)

    async def _move(
        self, position: int, write: Write | None, held: Sequence[Row], *, close: bool
    ) -> None:
        """Write, together with the new position, what was made of facts and what is parked."""
        epoch = self.parking.epoch if self.parking else 0
        if held and self.parking:
            write = self.parking.writing(write, held)
        move = Move(self.name, self.position, position, write or _nothing, epoch)
        await (self._moves.together(move) if close else self._moves.alone(move))
        if held and self.parking:
            self.parking.kept(held)
        self.position = position
        self._sure_at = asyncio.get_running_loop().time()
        self.moved.ring()


async def _nothing(_: AsyncConnection) -> None:
    """Write nothing beside the position."""
