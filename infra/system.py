"""A running Aorist: dispatch, queries, readers and deadlines of one process."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import structlog
from psycopg_pool import AsyncConnectionPool

from commands import Caller, Clock
from infra.aside.parking import Figures, figures
from infra.bell import Bell
from infra.database import Database
from infra.deadlines import Deadlines
from infra.discovery import Features
from infra.dispatch import NOTHING, Answer, ContextLog, Dispatcher, Meta
from infra.guarding.guards import Guards
from infra.log.codec import Codec
from infra.log.notify import listen
from infra.log.tail import Tail
from infra.logins import Logins
from infra.moves import Moves
from infra.queries import Queries
from infra.readers import Reader
from infra.rebuilding.renewal import Outdated, all_told
from infra.redis import AWAY, Link
from infra.session import Turn
from infra.settings import Settings
from infra.telemetry import ParkedGauges, Telemetry

log = structlog.get_logger("aorist.system")

CANCEL_AGAIN_S = 0.5
CATCH_UP_POLL_S = 0.02
PROCESS_REST_S = 0.03
"""Longest rest of a saga's reader when nothing else comes in: steps wait for each other."""
EASE_LAG = 500
"""Facts behind all in all from which on no reader rests."""
STUCK_S = 3.0
"""How long a reader may fail before nobody waits for it any longer."""
MAX_ROUNDS = 10_000
"""Rounds in which `settle` expects everything to come to rest."""


class ReaderStopped(Exception):
    """A reader cannot go on; the message names it, its position and what stops it."""


@runtime_checkable
class Source(Protocol):
    """An adapter to the outside world that sends commands by itself: answers that come late."""

    async def run(self, deliver: Callable[[object, Caller], Awaitable[object]]) -> None:
        """Send commands with `deliver`, until cancelled."""
        ...


