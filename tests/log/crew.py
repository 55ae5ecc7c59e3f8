"""Processes that a test starts, talks with, pauses and kills."""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

import structlog

END_S = 60
"""How long a process may go on after it was told its work."""

# Forked from a server that has imported everything already: a process starts in milliseconds.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["pytest", "tests.cli.program", "tests.log.load", "tests.log.loaded", "tests.probe.features"]
)

Link = Connection
Work = Callable[..., Coroutine[Any, Any, None]]


class Member:
    """One process: it does `work(link, *given)` in an event loop of its own."""

    def __init__(self, work: Work, *given: Any) -> None:
        self.link, theirs = processes.Pipe()
        self._process = processes.Process(target=_run, args=(theirs, work, given), daemon=True)
        self._process.start()
        theirs.close()
        self.heard: list[Any] = []
        """What it has said, in order."""

    async def hear(self) -> Any:
        """Return the next thing it says. Raises `EOFError` when it has ended."""
        said = await asyncio.to_thread(self._hear)
        self.heard.append(said)
        return said

    def _hear(self) -> Any:
        if not self.link.poll(END_S):
            raise TimeoutError(f"nothing heard of process {self.pid} for {END_S} s")
        try:
            return self.link.recv()
        except ConnectionResetError:
            raise EOFError from None

    async def hear_all(self) -> list[Any]:
        """Hear it out until it has ended; return everything it has said."""
        try:
            while True:
                await self.hear()
        except EOFError:
            return self.heard

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def say(self, word: Any) -> None:
        """Tell it something."""
        self.link.send(word)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP, SIGCONT."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._process.kill()

    def ended(self) -> int:
        """Wait for its end; return its exit code, or the signal as a negative number."""
        self._process.join(END_S)
        assert self._process.exitcode is not None, f"process {self.pid} does not end"
        return self._process.exitcode

    def close(self) -> None:
        """Make sure that it is gone."""
        self._process.kill()
        self._process.join(END_S)
        self.link.close()


class Crew:
    """The processes of one test. None of them outlives it."""

    def __init__(self) -> None:
        self.members: list[Member] = []

    def start(self, work: Work, *given: Any) -> Member:
        """Start one more."""
        self.members.append(Member(work, *given))
        return self.members[-1]


@contextmanager
def crew() -> Iterator[Crew]:
    """Yield an empty crew; dismiss it at the end."""
    made = Crew()
    try:
        yield made
    finally:
        for member in made.members:
            member.close()


def hear_all(members: Iterable[Member]) -> None:
    """Hear several processes out together, until all have ended; see `Member.heard`."""
    speaking = {member.link: member for member in members}
    while speaking:
        ready = wait(list(speaking), END_S)
        assert ready, f"nothing heard of {len(speaking)} processes for {END_S} s"
        for link in ready:
            assert isinstance(link, Connection)
            try:
                speaking[link].heard.append(link.recv())
            except (EOFError, ConnectionResetError):
                del speaking[link]


def _run(link: Link, work: Work, given: Iterable[Any]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(work(link, *given))
