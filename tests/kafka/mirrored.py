"""What is on the mirror, as a reader of committed messages sees it."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from infra.discovery import discover
from infra.kafka.topics import PATIENCE
from infra.schemas.binary import Reader
from infra.schemas.versions import committed
from tests.brokers import producer

SECONDS = 120
SILENT = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError)
"""What a client says that asked a broker which does not answer."""
FACTS = discover().facts
READERS = {one.id: Reader(FACTS[one.subject], one.schema, one.schema) for one in committed()}


class Mirrored(NamedTuple):
    """One message, read back."""

    partition: int
    stream: UUID
    version: int
    position: int
    fact: Any


def mirrored(bootstrap: str, topic: str) -> list[Mirrored]:
    """Return every committed message of a topic, partition by partition, in order."""
    return [_read(one.partition, one) for one in records(bootstrap, topic)]


def double(bootstrap: str, topic: str) -> None:
    """Send every message of a topic again: what a reader gets that reads it once more."""
    with producer(bootstrap) as sending:
        for one in records(bootstrap, topic):
            given = {"headers": one.headers, "timestamp_ms": one.timestamp}
            sending.send(topic, one.value, one.key, partition=one.partition, **given)


def records(bootstrap: str, topic: str) -> list[Any]:
    """Return them as Kafka's client does."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", **PATIENCE
    )
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            return []  # the topic is not there yet
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        try:
            ends = consumer.end_offsets(partitions)
        except KeyError as partition:  # how the client says that one has no leader just now
            raise NodeNotReadyError(f"nobody answers for {partition}") from partition
        found: list[Any] = []
        until = time.monotonic() + SECONDS
        while any(consumer.position(one) < ends[one] for one in partitions):
            assert time.monotonic() < until, f"{topic}: {len(found)} messages and no end"
            for polled in consumer.poll(timeout_ms=100).values():
                found += polled
        return sorted(found, key=lambda one: one.partition)
    finally:
        consumer.close()


def _read(partition: int, record: Any) -> Mirrored:
    headers = dict(record.headers)
    assert record.value[0] == 0
    fact = READERS[int.from_bytes(record.value[1:5])](record.value[5:])
    assert headers["ce_type"].decode() == fact.TOPIC
    return Mirrored(
        partition,
        UUID(record.key.decode()),
        int(headers["ce_streamversion"]),
        int(headers["ce_position"]),
        fact,
    )


def faults(found: list[Mirrored], facts: list[Any]) -> list[str]:
    """Return what is wrong with a mirror of `facts` (a log's, in order); nothing when it is one."""
    wrong = []
    positions = sorted(one.position for one in found)
    if positions != list(range(1, len(facts) + 1)):
        wrong.append(f"positions are {positions[:5]} … {positions[-5:]}, {len(positions)} of them")
    wrong += [
        f"position {one.position} is another fact"
        for one in found
        if one.position <= len(facts) and facts[one.position - 1] != one.fact
    ]
    wrong += [
        f"{after.position} comes after {before.position}"
        for before, after in pairwise(found)
        if before.partition == after.partition and before.position >= after.position
    ]
    partitions: dict[UUID, set[int]] = {}
    for one in found:
        partitions.setdefault(one.stream, set()).add(one.partition)
    wrong += [
        f"stream {stream} is in {numbers}"
        for stream, numbers in partitions.items()
        if len(numbers) > 1
    ]
    return wrong


def wait_for(count: int, look: Callable[[], int]) -> None:
    """Wait until `look` finds so many."""
    until, found = time.monotonic() + SECONDS, 0
    while found < count:
        assert time.monotonic() < until, f"{found} of {count} after {SECONDS} s"
        with suppress(*SILENT):  # this client may have asked a broker that does not answer
            found = look()
        time.sleep(0.1)
