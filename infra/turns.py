"""Keeps commands in order where it matters: those that name one id are decided in turn."""

import asyncio
from collections.abc import Hashable, Iterable

from infra.log.group import Pending


class Turn:
    """One command's place among those that share an id with it. `infra.dispatch` calls it."""

    def __init__(self, names: frozenset[Hashable], before: Iterable["Turn"]) -> None:
        self.names = names
        self._before = tuple(before)
        self._pending: Pending | None = None
        loop = asyncio.get_running_loop()
        self._decided: asyncio.Future[None] = loop.create_future()
        self._done: asyncio.Future[None] = loop.create_future()

    async def come(self, *, again: bool) -> None:
        """Wait until this command may be decided.

        At first for those before it to be decided: their outcome is in memory then, and their
        appends go to the log in front of this one's. When it is decided again, somebody else
        has written in between, so for those before it to be in the log; and those behind wait
        once more, for what this one decided is lost.
        """
        if again and self._decided.done():
            self._decided = asyncio.get_running_loop().create_future()
        for turn in self._before:
            if again:
                await asyncio.shield(turn._done)
            while not turn._decided.done():
                await asyncio.shield(turn._decided)

    @property
    def stands(self) -> bool:
        """Whether those before it are decided still: none of them has to decide again."""
        return all(turn._decided.done() for turn in self._before)

    @property
    def follows(self) -> list[Pending]:
        """The appends of those before it that are on their way: this one's is lost with them.

        A refusal counts too: were it lost, what follows it was decided on the wrong ground.
        """
        return [turn._pending for turn in self._before if turn._pending]

    def decided(self, pending: Pending | None = None) -> None:
        """Let those behind decide: this one's append is queued."""
        self._pending = pending
        if not self._decided.done():
            self._decided.set_result(None)

    def leave(self) -> None:
        """Let everybody go: the command is done, whatever came of it."""
        self.decided()  # and nothing of it is on its way any more
        self._before = ()
        if not self._done.done():
            self._done.set_result(None)


class Turns:
    """The commands on their way, by the ids they name; the bound is how many are on their way."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Turn] = {}

    def take(self, names: frozenset[Hashable]) -> Turn:
        """Line up behind the last command of each name."""
        turn = Turn(names, {self._last[name] for name in names if name in self._last})
        self._last.update(dict.fromkeys(names, turn))
        return turn

    def leave(self, turn: Turn) -> None:
        """Let a command go."""
        turn.leave()
        for name in turn.names:
            if self._last.get(name) is turn:
                del self._last[name]
