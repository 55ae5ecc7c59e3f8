"""Readers: follow a log from a stored position, and commit output and position together."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import is_process
from infra.bell import Bell
from infra.log.port import MAX_PAGE, CorruptFact, Unavailable
from infra.log.tail import Facts, Tail
from infra.moves import Move, Moves, Overtaken, Write

MAX_BACKOFF_S = 10.0
"""Longest pause between two tries of a reader that cannot go on."""
FIRST_BACKOFF_S = 0.1
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
    ) -> None:
        self.name = name
        self.context = tail.context
        self.position = 0
        self.failure: str | None = None
        """Why it cannot go on; None while it can."""
        self.moved = Bell()
        self.rest_s = 0.0
        """Pause after a batch that was not full: a bulk load wants few large batches."""
        self._tail = tail
        self._moves = moves
        self._output = output
        self._batch = batch
        self._bell = bell
        self._observe = observe
        self._limit = batch
        # A process repeats its commands from its last position on: its batches stay small.
        self._most = batch if self.is_process else max(batch, min(FAR * batch, MAX_PAGE))

    @property
    def is_process(self) -> bool:
        """Whether it runs a saga: what it does makes new facts."""
        return is_process(self.name)

    async def resume(self) -> None:
        """Take the position up from the store."""
        await self.resume_all([self])

    @staticmethod
    async def resume_all(readers: Iterable["Reader"]) -> None:
        """Take the positions of many readers up, by one query for each context they live in."""
        homes: dict[str, list[Reader]] = {}
        for reader in readers:
            homes.setdefault(reader._moves.home, []).append(reader)
        for together in homes.values():
            positions = await together[0]._moves.positions()
            for reader in together:
                reader.position = positions.get(reader.name, 0)
                reader.moved.ring()

    async def skip_to(self, position: int) -> None:
        """Leave out everything up to `position`: for a reader that must not act on history."""
        if position > self.position:
            await self._moves.alone(Move(self.name, self.position, position, _nothing))
            self.position = position

    async def step(self) -> int:
        """Handle one batch; returns how many facts it passed. Raises what stops the reader.

        When a batch fails, half of it is tried, and so on, so that everything before a faulty
        fact is kept and the position says exactly where the reader stands.
        """
        started = time.perf_counter()
        while (passed := await self._try()) is None:
            self._limit //= 2
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
        """Handle a batch; None when it failed and a smaller one may tell why."""
        try:
            return await self._handle(await self._tail.read(self.position, self._limit))
        except Overtaken:
            await self.resume()
            raise
        except (CorruptFact, Unavailable):
            raise  # the place is known, or it is not about a fact
        except Exception:
            if self._limit == 1:
                raise
            return None

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
        # One line: what a database adds below it are the values of a row.
        reason = str(error).strip().partition("\n")[0]
        failure = f"stopped after position {self.position}: {type(error).__name__}: {reason}"
        if failure != self.failure:
            log.error("reader stopped", reader=self.name, context=self.context, error=failure)
        self.failure = failure

    async def _handle(self, facts: Facts) -> int:
        if not facts:
            return 0
        write = await self._output(facts)
        position = facts[-1][1].position
        move = Move(self.name, self.position, position, write)
        # One that is far behind has enough to write by itself, and one that failed may fail again.
        close = len(facts) < self._limit == self._batch
        await (self._moves.together(move) if close else self._moves.alone(move))
        self.position = position
        self.moved.ring()
        return len(facts)


async def _nothing(_: AsyncConnection) -> None:
    """Write nothing beside the position."""
