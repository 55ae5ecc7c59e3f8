"""A consumer group shares readers out: who has a partition runs the readers that fall to it.

What a reader reads does not depend on it, nor that it does everything once: that rests on its
stored position. So two workers that believe for a while to have the same reader do no harm.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from zlib import crc32

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaError, KafkaTimeoutError

from infra.kafka.clients import made
from infra.kafka.topics import PATIENCE, Connection

SESSION = {
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 1_500,
    "max_poll_interval_ms": 60_000,
    # So soon are topics found that were not there at first.
    "metadata_max_age_ms": 5_000,
}
JOINING_S = 20.0
"""How long a consumer may be on its way into the group until another one is tried."""
POLL_MS = 200
RETRY_S = 1.0

log = structlog.get_logger("aorist.sharing")


class Shares:
    """Which readers fall to this process."""

    def __init__(self, connection: Connection, group: str, topics: Sequence[str]) -> None:
        self._connection = connection
        self._group = group
        self._topics = topics
        self._mine: frozenset[TopicPartition] = frozenset()
        self._counts: dict[str, int] = {}
        self._over = threading.Event()
        self.failure: Exception | None = None
        """What ended it, if nobody did; then no reader falls to this process any more."""
        self._thread = threading.Thread(target=self._run, name="shares", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def close(self) -> None:
        """Leave the group."""
        self._over.set()
        self._thread.join()

    async def ended(self) -> str:
        """Wait until it is over; return what ended it, in a sentence, if nobody did."""
        await asyncio.to_thread(self._thread.join)
        if self.failure is None:
            return ""
        kind = type(self.failure).__name__
        return f"readers are not shared any more, start it again: {kind}: {self.failure}"

    def has(self, reader: str, topic: str) -> bool:
        """Say whether a reader of a topic falls to this process."""
        count = self._counts.get(topic)
        if not count:
            return False
        return TopicPartition(topic, crc32(reader.encode()) % count) in self._mine

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow()
            except (KafkaError, OSError) as error:
                log.warning("group lost", group=self._group, error=str(error))
                self._over.wait(RETRY_S)
            except Exception as error:
                log.exception("sharing ended", group=self._group)
                self.failure = error
                return

    def _follow(self) -> None:
        consumer = made(
            KafkaConsumer,
            **self._connection,
            **{**PATIENCE, **SESSION},
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        try:
            consumer.subscribe(self._topics)
            joined = time.monotonic()
            while not self._over.is_set():
                consumer.poll(timeout_ms=POLL_MS)
                if consumer.group_metadata().state is MemberState.STABLE:
                    joined = time.monotonic()
                elif time.monotonic() - joined > JOINING_S:
                    raise KafkaTimeoutError(f"not in the group for {JOINING_S} s")
                mine = frozenset(consumer.assignment())
                consumer.pause(*mine)  # it is here to be counted, not to read
                if mine != self._mine:
                    for topic in {one.topic for one in mine}:
                        self._counts[topic] = len(consumer.partitions_for_topic(topic) or ())
                    log.info("readers shared", group=self._group, partitions=len(mine))
                    self._mine = mine
        finally:
            self._mine = frozenset()  # first: leaving may take its time, or fail
            consumer.close()
