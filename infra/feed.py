"""Sends many commands at once, in their order where it matters, and counts what came of them.

Lines start in file order, a bounded number of them at a time. Two lines that name the same id, in
their fields or as their actor, are decided in file order; others may overtake each other. To
decide is a matter of memory and does not wait for the disk, so the lines of one busy aggregate
still travel in large batches. What a process does about a line comes later, in its own time: a
line that needs it belongs into a later file.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from domain import Refused
from infra.commandfile import Line
from infra.dispatch import Answer, Contended, InFlight, KeyReused, Meta
from infra.log.port import Busy, Key, LogError, Stored, Unavailable
from infra.system import System
from infra.turns import Turn, Turns

T = TypeVar("T")

CONCURRENCY = 256
"""Lines on their way at a time, unless told otherwise."""
MAX_CONCURRENCY = 5_000
MAX_LOOKED_UP = 500
"""Lines whose keys are looked up at once."""
MAX_NAMED = 5
"""Lines that a tally names for each refusal."""
MAX_TRIES = 8
"""Times a line is sent when the store is away or too busy; the pauses add up to 25 seconds."""
FIRST_PAUSE_S = 0.2

AGAIN = (Unavailable, Busy, Contended)
"""Errors after which a command may be sent again with its key."""


class Stopped(Exception):
    """A line could not be carried out; the message names it and says what to do."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"line {number}: {problem}")
        self.number = number
        self.problem = problem


@dataclass
class Refusals:
    """How often one rule said no, and where first."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    """The first line numbers, in order."""


@dataclass
class Tally:
    """What came of the lines so far."""

    started: int = 0
    accepted: int = 0
    repeated: int = 0
    """Accepted when they were sent before; they changed nothing now."""
    refused: int = 0
    refusals: dict[str, Refusals] = field(default_factory=dict)
    """By code."""
    bytes: int = 0
    """Of the file, up to the last line that was started."""

    @property
    def done(self) -> int:
        """Lines with an answer."""
        return self.accepted + self.repeated + self.refused

    def accept(self, answer: Answer) -> None:
        """Count an answer."""
        if answer.replayed:
            self.repeated += 1
        else:
            self.accepted += 1

    def refuse(self, code: str, number: int) -> None:
        """Count a refusal."""
        self.refused += 1
        refusals = self.refusals.setdefault(code, Refusals())
        refusals.count += 1
        refusals.lines = sorted([*refusals.lines, number])[:MAX_NAMED]


class Feed:
    """One run over a file's lines."""

    def __init__(self, system: System, concurrency: int = CONCURRENCY) -> None:
        self.tally = Tally()
        self._system = system
        self._free = asyncio.Semaphore(concurrency)
        self._turns = Turns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped: list[Stopped] = []

    async def run(self, pages: AsyncIterator[list[Line]]) -> None:
        """Send all lines.

        At the first that is broken or cannot be carried out nothing more is started; those
        before it get their answers. Raises what the iterator raises, or `Stopped`.
        """
        try:
            async for page in pages:
                for start in range(0, len(page), MAX_LOOKED_UP):
                    await self._start_all(page[start : start + MAX_LOOKED_UP])
                if self._stopped:
                    break
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks)
        if self._stopped:
            raise min(self._stopped, key=lambda stopped: stopped.number)

    async def _start_all(self, lines: list[Line]) -> None:
        try:
            answered = await self._answered(lines)
        except LogError as error:
            self._stopped.append(Stopped(lines[0].number, str(error)))
            return
        for line in lines:
            await self._free.acquire()
            if self._stopped:
                return
            self._start(line, answered.get(_key(line)))

    async def _answered(self, lines: list[Line]) -> dict[Key, Stored]:
        """Return what was carried out by a run before.

        It makes a repeated run fast. That no line has two effects is up to the log.
        """
        answered: dict[Key, Stored] = {}
        for context, log in self._system.logs.items():
            keys = [_key(line) for line in lines if line.name.startswith(f"{context}.")]
            if keys:
                answered |= await _insisted(partial(log.store.find_all, keys))
        return answered

    def _start(self, line: Line, stored: Stored | None) -> None:
        self.tally.started += 1
        self.tally.bytes = line.end
        turn = self._turns.take(line.ids | {_key(line)})
        task = asyncio.create_task(self._carry_out(line, turn, stored))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, line: Line, turn: Turn, stored: Stored | None) -> None:
        try:
            if stored:
                answer = self._system.dispatcher.answer_again(
                    line.command, line.by, Meta(key=line.key), stored
                )
            else:
                answer = await _insisted(partial(self._send, line, turn))
        except Refused as refusal:
            self.tally.refuse(refusal.code, line.number)
        except (LogError, KeyReused) as error:
            self._stopped.append(Stopped(line.number, str(error)))
        except Exception as error:  # noqa: BLE001 - a fault in a handler; named with its line
            self._stopped.append(Stopped(line.number, f"{type(error).__name__}: {error}"))
        else:
            self.tally.accept(answer)
        finally:
            self._turns.leave(turn)
            self._free.release()

    async def _send(self, line: Line, turn: Turn) -> Answer:
        while True:
            try:
                return await self._system.dispatch(line.command, line.by, Meta(key=line.key), turn)
            except InFlight:
                await turn.come(again=True)  # a line before it has the same key


async def _insisted(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, again and again while the store is away or too busy. Raises the last error."""
    pause = FIRST_PAUSE_S
    for _ in range(MAX_TRIES - 1):
        try:
            return await work()
        except AGAIN:
            await asyncio.sleep(pause)
            pause *= 2
    return await work()


def _key(line: Line) -> Key:
    return line.by.actor, line.name, line.key
