"""The facts of a topic in the order of the log: its partitions, put together by position.

Used by one thread at a time.
"""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition

from domain import Envelope, Event
from infra.kafka.clients import made
from infra.kafka.encode import HEAD, MAGIC
from infra.kafka.ids import MAX_KNOWN, Ids, OwnIds
from infra.kafka.topics import PATIENCE, Connection
from infra.log.port import Unavailable
from infra.log.tail import Facts
from infra.schemas.binary import Reader
from infra.schemas.cloudevents import PREFIX
from infra.schemas.records import record_of
from infra.schemas.versions import Versions

LOOK_S = 0.05
"""How long it looks for facts that are not there yet."""
FETCH_S = 5.0
"""How long it waits for facts that are there, behind a place that it has just gone to."""
MAX_WAITING = 5_000
"""Messages in memory of each partition that is ahead of the others."""
GAP_S = 10.0
"""After which a position that does not come, though later ones are there, is a missing one."""


class MissingOnKafka(Unavailable):
    """The topic lacks a fact; the message says what to do."""


class Decoder:
    """Makes facts and envelopes of messages."""

    def __init__(
        self, facts: Mapping[str, type[Event]], versions: Versions, ids: Ids | None = None
    ) -> None:
        """`ids` are asked first; what they do not know may have been written without them."""
        self._facts = facts
        self._own = OwnIds(versions)
        self._ids = ids or self._own
        self._readers: dict[int, Reader] = {}

    def _reader(self, id: int) -> Reader:
        if id not in self._readers:
            written = self._ids.written(id) or self._own.written(id)
            if written is None:
                raise LookupError(f"nobody knows a schema of the id {id}")
            if written.subject not in self._facts:
                raise LookupError(f"schema {id} is of {written.subject}, which is no fact here")
            fact = self._facts[written.subject]
            if len(self._readers) >= MAX_KNOWN:
                self._readers.clear()
            self._readers[id] = Reader(fact, written.schema, record_of(fact))
        return self._readers[id]

    def __call__(self, context: str, record: Any) -> tuple[Event, Envelope]:
        """Return a fact.

        Raises `Unreadable`, `LookupError` for a schema that nobody knows, and `RegistryFails`.
        """
        read = self._reader(int.from_bytes(record.value[len(MAGIC) : HEAD]))
        told = {name: value.decode() for name, value in record.headers}
        at = Envelope(
            context=context,
            stream=UUID(told[f"{PREFIX}subject"]),
            version=int(told[f"{PREFIX}streamversion"]),
            position=int(told[f"{PREFIX}position"]),
            topic=told[f"{PREFIX}type"],
            time=datetime.fromisoformat(told[f"{PREFIX}time"]),
            actor=told[f"{PREFIX}actor"],
            command_id=UUID(told[f"{PREFIX}commandid"]),
            correlation_id=UUID(told[f"{PREFIX}correlationid"]),
            causation_id=_id(told.get(f"{PREFIX}causationid")),
            traceparent=told.get(f"{PREFIX}traceparent"),
        )
        return read(record.value[HEAD:]), at


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


class Merged:
    """A topic from some position on. Every call may raise what Kafka's client raises."""

    def __init__(
        self,
        connection: Connection,
        context: str,
        topic: str,
        decode: Decoder,
        gap_s: float = GAP_S,
    ) -> None:
        self.position = 0
        """Of the last fact that was read."""
        self._context = context
        self._decode = decode
        self._gap_s = gap_s
        self._consumer = made(
            KafkaConsumer,
            **connection,
            **PATIENCE,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._waiting: dict[int, tuple[TopicPartition, Any]] = {}
        self._ahead: Counter[TopicPartition] = Counter()
        self._stuck_since: float | None = None
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            self.close()
            raise MissingOnKafka(f"topic {topic} is not there; run aorist relay")
        self._partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning(*self._partitions)
        self._ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._partitions)
        """Up to where there was something when it went to its place; empty once it has that."""

    def close(self) -> None:
        """Let go of it."""
        self._consumer.close()

    def seek(self, position: int, time_ms: int) -> None:
        """Go on behind a position, whose fact has a time: those behind it have no earlier one."""
        self._ends = self._consumer.end_offsets(self._partitions)
        found = self._consumer.offsets_for_times(dict.fromkeys(self._partitions, time_ms))
        for partition in self._partitions:
            at = found.get(partition)
            self._consumer.seek(partition, self._ends[partition] if at is None else at.offset)
        self._consumer.resume(*self._partitions)
        self._waiting.clear()
        self._ahead.clear()
        self._stuck_since = None
        self.position = position

    def read(self, limit: int) -> Facts:
        """Return at most `limit` facts behind the position.

        Waits for the first as long as it was there already, `FETCH_S` at most: else readers in two
        places would take it away from each other before it comes. Otherwise waits `LOOK_S`.
        """
        found: list[tuple[Event, Envelope]] = []
        begun = time.monotonic()
        while len(found) < limit:
            waiting = self._waiting.pop(self.position + 1, None)
            if waiting is not None:
                partition, record = waiting
                self._ahead[partition] -= 1
                found.append(self._decode(self._context, record))
                self.position += 1
            elif found or time.monotonic() - begun > (FETCH_S if self._is_behind() else LOOK_S):
                break
            else:
                self._poll(limit)
        if not found:
            self._look_for_gap()
        else:
            self._stuck_since = None
        return tuple(found)

    def _is_behind(self) -> bool:
        """Whether something was there that has not come yet, in a partition that is read."""
        self._ends = {
            one: end for one, end in self._ends.items() if self._consumer.position(one) < end
        }
        return any(self._ahead[one] < MAX_WAITING for one in self._ends)

    def _poll(self, limit: int) -> None:
        full = [one for one in self._partitions if self._ahead[one] >= MAX_WAITING]
        # One that is not ahead has what comes next: it is never among those that wait.
        self._consumer.resume(*(one for one in self._partitions if one not in full))
        self._consumer.pause(*full)
        polled = self._consumer.poll(timeout_ms=int(LOOK_S * 1000), max_records=limit)
        for partition, records in polled.items():
            for record in records:
                position = int(dict(record.headers)[f"{PREFIX}position"])
                if position > self.position and position not in self._waiting:  # once is enough
                    self._waiting[position] = partition, record
                    self._ahead[partition] += 1

    def _look_for_gap(self) -> None:
        if not self._waiting:
            self._stuck_since = None
            return
        now = time.monotonic()
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since > self._gap_s:
            raise MissingOnKafka(
                f"position {self.position + 1} of {self._context} is not on Kafka, later ones are; "
                "run aorist mirror verify --repair"
            )