@dataclass(repr=False)  # of everything that it holds: whatever mentions it would pay for that
class System:
    """A running Aorist, or one context of it: what the API and the command line work with."""

    settings: Settings
    features: Features
    contexts: tuple[str, ...]
    codec: Codec
    clock: Clock
    databases: dict[str, Database]
    logs: dict[str, ContextLog]
    dispatcher: Dispatcher
    readers: list[Reader]
    deadlines: list[Deadlines]
    queries: Queries
    telemetry: Telemetry
    bells: dict[str, Bell]
    tails: dict[str, Tail]
    moves: Sequence[Moves]
    guards: Guards
    link: Link | None = None
    """The way to Redis; None where none is set."""
    logins: Logins | None = None
    """What knows who calls; None where there are no users."""
    outdated: list[Outdated] = field(default_factory=list)
    """Projections whose live tables were filled by other code: to be rebuilt."""
    standing_by: list[Reader] = field(default_factory=list)
    """Readers of those that are laid out otherwise, too: they write nothing until then."""
    sources: list[Source] = field(default_factory=list)
    """Adapters to the outside world that speak by themselves."""
    pools: dict[Database, AsyncConnectionPool] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def dispatch(
        self, command: object, by: Caller, meta: Meta = NOTHING, turn: Turn | None = None
    ) -> Answer:
        """Run one command; see `Dispatcher.dispatch`."""
        return await self.dispatcher.dispatch(command, by, meta, turn)

    async def follow(self, *, rest_s: float = 0.0) -> None:
        """Start the readers and the deadlines in the background.

        With `rest_s` the readers rest so long after each batch that was not full: under a bulk
        load they work in large batches then, and leave the processor to the commands. Nothing is
        watched or audited meanwhile: whoever serves afterwards does so.
        """
        await Reader.resume_all(self.readers)
        for reader in self.readers:
            reader.rest_s = rest_s
        poll_s = self.settings.reader_poll_ms / 1000
        for reader in self.readers:
            self._start(reader.run(poll_s), reader.name)
        for deadlines in self.deadlines:
            self._start(deadlines.run(self.settings.timer_poll_ms / 1000), deadlines.name)
        await self.guards.resume()
        if not rest_s:
            for name, run in self.guards.runs(poll_s):
                self._start(run, name)
        self.attend()
        for source in self.sources:
            self._start(source.run(self.dispatch), type(source).__name__)
        self._listen()
        self.queries.local = True

    def attend(self) -> None:
        """Keep up with who may act, in the background; `follow` does so too."""
        if self.logins:
            run = self.logins.access.run(self.settings.reader_poll_ms / 1000)
            self._start(run, "access")

    async def renewed(self, outdated: Outdated) -> None:
        """Take note that a projection's tables are this program's now; its reader follows them."""
        self.outdated.remove(outdated)
        for reader in [one for one in self.standing_by if one.name == outdated.projecting.name]:
            self.standing_by.remove(reader)
            await reader.resume()
            self.readers.append(reader)
            self.queries.adopt(reader)
            if self.queries.local:
                self._start(reader.run(self.settings.reader_poll_ms / 1000), reader.name)

    async def catch_up(self, watch: Callable[[int, int], None] = lambda passed, lag: None) -> None:
        """Wait until the readers have passed every fact, those that sagas cause on the way too.

        `watch` hears how many facts they have passed and how many they are behind. Deadlines
        that are not due yet are not waited for. Raises `ReaderStopped` when a reader cannot go on.
        """
        stuck_since: float | None = None
        start = sum(reader.position for reader in self.readers)
        while lag := await self._lag():
            watch(sum(reader.position for reader in self.readers) - start, lag)
            self._ease(lag)
            stuck = [reader for reader in self.readers if reader.failure]
            now = asyncio.get_running_loop().time()
            stuck_since = (stuck_since or now) if stuck else None
            if stuck_since is not None and now - stuck_since > STUCK_S:
                raise ReaderStopped("; ".join(f"{one.name} {one.failure}" for one in stuck))
            await asyncio.sleep(CATCH_UP_POLL_S)

    def _ease(self, lag: int) -> None:
        """Let readers rest less towards the end: processes first, they have the longest way."""
        for reader in self.readers:
            longest = 0.0 if lag < EASE_LAG else PROCESS_REST_S if reader.is_process else 1.0
            reader.rest_s = min(reader.rest_s, longest)

    async def _lag(self) -> int:
        # Positions first: what a saga caused before it moved is then in the heads.
        positions = [(reader.context, reader.position) for reader in self.readers]
        heads = {context: await log.store.head() for context, log in self.logs.items()}
        return sum(max(0, heads[context] - position) for context, position in positions)

    async def settle(self) -> None:
        """Step readers and due deadlines until nothing moves; for scripts and tests."""
        await Reader.resume_all(self.readers)
        self.queries.local = True
        # Projections cause nothing: they catch up, in large batches, once the processes rest.
        sagas = [reader for reader in self.readers if reader.is_process]
        projections = [reader for reader in self.readers if not reader.is_process]
        for _ in range(MAX_ROUNDS):
            moved = await self._step(sagas)
            if not moved:  # a process that has something to do yet may end its deadline
                for deadlines in self.deadlines:
                    moved += await deadlines.step()
            if not moved and not await self._step(projections):
                return await self.snapshots_written()
        raise RuntimeError(f"the readers did not come to rest in {MAX_ROUNDS} rounds")

    async def snapshots_written(self) -> None:
        """Wait until the snapshots that are due are written, or have failed."""
        for log in self.logs.values():
            await log.streams.snapshots.written()

    async def _step(self, readers: Sequence[Reader]) -> int:
        heads = {context: await log.store.head() for context, log in self.logs.items()}
        moved = 0
        for reader in readers:
            if reader.position < heads[reader.context]:
                moved += await reader.step()
        return moved

    async def measure(self) -> None:
        """Bring the gauges up to date."""
        gauges = self.telemetry.gauges
        totals: dict[str, int] = {}
        for database in set(self.databases.values()):
            for state, number in database.connections().items():
                totals[state] = totals.get(state, 0) + number
        for pool in self.pools.values():
            stats = pool.get_stats()
            size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
            totals["active"] = totals.get("active", 0) + size - idle
            totals["idle"] = totals.get("idle", 0) + idle
        gauges.connections = totals
        if not self.queries.local:
            await Reader.resume_all(self.readers)  # another process moves them
            await self.guards.resume()
        heads = {context: await log.store.head() for context, log in self.logs.items()}
        gauges.lag = {
            (reader.name, reader.context): heads[reader.context] - reader.position
            for reader in self.readers
        }
        gauges.watch_lag = self.guards.lag(heads)
        gauges.parked = await self._parked(heads)
        gauges.health = {
            (one.name, one.context): 0
            if one.failure
            else 1
            if gauges.parked[one.name, one.context].facts
            else 2
            for one in self.readers
        }

    async def _parked(self, heads: dict[str, int]) -> dict[tuple[str, str], ParkedGauges]:
        found: dict[str, Figures] = {}
        for home in {reader.home for reader in self.readers}:
            found |= await figures(self.databases[home], home)
        now = self.clock.now()
        gauges = {}
        for reader in self.readers:
            of = found.get(reader.name)
            lag = heads[reader.context] - of.first + 1 if of else 0
            age_s = max(0.0, (now - of.since).total_seconds()) if of else 0.0
            gauges[reader.name, reader.context] = ParkedGauges(
                of.facts if of else 0, of.keys if of else 0, lag, age_s
            )
        return gauges

    async def degraded(self) -> list[str]:
        """Return in sentences what works in part only: parked facts, rebuilds, no Redis."""
        rebuilds = await all_told(self.outdated, self.databases)
        alone = [AWAY] if self.link and not await self.link.answers() else []
        return [*self.telemetry.gauges.told(), *rebuilds, *alone]

    async def close(self) -> None:
        """Stop following, finish what is queued, release everything."""
        pending = set(self.tasks)
        while pending:
            # Python 3.11 loses a cancellation that comes in the same moment as a result.
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
        self.tasks.clear()
        for tail in self.tails.values():
            await tail.close()
        for moves in self.moves:
            await moves.close()
        await self.guards.close()
        await self.queries.close()
        for log in self.logs.values():
            await log.group.close()
            await log.streams.following.close()
            await log.streams.snapshots.close()
            await log.store.close()
        for pool in self.pools.values():
            await pool.close()
        for database in set(self.databases.values()):
            await database.close()
        if self.link:
            await self.link.close()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_tell_its_end)
        self.tasks.append(task)

    def _listen(self) -> None:
        for database in set(self.databases.values()):
            if not database.is_sqlite:
                bells = {c: self.bells[c] for c, of in self.databases.items() if of is database}
                self._start(listen(database, bells), f"listen {', '.join(bells)}")


def _tell_its_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("task ended", task=task.get_name(), exc_info=error)
