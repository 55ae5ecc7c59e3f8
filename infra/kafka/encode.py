"""A fact as a Kafka message: framed Avro, the stream as its key, the envelope in its headers."""

from collections.abc import Mapping
from typing import NamedTuple

from domain import Envelope, Event
from infra.kafka.ids import Ids, OwnIds
from infra.schemas.binary import Reader, Unreadable, Unwritable, Writer
from infra.schemas.cloudevents import headers_of
from infra.schemas.records import record_of, without_docs
from infra.schemas.versions import Broken, Version, Versions, text_of
from infra.veil import veiled

MAGIC = b"\0"
HEAD = 5
"""Confluent's framing: a zero byte and four bytes of the schema's id, before the Avro bytes."""


class Message(NamedTuple):
    """What is sent for a fact."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    time_ms: int


class Encoder:
    """Makes messages of the facts whose schemas are committed."""

    def __init__(
        self, facts: Mapping[str, type[Event]], versions: Versions, ids: Ids | None = None
    ) -> None:
        """`ids` are those of the versions, unless given.

        Raises `Broken` for a fact whose newest schema is not that of its class.
        """
        self._facts = facts
        self._ids = ids or OwnIds(versions)
        self._readers: dict[int, Reader] = {}
        self._writers: dict[str, Writer] = {}
        self._newest: dict[str, Version] = {}
        self._frames: dict[str, bytes] = {}
        for topic, fact in facts.items():
            newest = versions.latest(topic)
            if newest is None or newest.text != text_of(without_docs(record_of(fact))):
                raise Broken(
                    f"{topic} has no schema, or an older one; run `aorist schemas generate`, "
                    "commit what it writes, and deploy that"
                )
            self._newest[topic] = newest
            self._writers[topic] = Writer(newest.schema)
        if self._ids.is_ready:
            self.prepare()

    def prepare(self) -> None:
        """Ask for the ids of all schemas, once; before anything is encoded.

        It may take a while. Raises `RegistryFails`.
        """
        for topic, newest in self._newest.items():
            if topic not in self._frames:
                self._frames[topic] = MAGIC + self._ids.of(newest).to_bytes(4)

    def __call__(self, fact: Event, at: Envelope) -> Message:
        """Return the message of a fact, its secrets empty. Raises `Unwritable`."""
        try:
            value = self._frames[at.topic] + self._writers[at.topic](veiled(fact))
        except Unwritable as error:
            raise Unwritable(f"{at.context} log, position {at.position}: {error}") from error
        time_ms = int(at.time.timestamp() * 1000)
        return Message(str(at.stream).encode(), value, headers_of(at), time_ms)

    def today(self, value: bytes) -> bytes:
        """Return a message's value as it would be written today; other bytes as they are.

        Raises `RegistryFails`.
        """
        if value[:1] != MAGIC or len(value) < HEAD:
            return value
        if value[:HEAD] in self._frames.values():
            return value
        id = int.from_bytes(value[1:HEAD])
        written = self._ids.written(id)
        if written is None or written.subject not in self._writers:
            return value
        if id not in self._readers:
            fact = self._facts[written.subject]
            self._readers[id] = Reader(fact, written.schema, record_of(fact))
        try:
            fact_then = self._readers[id](value[HEAD:])
            return self._frames[written.subject] + self._writers[written.subject](fact_then)
        except (Unreadable, Unwritable):
            return value
