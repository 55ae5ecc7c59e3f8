"""Group commit: appends that arrive while a transaction is in flight go in the next one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable

import stamina
import structlog

from infra.log.port import (
    Accepted,
    Append,
    Busy,
    LogError,
    Outcome,
    Rejected,
    Stale,
    Store,
    Unavailable,
)

MAX_TRIES = 3
"""Times a batch is sent when the store gives no answer. Receipts make sending again safe."""
RETRY_S = 0.05
"""Pause before the second try, in seconds; doubled for the next."""

DECISION_S = 0.0001
"""About what it takes here until a caller who is told has decided its next append. A store that
needs longer for each append is not waiting for decisions, but they for it."""

WORTH_WAITING_S = 0.0005
"""Less is no line of others, but the rest of one batch."""
PAUSE_FACTOR = 5
"""How many times as long as its batches stand behind others' a process waits before the next. One
batch costs PostgreSQL as much as ten appends in it, and more when other processes have used the
processor's caches meanwhile; so fewer and larger ones make all of them faster."""
MAX_PAUSE_S = 0.02
"""The longest of these pauses."""

log = structlog.get_logger("aorist.log")

Observe = Callable[[int, float], None]
"""Called after each transaction with its size and its seconds."""


class Pending:
    """An append on its way. Those it was decided upon (`after`) must succeed before it can."""

    __slots__ = ("_outcome", "_waiters", "after", "append", "done", "lost", "sent_by")

    def __init__(self, append: Append, after: Iterable["Pending"]) -> None:
        self.append = append
        # One that is written needs no watching; one that is lost makes this one lost too.
        self.after = tuple([p for p in after if not p.done or p.lost])
        self.done: bool = False
        """Whether it is decided."""
        self.lost: bool = False
        """Whether it is decided and nothing of it was written."""
        self.sent_by: GroupCommit | None = None
        """The queue that it has left, to the store."""
        self._outcome: Outcome | LogError | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def outcome(self) -> Outcome:
        """Wait for the outcome. A caller who gives up does not stop the append."""
        if self._outcome is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if isinstance(self._outcome, LogError):
            raise self._outcome
        assert self._outcome is not None  # noqa: S101 - whoever wakes a waiter has set it
        return self._outcome

    def settle(self, outcome: Outcome | LogError) -> None:
        """Tell whoever waits. The chain behind is let go, so that it can be freed."""
        self.after = ()
        if self.done:
            return
        self.done, self.lost = True, not isinstance(outcome, Accepted)
        self._outcome = outcome
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class GroupCommit:
    """The queue in front of one store. No timer: an idle log commits at once."""

    def __init__(self, store: Store, *, batch: int, queue: int, observe: Observe) -> None:
        self._store = store
        self._batch = batch
        self._queue = queue
        self._observe = observe
        self._waiting: deque[Pending] = deque()
        self._looking: asyncio.Handle | None = None
        """Set when what waits is to be looked at."""
        self._sent: dict[asyncio.Task[None], list[Pending]] = {}
        """The batches on their way, at most as many as the store takes."""

    def submit(self, append: Append, after: Iterable[Pending] = ()) -> Pending:
        """Queue an append; await its `outcome()`. Raises `Busy` when the queue is full."""
        if len(self._waiting) >= self._queue:
            raise Busy(
                f"{len(self._waiting)} commands wait for the {self._store.context} log; "
                "send this one again later, with the same key"
            )
        pending = Pending(append, after)
        self._waiting.append(pending)
        self._look_soon()
        return pending

    async def close(self) -> None:
        """Wait until everything queued is decided."""
        while self._looking or self._sent:
            await (asyncio.wait(self._sent) if self._sent else asyncio.sleep(0))

    def _look_soon(self) -> None:
        """Look at what waits, once for all that come in one turn of the loop.

        Behind other processes it is later: what is sent stands in a line in the database, and
        none can join it any more. Whoever waits here instead goes with a larger batch.
        """
        if self._looking is not None:
            return
        loop, waited = asyncio.get_running_loop(), self._store.waited_s
        if waited > WORTH_WAITING_S:
            self._looking = loop.call_later(min(PAUSE_FACTOR * waited, MAX_PAUSE_S), self._look)
        else:
            self._looking = loop.call_soon(self._look)

    def _look(self) -> None:
        """Send what can be sent."""
        self._looking = None
        while len(self._sent) < self._most and (batch := self._next()):
            task = asyncio.create_task(self._write(batch), name=f"{self._store.context}-log")
            self._sent[task] = batch
            task.add_done_callback(self._ended)

    @property
    def _most(self) -> int:
        """Behind other processes, what is sent stands in a line that nothing can join: only one."""
        return 1 if self._store.waited_s > WORTH_WAITING_S else self._store.ahead

    def _next(self) -> list[Pending]:
        """Take the next batch: up to the first that was decided upon something still on its way."""
        batch: list[Pending] = []
        waiting = self._waiting
        while waiting and len(batch) < self._batch:
            after = waiting[0].after
            if after and any(one.sent_by is self and not one.done for one in after):
                break  # those of another log may be on their way there, and are not waited for
            batch.append(waiting.popleft())
        for pending in batch:
            pending.sent_by = self
        return batch

    async def _write(self, batch: list[Pending]) -> None:
        try:
            await self._commit(batch)
        except Exception as error:
            # Whatever goes wrong here must reach every waiter, before anything else is done
            # that may go wrong: nobody hangs.
            self._break_off(batch, error)
            log.exception("append broken off", context=self._store.context)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Go on with those who wait; or tell them, when it was cancelled, maybe before it began."""
        batch = self._sent.pop(task)
        if task.cancelled():
            self._break_off([*batch, *self._waiting], asyncio.CancelledError())
            self._waiting.clear()
        elif self._waiting:
            self._look_soon()

    @staticmethod
    def _break_off(batch: Iterable[Pending], error: BaseException) -> None:
        for pending in batch:
            pending.settle(Unavailable(f"the append was broken off by {type(error).__name__}"))

    async def _commit(self, batch: list[Pending]) -> None:
        todo = batch
        while todo := self._possible(todo):
            started = time.perf_counter()
            try:
                outcomes = await self._send(todo)
            except Rejected as error:
                if len(todo) == 1:
                    todo[0].settle(error)
                    return
                # Find the append with the value that the store refuses; the others go on.
                middle = len(todo) // 2
                await self._commit(todo[:middle])
                await self._commit(todo[middle:])
                return
            except LogError as error:
                for pending in todo:
                    pending.settle(error)
                return
            await self._settle(todo, outcomes, time.perf_counter() - started)
            if not any(pending.done for pending in todo):
                raise RuntimeError("the store decided nothing, and would not the next time")

    async def _settle(
        self, batch: list[Pending], outcomes: list[Outcome | None], seconds: float
    ) -> None:
        """Tell the outcomes: in two halves when that keeps both the store and this process busy.

        Told all at once, all come back at once with their next appends, and the store and this
        process wait for each other in turn. So those of the first half decide first, and the
        store has what they decided while those of the second half do.
        """
        told = list(zip(batch, outcomes, strict=True))
        alone = self._store.ahead > 1 and len(self._sent) == 1 and not self._waiting
        first = len(told) // 2 if alone and seconds < len(told) * DECISION_S else 0
        _tell(told[:first])
        try:
            self._observe(len(batch), seconds)
            if first:
                await asyncio.sleep(0)
        finally:
            _tell(told[first:])

    @staticmethod
    def _possible(batch: list[Pending]) -> list[Pending]:
        """Return those that are undecided; decided upon something lost, they are stale."""
        todo = []
        for pending in batch:
            if pending.done:
                continue
            if any(before.lost for before in pending.after):
                pending.settle(Stale(None))
            else:
                todo.append(pending)
        return todo

    async def _send(self, batch: list[Pending]) -> list[Outcome | None]:
        appends = [pending.append for pending in batch]
        try:
            return await self._store.append(appends)
        except Unavailable as error:
            first_try: Unavailable | None = error
        # Only now: to set this up for each batch costs as much as to decide one of its commands.
        async for attempt in stamina.retry_context(
            on=Unavailable, attempts=MAX_TRIES, wait_initial=RETRY_S, wait_jitter=0, timeout=None
        ):
            with attempt:
                if first_try is not None:
                    lost, first_try = first_try, None
                    raise lost
                return await self._store.append(appends)
        raise AssertionError("unreachable")


def _tell(told: Iterable[tuple[Pending, Outcome | None]]) -> None:
    for pending, outcome in told:
        if outcome is not None:
            pending.settle(outcome)
