"""Our side, in this process: a system opened as the program opens it, on the program's own loop.

Log lines are made as `aorist serve` makes them in production: as JSON, at the default level, one
write for each line; only that they end in /dev/null.
"""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
import uvloop

from commands import Caller
from commands.banking.account import DepositMoney, OpenAccount
from infra.clock import SystemIds
from infra.collector import look_rarely
from infra.log.group import GroupCommit
from infra.logging import configure
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.bench.figures import Measures

T = TypeVar("T")

IN_FLIGHT = 64
"""Commands or appends on their way at a time."""
CONTEXT = "banking"
TELLER = Caller(actor="00000000-0000-7000-8000-000000000001", address="127.0.0.1")
DEPOSIT = 100
"""Cents."""
ids = SystemIds()


@dataclass(frozen=True)
class Ours:
    """A system of one context, and the loop it runs on. Nothing follows its log."""

    system: System
    runner: asyncio.Runner

    @property
    def group(self) -> GroupCommit:
        """The queue in front of the log."""
        return self.system.logs[CONTEXT].group

    def run(self, work: Awaitable[T]) -> T:
        """Run a coroutine to its end."""

        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def times(self, work: Callable[[], Awaitable[object]], number: int) -> None:
        """Do `work` so many times, `IN_FLIGHT` at a time."""
        self.run(_times(work, number))

    def repeat(
        self, work: Callable[[], Awaitable[object]], seconds: float, workers: int = IN_FLIGHT
    ) -> Measures:
        """Have some workers do `work` again and again; returns the rate."""
        return self.run(_repeat(work, seconds, workers))


async def _repeat(work: Callable[[], Awaitable[object]], seconds: float, workers: int) -> Measures:
    started = time.perf_counter()

    async def worker() -> int:
        done = 0
        while time.perf_counter() - started < seconds:
            await work()
            done += 1
        return done

    done = sum(await asyncio.gather(*(worker() for _ in range(workers))))
    return {"rate": done / (time.perf_counter() - started), "done": done}


async def _times(work: Callable[[], Awaitable[object]], number: int) -> None:
    left = iter(range(number))

    async def worker() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


@contextlib.contextmanager
def opened(url: str, contexts: Sequence[str] = (CONTEXT,), **options: Any) -> Iterator[Ours]:
    """Open a system on an empty database, with the settings that the program has, or `options`."""
    settings = Settings(database_url=url, log_format="json", **options)
    collecting = gc.get_threshold()
    with (
        open(os.devnull, "w", buffering=1, encoding="utf-8") as nowhere,
        contextlib.redirect_stderr(nowhere),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        configure(settings)
        system = runner.run(open_system(settings, contexts))
        look_rarely()
        try:
            yield Ours(system, runner)
        finally:
            runner.run(system.close())
            structlog.reset_defaults()
            gc.unfreeze()
            gc.set_threshold(*collecting)


def accounts(ours: Ours, number: int) -> list[UUID]:
    """Open so many accounts."""
    made: list[UUID] = []

    async def open_one() -> None:
        account = ids.new()
        command = OpenAccount(
            account_id=account, holder_id=ids.new(), kind="checking", currency="EUR"
        )
        await ours.system.dispatch(command, TELLER)
        made.append(account)

    ours.times(open_one, number)
    return made


def deposit(account: UUID) -> DepositMoney:
    """Return a deposit that was not made before."""
    return DepositMoney(account_id=account, deposit_id=ids.new(), amount=DEPOSIT, currency="EUR")
