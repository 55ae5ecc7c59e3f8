"""Readers that follow Kafka instead of the log: the same readers, read through another tail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from infra.kafka.ids import ids_of
from infra.kafka.merging import Decoder, Merged
from infra.kafka.parts import connection_of
from infra.kafka.sharing import Shares
from infra.kafka.topics import UNREACHABLE, Connection
from infra.log.codec import Codec
from infra.log.port import Store, Unavailable
from infra.log.tail import Facts, Tail
from infra.schemas.binary import Unreadable
from infra.schemas.cloudevents import topic_of
from infra.schemas.registry import RegistryFails
from infra.schemas.versions import committed
from infra.system import System

PLACES = 2
"""In a topic that are read from in turn: its end, and where a reader is that is behind."""


class KafkaTail(Tail):
    """The facts of a topic in the log's order, as `Tail` has those of a log."""

    def __init__(
        self,
        store: Store,
        codec: Codec,
        log: Tail,
        connection: Connection,
        topic: str,
        decode: Decoder,
    ) -> None:
        super().__init__(store, codec)
        self.topic = topic
        self._log = log
        self._connection = connection
        self._decode = decode
        self._merged: list[Merged] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{store.context}")

    async def _read(self, after: int, limit: int) -> Facts:
        time_ms = 0
        if after and after not in [one.position for one in self._merged]:
            # Where that is in the partitions follows from its time. No fact is taken from here.
            for recorded in await self._store.read(after - 1, 1):
                time_ms = int(recorded.at.time.timestamp() * 1000)
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(self._thread, self._look, after, time_ms, limit)
        facts = await asyncio.shield(reading)
        self._keep(list(facts))
        return facts

    def _look(self, after: int, time_ms: int, limit: int) -> Facts:
        try:
            return self._merged_at(after, time_ms).read(limit)
        except (*UNREACHABLE, Unavailable, Unreadable, LookupError, RegistryFails) as error:
            self._let_go()  # what is true then is asked anew
            if isinstance(error, Unavailable):
                raise
            # Not a matter of a fact: nothing is parked because of it.
            raise Unavailable(f"{self.topic}: {type(error).__name__}: {error}") from error

    def _merged_at(self, after: int, time_ms: int) -> Merged:
        """Return the topic from a position on."""
        for one in self._merged:
            if one.position == after:
                return one
        if len(self._merged) < PLACES:
            self._merged.append(Merged(self._connection, self.context, self.topic, self._decode))
        # The last one: whoever is at the end of the topic goes on there.
        self._merged.sort(key=lambda one: one.position, reverse=True)
        self._merged[-1].seek(after, time_ms)
        return self._merged[-1]

    def _let_go(self) -> None:
        for one in self._merged:
            one.close()
        self._merged.clear()

    async def close(self) -> None:
        """Break off what is being read, from the log's own tail too: others read through that."""
        await self._log.close()
        await super().close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()


class Shared(Tail):
    """A tail for one reader, which has nothing to read while another process has the reader."""

    def __init__(self, tail: KafkaTail, is_mine: Callable[[], bool]) -> None:
        self.context = tail.context
        self._tail = tail
        self._is_mine = is_mine

    async def read(self, after: int, limit: int) -> Facts:
        """Return facts as the tail does; none while the reader falls to another process."""
        return await self._tail.read(after, limit) if self._is_mine() else ()

    async def close(self) -> None:
        """Leave the tail to its owner."""


@asynccontextmanager
async def from_kafka(system: System) -> AsyncIterator[Shares]:
    """Have the readers of a system follow Kafka, those that fall to this process."""
    settings, facts, versions = system.settings, dict(system.features.facts), committed()
    connection = connection_of(settings)
    ids = ids_of(settings.schema_registry_url, versions)
    readers = [*system.readers, *system.standing_by]
    tails = {
        context: KafkaTail(
            system.logs[context].store,
            system.codec,
            system.tails[context],
            connection,
            topic_of(context, settings.kafka_prefix),
            Decoder(facts, versions, ids),
        )
        for context in {reader.context for reader in readers}
    }
    system.tails.update(tails)  # it closes them when its readers have ended
    topics = sorted(tail.topic for tail in tails.values())
    shares = Shares(connection, f"{settings.kafka_prefix}.readers", topics)
    for reader in readers:
        tail = tails[reader.context]

        def is_mine(name: str = reader.name, topic: str = tail.topic) -> bool:
            return shares.has(name, topic)

        reader.read_through(Shared(tail, is_mine))
    shares.start()
    try:
        yield shares
    finally:
        await asyncio.to_thread(shares.close)
