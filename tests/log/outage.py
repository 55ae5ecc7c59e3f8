"""Writers that live on while PostgreSQL is away, and one outage."""

import asyncio
from collections import Counter

from infra.log.port import Unavailable
from infra.system import System
from tests.log.load import Errand, Load, Told, errands, send
from tests.log.server import KILL_BACKEND, Server
from tests.scenario import until

MORE = 50
"""Commands that are answered between two outages."""


class Writers:
    """Writers that send one command after the other until they are told to stop."""

    def __init__(self, system: System, load: Load) -> None:
        self.told: list[Told] = []
        self.heard: Counter[type] = Counter()
        """What they heard instead of an answer."""
        self.stopped = False
        self._system = system
        self._load = load

    async def run(self) -> None:
        """Send; raises what is neither an answer nor a call to send again."""
        async with asyncio.TaskGroup() as writers:
            for errands_ in errands(self._load):
                writers.create_task(self._write(errands_))

    async def _write(self, sent: list[Errand]) -> None:
        for errand in sent:
            if self.stopped:
                return
            self.told.append(await send(self._system, errand, self.heard))

    async def more(self) -> None:
        """Wait until more commands have their answers."""
        goal = len(self.told) + MORE
        await until(lambda: len(self.told) >= goal)

    async def unavailable(self) -> None:
        """Wait until somebody hears that PostgreSQL is away."""
        before = self.heard[Unavailable]
        await until(lambda: self.heard[Unavailable] > before)


async def outage(server: Server, manner: str, writers: Writers) -> None:
    """Take PostgreSQL away from busy writers; return when they go on."""
    await writers.more()
    await asyncio.to_thread(server.end, manner)
    if manner != KILL_BACKEND:  # for then it recovers by itself
        await writers.unavailable()
        await asyncio.to_thread(server.start)
    await writers.more()
