"""How long a request may take until its answer begins.

A query that takes longer is given up. A command is not: it may be written already, and what came
of it stands in its receipt. The caller is told so, and learns it by the same idempotency key.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import takewhile

from starlette.requests import Request
from starlette.types import Message, Scope

from api.problems import RETRY_AFTER_S, problem

Answer = Callable[[Message, bool], Awaitable[None]]
"""Sends a part of an answer; one that is late is sent in the request's place."""
LOOK_S = 0.05
"""How often it is looked whether there is one that takes too long."""
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing."""
GIVEN_UP = "it took longer than {seconds} s and was given up; ask for less, or again later"
GOES_ON = (
    "it takes longer than {seconds} s and goes on; send it again with the same Idempotency-Key, "
    "and the answer says what came of it. Without a key, look whether it has happened"
)


class Timeouts:
    """Looks at the requests that are on their way, all of them by one timer."""

    def __init__(self) -> None:
        self._open: dict[Deadline, None] = {}
        """In the order in which they began."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one that the timer runs on, while there is one."""

    def begin(self, scope: Scope, seconds: float, answer: Answer) -> "Deadline":
        """Start a request's clock."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(scope, seconds, answer, loop.time() + seconds)
        self._open[deadline] = None
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(LOOK_S, self._look)
        return deadline

    def met(self, deadline: "Deadline") -> None:
        """Stop a request's clock: its answer begins, or it has ended."""
        self._open.pop(deadline, None)

    def _look(self) -> None:
        assert self._loop is not None  # noqa: S101 - it runs this
        now = self._loop.time()
        # All have as many seconds, so those that began first are due first.
        for deadline in list(takewhile(lambda one: one.due <= now, self._open)):
            del self._open[deadline]
            deadline.passes()
        if self._open:
            self._loop.call_later(LOOK_S, self._look)
        else:
            self._loop = None


class Deadline:
    """Answers in a request's place when that takes too long; what it answers later is dropped."""

    __slots__ = ("_answer", "_scope", "_seconds", "_task", "_telling", "due", "passed")

    def __init__(self, scope: Scope, seconds: float, answer: Answer, due: float) -> None:
        self.passed = False
        """Whether it has passed before the answer began."""
        self.due = due
        self._scope = scope
        self._answer = answer
        self._seconds = seconds
        self._task = asyncio.current_task()
        self._telling: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Let go of the request: each holds the other, and only a collector frees the two."""
        self._answer = _nobody

    async def told(self) -> bool:
        """Wait until it is told that it has passed; tell whether the request was given up then."""
        if self._telling:
            await self._telling
        if self._scope["method"] not in SAFE:
            return False
        if self._task:
            self._task.uncancel()
        return True

    def passes(self) -> None:
        """Tell that it takes too long, and give the request up if it changes nothing."""
        self.passed = True
        self._telling = asyncio.create_task(self._tell(), name="too slow")
        if self._task and self._scope["method"] in SAFE:
            self._task.cancel()

    async def _tell(self) -> None:
        told = GIVEN_UP if self._scope["method"] in SAFE else GOES_ON
        detail = told.format(seconds=self._seconds)
        after = {"Retry-After": RETRY_AFTER_S}
        slow = problem(Request(self._scope), 503, "too_slow", detail, headers=after)

        async def nothing() -> Message:
            raise NotImplementedError("an answer that is there already asks for nothing")

        async def send(message: Message) -> None:
            await self._answer(message, True)

        await slow(self._scope, nothing, send)


async def _nobody(_message: Message, _late: bool) -> None:
    """Send nothing: the request has ended."""
