"""The relay: follows a log and writes its facts to Kafka, every one once and in order.

Where it is in the log is written in the same Kafka transaction as the facts, and read back from
there; nothing else is trusted.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import structlog

from infra.bell import Bell
from infra.kafka.alone import Still, alone
from infra.kafka.encode import Message
from infra.kafka.parts import Mirror
from infra.kafka.producing import Producing, Watch, nobody

MAX_CHUNK = 1_000
"""Facts in one transaction; so many again are read while it is on its way."""
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0
LOOK_AGAIN_S = 60.0
"""How often it looks whether its topics are still set up as they must be."""

T = TypeVar("T")

log = structlog.get_logger("aorist.relay")


class Chunk(NamedTuple):
    """What goes in one transaction."""

    messages: list[Message]
    position: int
    """Of its last fact."""


class Relay:
    """Mirrors one context's log to one topic."""

    def __init__(
        self,
        mirror: Mirror,
        bell: Bell,
        *,
        chunk: int = MAX_CHUNK,
        watch: Watch = nobody,
    ) -> None:
        self.context = mirror.context
        self.topic = mirror.topic
        self.position = 0
        """Everything up to here is on Kafka, as far as this process knows."""
        self.failure: str | None = None
        """Why it cannot go on; None while it can."""
        self.failures = 0
        """How often it had to begin again."""
        self.stands_by = False
        """Whether it waits for another relay to go away."""
        self.is_known = False
        """Whether `position` was read from Kafka, or sent to it, and nobody else may move it."""
        self._mirror = mirror
        self._bell = bell
        self._limit = min(chunk, MAX_CHUNK)
        self._watch = watch
        self._coming: asyncio.Task[Chunk] | None = None
        """The chunk behind the one that is on its way, while it is far behind."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"relay-{mirror.context}")

    async def run(self, poll_s: float) -> None:
        """Mirror until cancelled; after a failure begin again, ever more slowly."""
        pause = FIRST_BACKOFF_S
        while True:
            before = self.position
            try:
                async with alone(self._mirror.database, self.topic, self._stand_by) as still:
                    self.stands_by = False
                    await self._relay(poll_s, still)
            except Exception as error:  # noqa: BLE001 - only a new producer is sure of anything
                self.failures += 1
                self.failure = f"{type(error).__name__}: {error}"
                pause = FIRST_BACKOFF_S if self.position > before else pause
                log.warning(
                    "relay stopped",
                    context=self.context,
                    position=self.position,
                    error=self.failure,
                    again_in_s=pause,
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_BACKOFF_S)

    def _stand_by(self) -> None:
        """Take note that another relay does it: what this one knows and complains of is old."""
        self.stands_by, self.is_known, self.failure = True, False, None

    async def _relay(self, poll_s: float, still: Still) -> None:
        """Mirror until something fails."""
        mirror = self._mirror
        opening = self._in_thread(
            lambda: Producing(mirror.connection, self.topic, mirror.partitions, self._watch)
        )
        try:
            producing = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_discard_late)
            raise
        try:
            self.position, self.is_known = producing.position, True
            # Only now: how far behind it is, is known without the ids.
            await asyncio.shield(self._in_thread(mirror.encoder.prepare))
            log.info("relay resumed", context=self.context, position=self.position)
            looked = time.monotonic()
            while True:
                await self._chunk(producing, poll_s)
                await still()
                self.failure = None
                if time.monotonic() - looked > LOOK_AGAIN_S:
                    await asyncio.shield(self._in_thread(producing.look))
                    looked = time.monotonic()
        finally:
            await self._drop()
            await asyncio.shield(self._in_thread(producing.discard))

    async def _chunk(self, producing: Producing, poll_s: float) -> None:
        """Send the next chunk, or wait for facts."""
        heard = self._bell.rings
        coming, self._coming = self._coming, None
        chunk = await coming if coming else await self._read(self.position)
        if not chunk.messages:
            if coming is None:  # else it was read before the chunk before it was sent
                await self._bell.wait(poll_s, heard)
            return
        if len(chunk.messages) == self._limit:
            # It is behind: the next chunk is read while the brokers acknowledge this one.
            self._coming = asyncio.create_task(self._read(chunk.position))
        started = time.perf_counter()
        await asyncio.shield(
            self._in_thread(lambda: producing.send(chunk.messages, chunk.position))
        )
        self.position = chunk.position
        log.info(
            "relayed",
            context=self.context,
            position=self.position,
            facts=len(chunk.messages),
            ms=round((time.perf_counter() - started) * 1000, 2),
        )

    async def _read(self, after: int) -> Chunk:
        facts = await self._mirror.tail.read(after, self._limit)
        messages = [self._mirror.encoder(fact, at) for fact, at in facts]
        return Chunk(messages, facts[-1][1].position if facts else after)

    async def _drop(self) -> None:
        """Let go of a chunk that nobody will send."""
        coming, self._coming = self._coming, None
        if coming:
            coming.cancel()
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()  # whoever reads it again is told

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        # One thread: what is thrown away waits for what it is in the middle of.
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


def _discard_late(opening: asyncio.Future[Producing]) -> None:
    """Throw away a producer that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().discard()
