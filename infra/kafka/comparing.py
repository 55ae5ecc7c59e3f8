"""Compares a log with its topic: ranges of positions by count and digest, partitions by order."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

from domain import Envelope, Event
from infra.kafka.clients import made
from infra.kafka.encode import Encoder
from infra.kafka.parts import Mirror
from infra.kafka.topics import (
    PATIENCE,
    POLL_MS,
    READ_S,
    Connection,
    existing,
    position_in,
    progress_of,
)
from infra.schemas.cloudevents import PREFIX

RANGE = 1_000
"""Positions that are compared at once; in memory is a number of 16 bytes for each range."""
DIGEST_BYTES = 16
POSITION = f"{PREFIX}position"
NOBODYS = 0
"""The position of a message that no relay has written."""

Header = tuple[str, bytes]


class Found(NamedTuple):
    """One message of a topic."""

    position: int
    digest: int
    partition: int
    offset: int


class Compared(NamedTuple):
    """What a comparison found."""

    facts: int
    """Up to this position log and topic were compared."""
    behind: int
    """Facts that were not mirrored when it began."""
    difference: str | None
    """The first difference, in words."""
    resume_at: int | None
    """With a difference: where a relay must go on, when the topic is right up to there."""


class Sums:
    """Counts and digests of messages, by range; the order in which they come makes none."""

    def __init__(self) -> None:
        self._ranges: dict[int, tuple[int, int]] = {}

    def add(self, position: int, digest: int) -> None:
        """Take a message in."""
        number = (position - 1) // RANGE
        count, sum_ = self._ranges.get(number, (0, 0))
        self._ranges[number] = count + 1, (sum_ + digest) % (1 << 8 * DIGEST_BYTES)

    def first_difference(self, other: "Sums") -> int | None:
        """Return the number of the first range that is not the same."""
        numbers = sorted(self._ranges.keys() | other._ranges.keys())
        return next((n for n in numbers if self._ranges.get(n) != other._ranges.get(n)), None)


def digest_of(key: bytes, value: bytes, headers: Sequence[Header], time_ms: int) -> int:
    """Return the digest of everything that a message says."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    parts = [key, value, str(time_ms).encode()]
    for name, content in headers:
        parts += [name.encode(), content]
    for part in parts:
        hashed.update(len(part).to_bytes(4))
        hashed.update(part)
    return int.from_bytes(hashed.digest())


def messages(connection: Connection, topic: str, encoder: Encoder) -> Iterator[Found]:
    """Yield the committed messages of a topic up to its end of now, each partition's in order."""
    consumer = made(
        KafkaConsumer,
        **connection,
        **PATIENCE,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        if not partitions:
            return
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        until = time.monotonic() + READ_S
        while any(consumer.position(one) < ends[one] for one in partitions):
            if time.monotonic() > until:
                raise TimeoutError(f"topic {topic} gives no messages for {READ_S:.0f} s")
            for of, records in consumer.poll(timeout_ms=POLL_MS).items():
                until = time.monotonic() + READ_S
                for one in records:
                    value, headers = encoder.today(one.value or b""), one.headers
                    yield Found(
                        _position(headers),
                        digest_of(one.key or b"", value, headers, one.timestamp),
                        of.partition,
                        one.offset,
                    )
    finally:
        consumer.close()


def _position(headers: Sequence[Header]) -> int:
    text = dict(headers).get(POSITION, b"")
    return int(text) if text.isdigit() else NOBODYS


class Topic:
    """What one walk through a topic found, up to a position."""

    def __init__(self, connection: Connection, topic: str, encoder: Encoder, limit: int) -> None:
        self.sums = Sums()
        self.last = 0
        self.strange: str | None = None
        """The first message that no range can tell of."""
        newest: dict[int, int] = {}
        for one in messages(connection, topic, encoder):
            self.last = max(self.last, one.position)
            where = f"partition {one.partition}, offset {one.offset}"
            if one.position == NOBODYS:
                self.strange = self.strange or f"{where}: no relay has written that"
            elif one.position <= limit:
                self.sums.add(one.position, one.digest)
                before = newest.get(one.partition, 0)
                if one.position < before:
                    told = f"{where}: position {one.position} comes after {before}"
                    self.strange = self.strange or told
                newest[one.partition] = one.position


async def compare(mirror: Mirror) -> Compared:
    """Compare what a log and its topic say, up to the position that the relay says it is at.

    A relay may go on meanwhile. Raises `LogError`, `RegistryFails`, and what Kafka's client raises.
    """
    await asyncio.to_thread(mirror.encoder.prepare)
    at = await asyncio.to_thread(progress, mirror)
    head = await mirror.head()
    limit = min(at, head)
    found = await asyncio.to_thread(Topic, mirror.connection, mirror.topic, mirror.encoder, limit)
    log = Sums()
    async for fact, envelope in _facts(mirror, 0, limit):
        log.add(envelope.position, digest_of(*mirror.encoder(fact, envelope)))
    behind = head - limit
    if at > head:
        told = f"the mirror is at position {at}, and the log ends at {head}"
        return Compared(limit, behind, told, None)
    if (number := log.first_difference(found.sums)) is not None:
        first, told = await _first(mirror, number, limit)
        is_end = found.last < first and not found.strange
        return Compared(limit, behind, told, first - 1 if is_end else None)
    now = await asyncio.to_thread(progress, mirror)
    if found.strange is None and found.last > now:
        told = f"there are messages up to position {found.last}, and the relay is at {now}"
        return Compared(limit, behind, told, None)
    return Compared(limit, behind, found.strange, None)


def progress(mirror: Mirror) -> int:
    """Return how far the relay of a topic is; 0 when there are no topics."""
    there = existing(mirror.connection, progress_of(mirror.topic))
    return position_in(mirror.connection, mirror.topic) if there else 0


async def _facts(mirror: Mirror, after: int, upto: int) -> AsyncIterator[tuple[Event, Envelope]]:
    while after < upto:
        for fact, at in await mirror.tail.read(after, min(RANGE, upto - after)):
            yield fact, at
            after = at.position


async def _first(mirror: Mirror, number: int, limit: int) -> tuple[int, str]:
    """Return the first position of a range that is not the same in the topic, and what it is."""
    start = number * RANGE
    end = min(start + RANGE, limit)

    def walk() -> dict[int, list[Found]]:
        of: dict[int, list[Found]] = {}
        for one in messages(mirror.connection, mirror.topic, mirror.encoder):
            if start < one.position <= end:
                of.setdefault(one.position, []).append(one)
        return of

    there = await asyncio.to_thread(walk)
    async for fact, at in _facts(mirror, start, end):
        found = there.get(at.position, [])
        where = ", ".join(f"partition {one.partition} offset {one.offset}" for one in found)
        if not found:
            return at.position, f"position {at.position} ({at.topic}) is missing"
        if len(found) > 1:
            return at.position, f"position {at.position} is there {len(found)} times: {where}"
        if found[0].digest != digest_of(*mirror.encoder(fact, at)):
            return at.position, f"position {at.position} is another message than the log's: {where}"
    return start + 1, f"positions {start + 1} to {end} differed a moment ago"
