"""Given, when, then: facts through the real handlers, sagas and projections."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Select

from commands import Caller
from commands.commerce.payment import Gateway
from domain import Envelope, Event, Refused, State
from infra.acquirer import SimulatedAcquirer
from infra.discovery import Features
from infra.dispatch import Answer, Meta
from infra.loading import fold
from infra.log.port import Append, Origin, Write
from infra.readers import Reader
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from projections import Detail, Listing

S = TypeVar("S", bound=State)
T = TypeVar("T")

MAX_ROWS = 1_000
MAX_WAIT_S = 20
TELLER = Caller(actor="00000000-0000-7000-8000-000000000001")


class MovableClock:
    """The real time plus what the scenario has moved it by."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        """Return the scenario's time."""
        return datetime.now(UTC) + self.moved


class Scenario:
    """A whole system on an empty store, driven step by step. Nothing runs in the background."""

    def __init__(
        self, settings: Settings, context: str | None, features: Features | None = None
    ) -> None:
        self.clock = MovableClock()
        self.refusals: list[Refused] = []
        self._context = context
        self._runner = asyncio.Runner()
        self.acquirer = SimulatedAcquirer()
        ports: dict[type, object] = {Gateway: self.acquirer}
        self.system: System = self.run(
            open_system(settings, clock=self.clock, ports=ports, features=features)
        )
        self._before: dict[str, int] = {}

    def run(self, work: Awaitable[T]) -> T:
        """Run a coroutine on the scenario's loop."""

        async def awaited() -> T:
            return await work

        # Not the runner's own `run`: that asks for the handler of Ctrl-C each time, and Python
        # writes out what came of the work on the way.
        return self._runner.get_loop().run_until_complete(awaited())

    def close(self) -> None:
        """Release everything."""
        self.run(self.system.close())
        self._runner.close()

    def given(self, history: Mapping[UUID, Sequence[Event]]) -> Self:
        """Put facts in the log as history: projections see them, sagas do not react to them."""
        for stream, facts in history.items():
            self.run(self._append(stream, facts))
        self.run(self._past())
        return self

    def when(self, *commands: object, by: Caller = TELLER) -> Self:
        """Dispatch commands in order, then run sagas and projections until nothing moves."""
        self._before = self._heads()
        self.refusals = []
        for command in commands:
            try:
                self.run(self.system.dispatch(command, by))
            except Refused as refusal:
                self.refusals.append(refusal)
        return self.settle()

    def send(
        self, command: object, by: Caller = TELLER, to: System | None = None, **meta: Any
    ) -> Answer:
        """Dispatch one command, by another system if one is named; readers are left alone."""
        return self.run((to or self.system).dispatch(command, by, Meta(**meta)))

    def head(self) -> int:
        """Return the position of the context's last fact."""
        assert self._context is not None, "a world has a head for each of its contexts"
        return self.run(self.system.logs[self._context].store.head())

    def after(self, passed: timedelta) -> Self:
        """Move the clock; what is due by then fires, and everything comes to rest."""
        self._before = self._heads()
        self.refusals = []
        self.clock.moved += passed
        return self.settle()

    def settle(self) -> Self:
        """Run sagas, deadlines and projections until nothing moves."""
        self.run(self.system.settle())
        return self

    def then(self, *facts: Event) -> Self:
        """The new facts since the last `when` or `after`, in log order, are exactly these."""
        assert not self.refusals, f"refused: {self.refusals!r}"
        found = self.new_facts()
        assert found == list(facts), "\n".join(["the new facts are", *map(repr, found)])
        return self

    def refused(self, *refusals: type[Refused]) -> Self:
        """The commands of the last `when` were refused so, and nothing was appended."""
        assert [type(r) for r in self.refusals] == list(refusals), repr(self.refusals)
        assert self.new_facts() == []
        return self

    def new_facts(self) -> list[Event]:
        """Return the facts since the last `when` or `after`."""
        return [fact for fact, _ in self.facts(self._before)]

    def facts(self, after: Mapping[str, int] | None = None) -> list[tuple[Event, Envelope]]:
        """Return the facts of the scenario's context in log order; of all contexts for `world`."""
        found = []
        for context, log in self.system.logs.items():
            if self._context in (None, context):
                start = (after or {}).get(context, 0)
                recorded = self.run(log.store.read(start, 1_000_000))
                found += [(self.system.codec.decode(one), one.at) for one in recorded]
        return found

    def state(self, state: type[S], id: UUID) -> S:
        """Return an aggregate folded from the log."""
        log = self.system.logs[state.KIND.partition(".")[0]]
        folded: S = fold(state, id, self.run(log.store.stream(id)), self.system.codec)
        return folded

    def rows(self, query: Select[Any] | Listing | Detail) -> Any:
        """Return what a query function's answer finds: rows; for a `Detail`, the one row."""
        if isinstance(query, Detail):
            return self.run(self.system.queries.detail(query))
        if isinstance(query, Listing):
            rows, following = self.run(self.system.queries.page(query, MAX_ROWS))
            assert following is None, "more rows than a scenario expects"
            return rows
        return self.run(self.system.queries.all(query, MAX_ROWS))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the store by other means than the system's own; returns the rows."""
        database = next(iter(self.system.databases.values()))
        if database.is_sqlite:
            with closing(sqlite3.connect(database.path, timeout=10)) as connection, connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(database.conninfo, autocommit=True) as server:
            cursor = server.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _heads(self) -> dict[str, int]:
        return {context: self.run(log.store.head()) for context, log in self.system.logs.items()}

    async def _append(self, stream: UUID, facts: Sequence[Event]) -> None:
        log = self.system.logs[facts[0].TOPIC.partition(".")[0]]
        version = len(await log.store.stream(stream))
        id = uuid4()
        origin = Origin(
            command_id=id,
            command="given",
            actor="given",
            key=str(id),
            fingerprint="",
            correlation_id=id,
        )
        encoded = tuple(self.system.codec.encode(fact) for fact in facts)
        log.streams.drop(stream)
        pending = log.group.submit(Append(origin=origin, writes=(Write(stream, version, encoded),)))
        await pending.outcome()

    async def _past(self) -> None:
        await Reader.resume_all(self.system.readers)
        for reader in self.system.readers:
            if reader.is_process:
                await reader.skip_to(await self.system.logs[reader.context].store.head())
            while await reader.step():
                pass


async def until(ready: Callable[[], bool]) -> None:
    """Wait for what goes on in the background; fails when it does not come about."""
    async with asyncio.timeout(MAX_WAIT_S):
        while not ready():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)
