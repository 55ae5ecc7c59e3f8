"""What a soak kills, on which store, and what it counts."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log import reading
from tests.log.crew import crew
from tests.log.killing import contradictions, kill_at
from tests.log.load import Load, Told, start_jobs, write
from tests.log.outage import Writers, outage
from tests.log.points import HELD_UP, POINTS
from tests.log.server import MANNERS, Server
from tests.log.verify import violations
from tests.probe.features import FEATURES

STREAMS = 8
CHECK_EVERY = 25
"""Kills between two checks of the whole logs."""
Kill = Callable[[str], Coroutine[Any, Any, None]]


class World:
    """One store, and the process that outlives the others on it: this one."""

    def __init__(self, store: str, settings: Settings, system: System) -> None:
        self.store = store
        self.settings = settings
        self.system = system
        self.told: dict[str, Told] = {}
        """The last answer to each key."""

    @classmethod
    @asynccontextmanager
    async def opened(cls, store: str, url: str) -> AsyncIterator["World"]:
        """Yield a world on an empty store."""
        settings = Settings(database_url=url, database_connections=4, reader_poll_ms=20)
        system = await open_system(settings, features=FEATURES)
        try:
            await start_jobs(system, STREAMS)
            yield cls(store, settings, system)
        finally:
            await system.close()


class Soak:
    """Kills by the dice, and what came of them."""

    def __init__(self, server: Server, worlds: tuple[World, World], dice: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        """By what is killed, and where."""
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._server = server
        self._worlds = worlds
        self._dice = dice
        self._choices: list[tuple[str, Kill, str]] = []
        for world in worlds:
            for place in POINTS[world.store]:
                self._choices.append((f"{world.store} writer", self._writer(world), place))
            for place in reading.PLACES:
                self._choices.append((f"{world.store} reader", self._reader(world), place))
        for manner in MANNERS:
            self._choices.append(("server", self._outage, manner))

    async def kill(self) -> None:
        """Kill something somewhere, and see what is left."""
        who, kill, place = self._dice.choice(self._choices)
        self.kills[f"{who}, {place}"] += 1
        try:
            await kill(place)
            if self.kills.total() % CHECK_EVERY == 0:
                await self.check()
        except (AssertionError, TimeoutError, ExceptionGroup) as error:
            self.wrong.append(f"{type(error).__name__}: {error!s:.2000}")
        if self.wrong:
            self.wrong.append(f"after kill {self.kills.total()}: {who}, {place}")

    async def check(self, *, to_the_end: bool = False) -> None:
        """Look for what is wrong in the logs; and in all rows, when readers are let to the end."""
        for world in self._worlds:
            store = world.system.logs["probe"].store
            self.wrong += await violations(store, world.told.values())
            while to_the_end and await reading.rows_of(world.system).step():
                pass
            self.wrong += await reading.disagreements(world.system)

    def report(self) -> str:
        """Return the counts, and what is wrong, as text."""
        lines = [f"{number:6} {place}" for place, number in sorted(self.kills.items())]
        lines += [f"{number:6} {answer}" for answer, number in sorted(self.answers.items())]
        return "\n".join([*lines, *(f"WRONG: {one}" for one in self.wrong or ())])

    def _hear(self, world: World, told: list[Told], how: str) -> None:
        for one in told:
            result = "acknowledged" if one.result == "accepted" else one.result
            self.answers[f"commands {result}{how}"] += 1
            self.answers["tries that had no answer"] += one.tries - 1
            world.told[one.key] = one

    def _load(self, name: str, writers: int, each: int) -> Load:
        return Load(f"{name}{self.kills.total()}", writers, each, STREAMS, self._seed())

    def _seed(self) -> int:
        return self._dice.getrandbits(32)

    def _writer(self, world: World) -> Kill:
        async def kill(place: str) -> None:
            with crew() as members:
                # Another one that writes on, except where it would be held up itself.
                others = [] if place in HELD_UP else [self._load("other", 4, 6)]
                beside = [members.start(write, world.settings, load) for load in others]
                load = self._load("killed", 6, 8)
                before, again = await kill_at(place, members, world.settings, world.system, load)
                for member in beside:
                    self._hear(world, await member.hear_all(), "")
                    assert member.ended() == 0
            self.wrong += contradictions(before, again)
            self._hear(world, before, "")
            self._hear(world, again, " when sent again")

        return kill

    def _reader(self, world: World) -> Kill:
        async def kill(place: str) -> None:
            with crew() as members:
                # Something to read, at least.
                writer = members.start(write, world.settings, self._load("read", 4, 20))
                self._hear(world, await writer.hear_all(), "")
                await reading.kill_reader_at(
                    place, members, world.settings, random.Random(self._seed())
                )
            self.wrong += await reading.disagreements(world.system)

        return kill

    async def _outage(self, manner: str) -> None:
        world = self._worlds[0]
        writers = Writers(world.system, self._load("outlived", 12, 10_000))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writers.run())
            await outage(self._server, manner, writers)
            writers.stopped = True
        self._hear(world, writers.told, "")
