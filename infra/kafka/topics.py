"""The topics of the mirror: one for the facts of a context, one for how far its relay is."""

import time
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
NEWEST = {"cleanup.policy": "compact"}
ONE = 1
"""Partitions of a progress topic: its last record is the newest."""
READ_S = 30.0
PATIENCE = {"request_timeout_ms": 5_000}
"""How long a broker may be silent: clients ask any of them, and one that stands still too."""
POLL_MS = 100

Connection = dict[str, Any]
"""What kafka-python is told about the way to the brokers: `bootstrap_servers` and the like."""


class Misconfigured(Exception):
    """A topic is not as the mirror needs it; the message says what to do."""


def progress_of(topic: str) -> str:
    """Return the topic that tells how far the relay of `topic` is."""
    return f"{topic}.progress"


def ensure(connection: Connection, topic: str, partitions: int) -> None:
    """Make the topics that are missing. Raises `Misconfigured`.

    The number of partitions is that of the first time: another one would break the order of
    streams. Replication is what the brokers have as their default.
    """
    wanted = [
        NewTopic(topic, partitions, -1, topic_configs=FOR_EVER),
        NewTopic(progress_of(topic), ONE, -1, topic_configs=NEWEST),
    ]
    admin = KafkaAdminClient(**connection, **PATIENCE)
    try:
        there = {one["name"]: one for one in admin.describe_topics([new.name for new in wanted])}
        for new in wanted:
            if there[new.name]["error_code"]:
                with suppress(TopicAlreadyExistsError):  # another relay was quicker
                    admin.create_topics([new])
            elif new.name != topic and len(there[new.name]["partitions"]) != ONE:
                raise Misconfigured(
                    f"topic {new.name} must have one partition; delete it, and the mirror with it"
                )
    finally:
        admin.close()


def position_in(connection: Connection, topic: str) -> int:
    """Return how far the relay of `topic` is, by its last committed transaction; 0 at first."""
    partition = TopicPartition(progress_of(topic), 0)
    consumer = KafkaConsumer(
        **connection, **PATIENCE, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        position, until = 0, time.monotonic() + READ_S
        while consumer.position(partition) < end:
            if time.monotonic() > until:
                raise TimeoutError(f"topic {partition.topic} gives no records for {READ_S:.0f} s")
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                position = int(records[-1].value)
        return position
    finally:
        consumer.close()
