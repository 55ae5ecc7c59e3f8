"""A fact as a Kafka message: framed Avro, the stream as its key, the envelope in its headers."""

from collections.abc import Mapping
from typing import NamedTuple

from domain import Envelope, Event
from infra.schemas.binary import Reader, Unreadable, Unwritable, Writer
from infra.schemas.cloudevents import headers_of
from infra.schemas.records import record_of, without_docs
from infra.schemas.versions import Broken, Versions, text_of
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

    def __init__(self, facts: Mapping[str, type[Event]], versions: Versions) -> None:
        """Raises `Broken` for a fact whose newest schema is not that of its class."""
        self._facts = facts
        self._versions = versions
        self._readers: dict[int, Reader] = {}
        self._writers: dict[str, tuple[bytes, Writer]] = {}
        for topic, fact in facts.items():
            newest = versions.latest(topic)
            if newest is None or newest.text != text_of(without_docs(record_of(fact))):
                raise Broken(
                    f"{topic} has no schema, or an older one; run `aorist schemas generate`, "
                    "commit what it writes, and deploy that"
                )
            self._writers[topic] = MAGIC + newest.id.to_bytes(4), Writer(newest.schema)

    def __call__(self, fact: Event, at: Envelope) -> Message:
        """Return the message of a fact, its secrets empty. Raises `Unwritable`."""
        frame, write = self._writers[at.topic]
        try:
            value = frame + write(veiled(fact))
        except Unwritable as error:
            raise Unwritable(f"{at.context} log, position {at.position}: {error}") from error
        time_ms = int(at.time.timestamp() * 1000)
        return Message(str(at.stream).encode(), value, headers_of(at), time_ms)

    def today(self, value: bytes) -> bytes:
        """Return a message's value as it would be written today; other bytes as they are."""
        version = self._versions.by_id.get(int.from_bytes(value[1:HEAD]))
        if version is None or value[:1] != MAGIC or version.subject not in self._writers:
            return value
        frame, write = self._writers[version.subject]
        if value.startswith(frame):
            return value
        if version.id not in self._readers:
            fact = self._facts[version.subject]
            self._readers[version.id] = Reader(fact, version.schema, record_of(fact))
        try:
            return frame + write(self._readers[version.id](value[HEAD:]))
        except (Unreadable, Unwritable):
            return value
